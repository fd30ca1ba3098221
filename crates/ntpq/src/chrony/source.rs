//! A source of chronyd's, judged from its three outputs.

use super::{AuthData, AuthMode, NtpData, SourceRow};
use crate::verdict::{Failure, Scheme, Verdict, Wait};

/// A source with all that chronyc says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// From `sources`.
    pub row: SourceRow,
    /// From `authdata`.
    pub auth: Option<AuthData>,
    /// From `ntpdata`.
    pub data: Option<NtpData>,
}

/// Brings the three outputs together by address; ask all three with `-n`.
pub fn join(rows: Vec<SourceRow>, auth: &[AuthData], data: &[NtpData]) -> Vec<Source> {
    rows.into_iter()
        .map(|row| Source {
            auth: auth.iter().find(|a| a.name == row.name).cloned(),
            data: data.iter().find(|d| d.address == row.name).cloned(),
            row,
        })
        .collect()
}

impl Source {
    /// Judges it. `server_up`: the server is known to run; without that, one that refuses in silence (chrony and
    /// NTPsec do) looks like one that is down.
    pub fn verdict(&self, server_up: bool) -> Verdict {
        /// Requests without an answer after which silence means something.
        const SILENT: u64 = 3;
        if self.row.mode == '#' {
            return Verdict::ReferenceClock;
        }
        let heard = self.row.reach & 0b11 != 0;
        let mode = self.auth.as_ref().map_or(AuthMode::None, |a| a.mode);
        let data = self.data.as_ref();
        let authenticated = data.is_some_and(|d| d.authenticated && d.good > 0);
        let (sent, received, valid) = data.map_or((0, 0, 0), |d| (d.sent, d.received, d.valid));
        let (scheme, refused) = match mode {
            AuthMode::None if self.row.reach != 0 => return Verdict::NotAuthenticated,
            AuthMode::None => return Verdict::Unreachable,
            AuthMode::Key(id) => (Scheme::Key(id), Failure::KeyRefused(id)),
            AuthMode::Nts => (Scheme::Nts, Failure::Silent),
        };
        if authenticated && heard {
            return Verdict::Proven {
                scheme,
                complete: true,
            };
        }
        if let Some(auth) = &self.auth {
            match mode {
                AuthMode::Key(id) if auth.key_type == 0 || auth.key_bits == 0 => {
                    return Verdict::Failed(Failure::KeyUnusable(id));
                }
                AuthMode::Nts if auth.key_type == 0 && auth.cookies == 0 => {
                    return if auth.attempts > 0 {
                        Verdict::Failed(Failure::NtsHandshake)
                    } else {
                        Verdict::InProgress(Wait::NtsKeys)
                    };
                }
                _ => {}
            }
        }
        if authenticated {
            // A server that runs and is no longer heard has another key now; with NTS new keys are fetched in time.
            return match mode {
                AuthMode::Key(_) if server_up => Verdict::Failed(refused),
                _ => Verdict::Lost(scheme),
            };
        }
        if received > 0 && valid == 0 {
            // Answers came, none passed: a crypto-NAK or a MAC that does not verify.
            return Verdict::Failed(refused);
        }
        if sent < SILENT {
            return Verdict::InProgress(Wait::FirstAnswer);
        }
        if server_up {
            Verdict::Failed(refused)
        } else {
            Verdict::Unreachable
        }
    }
}
