//! Moving bytes to and from a running script: all three streams at once, so that neither side waits for the
//! other, with a bound on what a host can make us hold and a bound on how long it may keep us waiting.

use super::{ASK, Answer};
use crate::secret::Secret;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// Most bytes of standard output kept; a reply is a few kilobytes, an ntp.conf included.
const STDOUT_LIMIT: usize = 16 << 20;
/// Most bytes of standard error kept.
const STDERR_LIMIT: usize = 64 << 10;

/// Why the streams of a script did not come to their end.
#[derive(Debug)]
pub(super) enum Broken {
    /// It took longer than its limit.
    TimedOut,
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

/// Writes `input` and reads both outputs to their end. With an `answer`, standard input stays open until the
/// script has asked and was answered; the time that takes is not the script's.
pub(super) async fn pump(
    stdin: impl AsyncWrite + Unpin,
    stdout: impl AsyncRead + Unpin,
    stderr: impl AsyncRead + Unpin,
    input: Zeroizing<Vec<u8>>,
    limit: Duration,
    answer: Option<Answer<'_>>,
) -> Result<(Secret, String), Broken> {
    let errors = async { Ok(read(stderr, STDERR_LIMIT).await?) };
    let (stdout, stderr) = tokio::try_join!(talk(stdin, stdout, input, limit, answer), errors)?;
    Ok((stdout, String::from_utf8_lossy(&stderr).into_owned()))
}

async fn talk(
    mut stdin: impl AsyncWrite + Unpin,
    mut stdout: impl AsyncRead + Unpin,
    input: Zeroizing<Vec<u8>>,
    limit: Duration,
    answer: Option<Answer<'_>>,
) -> Result<Secret, Broken> {
    let mut kept = Kept::new(STDOUT_LIMIT);
    let asks = answer.is_some();
    let first = async {
        let write = async {
            // A script that ends before it has read everything says why by its status: a broken pipe is no news.
            let _ = stdin.write_all(&input).await;
            let _ = stdin.flush().await;
            // Only dropping it closes a pipe.
            asks.then_some(stdin)
        };
        tokio::join!(write, kept.read(&mut stdout, asks))
    };
    let (stdin, asked) = tokio::time::timeout(limit, first).await?;
    if let (true, Some(answer), Some(mut stdin)) = (asked?, answer, stdin) {
        let words = answer(Secret::new(&kept.bytes[..])).await;
        let rest = async {
            let _ = stdin.write_all(format!("{words}\n").as_bytes()).await;
            let _ = stdin.flush().await;
            drop(stdin);
            kept.read(&mut stdout, false).await
        };
        tokio::time::timeout(limit, rest).await??;
    }
    Ok(Secret::new(std::mem::take(&mut *kept.bytes)))
}

/// The first so many bytes of a stream.
struct Kept {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
}

impl Kept {
    fn new(limit: usize) -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(4096)),
            limit,
        }
    }

    /// Reads to the end and throws away what is too much; with `asks`, only to the script's question. Says
    /// whether there was one.
    async fn read(&mut self, from: &mut (impl AsyncRead + Unpin), asks: bool) -> io::Result<bool> {
        let mut chunk = Zeroizing::new([0_u8; 4096]);
        loop {
            if asks && self.bytes.ends_with(ASK) {
                return Ok(true);
            }
            let count = from.read(&mut chunk[..]).await?;
            if count == 0 {
                return Ok(false);
            }
            let room = self.limit - self.bytes.len();
            self.keep(&chunk[..count.min(room)]);
        }
    }

    /// A growing buffer would leave copies of secrets behind in freed memory.
    fn keep(&mut self, more: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < more.len() {
            let mut grown = Zeroizing::new(Vec::with_capacity(2 * (self.bytes.len() + more.len())));
            grown.extend_from_slice(&self.bytes);
            self.bytes = grown;
        }
        self.bytes.extend_from_slice(more);
    }
}

async fn read(mut from: impl AsyncRead + Unpin, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut kept = Kept::new(limit);
    kept.read(&mut from, false).await?;
    Ok(std::mem::take(&mut kept.bytes))
}
