//! Lists of variables: what `rv`, `rv ASSID` and `cv` print.

use super::error::{ReadError, excerpt, refusal};
use super::time::Timestamp;

/// One `name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value without quotes; words that follow it (`flash=1400 peer_dist, peer_unreach`) are part of it.
    pub value: String,
    /// Line it begins on, from 1.
    pub line: usize,
}

/// Variables in the order printed. Names may repeat: `cert=` and `until=` come in pairs, one for each certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// As printed.
    pub list: Vec<Variable>,
}

const OUTPUT: &str = "ntpq rv";

impl Variables {
    /// Reads the answer to `rv`, `rv ASSID` or `cv`, with or without the heading `associd=… status=… words,`.
    ///
    /// # Errors
    ///
    /// [`ReadError::Refused`] for ntpq's complaints, [`ReadError::Malformed`] for a text without variables.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        if let Some(refusal) = refusal(text) {
            return Err(ReadError::Refused(refusal));
        }
        let mut list: Vec<Variable> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            for item in items(line) {
                match item.split_once('=') {
                    Some((name, value)) if is_name(name.trim()) => {
                        // The heading has a blank where everything else has a comma.
                        let (value, status) = match value.split_once(" status=") {
                            Some((number, status)) if name.trim() == "associd" => (number, Some(status)),
                            _ => (value, None),
                        };
                        let mut add = |name: &str, value: &str| {
                            list.push(Variable {
                                name: name.to_owned(),
                                value: unquoted(value.trim()).to_owned(),
                                line: index + 1,
                            });
                        };
                        add(name.trim(), value);
                        if let Some(status) = status {
                            add("status", status);
                        }
                    }
                    _ => {
                        let words = item.trim();
                        match list.last_mut() {
                            _ if words.is_empty() => {}
                            Some(before) => {
                                before.value.push_str(", ");
                                before.value.push_str(words);
                            }
                            None => {
                                return Err(ReadError::malformed(
                                    OUTPUT,
                                    index + 1,
                                    format!("expected name=value, found '{}'", excerpt(words)),
                                ));
                            }
                        }
                    }
                }
            }
        }
        if list.is_empty() {
            return Err(ReadError::malformed(OUTPUT, 1, "the output is empty"));
        }
        Ok(Self { list })
    }

    /// The first variable of that name.
    pub fn find(&self, name: &str) -> Option<&Variable> {
        self.list.iter().find(|v| v.name == name)
    }

    /// Its value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|v| v.value.as_str())
    }

    /// Its value if it is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|v| !v.is_empty()).map(str::to_owned)
    }

    /// What `parse` makes of the first word of a variable, `None` where it is missing.
    pub(super) fn parsed<T>(
        &self,
        name: &str,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ReadError> {
        let Some(variable) = self.find(name) else {
            return Ok(None);
        };
        let word = variable.value.split_whitespace().next().unwrap_or_default();
        match parse(word.trim_end_matches(',')) {
            Some(value) => Ok(Some(value)),
            None => Err(ReadError::malformed(
                OUTPUT,
                variable.line,
                format!("{name} should be {what}, found '{}'", excerpt(&variable.value)),
            )),
        }
    }

    /// A decimal number.
    pub(super) fn decimal<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ReadError> {
        self.parsed(name, "a number", |w| w.parse().ok())
    }

    /// A timestamp; `None` also for `(no time)`.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, ReadError> {
        let Some(variable) = self.find(name) else {
            return Ok(None);
        };
        Timestamp::from_ntp_hex(&variable.value).map_err(|()| {
            ReadError::malformed(
                OUTPUT,
                variable.line,
                format!(
                    "{name} should be a timestamp, found '{}'",
                    excerpt(&variable.value)
                ),
            )
        })
    }

    pub(super) fn missing(name: &str) -> ReadError {
        ReadError::malformed(OUTPUT, 1, format!("the variable {name} is missing"))
    }
}

/// The parts of a line between commas that are not inside quotes. A quote that is not closed on its line is an
/// ordinary character: NTPsec 1.2.2 prints raw bytes for `filtdelay` and its like, quotes among them.
fn items(line: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while let Some(found) = line[at..].find(['"', ',']) {
        let here = at + found;
        at = here + 1;
        if line.as_bytes()[here] == b',' {
            items.push(&line[start..here]);
            start = at;
        } else if line[..here].ends_with('=')
            && let Some(end) = line[at..].find('"')
            && !line[at..at + end].contains('\t')
        {
            at += end + 1;
        }
    }
    items.push(&line[start..]);
    items
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|v| v.strip_suffix('"'))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_quotes_words_and_repeated_names() {
        let read = Variables::read(
            "associd=225 status=e013 conf, authenb, unreachable,\n\
             flash=1400 peer_dist, peer_unreach, refid=LOCAL(0),\n\
             rec=eeaaf6de.4a4a1252  Fri, Nov 20 2026 16:42:06.290, reach=000,\n\
             version=\"ntpd, a \\ b=c\", cert=\"a b 0x4\", until=1, cert=\"c d 0x5\",\nuntil=2\n",
        )
        .unwrap();
        assert_eq!(read.get("associd"), Some("225"));
        assert_eq!(read.get("status"), Some("e013 conf, authenb, unreachable"));
        assert_eq!(read.get("flash"), Some("1400 peer_dist, peer_unreach"));
        assert_eq!(
            read.get("rec"),
            Some("eeaaf6de.4a4a1252  Fri, Nov 20 2026 16:42:06.290")
        );
        assert_eq!(read.get("version"), Some("ntpd, a \\ b=c"));
        let names: Vec<&str> = read.list.iter().map(|v| v.name.as_str()).collect();
        assert_eq!(names[names.len() - 4..], ["cert", "until", "cert", "until"]);
    }

    #[test]
    fn garbled_quotes_of_ntpsec_swallow_nothing() {
        let read = Variables::read(
            "reach=377,  filtdelay =\"\t07\t0.04,\n\
             filtoffset =\"\t07, pmode=4,\n  filtdisp =\"\t0.04,\n\
             flash=00 ok, headway=0, srchost=\"nts.example\", ntscookies=8\n",
        )
        .unwrap();
        for (name, value) in [
            ("pmode", "4"),
            ("flash", "00 ok"),
            ("srchost", "nts.example"),
            ("ntscookies", "8"),
        ] {
            assert_eq!(read.get(name), Some(value), "{name}");
        }
    }

    #[test]
    fn a_text_without_variables_is_an_error() {
        assert!(Variables::read("").unwrap_err().to_string().contains("empty"));
        assert!(
            Variables::read("\nbye\n")
                .unwrap_err()
                .to_string()
                .contains("line 2")
        );
    }
}
