//! What an association's outputs amount to.

use super::cryptostats::{ErrorLine, Step};
use super::explain_error::explain_at;
use super::explanation::{Explanation, explanation};
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
            Self::Stalled(Step::Certificate) => explanation!("failure/stalled-certificate"),
            Self::Stalled(_) => explanation!("failure/stalled"),
            Self::Silent => explanation!("failure/silent"),
            Self::PacketsRefused => explanation!("failure/packets-refused"),
            Self::KeyUnusable(_) => explanation!("failure/key-unusable"),
            Self::KeyRefused(_) => explanation!("failure/key-refused"),
            Self::NtsHandshake => explanation!("failure/nts-handshake"),
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
