//! What an association's outputs amount to.

use super::code::{Explanation, explain_at};
use super::cryptostats::{ErrorLine, Step};
use keytrail_vocabulary::IdentityScheme;
use std::fmt;

/// By what a server has proven itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Autokey with this identity scheme.
    Autokey(IdentityScheme),
    /// A symmetric key of this id.
    Key(u32),
    /// NTS.
    Nts,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Autokey(scheme) => f.write_str(scheme.name()),
            Self::Key(id) => write!(f, "symmetric key {id}"),
            Self::Nts => f.write_str("NTS"),
        }
    }
}

/// What an association that is not there yet waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Its first answer; fewer than three polls went by.
    FirstAnswer,
    /// The server's clock, which is not set.
    ServerClock,
    /// The answer at this step of the Autokey exchange.
    Step(Step),
    /// The first packet after a complete exchange.
    FirstSample,
    /// The NTS key establishment.
    NtsKeys,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstAnswer => f.write_str("waits for the first answer"),
            Self::ServerClock => f.write_str("waits for the server's clock to be set"),
            Self::Step(step) => write!(f, "is at the {step} step of the exchange"),
            Self::FirstSample => {
                f.write_str("has completed the exchange and waits for the first packet after it")
            }
            Self::NtsKeys => f.write_str("waits for the NTS key establishment"),
        }
    }
}

/// Why an association is not authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The Autokey exchange stopped at an error that it has not got past since.
    Refused {
        /// The last of them.
        line: ErrorLine,
        /// How often this error was recorded.
        times: u32,
    },
    /// The exchange stays at a step without any error.
    Stalled(Step),
    /// The server is up, and never answered an Autokey or NTS request of this host.
    Silent,
    /// Packets come, but their MAC is wrong.
    PacketsRefused,
    /// This host has no usable key of that id.
    KeyUnusable(u32),
    /// The server does not accept this key, or its answers do not verify with it.
    KeyRefused(u32),
    /// The NTS key establishment failed.
    NtsHandshake,
}

impl Failure {
    /// What it means, what is behind it, what to do.
    pub fn explanation(&self) -> Explanation {
        match self {
            Self::Refused { line, .. } => explain_at(line),
            Self::Stalled(Step::Certificate) => Explanation {
                meaning: "the exchange stays at the certificate step: the trail does not reach a trusted certificate",
                causes: &[
                    "the trusted host's certificate lacks the trusted mark",
                    "the server itself has not completed its own exchange (SIGN), so it has no signed certificate to show",
                    "this host uses trusted certificates and its server private ones, which are never sent",
                ],
                remedies: &[
                    "check the certificate of the trusted host: it must say trustRoot",
                    "look at the server first: nothing below it gets through before it is proven and complete",
                ],
            },
            Self::Stalled(_) => Explanation {
                meaning: "the exchange stays at a step without an error",
                causes: &["answers to this step do not arrive: larger packets than the path lets through"],
                remedies: &["compare what the server sends with what arrives here (tcpdump, port 123)"],
            },
            Self::Silent => Explanation {
                meaning: "the server runs, but drops what this host sends without a word",
                causes: &[
                    "one of the two certificates has a name with @group and the other has not",
                    "crypto digest differs between the two",
                    "a firewall or NAT: Autokey binds the exchange to both addresses",
                    "the server has no Autokey or NTS at all, or its restrict lines refuse this host",
                ],
                remedies: &[
                    "compare both certificates' names and both crypto lines",
                    "ask the server without authentication from here (ntpdate -q): an answer rules out the network",
                ],
            },
            Self::PacketsRefused => Explanation {
                meaning: "packets arrive whose MAC does not verify",
                causes: &[
                    "the server was restarted and this association does not know yet",
                    "somebody else answers under its address",
                ],
                remedies: &["look again after two polls; if it stays, restart this host's daemon"],
            },
            Self::KeyUnusable(_) => Explanation {
                meaning: "this host has no usable key of that id, so it sends nothing, or the server refused it in so many words",
                causes: &[
                    "the key is missing in the key file or trustedkey does not name it",
                    "one bad line made the daemon drop the whole file (ntp.org)",
                    "the file cannot be read by the daemon, or was not reread",
                ],
                remedies: &["apply again; then restart, or reread the file where the daemon can"],
            },
            Self::KeyRefused(_) => Explanation {
                meaning: "the two sides do not have the same key under that id",
                causes: &[
                    "the secrets or types differ, or the server lacks or does not trust the id",
                    "the key was changed on one side: auth goes on saying ok, while nothing usable is heard any more",
                    "a hexadecimal key that one daemon reads as text",
                ],
                remedies: &[
                    "add the key to the server first, then to the client, and reread or restart both",
                ],
            },
            Self::NtsHandshake => Explanation {
                meaning: "the NTS key establishment failed; no time is exchanged at all",
                causes: &[
                    "the certificate is expired, not yet valid, for another name, or of an unknown root: this host's log tells which",
                    "nothing listens on TCP 4460",
                ],
                remedies: &[
                    "repair the cause, then make the client try at once: SIGHUP for NTPsec, delete and add source for chrony; by themselves they wait a quarter of an hour or more",
                ],
            },
        }
    }

    /// Whether it is normal in the first polls after a server's restart and goes away by itself: 102 and a single
    /// 115 (facts measured on 4.2.8p15).
    pub fn may_be_transient(&self) -> bool {
        match self {
            Self::Refused { line, times } => match line.code.number() {
                102 => true,
                115 => *times == 1 && !line.opcode.empty(),
                _ => false,
            },
            Self::PacketsRefused => true,
            _ => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { line, times } => {
                write!(f, "error {}", line.code)?;
                if let Some(step) = line.opcode.step() {
                    write!(f, " at the {step} step")?;
                }
                if *times > 1 {
                    write!(f, ", {times} times")?;
                }
                Ok(())
            }
            Self::Stalled(step) => write!(f, "the exchange does not get past the {step} step"),
            Self::Silent => f.write_str("the server is up, but does not answer this host"),
            Self::PacketsRefused => f.write_str("packets arrive with a wrong MAC"),
            Self::KeyUnusable(id) => write!(f, "symmetric key {id} is not usable on this host"),
            Self::KeyRefused(id) => write!(
                f,
                "symmetric key {id} differs on the server or is not accepted there"
            ),
            Self::NtsHandshake => f.write_str("the NTS key establishment failed"),
        }
    }
}

/// The state of one association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A reference clock: nothing to authenticate.
    ReferenceClock,
    /// Authenticated, and heard in the last two polls.
    Proven {
        /// By what.
        scheme: Scheme,
        /// The exchange is finished up to SIGN and LEAP, so that this host can serve others. Always true for
        /// symmetric keys and NTS.
        complete: bool,
    },
    /// Not yet.
    InProgress(Wait),
    /// Works, without any authentication.
    NotAuthenticated,
    /// Does not work.
    Failed(Failure),
    /// Was proven; nothing usable is heard any more.
    Lost(Scheme),
    /// Nothing was ever heard. A server that refuses in silence looks the same from here.
    Unreachable,
}

impl Verdict {
    /// A stable word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ReferenceClock => "reference-clock",
            Self::Proven { complete: true, .. } => "proven",
            Self::Proven { .. } => "proven-incomplete",
            Self::InProgress(_) => "in-progress",
            Self::NotAuthenticated => "not-authenticated",
            Self::Failed(_) => "failed",
            Self::Lost(_) => "lost",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReferenceClock => f.write_str("reference clock"),
            Self::Proven {
                scheme,
                complete: true,
            } => write!(f, "authenticated by {scheme}"),
            Self::Proven { scheme, .. } => {
                write!(
                    f,
                    "authenticated by {scheme}, but cannot serve others yet (SIGN or LEAP is missing)"
                )
            }
            Self::InProgress(wait) => write!(f, "{wait}"),
            Self::NotAuthenticated => f.write_str("works without authentication"),
            Self::Failed(failure) => write!(f, "{failure}"),
            Self::Lost(scheme) => write!(
                f,
                "was authenticated by {scheme}, but nothing usable is heard any more"
            ),
            Self::Unreachable => f.write_str("nothing was ever heard from it"),
        }
    }
}
