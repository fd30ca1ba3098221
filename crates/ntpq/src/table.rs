//! The tables `as` and `peers`, which ntp.org and NTPsec print nearly alike.

use super::bits::PeerStatus;
use super::error::{ReadError, excerpt, refusal};

/// One line of `ntpq -c as`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssociationRow {
    /// Number of the association, for `rv`.
    pub associd: u16,
    /// Its status word, which all other columns follow from.
    pub status: PeerStatus,
}

/// One line of `ntpq -n -c peers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRow {
    /// Tally code: `*` system peer, `+` candidate, `-` outlier, `x` falseticker, blank rejected …
    pub tally: char,
    /// Address; NTPsec cuts names after 15 characters.
    pub remote: String,
    /// Reference id as shown (`.INIT.`, `LOCAL(0)`, an address, `(loop)`).
    pub refid: String,
    /// Stratum.
    pub stratum: u8,
    /// `u` unicast, `l` local clock, `b` broadcast …; a digit is NTPsec's number of NTS cookies.
    pub kind: char,
    /// Seconds since the last packet; `None` before the first.
    pub when: Option<u64>,
    /// Poll interval in seconds.
    pub poll: u64,
    /// Last eight polls, newest in the lowest bit.
    pub reach: u8,
}

const AS: &str = "ntpq as";
const PEERS: &str = "ntpq peers";

/// Lines of a table with their numbers from 1: what follows the header (and its rule) up to the first blank line.
fn rows<'a>(
    text: &'a str,
    output: &'static str,
    header: &[&str],
) -> Result<Vec<(usize, &'a str)>, ReadError> {
    if let Some(refusal) = refusal(text) {
        return Err(ReadError::Refused(refusal));
    }
    let is_header = |line: &str| {
        let mut words = line.split_whitespace();
        header.iter().all(|word| words.next() == Some(word))
    };
    let mut lines = text.lines().enumerate();
    let Some(head) = lines.find(|(_, line)| !line.trim().is_empty()) else {
        return Err(ReadError::malformed(output, 1, "the output is empty"));
    };
    // NTPsec says before it whom it asked (1.2.2).
    let said = head.1.trim_start();
    let asked = said.strip_prefix("server=").and_then(|rest| rest.split_once(' '));
    if asked
        .map_or(said, |(_, said)| said)
        .starts_with("No association ID")
    {
        return Ok(Vec::new());
    }
    if !is_header(head.1) {
        return Err(ReadError::malformed(
            output,
            head.0 + 1,
            format!(
                "expected the heading '{}', found '{}'",
                header.join(" "),
                excerpt(head.1)
            ),
        ));
    }
    Ok(lines
        .skip_while(|(_, line)| line.starts_with("==="))
        .take_while(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| (number + 1, line))
        .collect())
}

/// Reads `ntpq -n -c as`. A host without associations answers `No association ID's returned`: an empty list.
/// Variables printed after the table by the same call (`-c as -c 'rv &1'`) are left alone.
pub fn associations(text: &str) -> Result<Vec<AssociationRow>, ReadError> {
    let mut found = Vec::new();
    for (number, line) in rows(text, AS, &["ind", "assid", "status"])? {
        if line.contains('=') {
            break; // NTPsec prints the answer to the next command without a blank line.
        }
        let bad = |what: &str, word: Option<&str>| {
            ReadError::malformed(
                AS,
                number,
                format!("{what} in '{}': {:?}", excerpt(line), word.map(excerpt)),
            )
        };
        let mut words = line.split_whitespace();
        let index = words.next();
        if index.and_then(|w| w.parse::<u32>().ok()).is_none() {
            return Err(bad("no line number", index));
        }
        let associd = words.next();
        let status = words.next();
        found.push(AssociationRow {
            associd: associd
                .and_then(|w| w.parse().ok())
                .ok_or_else(|| bad("no association number", associd))?,
            status: status
                .filter(|w| w.len() == 4)
                .and_then(|w| u16::from_str_radix(w, 16).ok())
                .map(PeerStatus)
                .ok_or_else(|| bad("no status word", status))?,
        });
    }
    Ok(found)
}

/// Reads `ntpq -n -c peers` (or `pe`).
pub fn peers(text: &str) -> Result<Vec<PeerRow>, ReadError> {
    let mut found = Vec::new();
    let mut wide: Option<(char, String)> = None;
    for (number, line) in rows(
        text,
        PEERS,
        &["remote", "refid", "st", "t", "when", "poll", "reach"],
    )? {
        let bad = |what: &str| ReadError::malformed(PEERS, number, format!("{what} in '{}'", excerpt(line)));
        let mut rest: Vec<&str>;
        let tally;
        let remote;
        if let Some(name) = wide.take() {
            // A long name stood on a line of its own (`-w`), this one has the columns.
            rest = line.split_whitespace().collect();
            (tally, remote) = name;
        } else {
            tally = line.chars().next().ok_or_else(|| bad("no tally code"))?;
            rest = line[tally.len_utf8()..].split_whitespace().collect();
            if rest.is_empty() {
                return Err(bad("no remote address"));
            }
            remote = rest.remove(0).to_owned();
            if rest.is_empty() {
                wide = Some((tally, remote));
                continue;
            }
        }
        // Column `refid` is empty where the daemon gave none.
        let refid = if rest.len() >= 9 {
            rest.remove(0).to_owned()
        } else {
            String::new()
        };
        let [stratum, kind, when, poll, reach, ..] = rest[..] else {
            return Err(bad("too few columns"));
        };
        found.push(PeerRow {
            tally,
            remote,
            refid,
            stratum: stratum.parse().map_err(|_| bad("no stratum"))?,
            kind: kind.chars().next().ok_or_else(|| bad("no type"))?,
            when: match when {
                "-" => None,
                _ => Some(interval(when).ok_or_else(|| bad("no time since the last packet"))?),
            },
            poll: interval(poll).ok_or_else(|| bad("no poll interval"))?,
            reach: u8::from_str_radix(reach, 8).map_err(|_| bad("no reach register"))?,
        });
    }
    Ok(found)
}

/// Seconds from ntpq's `64`, `68m`, `17h`, `2d`, `1y`.
fn interval(word: &str) -> Option<u64> {
    let unit = match word.chars().last()? {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'y' => 31_557_600,
        _ => return word.parse().ok(),
    };
    word[..word.len() - 1].parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "ind assid status  conf reach auth condition  last_event cnt\n\
                        ===========================================================\n";

    #[test]
    fn nonsense_in_a_known_column_is_named_with_its_line() {
        for (row, what) in [
            ("  x 35635  f61a   yes\n", "line number"),
            ("  1 99999  f61a   yes\n", "association number"),
            ("  1 35635  f61   yes\n", "status word"),
            ("  1 35635\n", "status word"),
        ] {
            let error = associations(&format!("{HEAD}  1 1 f61a yes\n{row}"))
                .unwrap_err()
                .to_string();
            assert!(error.contains(what) && error.contains("line 4"), "{error}");
        }
        assert!(associations("").unwrap_err().to_string().contains("empty"));
        assert!(
            associations("hello\n")
                .unwrap_err()
                .to_string()
                .contains("heading")
        );
    }

    #[test]
    fn no_association_is_an_answer() {
        assert_eq!(associations("No association ID's returned\n"), Ok(Vec::new()));
        assert_eq!(peers("No association ID's returned\n"), Ok(Vec::new()));
        let ntpsec = "server=127.0.0.1 No association IDs returned\n";
        assert_eq!(associations(ntpsec), Ok(Vec::new()));
    }

    #[test]
    fn unknown_columns_do_no_harm() {
        let rows = associations(&format!(
            "{HEAD}  1 35635  f61a   yes   yes   ok   sys.peer  new_event  1 more\n"
        ));
        assert_eq!(rows.unwrap().len(), 1);
    }

    #[test]
    fn wide_names_continue_on_the_next_line() {
        let text = "     remote           refid      st t when poll reach   delay   offset  jitter\n\
                    ====\n\
                    *time.very-long-name.example.org\n\
                    \x20                10.77.0.1        7 u    1  68m    3    0.129   +0.029   0.225\n\
                    \x20192.0.2.1                        16 u    - 1024    0    0.000   +0.000   0.000\n";
        let rows = peers(text).unwrap();
        assert_eq!(
            (rows[0].remote.as_str(), rows[0].poll),
            ("time.very-long-name.example.org", 4080)
        );
        assert_eq!(
            (rows[1].refid.as_str(), rows[1].stratum, rows[1].when),
            ("", 16, None)
        );
    }
}
