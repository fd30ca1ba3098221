//! The cryptostats file (`filegen cryptostats`): what was loaded at start, every step of every exchange, every
//! error. The only place where the generation of identity keys an association was proven with can be seen.

use super::bits::{CertificateFlags, CryptoFlags};
use super::error::{ReadError, excerpt};
use super::error_code::ErrorCode;
use super::time::Timestamp;
use keytrail_vocabulary::IdentityScheme;
use serde::Serialize;
use std::fmt;

/// Steps of the Autokey exchange in the order a client walks them (RFC 5906 section 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// ASSOC: names, status words.
    Association,
    /// CERT: the trail, one certificate a poll.
    Certificate,
    /// IFF, GQ or MV: the challenge.
    Identity,
    /// COOK: the cookie, under the server's signature.
    Cookie,
    /// AUTO: autokey values, in modes other than client and server.
    Autokey,
    /// SIGN: the server signs this host's certificate.
    Sign,
    /// LEAP: leapseconds values.
    Leap,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Association => "association",
            Self::Certificate => "certificate",
            Self::Identity => "identity",
            Self::Cookie => "cookie",
            Self::Autokey => "autokey",
            Self::Sign => "sign",
            Self::Leap => "leapseconds",
        })
    }
}

/// First word of an extension field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opcode(pub u32);

impl Opcode {
    /// An answer, not a request.
    pub fn response(self) -> bool {
        self.0 & 0x8000_0000 != 0
    }

    /// With the error bit.
    pub fn error(self) -> bool {
        self.0 & 0x4000_0000 != 0
    }

    /// Second byte: which message.
    fn operation(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    /// The step. A client without identity parameters sends an empty request (0) at the identity step.
    pub fn step(self) -> Option<Step> {
        Some(match self.operation() {
            1 => Step::Association,
            2 => Step::Certificate,
            3 => Step::Cookie,
            4 => Step::Autokey,
            5 => Step::Leap,
            6 => Step::Sign,
            0 | 7 | 8 | 9 => Step::Identity,
            _ => return None,
        })
    }

    /// The empty request of a client that has no identity parameters, or its answer.
    pub fn empty(self) -> bool {
        self.operation() == 0
    }
}

/// An error the daemon recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorLine {
    /// Which message.
    pub opcode: Opcode,
    /// Association number: this host's where it is the client, the client's where this host serves.
    pub associd: u32,
    /// What was wrong.
    pub code: ErrorCode,
    /// The daemon's words.
    pub text: String,
}

impl ErrorLine {
    /// This host was answering somebody else's request: an answer with the error bit that still has the length of
    /// the request. (An error answer received has length 8.)
    pub fn while_serving(&self) -> bool {
        self.opcode.response() && self.opcode.error() && self.opcode.0 & 0xffff != 8
    }
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file was read.
    Loaded {
        /// Its name by its first line, without the stamp (`ntpkey_iffkey_red`).
        file: String,
        /// Its filestamp.
        stamp: u32,
    },
    /// The daemon has its keys: a start.
    Setup {
        /// Own status word.
        flags: CryptoFlags,
        /// Host name, or that of `crypto ident`.
        host: String,
    },
    /// ASSOC answered.
    Association {
        /// Own association number.
        associd: u32,
        /// Certificate name of the server.
        host: String,
    },
    /// A certificate of the trail was accepted.
    Certificate {
        /// Subject and issuer, separated by a blank.
        names: String,
        /// Flags.
        flags: CertificateFlags,
        /// Filestamp.
        stamp: u32,
    },
    /// The server proved that it holds the group's key.
    Identity {
        /// By which scheme.
        scheme: IdentityScheme,
        /// Certificate name at the end of the trail.
        issuer: String,
        /// Filestamp of the server's key: its generation.
        stamp: u32,
    },
    /// Cookie received: the exchange proper is complete. (Its value is not kept.)
    Cookie,
    /// The server signed this host's certificate.
    Sign {
        /// Subject and issuer, separated by a blank.
        names: String,
        /// Flags.
        flags: CertificateFlags,
        /// Filestamp.
        stamp: u32,
    },
    /// Leapseconds values received.
    Leap,
    /// The host's own signatures were made anew.
    SignatureUpdate,
    /// An error.
    Error(ErrorLine),
    /// Something else, as it was.
    Other(String),
}

impl Entry {
    /// The step of the exchange this line completes, on a client.
    pub fn completes(&self) -> Option<Step> {
        Some(match self {
            Self::Association { .. } => Step::Association,
            Self::Certificate { .. } => Step::Certificate,
            Self::Identity { .. } => Step::Identity,
            Self::Cookie => Step::Cookie,
            Self::Sign { .. } => Step::Sign,
            Self::Leap => Step::Leap,
            _ => return None,
        })
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, by the host's clock.
    pub at: Timestamp,
    /// The other side's address; `None` (0.0.0.0) for the host's own affairs.
    pub address: Option<String>,
    /// What.
    pub entry: Entry,
}

/// A cryptostats file, or its tail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cryptostats {
    /// Its lines, oldest first.
    pub lines: Vec<Line>,
    /// Lines that are none: cut off at the beginning or end, usually.
    pub unreadable: Vec<ReadError>,
}

impl Cryptostats {
    /// Reads a file or a piece of one. One bad line does not spoil the others.
    pub fn read(text: &str) -> Self {
        let mut stats = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            match read_line(line) {
                Some(line) => stats.lines.push(line),
                None => stats.unreadable.push(ReadError::malformed(
                    "cryptostats",
                    index + 1,
                    format!("expected 'DAY SECOND ADDRESS WORDS', found '{}'", excerpt(line)),
                )),
            }
        }
        stats
    }

    /// Lines since the daemon last began to load its keys; all of them where no start is in the file.
    pub fn since_start(&self) -> &[Line] {
        let own_load = |line: &Line| {
            line.address.is_none() && matches!(line.entry, Entry::Loaded { .. } | Entry::Setup { .. })
        };
        let Some(last) = self.lines.iter().rposition(own_load) else {
            return &self.lines;
        };
        let mut first = last;
        while first > 0
            && own_load(&self.lines[first - 1])
            && !matches!(self.lines[first - 1].entry, Entry::Setup { .. })
        {
            first -= 1;
        }
        &self.lines[first..]
    }
}

fn read_line(line: &str) -> Option<Line> {
    let mut words = line.trim_end().splitn(4, ' ');
    let at = Timestamp::from_mjd(words.next()?, words.next()?)?;
    let address = words.next()?;
    if !address.contains(['.', ':']) {
        return None;
    }
    let text = words.next()?;
    Some(Line {
        at,
        address: (address != "0.0.0.0").then(|| address.to_owned()),
        entry: entry(text).unwrap_or_else(|| Entry::Other(text.to_owned())),
    })
}

fn entry(text: &str) -> Option<Entry> {
    let words: Vec<&str> = text.split(' ').collect();
    Some(match words[..] {
        ["setup", flags, "host", host, ..] => Entry::Setup {
            flags: CryptoFlags(hex(flags)?),
            host: host.to_owned(),
        },
        ["assoc", own, _, "host", host, ..] => Entry::Association {
            associd: own.parse().ok()?,
            host: host.to_owned(),
        },
        ["cert", ..] => {
            let (names, flags, stamp) = certificate(&words)?;
            Entry::Certificate { names, flags, stamp }
        }
        ["sign", ..] => {
            let (names, flags, stamp) = certificate(&words)?;
            Entry::Sign { names, flags, stamp }
        }
        ["iff", .., "fs", stamp] => identity(IdentityScheme::Iff, &words, stamp)?,
        ["gq", .., "fs", stamp] => identity(IdentityScheme::Gq, &words, stamp)?,
        ["mv", .., "fs", stamp] => identity(IdentityScheme::Mv, &words, stamp)?,
        ["cook", _, "ts", ..] => Entry::Cookie,
        ["leap", "TAI", ..] => Entry::Leap,
        ["signature", "update", ..] => Entry::SignatureUpdate,
        [file, "mod", _] | [file, _, "len", _] if file.starts_with("ntpkey_") => {
            let (name, stamp) = file.rsplit_once('.')?;
            Entry::Loaded {
                file: name.to_owned(),
                stamp: stamp.parse().ok()?,
            }
        }
        [opcode, associd, code, ..] if (4..=8).contains(&opcode.len()) && code.len() == 3 => {
            Entry::Error(ErrorLine {
                opcode: Opcode(u32::from_str_radix(opcode, 16).ok()?),
                associd: associd.parse().ok()?,
                code: ErrorCode::from_event(u16::from_str_radix(code, 16).ok()?)?,
                text: words[3..].join(" "),
            })
        }
        _ => return None,
    })
}

/// `cert SUBJECT ISSUER 0xFLAGS SIGNATURE (NID) fs STAMP`, read from the end.
fn certificate(words: &[&str]) -> Option<(String, CertificateFlags, u32)> {
    let [_, names @ .., flags, _, _, "fs", stamp] = words else {
        return None;
    };
    Some((
        names.join(" "),
        CertificateFlags(hex(flags)?),
        stamp.parse().ok()?,
    ))
}

fn identity(scheme: IdentityScheme, words: &[&str], stamp: &str) -> Option<Entry> {
    Some(Entry::Identity {
        scheme,
        issuer: words.get(1..words.len() - 2)?.join(" "),
        stamp: stamp.parse().ok()?,
    })
}

fn hex(word: &str) -> Option<u32> {
    u32::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(words: &str) -> Entry {
        let stats = Cryptostats::read(&format!("61364 60066.682 10.77.0.1 {words}\n"));
        assert_eq!(stats.unreadable, []);
        stats.lines[0].entry.clone()
    }

    #[test]
    fn error_codes_are_hexadecimal_and_documented_decimal() {
        let Entry::Error(error) = one("820700c4 8857 10e bad_or_missing_group key") else {
            panic!("no error line");
        };
        assert_eq!(error.code.number(), 114);
        assert_eq!(error.opcode.step(), Some(Step::Identity));
        assert!(error.opcode.response() && !error.opcode.error() && !error.while_serving());
        let Entry::Error(served) = one("c206025c 39002 10a host_certificate_expired") else {
            panic!("no error line");
        };
        assert!(served.while_serving());
        let Entry::Error(empty) = one("c2000008 51475 10f protocol_error") else {
            panic!("no error line");
        };
        assert!(empty.opcode.empty() && !empty.while_serving());
    }

    #[test]
    fn names_with_blanks_are_kept_whole() {
        assert_eq!(
            one("iff Trusted Host@red fs 4003922443"),
            Entry::Identity {
                scheme: IdentityScheme::Iff,
                issuer: "Trusted Host@red".into(),
                stamp: 4_003_922_443
            }
        );
        assert!(matches!(
            one("cert a b c d 0x5 sha256WithRSAEncryption (668) fs 1"),
            Entry::Certificate { names, .. } if names == "a b c d"
        ));
    }

    #[test]
    fn lines_that_are_none_are_named_and_do_not_spoil_the_rest() {
        let stats =
            Cryptostats::read("0.1 mod 384\n61364 1.0 0.0.0.0 setup 0x29c0021 host red x\n61364 1.0 10.7");
        assert_eq!((stats.lines.len(), stats.unreadable.len()), (1, 2));
        assert!(stats.unreadable[1].to_string().contains("line 3"));
        assert_eq!(
            one("something new here"),
            Entry::Other("something new here".into())
        );
        assert!(matches!(one("iff"), Entry::Other(_)));
    }

    #[test]
    fn a_start_begins_with_the_first_file_loaded() {
        let start =
            "61364 1.0 0.0.0.0 ntpkey_RSAhost_a.1 mod 1024\n61364 1.0 0.0.0.0 setup 0x29c0021 host red x\n";
        let stats = Cryptostats::read(&format!("{start}61364 2.0 10.0.0.1 cook 0 ts 1 fs 1\n{start}"));
        assert_eq!(stats.since_start().len(), 2);
        assert_eq!(Cryptostats::read(&start.repeat(2)).since_start().len(), 2);
    }
}
