//! Key files of every daemon: how a symmetric key is spelled, and what a line means to whom.
//!
//! The rules were measured on ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3. Their files look alike and are not: only
//! chrony wants `HEX:`, only the others refuse it; one bad line costs ntp.org the whole file; a comment after the
//! key costs chrony the line. What is written here is what all readers of that kind take the one way it is meant.

use std::{collections::BTreeMap, fmt::Write as _};

use zeroize::Zeroizing;

mod read;

use super::{
    Error, Result,
    symmetric::{KeyType, SymmetricKey, to_hex},
};
use keytrail_vocabulary::{Implementation, Secret};
pub use read::{Cost, KeyFile, Problem, read};

/// The most bytes a key has to ntp.org and NTPsec; they cut longer ones.
const MAX_NTPD_BYTES: usize = 32;
/// The longest text key to ntp.org and NTPsec; longer ones are hexadecimal.
const MAX_NTPD_TEXT: usize = 20;
/// The longest key of type M; one to eight characters in the manuals of that time.
const MAX_OPENVMS_TEXT: usize = 8;

/// How this daemon names this type in its key file; `None` if it does not have it.
pub fn type_name(kind: KeyType, daemon: Implementation) -> Option<&'static str> {
    kind.name_for(daemon)
}

/// The line of a key, without line end.
///
/// # Errors
/// What this daemon would not read as it is meant: a type it lacks, an id out of its range, a key it would cut,
/// addresses it would ignore.
pub fn line(key: &SymmetricKey, daemon: Implementation) -> Result<Zeroizing<String>> {
    let what = || format!("symmetric key {} ({}) for {}", key.id, key.kind, name(daemon));
    let kind = type_name(key.kind, daemon).ok_or_else(|| {
        let known: Vec<_> = KeyType::ALL
            .into_iter()
            .filter(|kind| type_name(*kind, daemon).is_some())
            .collect();
        let known: Vec<_> = known.into_iter().map(KeyType::as_str).collect();
        Error::refused(
            what(),
            "this daemon does not have the type",
            format!("use one of {}", known.join(", ")),
        )
    })?;
    if key.id == 0 || key.secret.is_empty() {
        let help = "use an id from 1 to 65534 and a key of 16 or 20 bytes";
        return Err(Error::refused(what(), "id 0 and empty keys mean no key", help));
    }
    if daemon == Implementation::Openvms && !(1..=15).contains(&key.id) {
        return Err(Error::refused(
            what(),
            "OpenVMS reads ids 1 to 15",
            "choose another id",
        ));
    }
    if !key.restrict.is_empty() && daemon != Implementation::NtpOrg {
        let why = "only ntp.org knows addresses in the key file; others ignore them or drop the line";
        return Err(Error::refused(
            what(),
            why,
            "restrict it by a restrict line or firewall instead",
        ));
    }
    let bytes = key.secret.expose();
    let text = safe_text(bytes, daemon);
    let longest = match daemon {
        Implementation::Openvms => MAX_OPENVMS_TEXT,
        _ => MAX_NTPD_TEXT,
    };
    let mut line = Zeroizing::new(String::with_capacity(100));
    let _ = write!(line, "{} {kind} ", key.id);
    match (text.filter(|text| text.len() <= longest), daemon) {
        (Some(text), _) => line.push_str(text),
        (None, Implementation::Chrony) => {
            line.push_str("HEX:");
            line.push_str(&to_hex(bytes));
        }
        (None, Implementation::Openvms) => {
            let help = format!(
                "use a key of 1 to {MAX_OPENVMS_TEXT} printable characters for the hosts that talk to it"
            );
            return Err(Error::refused(
                what(),
                "type M holds printable characters only, and at most eight",
                help,
            ));
        }
        (None, _) if bytes.len() > MAX_NTPD_BYTES => {
            return Err(Error::refused(
                what(),
                "the daemon cuts keys to 32 bytes",
                "use a key of at most 32 bytes",
            ));
        }
        // Twenty hexadecimal digits or fewer would be read as text.
        (None, _) if 2 * bytes.len() <= MAX_NTPD_TEXT => {
            let why =
                "a short key that is not plain text cannot be written: its digits would be read as text";
            return Err(Error::refused(
                what(),
                why,
                "use more than 10 bytes, best 20, or printable characters",
            ));
        }
        (None, _) => line.push_str(&to_hex(bytes)),
    }
    for (index, subnet) in key.restrict.iter().enumerate() {
        let _ = write!(line, "{}{subnet}", if index == 0 { " " } else { "," });
    }
    Ok(line)
}

/// The key as text, if every daemon reads this text as just these bytes. Quotes are part of the key to all three that
/// were measured; what OpenVMS makes of them is not known.
fn safe_text(bytes: &[u8], daemon: Implementation) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let clean = text.bytes().all(|c| c.is_ascii_graphic() && c != b'#');
    let quoted = daemon == Implementation::Openvms && text.contains(['"', '\'']);
    let upper = text.to_ascii_uppercase();
    (clean && !quoted && !upper.starts_with("HEX:") && !upper.starts_with("ASCII:")).then_some(text)
}

fn name(daemon: Implementation) -> &'static str {
    match daemon {
        Implementation::NtpOrg => "ntp.org",
        Implementation::Ntpsec => "NTPsec",
        Implementation::Chrony => "chrony",
        Implementation::Openvms => "OpenVMS",
    }
}

/// All lines of a key file, by id, each with its line end. No comments: none is safe after a key.
///
/// # Errors
/// A key that [`line`] refuses; the same id twice, of which ntp.org takes the first and others the last.
pub fn lines<'a>(keys: impl IntoIterator<Item = &'a SymmetricKey>, daemon: Implementation) -> Result<Secret> {
    let mut by_id = BTreeMap::new();
    for key in keys {
        if by_id.insert(key.id, line(key, daemon)?).is_some() {
            let why = "it is there twice: ntp.org takes the first, the others the last";
            return Err(Error::refused(
                format!("symmetric key {}", key.id),
                why,
                "give each key an id of its own",
            ));
        }
    }
    let length = by_id.values().map(|line| line.len() + 1).sum();
    let mut text = Zeroizing::new(String::with_capacity(length));
    for line in by_id.values() {
        text.push_str(line);
        text.push('\n');
    }
    Ok(Secret::new(text.as_bytes()))
}

/// The lines of `ntp-keygen -M`, with its comments after the keys: for ntp.org only.
///
/// # Errors
/// As [`line`].
pub fn lines_of_the_generator(keys: &[SymmetricKey]) -> Result<Secret> {
    let mut text = Zeroizing::new(String::with_capacity(80 * keys.len()));
    for key in keys {
        let line = line(key, Implementation::NtpOrg)?;
        let padding = if key.id < 10 { " " } else { "" };
        let _ = writeln!(text, "{padding}{}  # {} key", *line, key.kind);
    }
    Ok(Secret::new(text.as_bytes()))
}

#[cfg(test)]
mod tests;
