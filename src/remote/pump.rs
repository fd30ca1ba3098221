//! Moving bytes to and from a running script: all three streams at once, so that neither side waits for the
//! other, and with a bound on what a host can make us hold.

use crate::secret::Secret;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// Most bytes of standard output kept; a reply is a few kilobytes, an ntp.conf included.
const STDOUT_LIMIT: u64 = 16 << 20;
/// Most bytes of standard error kept.
const STDERR_LIMIT: u64 = 64 << 10;

/// Writes `input` and closes; reads both outputs to their end.
pub(super) async fn pump(
    mut stdin: impl AsyncWrite + Unpin,
    stdout: impl AsyncRead + Unpin,
    stderr: impl AsyncRead + Unpin,
    input: Zeroizing<Vec<u8>>,
) -> io::Result<(Secret, String)> {
    let write = async move {
        // A script that ends before it has read everything says why by its status: a broken pipe is no news.
        let _ = stdin.write_all(&input).await;
        let _ = stdin.shutdown().await;
        drop(stdin);
    };
    let ((), stdout, stderr) = tokio::join!(write, read(stdout, STDOUT_LIMIT), read(stderr, STDERR_LIMIT));
    Ok((
        Secret::new(std::mem::take(&mut *stdout?)),
        String::from_utf8_lossy(&stderr?).into_owned(),
    ))
}

/// Keeps the first `limit` bytes and throws the rest away.
async fn read(mut from: impl AsyncRead + Unpin, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut kept = Zeroizing::new(Vec::with_capacity(4096));
    (&mut from).take(limit).read_to_end(&mut kept).await?;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    Ok(kept)
}
