//! Text for people that comes from elsewhere while something runs: the first 64 KiB are kept, the rest is counted and
//! dropped. Nothing is decided by it.

use crate::foreign;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::unix::pipe;

/// Most bytes kept of a stream.
pub(super) const KEPT: usize = 64 << 10;

/// What has come so far.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    dropped: u64,
}

/// A stream that is listened to until it ends or this value does.
#[derive(Debug, Default)]
pub(super) struct Heard {
    text: Arc<Mutex<Text>>,
    listener: Option<tokio::task::JoinHandle<()>>,
}

impl Heard {
    /// Listens to a stream.
    pub(super) fn listen(mut stream: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let text = Arc::<Mutex<Text>>::default();
        let kept = Arc::clone(&text);
        let listener = tokio::spawn(async move {
            let mut chunk = [0_u8; 4096];
            while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                let mut text = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let room = KEPT.saturating_sub(text.bytes.len()).min(count);
                text.bytes.extend_from_slice(&chunk[..room]);
                text.dropped += (count - room) as u64;
            }
        });
        Self {
            text,
            listener: Some(listener),
        }
    }

    /// Makes a FIFO and listens to whoever writes to it: a log that takes no room on a disk.
    pub(super) fn fifo(path: &Path) -> std::io::Result<Self> {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0)?;
        // Open for writing too, it never ends, and whoever writes need not wait for us.
        let reader = pipe::OpenOptions::new().read_write(true).open_receiver(path)?;
        Ok(Self::listen(reader))
    }

    /// What it said, on one short line without anything that steers a terminal; a moment later where it has not ended.
    pub(super) async fn line(&mut self) -> String {
        /// What is on its way in a pipe is there by then.
        const LATE: std::time::Duration = std::time::Duration::from_millis(50);
        if let Some(listener) = &mut self.listener {
            let _ = tokio::time::timeout(LATE, listener).await;
        }
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        one_line(&String::from_utf8_lossy(&text.bytes), text.dropped)
    }
}

impl Heard {
    /// Goes on listening after this value has ended, as long as somebody may write: else they would be held up.
    pub(super) fn detach(mut self) {
        self.listener = None;
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// Lines on one line, without frames; cut where a person would stop reading.
fn one_line(text: &str, dropped: u64) -> String {
    const LONGEST: usize = 400;
    let lines = text
        .lines()
        .map(|line| line.trim().trim_matches(['@', ' ']).trim())
        .filter(|line| !line.is_empty() && !line.starts_with("Warning: Permanently added"));
    let mut said = foreign::short(&lines.collect::<Vec<_>>().join("; "), LONGEST);
    if dropped > 0 {
        let _ = write!(said, " ({dropped} more bytes were dropped)");
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn a_flood_is_counted_and_dropped() {
        let (mut there, here) = tokio::io::duplex(1 << 16);
        let mut heard = Heard::listen(here);
        let flood = vec![b'x'; 1 << 20];
        there.write_all(&flood).await.expect("read");
        drop(there);
        let said = heard.line().await;
        let dropped = (1 << 20) - KEPT;
        assert!(
            said.ends_with(&format!("x… ({dropped} more bytes were dropped)")),
            "{said}"
        );
        let text = heard.text.lock().expect("whole");
        assert!(text.bytes.len() == KEPT && text.bytes.capacity() <= 2 * KEPT);
    }

    #[tokio::test]
    async fn a_fifo_takes_what_is_written_to_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let mut heard = Heard::fifo(&path).expect("made");
        let to = path.clone();
        tokio::task::spawn_blocking(move || std::fs::write(to, "one\r\n@@@ two @@@\n\u{1b}[8mthree\n"))
            .await
            .expect("joined")
            .expect("written");
        assert_eq!(heard.line().await, "one; two; \\x1b[8mthree");
        assert_eq!(heard.line().await, "one; two; \\x1b[8mthree", "nothing ends it");
    }
}
