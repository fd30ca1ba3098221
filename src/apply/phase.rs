//! What the phases have in common: names, exit statuses of their scripts, and what failures mean.

use crate::foreign;
use crate::remote::{Output, Unreachable};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// A step a host goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Look.
    Observe,
    /// Put new media beside the old.
    Stage,
    /// Switch to them and restart.
    Activate,
    /// Ask the running daemon.
    Verify,
    /// Go back to what was there before.
    Rollback,
    /// Take a lock away.
    Unlock,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observe => "observe",
            Self::Stage => "stage",
            Self::Activate => "activate",
            Self::Verify => "verify",
            Self::Rollback => "rollback",
            Self::Unlock => "unlock",
        })
    }
}

/// Why a phase did not end well on a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhaseError {
    /// The host was reached and the phase failed there, or could not be prepared here.
    #[error("{message}")]
    Failed {
        /// What and why.
        message: String,
        /// What to do now.
        help: Option<String>,
        /// What the tools on the host said, or the restart command.
        stderr: String,
    },
    /// It went wrong, and the host is as it was before.
    #[error("{message}")]
    RolledBack {
        /// What and why.
        message: String,
        /// What to do now.
        help: Option<String>,
        /// What the tools on the host said, or the restart command.
        stderr: String,
    },
    /// The host was not reached, or lost.
    #[error("{0}")]
    Unreachable(Unreachable),
    /// The host was lost before it heard that its daemon is well.
    #[error("{why}, before the host heard that its daemon is well")]
    Unheard {
        /// How it was lost.
        why: Unreachable,
        /// It goes back at the latest so long after it asked: at once where it notices that nobody is there any more.
        within: Duration,
    },
}

impl PhaseError {
    /// A failure on this side.
    pub(super) fn here(message: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            help: None,
            stderr: String::new(),
        }
    }

    /// The same, with the output of a command before what the tools said.
    pub(super) fn with_output(mut self, output: &str) -> Self {
        if let Self::Failed { stderr, .. } | Self::RolledBack { stderr, .. } = &mut self {
            let both = format!("{}\n{stderr}", output.trim_end());
            both.trim().clone_into(stderr);
        }
        self
    }

    /// What to do now.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Failed { help, .. } | Self::RolledBack { help, .. } => help.as_deref(),
            Self::Unreachable(why) | Self::Unheard { why, .. } => Some(why.help()),
        }
    }
}

impl From<Unreachable> for PhaseError {
    fn from(why: Unreachable) -> Self {
        Self::Unreachable(why)
    }
}

/// Exit statuses of the scripts (`scripts/common.sh`).
const MOVED: i32 = 3;
const DAMAGED: i32 = 5;
const RESTART: i32 = 6;
const LOCKED: i32 = 7;
const BACK: i32 = 8;
const BACK_BUT_DOWN: i32 = 9;

/// Reads a failure out of what came back with a status other than 0.
pub(super) fn failure(output: &Output) -> PhaseError {
    let (ours, tools): (Vec<&str>, Vec<&str>) = output
        .stderr
        .lines()
        .partition(|line| line.starts_with("keytrail: "));
    let stderr = tools.join("\n");
    let Some(message) = ours.last().and_then(|line| line.strip_prefix("keytrail: ")) else {
        // What said no may have said so on standard output, where no script of ours has written anything.
        let said = String::from_utf8_lossy(output.stdout.expose());
        let said = if said.contains("keytrail-reply") {
            ""
        } else {
            said.trim()
        };
        let said: String = foreign::lines(said).chars().take(500).collect();
        return not_started(output.status, format!("{stderr}\n{said}").trim().to_owned());
    };
    // The cause in the tool's own words belongs beside ours: "cannot write to /etc/ntp/crypto: Read-only file system".
    let cause = CAUSES.iter().find(|(cause, _)| stderr.contains(cause));
    let message = match cause {
        Some((cause, _)) if !message.contains(cause) => format!("{message}: {cause}"),
        _ => message.to_owned(),
    };
    let help = match output.status {
        MOVED => Some("somebody else changes this host too: make a new plan and look at it".to_owned()),
        DAMAGED => Some("nothing was changed; run it again".to_owned()),
        RESTART => Some(
            "the new files are in place; look at the daemon's log on the host. The next apply restarts it again"
                .to_owned(),
        ),
        LOCKED => Some(
            "wait until that run is over; if it is dead, `keytrail unlock` takes its locks away (they also end by themselves)"
                .to_owned(),
        ),
        BACK => Some(
            "look at what the restart command and the daemon's log on the host say, mend it, and apply again".to_owned(),
        ),
        BACK_BUT_DOWN => Some(
            "the daemon is down although its files are those it ran with: look at the host now; the next apply restarts it"
                .to_owned(),
        ),
        _ => advice(&message),
    };
    if output.status == BACK {
        return PhaseError::RolledBack {
            message,
            help,
            stderr,
        };
    }
    PhaseError::Failed {
        message,
        help,
        stderr,
    }
}

/// A reply that cannot be read although the script ended well.
pub(super) fn garbled(why: &str) -> PhaseError {
    PhaseError::Failed {
        message: format!("the host's answer cannot be read: {why}"),
        help: Some("run it again; if it stays, please report it with the host's operating system".to_owned()),
        stderr: String::new(),
    }
}

/// Causes that tools report in these words under `LC_ALL=C`, and what to do about each.
const CAUSES: &[(&str, &str)] = &[
    (
        "No space left on device",
        "free some space there, then run it again; nothing was changed",
    ),
    (
        // What dash says of a full disk.
        "I/O error",
        "free some space there, or look at the disk's health, then run it again",
    ),
    (
        "Disk quota exceeded",
        "raise the quota or free some space, then run it again; nothing was changed",
    ),
    (
        "Read-only file system",
        "remount it read-write, or set `keysdir` and `conf` to a place that can be written",
    ),
    (
        "Permission denied",
        "log in as root (`ssh.user`), or let the login become root (`ssh.become: sudo` or `doas`)",
    ),
    (
        "Operation not permitted",
        "only root can do that: log in as root (`ssh.user`) or set `ssh.become`",
    ),
    (
        "invalid user",
        "set `owner` to a user that exists on the host, or leave it out",
    ),
    (
        "invalid group",
        "set `file_group` to a group that exists on the host, or leave it out",
    ),
    ("File name too long", "shorten the host's or the group's name"),
];

/// What the scripts say of directories in which a daemon's user could have root read or write elsewhere
/// (`remote/scripts/guard.sh`).
const OPEN: &str = "others than root can write to ";

fn advice(message: &str) -> Option<String> {
    if message.contains(OPEN) {
        return Some(
            "whoever can rename there can make the login write or read something else: give these directories to root (`chown \
             root`, `chmod go-w`), or keep the files elsewhere; a daemon only has to read them (`file_group`)"
                .to_owned(),
        );
    }
    if let Some((_, help)) = CAUSES.iter().find(|(cause, _)| message.contains(cause)) {
        return Some((*help).to_owned());
    }
    let (_, rest) = message.split_once("the program '")?;
    let (program, _) = rest.split_once('\'')?;
    Some(format!(
        "install '{program}' on the host (`apt-get install {program}`, `dnf install {program}` …)"
    ))
}

/// The script did not run: what stands between the login and `sh` refused.
fn not_started(status: i32, stderr: String) -> PhaseError {
    let says = |text: &str| stderr.contains(text);
    let (message, help) = if says("a password is required") || says("Authentication required") {
        (
            "sudo or doas asks for a password".to_owned(),
            "allow it without one for this login: `NAME ALL=(root) NOPASSWD: ALL` in sudoers, `permit nopass NAME` in \
             doas.conf",
        )
    } else if says("must have a tty") {
        (
            "sudo demands a terminal".to_owned(),
            "take `requiretty` out of sudoers for this login",
        )
    } else if says("not in the sudoers") || says("is not budget to") || says("Operation not permitted") {
        (
            "this login may not become root".to_owned(),
            "allow it in sudoers or doas.conf, or log in as root",
        )
    } else if status == 127 {
        (
            "sh, sudo or doas was not found".to_owned(),
            "install what is missing, or check `ssh.become`",
        )
    } else {
        (
            format!("the host ran no command (exit status {status})"),
            "is there a login shell for this login, or a forced command in the way? try `ssh` to it by hand",
        )
    };
    PhaseError::Failed {
        message,
        help: Some(help.to_owned()),
        stderr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn failed(status: i32, stderr: &str) -> (String, String, String) {
        let output = Output {
            status,
            stdout: Secret::from(""),
            stderr: stderr.into(),
        };
        match failure(&output) {
            PhaseError::Failed {
                message,
                help,
                stderr,
            } => (message, help.unwrap_or_default(), stderr),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn failures_name_the_cause_and_the_remedy() {
        let (message, help, stderr) = failed(
            4,
            "mktemp: failed to create directory via template '/k': Read-only file system\nkeytrail: cannot write to /k\n",
        );
        assert_eq!(message, "cannot write to /k: Read-only file system");
        assert!(help.contains("remount"));
        assert!(stderr.starts_with("mktemp: ") && !stderr.contains("keytrail"));

        let (message, help, _) = failed(4, "keytrail: the program 'tar' is not installed\n");
        assert_eq!(message, "the program 'tar' is not installed");
        assert!(help.contains("dnf install tar"));

        let (message, help, _) = failed(1, "sudo: a password is required\n");
        assert!(message.contains("password") && help.contains("NOPASSWD"));
        let (message, _, stderr) = failed(1, "This account is currently not available.\n");
        assert!(message.contains("ran no command (exit status 1)"));
        assert!(stderr.contains("not available"));
        let (_, help, _) = failed(
            3,
            "keytrail: /etc/ntp.conf has been changed since the plan was made\n",
        );
        assert!(help.contains("new plan"));
    }
}
