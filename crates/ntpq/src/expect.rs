//! What the inventory promises of an association, held against what the host shows.

use super::association::Association;
use super::judge::Judgement;
use super::verdict::{Scheme, Verdict};
use keytrail_vocabulary::IdentityScheme;
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;

/// How an association should be authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// Autokey.
    Autokey {
        /// By this scheme.
        scheme: IdentityScheme,
        /// The group whose parameters prove the server: the line's `ident`. None with TC and PC.
        group: Option<String>,
        /// The filestamp of that group's key: the generation it should be proven with, where one is known.
        stamp: Option<u32>,
        /// This host serves others, so its exchange must be complete (SIGN).
        serves: bool,
    },
    /// Symmetric key of that id.
    Key(u32),
    /// NTS.
    Nts,
    /// Not at all: monitoring or backup only.
    Plain,
}

/// An association the inventory wants on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The server as the inventory names it.
    pub server: String,
    /// Its addresses and names on the wire, any of which will do; first the one its line says.
    pub addresses: Vec<String>,
    /// Its certificate name (`th@red`).
    pub certificate: Option<String>,
    /// How.
    pub promise: Promise,
}

/// How an association stands to what was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// As promised.
    Met,
    /// Not yet, and nothing speaks against it: look again.
    Waiting,
    /// Authenticated, but not shown to be so by the present generation: the association may be older than the
    /// change. It must not count as healthy: it fails at its next exchange, up to 6 days and 2 hours later, if the
    /// generations differ.
    Stale,
    /// Not as promised.
    Unmet,
}

/// The comparison of one association.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The server as the inventory names it.
    pub server: String,
    /// In one word.
    pub standing: Standing,
    /// In one sentence, lower case, no full stop.
    pub sentence: String,
    /// Likely causes and what to do now.
    pub help: Vec<String>,
}

impl Expected {
    /// Whether an association is the one expected: by address, name or the server's certificate name.
    pub fn matches(&self, association: &Association) -> bool {
        self.is_named(&association.srcadr)
            || association
                .srchost
                .as_deref()
                .is_some_and(|name| self.is_named(name))
            || (self.certificate.is_some() && self.certificate == association.host)
    }

    /// The name that its line says, where that is no address: of the addresses it stands for the host knows.
    pub fn name(&self) -> Option<&str> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let name = self.addresses.first()?;
        let is_name = name.parse::<IpAddr>().is_err() && !name.starts_with('-') && name.bytes().all(plain);
        is_name.then_some(name)
    }

    /// Whether a name or address on the host is one of the server's.
    pub fn is_named(&self, name: &str) -> bool {
        self.addresses
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Compares; `None`: the host has no such association.
    pub fn compare(&self, judgement: Option<&Judgement>) -> Outcome {
        let Some(judgement) = judgement else {
            return self.outcome(
                Standing::Unmet,
                "there is no such association on the host".to_owned(),
                vec![
                    "its line is not in the configuration the daemon read, or stands after a line it did not understand"
                        .to_owned(),
                    "its name is not resolved on the host".to_owned(),
                ],
            );
        };
        match &judgement.verdict {
            Verdict::Proven { scheme, complete } => self.proven(*scheme, *complete, judgement),
            Verdict::NotAuthenticated if self.promise == Promise::Plain => {
                self.outcome(Standing::Met, "works, without authentication as promised".to_owned(), Vec::new())
            }
            Verdict::NotAuthenticated => self.outcome(
                Standing::Unmet,
                format!("works without authentication, but {} was promised", self.promised()),
                vec!["the line in the configuration the daemon read has no autokey, key or nts: apply again and restart".to_owned()],
            ),
            Verdict::ReferenceClock => self.outcome(
                Standing::Unmet,
                "is a reference clock on the host".to_owned(),
                vec!["an address of the form 127.127.t.u is taken as a clock: give the server's own address".to_owned()],
            ),
            wait @ Verdict::InProgress(_) => self.outcome(Standing::Waiting, wait.to_string(), Vec::new()),
            Verdict::Failed(failure) => {
                let told = failure.explanation();
                let mut help = vec![told.meaning.to_owned()];
                help.extend(told.causes.iter().map(|c| format!("likely: {c}")));
                help.extend(told.remedies.iter().map(|&r| r.to_owned()));
                let sentence = match (&self.promise, judgement.parameters) {
                    (Promise::Autokey { stamp: Some(stamp), .. }, Some(here)) if here != *stamp => format!(
                        "{failure}; the daemon has parameters of generation {here} in memory, {stamp} was promised"
                    ),
                    _ => failure.to_string(),
                };
                let standing = if failure.may_be_transient() { Standing::Waiting } else { Standing::Unmet };
                self.outcome(standing, sentence, help)
            }
            lost @ Verdict::Lost(scheme) => {
                let then = match scheme {
                    Scheme::Autokey(_) => "when it is back, the association goes on at the first answered poll",
                    Scheme::Key(_) => "or the key was changed on one side only: auth goes on saying ok",
                    Scheme::Nts => "or it lost its cookie keys: the client asks for new ones once its cookies are used up",
                };
                self.outcome(
                    Standing::Unmet,
                    lost.to_string(),
                    vec!["the server is down or cannot be reached".to_owned(), then.to_owned()],
                )
            }
            Verdict::Unreachable => self.outcome(
                Standing::Unmet,
                Verdict::Unreachable.to_string(),
                vec![
                    "the server is down, or UDP port 123 does not get through in both directions".to_owned(),
                    "a server that refuses in silence looks the same: certificate names with and without @group, another \
                     crypto digest, another symmetric key"
                        .to_owned(),
                ],
            ),
        }
    }

    fn proven(&self, scheme: Scheme, complete: bool, judgement: &Judgement) -> Outcome {
        let proven = format!("authenticated by {scheme}");
        let Promise::Autokey {
            scheme: wanted,
            group,
            stamp,
            serves,
        } = &self.promise
        else {
            return if self.promises(scheme) {
                self.outcome(Standing::Met, proven, Vec::new())
            } else {
                self.other_scheme(scheme, judgement)
            };
        };
        if !self.promises(scheme) {
            return self.other_scheme(scheme, judgement);
        }
        if let (Some(wanted), Some(shown)) = (group, &judgement.ident)
            && wanted != shown
        {
            return self.outcome(
                Standing::Unmet,
                format!("{proven}, but with the parameters of group {shown}, not {wanted}"),
                vec!["the ident of the line the daemon read is another: apply again and restart".to_owned()],
            );
        }
        let identity = judgement.identity.as_ref();
        if let (Some(wanted), Some(identity)) = (stamp, identity)
            && *wanted != identity.stamp
        {
            return self.outcome(
                Standing::Unmet,
                format!(
                    "{proven}, but with the group key of generation {}, not {wanted}",
                    identity.stamp
                ),
                vec![
                    "the server still has the other generation's key in memory: restart it, then this host"
                        .to_owned(),
                ],
            );
        }
        if let Some(stale) = self.stale(*wanted, judgement) {
            return stale;
        }
        if *serves && !complete {
            return self.unfinished(&proven, judgement);
        }
        let generation = identity.map_or(String::new(), |i| {
            format!(", group key of generation {}", i.stamp)
        });
        self.outcome(Standing::Met, format!("{proven}{generation}"), Vec::new())
    }

    /// A proof that is older than the change shows nothing about it.
    fn stale(&self, wanted: IdentityScheme, judgement: &Judgement) -> Option<Outcome> {
        let since = judgement.since?;
        let shown = match wanted {
            IdentityScheme::Iff | IdentityScheme::Gq | IdentityScheme::Mv => judgement.identity.is_some(),
            IdentityScheme::Tc | IdentityScheme::Pc => judgement.exchanged.is_some(),
        };
        if shown {
            return None;
        }
        Some(if judgement.recorded {
            self.outcome(
                Standing::Stale,
                format!("authenticated by {}, but not examined since {since}: the association is older", wanted.name()),
                vec![
                    "a running association keeps what it once proved; restart the daemon of this host to have it examined"
                        .to_owned(),
                ],
            )
        } else {
            self.outcome(
                Standing::Stale,
                format!(
                    "authenticated by {}, but whether since {since} cannot be told: the host keeps no cryptostats",
                    wanted.name()
                ),
                vec!["add filegen cryptostats and statsdir to its configuration".to_owned()],
            )
        })
    }

    fn unfinished(&self, proven: &str, judgement: &Judgement) -> Outcome {
        let Some((error, _)) = judgement.warnings.iter().find(|(e, _)| e.code.number() == 110) else {
            return self.outcome(
                Standing::Waiting,
                format!("{proven}, but its certificate is not signed yet, so it cannot serve others"),
                Vec::new(),
            );
        };
        let told = super::explain_error::explain_at(error);
        let mut help = vec![told.meaning.to_owned()];
        help.extend(told.remedies.iter().map(|&r| r.to_owned()));
        self.outcome(
            Standing::Unmet,
            format!("{proven}, but it cannot serve others: error {}", error.code),
            help,
        )
    }

    fn other_scheme(&self, scheme: Scheme, judgement: &Judgement) -> Outcome {
        let weaker = matches!(scheme, Scheme::Autokey(IdentityScheme::Tc))
            && matches!(
                self.promise,
                Promise::Autokey {
                    scheme: IdentityScheme::Iff | IdentityScheme::Gq | IdentityScheme::Mv,
                    ..
                }
            );
        let help = if weaker && judgement.ident.is_none() {
            "the line the daemon read has no ident, so it never asked for the group's identity: apply again and restart"
        } else if weaker {
            "the server presents no group key: crypto ident or its server key file is missing there; nothing but the \
             trusted certificate was checked"
        } else {
            "host and inventory differ: apply again and restart"
        };
        self.outcome(
            Standing::Unmet,
            format!("authenticated by {scheme}, but {} was promised", self.promised()),
            vec![help.to_owned()],
        )
    }

    fn promises(&self, scheme: Scheme) -> bool {
        match (&self.promise, scheme) {
            (Promise::Autokey { scheme: wanted, .. }, Scheme::Autokey(shown)) => *wanted == shown,
            (Promise::Key(wanted), Scheme::Key(shown)) => *wanted == shown,
            (Promise::Nts, Scheme::Nts) => true,
            _ => false,
        }
    }

    fn promised(&self) -> String {
        match &self.promise {
            Promise::Autokey { scheme, .. } => Scheme::Autokey(*scheme).to_string(),
            Promise::Key(id) => Scheme::Key(*id).to_string(),
            Promise::Nts => Scheme::Nts.to_string(),
            Promise::Plain => "no authentication".to_owned(),
        }
    }

    fn outcome(&self, standing: Standing, sentence: String, help: Vec<String>) -> Outcome {
        Outcome {
            server: self.server.clone(),
            standing,
            sentence,
            help,
        }
    }
}

/// How long after a restart to wait for a promise to come true: one poll for each step of the exchange and three
/// for good measure, as measured on 4.2.8p15. `certificates` is the number of certificates on the way from the
/// server to its trusted host, at least 1; `minpoll` is log2 seconds.
pub fn limit(promise: &Promise, certificates: u32, minpoll: u8) -> Duration {
    const MARGIN: u64 = 3;
    let steps = match promise {
        Promise::Autokey { scheme, serves, .. } => {
            let association_and_cookie = 2;
            let trail = match scheme {
                IdentityScheme::Pc => 0,
                IdentityScheme::Tc => u64::from(certificates.max(1)),
                _ => u64::from(certificates.max(1)) + 1,
            };
            // SIGN and LEAP, which only servers need, come after the clock is set.
            association_and_cookie + trail + if *serves { 2 } else { 0 }
        }
        Promise::Key(_) | Promise::Nts | Promise::Plain => 0,
    };
    Duration::from_secs((steps + MARGIN) << minpoll.min(17))
}
