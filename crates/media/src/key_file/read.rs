//! What a line of a key file means to which daemon, and what a bad one costs it. Measured line by line.

use serde::Serialize;
use std::collections::HashMap;
use zeroize::Zeroizing;

use super::{MAX_NTPD_BYTES, MAX_NTPD_TEXT, type_name};
use crate::{
    Error, Result, file,
    symmetric::{KeyType, Subnet, SymmetricKey, from_hex},
};
use keytrail_vocabulary::{Implementation, Secret};

/// What a bad line costs the daemon that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cost {
    /// Nothing is lost, but the line does not say what it seems to.
    Warning,
    /// This line.
    Line,
    /// The whole file: the daemon goes on without keys.
    File,
}

/// Lines that are wrong before a file counts as something else: each takes more memory than the line has.
const MOST_PROBLEMS: usize = 10_000;

/// Something wrong with a line of a key file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong. Never the key.
    pub what: String,
    /// What it costs.
    pub cost: Cost,
}

/// A key file as one daemon reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFile {
    /// The keys the daemon has afterwards, with the lines they come from.
    pub keys: Vec<(usize, SymmetricKey)>,
    /// What is wrong, in the order of the lines.
    pub problems: Vec<Problem>,
}

/// Reads a key file as this daemon does.
///
/// # Errors
/// Not text, or too large. Bad lines are [`Problem`]s, not errors.
pub fn read(bytes: &[u8], daemon: Implementation) -> Result<KeyFile> {
    let text = file::text(bytes)?;
    let mut found = KeyFile::default();
    let mut places: HashMap<u16, usize> = HashMap::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        let problem = |what: String, cost| Problem {
            line: number,
            what,
            cost,
        };
        match read_line(line, daemon) {
            Ok(None) => {}
            Ok(Some((key, warning))) => {
                found
                    .problems
                    .extend(warning.map(|what| problem(what, Cost::Warning)));
                if let Some(&earlier) = places.get(&key.id) {
                    let first_wins = matches!(daemon, Implementation::NtpOrg | Implementation::Openvms);
                    let taken = if first_wins { "first" } else { "last" };
                    found.problems.push(problem(
                        format!("id {} is there twice; the {taken} is taken", key.id),
                        Cost::Line,
                    ));
                    if !first_wins {
                        found.keys[earlier] = (number, key);
                    }
                } else {
                    places.insert(key.id, found.keys.len());
                    found.keys.push((number, key));
                }
            }
            Err((what, cost)) => found.problems.push(problem(what, cost)),
        }
        if found.problems.len() >= MOST_PROBLEMS {
            return Err(Error::NotMedia(format!(
                "{MOST_PROBLEMS} lines of it are wrong: this is no key file"
            )));
        }
    }
    if found.problems.iter().any(|problem| problem.cost == Cost::File) {
        found.keys.clear();
    }
    Ok(found)
}

type LineResult = Result<Option<(SymmetricKey, Option<String>)>, (String, Cost)>;

fn read_line(line: &str, daemon: Implementation) -> LineResult {
    if daemon == Implementation::Chrony {
        return read_chrony_line(line);
    }
    let bad = if daemon == Implementation::Ntpsec {
        Cost::Line
    } else {
        Cost::File
    };
    let line = line.split('#').next().unwrap_or_default();
    // The carriage return of a foreign line end is no blank to the daemon: it becomes part of the key.
    let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    let (id, kind, value, rest) = match words[..] {
        [] | ["\r"] => return Ok(None),
        [id, kind, value, ref rest @ ..] => (id, kind, value, rest),
        _ => return Err(("a key line has an id, a type and a key".into(), bad)),
    };
    let most = if daemon == Implementation::Openvms {
        15
    } else {
        65535
    };
    let id = leading_number(id)
        .filter(|id| (1..=most).contains(id))
        .and_then(|id| u16::try_from(id).ok());
    let id = id.ok_or_else(|| (format!("the id should be a number from 1 to {most}"), bad))?;
    let kind = type_of(kind, daemon)
        .ok_or_else(|| (format!("this daemon has no key type {kind:.20}"), Cost::Line))?;
    let mut warning = value
        .ends_with('\r')
        .then(|| "the line ends in CR LF, and CR becomes part of the key".to_owned());
    let secret = ntpd_secret(value, kind, daemon, &mut warning).map_err(|what| (what.to_owned(), bad))?;
    let mut restrict = Vec::new();
    match (rest.first(), daemon) {
        (None, _) | (_, Implementation::Openvms) => {}
        (Some(list), Implementation::NtpOrg) => {
            for subnet in list.trim_end_matches('\r').split(',') {
                let subnet: Subnet = subnet.parse().map_err(|_| {
                    (
                        "what follows the key should be addresses, separated by commas".to_owned(),
                        bad,
                    )
                })?;
                restrict.push(subnet);
            }
        }
        (Some(_), _) => warning = Some("what follows the key is ignored".into()),
    }
    Ok(Some((
        SymmetricKey {
            id,
            kind,
            secret,
            restrict,
        },
        warning,
    )))
}

/// A key as ntp.org and NTPsec take it: up to 20 characters are text, more are hexadecimal.
fn ntpd_secret(
    value: &str,
    kind: KeyType,
    daemon: Implementation,
    warning: &mut Option<String>,
) -> Result<Secret, &'static str> {
    let mut bytes = if value.len() <= MAX_NTPD_TEXT {
        Zeroizing::new(value.as_bytes().to_vec())
    } else {
        let mut digits = value;
        if !digits.len().is_multiple_of(2) {
            digits = value.get(..value.len() - 1).unwrap_or_default();
            *warning = Some("an odd number of hexadecimal digits; the last is dropped".into());
        }
        let bytes = from_hex(digits).ok_or("a key of more than 20 characters must be hexadecimal")?;
        Zeroizing::new(bytes.expose().to_vec())
    };
    if bytes.len() > MAX_NTPD_BYTES {
        bytes.truncate(MAX_NTPD_BYTES);
        *warning = Some("the key is cut to 32 bytes".into());
    }
    if let Some(length) = kind.exact_length() {
        if bytes.len() < length && daemon == Implementation::Ntpsec {
            return Err("an AES key that is too short: NTPsec fills it up with whatever is in its buffer");
        }
        if bytes.len() != length {
            *warning = Some(format!(
                "{kind} takes {length} bytes; the key is cut or filled up with zeros"
            ));
        }
        bytes.resize(length, 0);
    }
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

fn read_chrony_line(line: &str) -> LineResult {
    let lost = |what: &str| (what.to_owned(), Cost::Line);
    let line = line.trim();
    if line.is_empty() || line.starts_with(['!', ';', '#', '%']) {
        return Ok(None);
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let (id, kind, value) = match words[..] {
        [id, value] => (id, "MD5", value),
        [id, kind, value] => (id, kind, value),
        _ => {
            return Err(lost(
                "a key line has an id, a type and a key, and nothing after it, comments neither",
            ));
        }
    };
    let id = leading_number(id)
        .and_then(|id| u16::try_from(id).ok())
        .filter(|id| *id > 0);
    let id =
        id.ok_or_else(|| lost("the id should be a number from 1 to 65535 to be of use with other daemons"))?;
    let kind = type_of(kind, Implementation::Chrony).ok_or_else(|| {
        (
            format!("chrony has no key type {kind:.20} (it wants capitals)"),
            Cost::Line,
        )
    })?;
    let secret = if let Some(digits) = value.strip_prefix("HEX:") {
        from_hex(digits)
            .ok_or_else(|| lost("what follows HEX: is not an even number of hexadecimal digits"))?
    } else {
        Secret::from(value.strip_prefix("ASCII:").unwrap_or(value))
    };
    if secret.is_empty() {
        return Err(lost("the key is empty"));
    }
    if kind.exact_length().is_some_and(|length| length != secret.len()) {
        return Err(lost("an AES key must have exactly the length of its cipher"));
    }
    let hexadecimal = value.len() >= 32 && value.bytes().all(|c| c.is_ascii_hexdigit());
    let mut warning = hexadecimal.then(|| "without HEX: chrony takes these digits as text".to_owned());
    if secret.len() < 10 {
        warning = Some("chrony calls keys below 80 bits too short, and uses them".into());
    }
    Ok(Some((
        SymmetricKey {
            id,
            kind,
            secret,
            restrict: Vec::new(),
        },
        warning,
    )))
}

/// A number as C reads it: a sign and digits, and whatever follows is not looked at.
fn leading_number(word: &str) -> Option<u64> {
    let digits = word.strip_prefix('+').unwrap_or(word);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// The type a word means to this daemon.
fn type_of(word: &str, daemon: Implementation) -> Option<KeyType> {
    let upper = word.to_ascii_uppercase();
    let spelled = |kind: &KeyType| match daemon {
        Implementation::Chrony => type_name(*kind, daemon) == Some(word),
        _ => type_name(*kind, daemon).is_some_and(|name| name.eq_ignore_ascii_case(word)),
    };
    let others = || match (daemon, upper.as_str()) {
        (Implementation::NtpOrg, "CMAC") | (Implementation::Ntpsec, "AES" | "AES128CMAC") => {
            Some(KeyType::Aes128Cmac)
        }
        (Implementation::Ntpsec, "SHA-1") => Some(KeyType::Sha1),
        (Implementation::Ntpsec, "SHA-224" | "SHA2-224") => Some(KeyType::Sha224),
        (Implementation::Ntpsec, "SHA-256" | "SHA2-256") => Some(KeyType::Sha256),
        (Implementation::Ntpsec, "SHA-384" | "SHA2-384") => Some(KeyType::Sha384),
        (Implementation::Ntpsec, "SHA-512" | "SHA2-512") => Some(KeyType::Sha512),
        (Implementation::Ntpsec, "RMD160") => Some(KeyType::Ripemd160),
        // Whatever is unknown and begins with m is MD5; MDC2 is known to ntp.org, if of no use.
        (Implementation::NtpOrg, "MDC2") => None,
        (Implementation::NtpOrg | Implementation::Ntpsec, other) if other.starts_with('M') => {
            Some(KeyType::Md5)
        }
        _ => None,
    };
    KeyType::ALL.into_iter().find(spelled).or_else(others)
}
