//! How `ssh` is called: what is said on its command line, and what it inherits.

use super::Elevate;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;

/// How to reach a host, beyond what `~/.ssh/config` says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshOptions {
    /// Host name, address or alias, as given to `ssh`.
    pub host: String,
    /// Login name.
    pub user: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// An identity file; no key of the agent that has no file is tried then.
    pub identity_file: Option<PathBuf>,
    /// `ProxyJump`.
    pub proxy_jump: Option<String>,
    /// An `ssh_config` in place of the user's.
    pub config: Option<PathBuf>,
    /// Accept host keys that are not known yet; a changed key is refused either way.
    pub accept_new: bool,
    /// How the login becomes root.
    pub elevate: Option<Elevate>,
    /// Variables of our own environment that hold secrets: `ssh` does not inherit them, so that no `SendEnv` hands
    /// them on.
    pub withheld: Arc<[Box<str>]>,
    /// Time to connect and authenticate, whole seconds.
    pub connect_timeout: Duration,
    /// How long an unused connection lives on, whole seconds: also after this process was killed.
    pub idle: Duration,
}

impl SshOptions {
    /// Time to connect and authenticate where nobody says otherwise.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// The host as the user's configuration describes it; 10 s to connect, 60 s idle.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            user: None,
            port: None,
            identity_file: None,
            proxy_jump: None,
            config: None,
            accept_new: false,
            elevate: None,
            withheld: Arc::default(),
            connect_timeout: Self::CONNECT_TIMEOUT,
            idle: Duration::from_secs(60),
        }
    }

    /// The arguments of the master, the destination last.
    pub(super) fn arguments(&self, dir: &Path) -> Vec<String> {
        let mut args: Vec<String> = ["-M", "-N", "-f", "-T"].map(String::from).into();
        args.extend(["-S".into(), text(&dir.join("master"))]);
        args.extend(["-E".into(), text(&dir.join("log"))]);
        let known = if self.accept_new { "accept-new" } else { "yes" };
        let mut options = vec![
            format!("StrictHostKeyChecking={known}"),
            format!("ConnectTimeout={}", self.connect_timeout.as_secs().max(1)),
            format!("ControlPersist={}", self.idle.as_secs().max(1)),
        ];
        options.extend(
            [
                "BatchMode=yes",
                "ServerAliveInterval=15",
                "ServerAliveCountMax=3",
                "ClearAllForwardings=yes",
                "ForwardAgent=no",
                "ForwardX11=no",
                "PermitLocalCommand=no",
                "RemoteCommand=none",
                // A user's QUIET would leave failures without a word, INFO shows greetings of the host among them.
                "LogLevel=ERROR",
            ]
            .map(String::from),
        );
        for option in options {
            args.extend(["-o".into(), option]);
        }
        args.extend(self.place());
        args.extend(["--".into(), self.host.clone()]);
        args
    }

    /// The arguments that say where the host is and who logs in: the same for every `ssh` that is asked about it.
    pub(super) fn place(&self) -> Vec<String> {
        let mut args: Vec<String> = Vec::new();
        let valued = [
            ("-F", self.config.as_deref().map(text)),
            ("-l", self.user.clone()),
            ("-p", self.port.map(|port| port.to_string())),
            ("-i", self.identity_file.as_deref().map(text)),
            ("-J", self.proxy_jump.clone()),
        ];
        for (flag, value) in valued {
            args.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        if self.identity_file.is_some() {
            args.extend(["-o".into(), "IdentitiesOnly=yes".into()]);
        }
        args
    }

    /// An `ssh` that asks nobody anything. The jump hosts on the way are reached by an `ssh` of their own, which does not
    /// know our options: it would ask on the terminal, and what it says comes to standard error as well.
    pub(super) fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        for name in self.withheld.iter() {
            command.env_remove(&**name);
        }
        command
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("SSH_ASKPASS", "/nonexistent")
            .process_group(0)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
