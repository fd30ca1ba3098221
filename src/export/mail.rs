//! A host's group media as text for a mail: client parameters in clear, as `ntp-keygen -e` gives them; server keys
//! encrypted with the receiver's password, as `-q` does. The password is never in it.

use super::parameters::date;
use super::{Contents, Error};
use crate::media::{MediaKind, MediaName, ReadFile};
use crate::plan::DesiredHost;
use std::fmt::Write as _;

/// Between the files.
const END: &str = "=== end of file ===";

/// What to do with it; POSIX tools alone.
const UNPACK: &str =
    "awk '/^# ntpkey_/ { file = $2 } /^===/ { file = \"\" } file { print > file }' THIS-TEXT";

/// The text for the host, or everything that stands against it; `Ok(None)`: it needs no media of any group.
pub fn mail(made: &DesiredHost, contents: Contents<'_>) -> Result<Option<String>, Vec<Error>> {
    let host = &made.desired.host;
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for (path, spec) in &made.desired.media {
        let name = path.rsplit('/').next().unwrap_or(path);
        match contents(&spec.digest).and_then(|content| file(name, content.expose())) {
            Ok(file) => files.extend(file),
            Err(why) => errors.push(Error::Content {
                host: host.clone(),
                why: format!("{path}: {why}"),
            }),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if files.is_empty() {
        return Ok(None);
    }
    let mut text = format!("Key media of NTP secure groups for {host}.\n\n");
    for File { name, secret, .. } in &files {
        let what = if *secret {
            "server key, encrypted"
        } else {
            "client parameters"
        };
        let _ = writeln!(text, "  {name}: {what}, made {}", date(name.stamp));
    }
    text.push_str(
        "\nFor this host only: with IFF and GQ, who else has client parameters can pose as a server to the group's clients.\n",
    );
    if files.iter().any(|file| file.secret) {
        let _ = writeln!(
            text,
            "Server keys are encrypted with the password of {host} (crypto pw in its ntp.conf). It is not in this text;\n\
             where it must be told, tell it by another way."
        );
    }
    let _ = writeln!(
        text,
        "\nSave this text as it is, and in the daemon's keys directory (umask 077) take the files out of it:\n\n  {UNPACK}\n\n\
         Then give each the name under which the daemon looks for it:\n"
    );
    for (path, target) in &made.desired.links {
        let link = path.rsplit('/').next().unwrap_or(path);
        if let Some(file) = files.iter().find(|file| file.placed == *target) {
            let _ = writeln!(text, "  ln -sf {} {link}", file.name);
        }
    }
    text.push_str("\nParameters must be readable for the daemon's account, server keys for nobody else. Then restart the daemon.\n\n");
    for file in &files {
        let _ = writeln!(text, "{}\n{END}\n", file.text.trim_end());
    }
    Ok(Some(text))
}

/// A file for the text.
struct File {
    /// Its name on the host, which may have a generation at its end.
    placed: String,
    /// The name in its first line, under which it is taken out of the text.
    name: MediaName,
    text: String,
    secret: bool,
}

/// The file, if it is one of a group. A server key that is not encrypted never gets into a mail.
fn file(placed: &str, bytes: &[u8]) -> Result<Option<File>, String> {
    let name = ReadFile::parse(bytes)
        .and_then(|file| file.name())
        .map_err(|error| error.to_string())?;
    let secret = match name.kind {
        MediaKind::ServerKey(_) => true,
        MediaKind::ClientParameters(_) => false,
        _ => return Ok(None),
    };
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    if secret && !text.contains("ENCRYPTED") {
        return Err("it is not encrypted, and is not for a mail".into());
    }
    Ok(Some(File {
        placed: placed.to_owned(),
        name,
        text: text.to_owned(),
        secret,
    }))
}
