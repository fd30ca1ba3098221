//! The three ways a host's lines get into its configuration: block, include, whole.

use super::block::{self, Block};
use super::conflict::{Conflict, conflicts};
use super::error::ConfError;
use super::lex::foreign_lines;
use super::rendered::{Line, Rendered};
use super::spell;
use crate::inventory::{ConfMode, Implementation, Settings};
use crate::secret::Secret;

/// First line of a file that is keytrail's alone.
const HEADER: &str = "# Written by keytrail: changes here are overwritten.\n";

/// A configuration file as it should be.
#[derive(Debug, Clone)]
pub struct ConfFile {
    /// Absolute path on the host.
    pub path: String,
    /// Its content.
    pub content: Secret,
    /// The content line by line, as it may be shown.
    pub lines: Vec<Line>,
    /// Permission bits.
    pub mode: u32,
    /// Holds a password.
    pub secret: bool,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The daemon's configuration file as it is on the host.
#[derive(Debug, Clone, Copy)]
pub struct Existing<'a> {
    /// Its content.
    pub content: &'a Secret,
    /// Permission bits.
    pub mode: u32,
}

/// What is to be written, and what in the host's file speaks against it.
#[derive(Debug, Clone)]
pub struct Composed {
    /// The files, in the order in which they may be replaced: what is included first.
    pub files: Vec<ConfFile>,
    /// Hand-written lines that say the same.
    pub conflicts: Vec<Conflict>,
}

/// Most lines of a configuration file: each takes memory many times its size.
pub const MOST_LINES: usize = 20_000;

/// Whether a file of a host has more lines than are read.
pub fn is_too_long(content: &[u8]) -> bool {
    content.split(|&byte| byte == b'\n').nth(MOST_LINES + 1).is_some()
}

/// Puts a host's lines into its files. `existing`: the daemon's configuration file, if there is one.
pub fn compose(
    host: &str,
    settings: &Settings,
    ours: &Rendered,
    existing: Option<Existing<'_>>,
) -> Result<Composed, ConfError> {
    let found: &[u8] = existing.map_or(&[], |file| file.content.expose());
    let path = settings.conf.to_string();
    if settings.conf_mode == ConfMode::Whole {
        return Ok(Composed {
            files: vec![own_file(path, ours)],
            conflicts: Vec::new(),
        });
    }
    let failed = |why| ConfError::Markers {
        host: host.to_owned(),
        file: path.clone(),
        why,
    };
    if is_too_long(found) {
        return Err(ConfError::TooLong {
            host: host.to_owned(),
            file: path.clone(),
            most: MOST_LINES,
        });
    }
    let before = block::find(found).map_err(failed)?;
    let include = settings.conf_mode == ConfMode::Include;
    let inside = if include {
        include_line(host, settings)?
    } else {
        ours.clone()
    };
    let content = Secret::new(block::splice(found, inside.to_secret().expose()).map_err(failed)?);
    let after = block::find(content.expose()).map_err(failed)?;
    let secret = inside.holds_secret();
    let main = ConfFile {
        lines: spliced_lines(content.expose(), after.as_ref(), &inside),
        content,
        // A password in a file that everybody may read is none: the daemon reads it as root.
        mode: match existing {
            Some(file) if secret => file.mode & !0o007,
            Some(file) => file.mode,
            None if secret => 0o600,
            None => 0o644,
        },
        secret,
        path,
    };
    let include_file = include.then_some(&*settings.include_file);
    let conflicts = conflicts(settings.ntpd, found, before.as_ref(), ours, include_file);
    let mut files = Vec::new();
    if include {
        files.push(own_file(settings.include_file.to_string(), ours));
    }
    files.push(main);
    Ok(Composed { files, conflicts })
}

fn own_file(path: String, ours: &Rendered) -> ConfFile {
    let secret = ours.holds_secret();
    let content = Secret::new([HEADER.as_bytes(), ours.to_secret().expose()].concat());
    let mut lines = foreign_lines(HEADER.as_bytes());
    lines.extend(ours.lines());
    ConfFile {
        path,
        content,
        lines,
        mode: if secret { 0o600 } else { 0o644 },
        secret,
    }
}

fn include_line(host: &str, settings: &Settings) -> Result<Rendered, ConfError> {
    let command = match settings.ntpd {
        Implementation::Chrony => "include",
        Implementation::NtpOrg | Implementation::Ntpsec | Implementation::Openvms => "includefile",
    };
    let file = spell::word(settings.ntpd, &settings.include_file).map_err(|why| ConfError::Value {
        host: host.to_owned(),
        what: format!(
            "include_file '{}'",
            super::rendered::printable(&settings.include_file)
        ),
        file: settings.conf.to_string(),
        why,
        help: "change it in the inventory",
    })?;
    Ok(Rendered::plain(format!("{command} {file}\n")))
}

/// Lines of a file with our block in it: ours shown by what is known of them, the others as foreign ones.
fn spliced_lines(content: &[u8], block: Option<&Block>, ours: &Rendered) -> Vec<Line> {
    let mut lines = foreign_lines(content);
    if let Some(block) = block {
        for (line, own) in lines[block.first_line..].iter_mut().zip(ours.lines()) {
            line.shown = own.shown;
        }
    }
    lines
}
