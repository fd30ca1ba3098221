//! This machine as a host: the same scripts, run by `sh` here. For `connection: local`, image builds and
//! trying things out; with a root directory in the script's input nothing outside it is touched.

use super::bootstrap::STANDING;
use super::shell::{Broken, Streams};
use super::{Answer, Output, Remote, Script, Unreachable};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use tokio::process::Command;

/// This machine.
#[derive(Debug, Clone, Default)]
pub struct LocalHost {
    /// Variables of our own environment that hold secrets: scripts do not inherit them.
    pub withheld: Arc<[Box<str>]>,
}

impl Remote for LocalHost {
    async fn talk(&self, script: Script, answer: Option<Answer<'_>>) -> Result<Output, Unreachable> {
        let failed = |err: std::io::Error| Unreachable::Connect(format!("cannot run sh: {err}"));
        // In a process group of its own: Ctrl-C at the terminal stops us between hosts, not a script halfway.
        let mut command = Command::new("sh");
        for name in self.withheld.iter() {
            command.env_remove(&**name);
        }
        let mut child = command
            .arg("-c")
            .arg(STANDING)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Unreachable::Connect("cannot run sh: no pipes".into()));
        };
        let mut streams = Streams {
            stdin,
            stdout,
            stderr,
        };
        let limit = script.limit;
        let lost = |err: std::io::Error| Unreachable::Lost(err.to_string());
        let ended = streams
            .talk(script, answer)
            .await
            .map_err(|broken| match broken {
                Broken::TimedOut => Unreachable::TimedOut(limit),
                Broken::TooMuch(most) => Unreachable::TooMuch(most),
                Broken::Io(err) => lost(err),
            })?;
        // A shell that stands ends when nothing more can come.
        drop(streams);
        let status = tokio::time::timeout(limit, child.wait())
            .await
            .map_err(|_| Unreachable::TimedOut(limit))?
            .map_err(lost)?;
        let of_shell = || {
            status
                .code()
                .or(status.signal().map(|signal| 128 + signal))
                .unwrap_or(255)
        };
        Ok(Output {
            status: ended.status.unwrap_or_else(of_shell),
            stdout: ended.stdout,
            stderr: ended.stderr,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::Facts;
    use crate::secret::Secret;
    use std::time::Duration;

    fn script(text: &'static str, input: &[u8], limit: Duration) -> Script {
        Script {
            text,
            facts: Facts::default(),
            input: Secret::new(input),
            limit,
        }
    }

    #[tokio::test]
    async fn a_script_reads_exactly_what_follows_it() {
        let text = "# a comment\nmain() {\n    cat\n    echo oops >&2\n    exit 7\n}\nmain\n";
        let output = LocalHost::default()
            .run(script(text, b"\x00\xffline\n", Duration::from_secs(10)))
            .await
            .unwrap();
        assert_eq!(output.stdout.expose(), b"\x00\xffline\n");
        assert_eq!((output.stderr.as_str(), output.status), ("oops\n", 7));
    }

    #[tokio::test]
    async fn a_script_that_hangs_is_given_up() {
        let limit = Duration::from_millis(100);
        let hung = LocalHost::default().run(script("sleep 5\n", b"", limit)).await;
        assert_eq!(hung.unwrap_err(), Unreachable::TimedOut(limit));
    }

    #[tokio::test]
    async fn a_script_asks_and_is_answered() {
        let text = "main() {\n    read -r word\n    echo \"heard $word\"\n    echo ask\n    read -r word <&3\n    echo \"so $word\"\n    cat\n}\nmain\n";
        let limit = Duration::from_secs(10);
        let answer: Answer<'_> = Box::new(|heard| {
            Box::pin(async move {
                assert_eq!(heard.expose(), b"heard hello\nask\n");
                "keep"
            })
        });
        let output = LocalHost::default()
            .talk(script(text, b"hello\n", limit), Some(answer))
            .await
            .unwrap();
        assert_eq!(output.stdout.expose(), b"heard hello\nask\nso keep\n");
        // Who does not ask is not answered.
        let answer: Answer<'_> = Box::new(|_| Box::pin(async { panic!("nobody asked") }));
        let output = LocalHost::default()
            .talk(script("echo ask it\n", b"", limit), Some(answer))
            .await
            .unwrap();
        assert_eq!(output.stdout.expose(), b"ask it\n");
    }

    #[tokio::test]
    async fn input_nobody_reads_is_no_error() {
        let output = LocalHost::default()
            .run(script("exit 3\n", &vec![b'x'; 1 << 20], Duration::from_secs(10)))
            .await
            .unwrap();
        assert_eq!(output.status, 3);
    }
}
