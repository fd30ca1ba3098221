//! Reaching a host: run a POSIX shell script there with bytes on its standard input.
//!
//! This layer knows hosts, scripts and bytes, nothing of NTP. One call is one round trip.

use crate::secret::Secret;
use std::future::Future;
use std::time::Duration;

/// A script and what it reads.
#[derive(Debug, Clone)]
pub struct Script {
    /// POSIX `sh` text. Never holds anything secret.
    pub text: String,
    /// What follows on its standard input; may be secret.
    pub input: Secret,
    /// Longest time it may take.
    pub limit: Duration,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit status of the script.
    pub status: i32,
    /// Standard output; may hold what was in ntp.conf, so it is kept like a secret.
    pub stdout: Secret,
    /// Standard error, as text.
    pub stderr: String,
}

/// Why a script could not be run, as opposed to: ran and failed.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Unreachable {
    /// No connection: refused, no route, name unknown, authentication refused …
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The SSH host key is unknown or another than the known one.
    #[error("host key not accepted: {0}")]
    HostKey(String),
    /// The connection was lost while the script ran; what it did is not known.
    #[error("connection lost: {0}")]
    Lost(String),
    /// It took longer than its limit.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// A host that scripts can be run on.
pub trait Remote: Send + Sync {
    /// Runs `script` and waits for its end.
    fn run(&self, script: Script) -> impl Future<Output = Result<Output, Unreachable>> + Send;
}
