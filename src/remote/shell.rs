//! Moving bytes to and from a standing shell ([`super::bootstrap`]): all three streams at once, so that neither side
//! waits for the other, with a bound on what a host can make us hold and a bound on how long it may keep us waiting.

use super::bootstrap::{Call, call};
use super::{ASK, Answer, Script};
use crate::foreign;
use crate::secret::Secret;
use std::fmt::Write as _;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use zeroize::Zeroizing;

/// Most bytes of standard output: a key file of 8 MiB, configuration files and lists beside it. A reply is never
/// shortened: whoever sends more is cut off.
const STDOUT_LIMIT: usize = 10 << 20;
/// Most bytes of standard error kept; the rest is counted and dropped.
const STDERR_LIMIT: usize = super::heard::KEPT;
/// Bytes read at a time.
const CHUNK: usize = 4096;
/// Longest last line of a script's answer: the tag, its status, whether it is the last one.
const TAIL: usize = 32;

/// Why the streams of a script did not come to their end.
#[derive(Debug)]
pub(super) enum Broken {
    /// It took longer than its limit.
    TimedOut,
    /// It sent more than so many bytes.
    TooMuch(usize),
    /// A stream failed.
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<tokio::time::error::Elapsed> for Broken {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::TimedOut
    }
}

/// The streams of a standing shell.
#[derive(Debug)]
pub(super) struct Streams<I, O, E> {
    pub(super) stdin: I,
    pub(super) stdout: O,
    pub(super) stderr: E,
}

/// What a script has written, and what became of it.
pub(super) struct Ended {
    /// The script's exit status. `None`: the shell is gone, and its own status says more.
    pub(super) status: Option<i32>,
    /// The shell will run another one.
    pub(super) stands: bool,
    pub(super) stdout: Secret,
    pub(super) stderr: String,
}

impl<I, O, E> Streams<I, O, E>
where
    I: AsyncWrite + Unpin,
    O: AsyncRead + Unpin,
    E: AsyncRead + Unpin,
{
    /// Has `script` run, and reads both outputs to its end. With an `answer`, waits for the script's question; the
    /// time the answer takes is not the script's.
    pub(super) async fn talk(&mut self, script: Script, answer: Option<Answer<'_>>) -> Result<Ended, Broken> {
        let Call { tag, bytes } = call(&script.facts, script.text, script.input.expose());
        let mut said = Kept::new(STDOUT_LIMIT, Beyond::Refuse);
        let mut errors = Kept::new(STDERR_LIMIT, Beyond::Drop);
        let Self {
            stdin,
            stdout,
            stderr,
        } = self;
        let done = Notify::new();
        let talk = async {
            let asks = answer.is_some();
            let first = async {
                let write = async {
                    // A shell that ends before it has read everything says why by its status: a broken pipe is no news.
                    let _ = stdin.write_all(&bytes).await;
                    let _ = stdin.flush().await;
                };
                tokio::join!(write, said.read(stdout, &tag, asks)).1
            };
            let stop = tokio::time::timeout(script.limit, first).await??;
            let (Stop::Asked, Some(answer)) = (&stop, answer) else {
                done.notify_one();
                return Ok(stop);
            };
            let words = answer(Secret::new(&said.bytes[..])).await;
            let rest = async {
                let _ = stdin.write_all(format!("{words}\n").as_bytes()).await;
                let _ = stdin.flush().await;
                said.read(stdout, &tag, false).await
            };
            let stop = tokio::time::timeout(script.limit, rest).await??;
            done.notify_one();
            Ok(stop)
        };
        let listen = async {
            let late = async {
                done.notified().await;
                tokio::time::sleep(script.limit).await;
            };
            tokio::select! {
                stop = errors.read(stderr, &tag, false) => stop,
                () = late => Err(Broken::TimedOut),
            }
        };
        let (stop, _) = tokio::try_join!(talk, listen)?;
        let (status, stands) = match stop {
            Stop::Ended { status, stands } => (Some(status), stands),
            Stop::Asked | Stop::Closed => (None, false),
        };
        Ok(Ended {
            status,
            stands,
            stdout: Secret::new(std::mem::take(&mut *said.bytes)),
            stderr: errors.text(),
        })
    }
}

/// Where reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// At the script's question.
    Asked,
    /// At its end.
    Ended { status: i32, stands: bool },
    /// At the end of the stream.
    Closed,
}

/// What becomes of what is beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// The stream is given up.
    Refuse,
    /// It is counted and dropped.
    Drop,
}

/// The first so many bytes of a stream.
struct Kept {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
    beyond: Beyond,
    dropped: usize,
}

impl Kept {
    fn new(limit: usize, beyond: Beyond) -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(4096)),
            limit,
            beyond,
            dropped: 0,
        }
    }

    /// As text for people.
    fn text(&self) -> String {
        let mut text = foreign::lines(&String::from_utf8_lossy(&self.bytes)).into_owned();
        if self.dropped > 0 {
            let _ = write!(text, "\n({} more bytes were dropped)", self.dropped);
        }
        text
    }

    /// Reads to the line that begins with `tag`, which is not kept, or with `asks` to the script's question.
    async fn read(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        tag: &str,
        asks: bool,
    ) -> Result<Stop, Broken> {
        let mut chunk = Zeroizing::new([0_u8; CHUNK]);
        loop {
            if asks && self.bytes.ends_with(ASK) {
                return Ok(Stop::Asked);
            }
            let count = from.read(&mut chunk[..]).await?;
            if count == 0 {
                return Ok(Stop::Closed);
            }
            self.keep(&chunk[..count]);
            if let Some((start, stop)) = self.end(tag) {
                self.bytes.truncate(start);
                return Ok(stop);
            }
            // The last bytes may be the beginning of the end.
            let (length, most) = (self.bytes.len(), self.limit + TAIL);
            if length > most {
                if self.beyond == Beyond::Refuse {
                    return Err(Broken::TooMuch(self.limit));
                }
                self.dropped += length - most;
                self.bytes.drain(self.limit..length - TAIL);
            }
        }
    }

    /// Where the last line begins, and what it says, if it is the one of the standing shell.
    fn end(&self, tag: &str) -> Option<(usize, Stop)> {
        let from = self.bytes.len().saturating_sub(TAIL);
        let tail = self.bytes[from..].strip_suffix(b"\n")?;
        let at = tail
            .windows(tag.len())
            .rposition(|window| window == tag.as_bytes())?;
        let said = std::str::from_utf8(&tail[at + tag.len()..]).ok()?;
        let mut words = said.split_ascii_whitespace();
        let stop = match words.next() {
            // On standard error the tag stands alone.
            None => Stop::Closed,
            Some(status) => Stop::Ended {
                status: status.parse().ok()?,
                stands: status == "0" && words.next().is_none(),
            },
        };
        Some((from + at, stop))
    }

    /// A growing buffer would leave copies of secrets behind in freed memory.
    fn keep(&mut self, more: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < more.len() {
            let need = self.bytes.len() + more.len();
            // No more room than the limit can take: twice as much would be memory for nothing.
            let room = (2 * need).min(self.limit + TAIL + CHUNK).max(need);
            let mut grown = Zeroizing::new(Vec::with_capacity(room));
            grown.extend_from_slice(&self.bytes);
            self.bytes = grown;
        }
        self.bytes.extend_from_slice(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "0123456789abcdef";

    async fn read(limit: usize, pieces: &[&[u8]], asks: bool) -> (Stop, Vec<u8>) {
        let (mut host, mut here) = tokio::io::duplex(1 << 16);
        let mut kept = Kept::new(limit, Beyond::Drop);
        let write = async {
            for piece in pieces {
                host.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(host);
        };
        let (stop, ()) = tokio::join!(kept.read(&mut here, TAG, asks), write);
        (stop.unwrap(), kept.bytes.to_vec())
    }

    #[tokio::test]
    async fn an_answer_ends_with_its_tag_wherever_it_is_cut() {
        let whole = format!("one\ntwo{TAG} 0 \n");
        for cut in 0..whole.len() {
            let (first, second) = whole.as_bytes().split_at(cut);
            let (stop, bytes) = read(100, &[first, second], false).await;
            let ended = Stop::Ended {
                status: 0,
                stands: true,
            };
            assert_eq!((stop, bytes), (ended, b"one\ntwo".to_vec()), "{cut}");
        }
        let (stop, bytes) = read(100, &[format!("{TAG} 7 1\n").as_bytes()], false).await;
        let last = Stop::Ended {
            status: 7,
            stands: false,
        };
        assert_eq!((stop, bytes), (last, Vec::new()));
        // Another tag is not the end, nor is a question nobody wants to answer.
        let (stop, bytes) = read(100, &[b"fedcba9876543210 0 \n\nask\n"], false).await;
        assert_eq!((stop, bytes.len()), (Stop::Closed, 25));
        assert_eq!(read(100, &[b"x\nask\n"], true).await.0, Stop::Asked);
    }

    #[tokio::test]
    async fn what_is_too_much_is_thrown_away() {
        let much = [b'x'; 5000];
        let end = format!("{TAG} 3 \n");
        let (stop, bytes) = read(1000, &[&much, &much, end.as_bytes()], false).await;
        assert!(matches!(stop, Stop::Ended { status: 3, .. }), "{stop:?}");
        assert!(bytes.len() <= 1000 + TAIL && bytes.iter().all(|&byte| byte == b'x'));
        let (mut host, mut here) = tokio::io::duplex(1 << 16);
        host.write_all(&much).await.unwrap();
        let refused = Kept::new(4999 - TAIL, Beyond::Refuse)
            .read(&mut here, TAG, false)
            .await;
        assert!(matches!(refused, Err(Broken::TooMuch(_))), "{refused:?}");
    }
}
