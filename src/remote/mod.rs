//! Reaching a host: run a POSIX shell script there with bytes on its standard input.
//!
//! This layer knows hosts, scripts and bytes, nothing of NTP. One call is one round trip, over OpenSSH
//! ([`SshHost`]) or on this machine ([`LocalHost`]); [`Target`] is either of them. The command a host is
//! asked to run is always the same ([`bootstrap`]), so nothing a script or its input says can be seen in a
//! process list.

pub mod bootstrap;
mod changed_key;
mod control;
pub mod fake;
mod heard;
mod host_keys;
pub mod known_hosts;
mod local;
mod presented;
mod shell;
mod ssh;
mod ssh_options;

pub use control::ControlDir;
pub use host_keys::host_keys;
pub use local::LocalHost;
pub use presented::{HostKeys, PresentedKey, Verdict};
pub use ssh::SshHost;
pub use ssh_options::SshOptions;

use crate::secret::Secret;
use std::fmt::{Display, Write as _};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A script and what it reads.
#[derive(Debug, Clone)]
pub struct Script {
    /// POSIX `sh` text. Constant by its type: what varies is in `facts` and `input`.
    pub text: &'static str,
    /// What the text finds in variables; nothing secret.
    pub facts: Facts,
    /// What follows on its standard input; may be secret.
    pub input: Secret,
    /// Longest time it may take, once the host is connected.
    pub limit: Duration,
}

/// Values that a script finds in its variables. Read in one piece, unlike lines on standard input, which shells read
/// byte by byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts(String);

impl Facts {
    /// A variable and its value, whatever that holds but NUL.
    pub fn set(&mut self, name: impl Display, value: &str) {
        let quoted = value.replace('\'', r"'\''");
        let _ = writeln!(self.0, "{name}='{quoted}'");
    }

    /// Assignments as a shell reads them.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The last line a script has written when it waits for an answer, with the line breaks around it.
pub const ASK: &[u8] = b"\nask\n";

/// Answers the one question of a script: hears all it has written so far, and says which line to write back.
/// Takes as long as it likes; who asks must itself know how long it waits.
pub type Answer<'a> =
    Box<dyn FnOnce(Secret) -> Pin<Box<dyn Future<Output = &'static str> + Send + 'a>> + Send + 'a>;

/// What came back.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit status of the script; 128 + n where signal n ended it, 255 where it is not known how it ended.
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
    /// The SSH host key is unknown or not accepted.
    #[error("host key not accepted: {0}")]
    HostKey(String),
    /// The SSH host key is another than the known one.
    #[error("its SSH host key has changed: {why}")]
    HostKeyChanged {
        /// Which key it presents, and where another is known.
        why: String,
        /// What to do now, with the command.
        help: String,
    },
    /// No connection came about over SSH.
    #[error("cannot connect: {cause}{}", told(said))]
    Refused {
        /// Found out by looking, never by what the peer says.
        cause: Cause,
        /// What ssh, the jump hosts and the peer said: for people, on one line.
        said: String,
    },
    /// It sent more than any answer has; the connection was ended.
    #[error("it sent more than {} MiB, and was cut off", .0 >> 20)]
    TooMuch(usize),
    /// The connection was lost while the script ran; what it did is not known.
    #[error("connection lost: {0}")]
    Lost(String),
    /// It took longer than its limit; what it did is not known.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

fn told(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(" (ssh: {said})"),
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No such name.
    #[error("its name is not known here")]
    Name,
    /// The address refuses connections on that port.
    #[error("nothing listens on its port")]
    Closed,
    /// The address does not answer.
    #[error("its address does not answer")]
    Silent,
    /// Something answers, but proves no SSH host key.
    #[error("something answers there, but it completes no SSH key exchange")]
    NoKey,
    /// The same by way of a jump host or ProxyCommand, which may be at fault.
    #[error("no SSH host key comes through the jump host or ProxyCommand")]
    Way,
    /// The host key is accepted.
    #[error("its host key is accepted, but the login is not completed")]
    Login,
}

impl Cause {
    fn help(self) -> &'static str {
        match self {
            Self::Name => {
                "the name is not known here: set the host's `address`, or `ssh.host`, or a Host entry in ~/.ssh/config"
            }
            Self::Closed => "is sshd running, is `ssh.port` right?",
            Self::Silent => "is the host up, is a firewall or `ssh.proxy_jump` in the way?",
            Self::NoKey => {
                "is it sshd that listens there, is `ssh.port` right? try `ssh -o BatchMode=yes` to the host by hand"
            }
            Self::Way => "try `ssh` to the jump host by itself, then through it to the host",
            Self::Login => {
                "set `ssh.user` and `ssh.identity_file`, or load the key into ssh-agent (no password is ever asked for)"
            }
        }
    }
}

impl Unreachable {
    /// What to do about it, one sentence.
    pub fn help(&self) -> &str {
        match self {
            // Our own words: no peer had a part in it.
            Self::Connect(why) if why.starts_with("cannot run ssh") => {
                "install the OpenSSH client (apt-get install openssh-client)"
            }
            Self::Connect(_) => "try `ssh -o BatchMode=yes` to the host by hand",
            Self::Refused { cause, .. } => cause.help(),
            Self::TooMuch(_) => {
                "look at the host: a start-up file of its login shell that never ends, or somebody who does harm"
            }
            Self::HostKeyChanged { help, .. } => help,
            Self::HostKey(_) => {
                "look at its key with `keytrail hostkeys`, compare it on the host's console, then remember it with `keytrail \
                 hostkeys --add`; or say `host_keys: accept-new` under `ssh:` for first contacts"
            }
            Self::Lost(_) => "run it again: what was done is seen and not done twice",
            Self::TimedOut(_) => {
                "look at the host (load, disk, a restart command that does not return), then run it again; a slow one needs \
                 `--timeout`, or `connect_timeout` under `ssh:`"
            }
        }
    }
}

/// How a login becomes root before the script starts, never asking for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Elevate {
    /// `sudo -n`.
    Sudo,
    /// `doas -n`.
    Doas,
}

/// A host that scripts can be run on.
pub trait Remote: Send + Sync {
    /// Runs `script` and waits for its end. With an `answer`, one line comes to the script's descriptor 3 after it has
    /// written [`ASK`]; its limit holds before and after that, not for the answer. Connection and shell are made at the
    /// first call and kept for the next; other scripts may run meanwhile.
    fn talk(
        &self,
        script: Script,
        answer: Option<Answer<'_>>,
    ) -> impl Future<Output = Result<Output, Unreachable>> + Send;

    /// Runs a script that asks nothing.
    fn run(&self, script: Script) -> impl Future<Output = Result<Output, Unreachable>> + Send {
        self.talk(script, None)
    }

    /// Gives the connection up; the next [`Remote::run`] makes a new one.
    fn disconnect(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A host of a mixed fleet.
#[derive(Debug)]
pub enum Target {
    /// Over OpenSSH.
    Ssh(Box<SshHost>),
    /// This machine.
    Local(LocalHost),
}

impl Remote for Target {
    async fn talk(&self, script: Script, answer: Option<Answer<'_>>) -> Result<Output, Unreachable> {
        match self {
            Self::Ssh(host) => host.talk(script, answer).await,
            Self::Local(host) => host.talk(script, answer).await,
        }
    }

    async fn disconnect(&self) {
        match self {
            Self::Ssh(host) => host.disconnect().await,
            Self::Local(host) => host.disconnect().await,
        }
    }
}
