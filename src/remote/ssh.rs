//! A host over OpenSSH: the user's own configuration, agent and known_hosts, one connection for all phases.
//!
//! The master is started here rather than by the crate's `SessionBuilder`, which has no way to say that
//! forwardings, agent forwarding, local commands and prompts of the user's configuration have no place in
//! a fleet push, and which cannot be given a time limit. A shell that stands ([`bootstrap`]) then runs scripts over
//! its control socket, inside this process: one `ssh` and one session per host, however many phases.

use super::heard::Heard;
use super::host_keys::diagnose;
use super::shell::{Broken, Streams};
use super::ssh_options::SshOptions;
use super::{Answer, ControlDir, Output, Remote, Script, Unreachable, bootstrap};
use openssh::{Child, ChildStderr, ChildStdin, ChildStdout, Error, Session, Stdio};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::Mutex;

/// A host over OpenSSH. Connects at the first script; the connection ends with this value.
#[derive(Debug)]
pub struct SshHost {
    options: SshOptions,
    control: Arc<ControlDir>,
    session: Mutex<Option<Arc<Session>>>,
    /// What the master logs.
    log: Mutex<Heard>,
    /// Shells that wait for a script.
    shells: std::sync::Mutex<Vec<Shell>>,
}

/// A shell that stands on a host.
#[derive(Debug)]
struct Shell {
    child: Child<Arc<Session>>,
    streams: Streams<ChildStdin, ChildStdout, ChildStderr>,
}

impl SshHost {
    /// A host, not yet connected; its control socket will live in `control`.
    pub fn new(options: SshOptions, control: Arc<ControlDir>) -> Self {
        Self {
            options,
            control,
            session: Mutex::new(None),
            log: Mutex::default(),
            shells: std::sync::Mutex::default(),
        }
    }

    /// The living connection, or a new one.
    async fn session(&self) -> Result<Arc<Session>, Unreachable> {
        let mut held = self.session.lock().await;
        if let Some(session) = &*held {
            return Ok(Arc::clone(session));
        }
        let dir = TempDir::with_prefix_in("", self.control.path()).map_err(|err| {
            Unreachable::Connect(format!("cannot make a directory for the control socket: {err}"))
        })?;
        self.start_master(dir.path()).await?;
        let session = Arc::new(Session::new_native_mux(dir));
        *held = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Starts `ssh -M -f`, which goes to the background once it is authenticated.
    async fn start_master(&self, dir: &Path) -> Result<(), Unreachable> {
        // ConnectTimeout covers the network and the key exchange; authentication may hang as well.
        let limit = self.options.connect_timeout + Duration::from_secs(5);
        let begun = Instant::now();
        let cannot = |what: &str, err: std::io::Error| Unreachable::Connect(format!("cannot {what}: {err}"));
        // Whatever the host makes ssh log takes no room on a disk.
        let mut log =
            Heard::fifo(&dir.join("log")).map_err(|err| cannot("make a pipe for ssh's log", err))?;
        let mut child = self
            .options
            .ssh()
            .args(self.options.arguments(dir))
            .spawn()
            .map_err(|err| cannot("run ssh", err))?;
        let mut aside = child.stderr.take().map(Heard::listen).unwrap_or_default();
        match tokio::time::timeout(limit, child.wait()).await {
            Err(_) => Err(Unreachable::TimedOut(limit)),
            Ok(Err(err)) => Err(cannot("wait for ssh", err)),
            Ok(Ok(status)) if status.success() => {
                // A jump host's ssh goes on writing there: it is listened to as long as it does.
                aside.detach();
                *self.log.lock().await = log;
                Ok(())
            }
            Ok(Ok(_)) => {
                let parts = [log.line().await, aside.line().await];
                let parts: Vec<&str> = parts
                    .iter()
                    .map(|part| &**part)
                    .filter(|part| !part.is_empty())
                    .collect();
                Err(diagnose(&self.options, dir, parts.join("; "), begun.elapsed()).await)
            }
        }
    }

    /// Forgets `session`, if it is still the one in use, and the shells it carries.
    async fn forget(&self, session: &Arc<Session>) {
        self.shells().clear();
        let mut held = self.session.lock().await;
        if held.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            *held = None;
        }
    }

    fn shells(&self) -> std::sync::MutexGuard<'_, Vec<Shell>> {
        self.shells
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A shell that waits, or a new one.
    async fn shell(&self) -> Result<(Arc<Session>, Shell), Unreachable> {
        let mut session = self.session().await?;
        let waiting = self.shells().pop();
        if let Some(shell) = waiting {
            // Nothing was sent yet, so starting anew repeats nothing.
            if session.check().await.is_ok() {
                return Ok((session, shell));
            }
            self.forget(&session).await;
            session = self.session().await?;
        }
        let command = bootstrap::command(self.options.elevate);
        let started = match spawn(&session, &command).await {
            // The master ended while it was idle.
            Err(Error::Disconnected) => {
                self.forget(&session).await;
                session = self.session().await?;
                spawn(&session, &command).await
            }
            started => started,
        };
        let mut child = started.map_err(|err| Unreachable::Connect(explain(&err)))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take())
        else {
            return Err(Unreachable::Connect("no pipes to the ssh master".into()));
        };
        let streams = Streams {
            stdin,
            stdout,
            stderr,
        };
        Ok((session, Shell { child, streams }))
    }

    /// How a shell ended that did not say what became of its script.
    async fn end_of(
        &self,
        session: &Arc<Session>,
        child: Child<Arc<Session>>,
        limit: Duration,
    ) -> Result<i32, Unreachable> {
        let Ok(status) = tokio::time::timeout(limit, child.wait()).await else {
            self.forget(session).await;
            return Err(Unreachable::TimedOut(limit));
        };
        match status {
            Ok(status) => Ok(status.code().unwrap_or(255)),
            // How the crate says "exit status 127".
            Err(Error::Remote(_)) => Ok(127),
            // A script ended by a signal looks like a lost connection; the master knows which it was.
            Err(Error::RemoteProcessTerminated) if session.check().await.is_ok() => Ok(255),
            Err(err) => {
                let said = self.log.lock().await.line().await;
                self.forget(session).await;
                Err(Unreachable::Lost(if said.is_empty() {
                    explain(&err)
                } else {
                    said
                }))
            }
        }
    }
}

impl Remote for SshHost {
    async fn talk(&self, script: Script, answer: Option<Answer<'_>>) -> Result<Output, Unreachable> {
        let (session, mut shell) = self.shell().await?;
        let limit = script.limit;
        let ended = match shell.streams.talk(script, answer).await {
            Ok(ended) => ended,
            Err(Broken::TimedOut) => {
                // The channel closes, and with it the connection: nothing more is wanted from a host that hangs.
                self.forget(&session).await;
                return Err(Unreachable::TimedOut(limit));
            }
            Err(Broken::TooMuch(most)) => {
                self.forget(&session).await;
                return Err(Unreachable::TooMuch(most));
            }
            Err(Broken::Io(err)) => return Err(Unreachable::Lost(err.to_string())),
        };
        let status = if let Some(status) = ended.status {
            if ended.stands {
                self.shells().push(shell);
            }
            status
        } else {
            drop(shell.streams);
            self.end_of(&session, shell.child, limit).await?
        };
        Ok(Output {
            status,
            stdout: ended.stdout,
            stderr: ended.stderr,
        })
    }

    async fn disconnect(&self) {
        self.shells().clear();
        // Dropping the last session asks the master to end.
        self.session.lock().await.take();
    }
}

async fn spawn(session: &Arc<Session>, command: &str) -> Result<Child<Arc<Session>>, Error> {
    Arc::clone(session)
        .arc_raw_command(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .await
}

/// An error with its causes, which the crate's own text leaves out.
fn explain(err: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(err.source(), |err| err.source());
    causes.fold(err.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_is_strict_and_keeps_to_itself() {
        let mut options = SshOptions::new("-oProxyCommand=evil");
        options.user = Some("ntp".into());
        options.port = Some(2222);
        let args = options.arguments(Path::new("/tmp/k/1"));
        let text = args.join(" ");
        assert!(text.contains("-o StrictHostKeyChecking=yes "), "{text}");
        assert!(
            text.contains("-o BatchMode=yes ") && text.contains("-o ForwardAgent=no "),
            "{text}"
        );
        assert!(text.contains("-l ntp -p 2222 "), "{text}");
        assert_eq!(args[args.len() - 2..], ["--", "-oProxyCommand=evil"]);
        options.accept_new = true;
        assert!(
            options
                .arguments(Path::new("/"))
                .join(" ")
                .contains("=accept-new ")
        );
    }
}
