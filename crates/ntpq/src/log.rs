//! A daemon's log: lines, with those that complain recognised.

use super::trouble::Trouble;

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number, from 1.
    pub line: usize,
    /// Time as written.
    pub time: Option<String>,
    /// Process id, where the line has one.
    pub process: Option<u32>,
    /// What the daemon says.
    pub message: String,
    /// What it complains of, if it does.
    pub trouble: Option<Trouble>,
}

impl LogEntry {
    /// Whether a daemon starts with this line.
    pub fn starts_daemon(&self) -> bool {
        (self.message.starts_with("ntpd ") && self.message.ends_with(": Starting"))
            || (self.message.starts_with("chronyd version ") && self.message.contains(" starting"))
    }
}

/// A log, or its tail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaemonLog {
    /// Its lines, oldest first, blank ones left out.
    pub entries: Vec<LogEntry>,
}

impl DaemonLog {
    /// Reads a log: a file of its own, syslog or journal lines. Every text is a log; what is not understood is a
    /// message without complaint.
    pub fn read(text: &str) -> Self {
        // NTPsec tells the server's name on lines of their own around a failed handshake.
        let mut asked: Option<String> = None;
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let (time, process, message) = split(line);
            if let Some(rest) = message.strip_prefix("NTSc: connecting to ") {
                asked = rest.split([':', ' ']).next().map(str::to_owned);
            }
            let mut trouble = Trouble::recognise(message);
            if let Some(Trouble::NtsCertificate { server, .. } | Trouble::NtsUnreachable { server, .. }) =
                &mut trouble
                && server.is_none()
            {
                server.clone_from(&asked);
            }
            entries.push(LogEntry {
                line: index + 1,
                time,
                process,
                message: message.to_owned(),
                trouble,
            });
        }
        Self { entries }
    }

    /// Lines since the daemon last started; all of them where no start is among them.
    pub fn last_run(&self) -> &[LogEntry] {
        let start = self.entries.iter().rposition(LogEntry::starts_daemon);
        &self.entries[start.unwrap_or(0)..]
    }

    /// What the daemon complained of since it last started, in order.
    pub fn troubles(&self) -> impl Iterator<Item = &Trouble> {
        self.last_run().iter().filter_map(|entry| entry.trouble.as_ref())
    }

    /// Why the daemon ended after its last start, if it did: the complaint that tells most. `host key file … not
    /// found or corrupt` follows the line that tells what was wrong with it.
    pub fn end(&self) -> Option<&Trouble> {
        let troubles: Vec<&Trouble> = self.troubles().collect();
        let last = troubles.iter().rposition(|t| t.fatal())?;
        let detail = |trouble: &Trouble| {
            matches!(
                trouble,
                Trouble::FileEmpty(_)
                    | Trouble::NoFilestamp(_)
                    | Trouble::BadFilestamp(_)
                    | Trouble::CertificateDamaged(_)
                    | Trouble::CertificateWrongPem(_)
                    | Trouble::CertificateTimes { .. }
                    | Trouble::CertificateRefused(_)
            )
        };
        let general = matches!(
            troubles[last],
            Trouble::HostKeyMissing(_) | Trouble::CertificateMissing(_)
        );
        match last.checked_sub(1).map(|before| troubles[before]) {
            Some(before) if general && detail(before) => Some(before),
            _ => Some(troubles[last]),
        }
    }
}

/// Time, process and message of a line: `20 Nov 16:40:43 ntpd[13832]: …`, `2026-11-20T16:43:00 ntpd[1]: …`,
/// `2026-11-20T16:43:00Z …` (chronyd), `Nov 20 16:40:43 host ntpd[1]: …` (syslog).
fn split(line: &str) -> (Option<String>, Option<u32>, &str) {
    for name in ["ntpd[", "chronyd["] {
        if let Some(at) = line.find(name)
            && let Some((number, message)) = line[at + name.len()..].split_once("]:")
            && let Ok(process) = number.parse()
        {
            let time = line[..at].trim();
            return (
                (!time.is_empty()).then(|| time.to_owned()),
                Some(process),
                message.trim(),
            );
        }
    }
    let trimmed = line.trim();
    match trimmed.split_once(' ') {
        Some((time, message))
            if time.len() >= 19 && time.as_bytes()[4] == b'-' && time.as_bytes()[10] == b'T' =>
        {
            (Some(time.to_owned()), None, message.trim())
        }
        _ => (None, None, trimmed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_line_is_split() {
        for (line, time, process) in [
            (
                "20 Nov 16:41:00 ntpd[15460]: crypto_setup: host key is not RSA key type",
                Some("20 Nov 16:41:00"),
                Some(15460),
            ),
            (
                "2026-11-20T16:39:31 ntpd[1]: crypto_setup: host key is not RSA key type",
                Some("2026-11-20T16:39:31"),
                Some(1),
            ),
            (
                "Nov 20 16:41:00 mid ntpd[7]: crypto_setup: host key is not RSA key type",
                Some("Nov 20 16:41:00 mid"),
                Some(7),
            ),
            (
                "2026-11-20T16:43:00Z crypto_setup: host key is not RSA key type",
                Some("2026-11-20T16:43:00Z"),
                None,
            ),
            ("crypto_setup: host key is not RSA key type", None, None),
        ] {
            let log = DaemonLog::read(line);
            let entry = &log.entries[0];
            assert_eq!((entry.time.as_deref(), entry.process), (time, process), "{line}");
            assert_eq!(entry.trouble, Some(Trouble::HostKeyNotRsa), "{line}");
        }
    }

    #[test]
    fn only_the_last_run_counts_and_the_telling_line_is_taken() {
        let start = "20 Nov 16:41:00 ntpd[1]: ntpd 4.2.8p15@1.3728-o (1): Starting\n";
        let broken = "20 Nov 16:41:00 ntpd[1]: crypto_key: empty file /k/ntpkey_host_mid\n\
                      20 Nov 16:41:00 ntpd[1]: crypto_setup: host key file ntpkey_host_mid not found or corrupt\n";
        let ended = DaemonLog::read(&format!("{start}{broken}"));
        assert_eq!(
            ended.end(),
            Some(&Trouble::FileEmpty("/k/ntpkey_host_mid".into()))
        );
        assert_eq!(DaemonLog::read(&format!("{start}{broken}{start}")).end(), None);
    }
}
