//! The manual's chicken and egg: a certificate is only valid at its time, and the time is what it is to bring.

use crate::apply::PhaseError;
use crate::ntpq::Timestamp;
use crate::vault::{ArtifactKind, PlacedFile};

/// Seconds a host may be behind a certificate's beginning: they pass before its first exchange gets as far as a
/// certificate, which takes two polls of 8 s at the least, and one is minted with the controller's present second.
const GRACE: i64 = 60;

/// Why a host's certificate is of no use by the host's clock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ClockProblem {
    /// What is wrong, one sentence.
    pub message: String,
    /// What to do now.
    pub help: String,
}

impl From<ClockProblem> for PhaseError {
    fn from(problem: ClockProblem) -> Self {
        Self::Failed {
            message: problem.message,
            help: Some(problem.help),
            stderr: String::new(),
        }
    }
}

/// Whether a certificate among the files a host is to hold would not be valid yet, or no longer, by the host's clock
/// (Unix seconds). A certificate is valid from its filestamp on.
pub fn clock_problem(media: &[PlacedFile], clock: i64) -> Option<ClockProblem> {
    let certificates = || media.iter().filter(|file| file.kind == ArtifactKind::Certificate);
    let from = certificates().map(|file| file.filestamp.unix()).max()?;
    let until = certificates().filter_map(|file| file.not_after).min();
    let now = Timestamp::from_unix(clock);
    let message = if clock < from - GRACE {
        format!(
            "its clock says {now}, {} before its certificate becomes valid ({})",
            span(from - clock),
            Timestamp::from_unix(from)
        )
    } else if let Some(until) = until.filter(|until| *until <= clock) {
        format!(
            "its clock says {now}, {} after its certificate has expired ({})",
            span(clock - until),
            Timestamp::from_unix(until)
        )
    } else {
        return None;
    };
    Some(ClockProblem {
        message,
        help: "Autokey needs a certificate that is valid, that needs the right time, and the time is what Autokey is to \
               bring: set the clock once another way (`ntpd -gq` with a server without autokey, `date -s`, the hardware \
               clock), then run it again; if it is the controller's clock that is wrong, set that, and renew what was \
               minted by it"
            .to_owned(),
    })
}

/// A span of time, coarse.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
