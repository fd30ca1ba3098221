//! Hosts that fail on purpose: a host with faults put before it, for tests of what stands above this layer.

use super::{Answer, Output, Remote, Script, Unreachable};
use crate::secret::Secret;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What happens to one call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call goes through.
    None,
    /// The script is not run.
    Refuse(Unreachable),
    /// The script gets only so many bytes of its input, and the connection is lost.
    Cut(usize),
    /// One byte of the script's input, counted from its end, arrives changed.
    Damage(usize),
    /// The script runs to its end, and the connection is lost before it can say so.
    Deaf,
    /// The script gets all of its input and runs to its end, but nobody answers its question: the connection
    /// was lost by then.
    Unanswered,
    /// The script is not run; this is answered instead.
    Answer {
        /// Exit status.
        status: i32,
        /// Standard error.
        stderr: String,
    },
}

/// A host behind faults: the first fault meets the first call, and so on; then all calls go through.
#[derive(Debug)]
pub struct FakeHost<R> {
    host: R,
    faults: Mutex<VecDeque<Fault>>,
    calls: AtomicUsize,
}

impl<R: Remote> FakeHost<R> {
    /// `host` with `faults` before it.
    pub fn new(host: R, faults: impl IntoIterator<Item = Fault>) -> Self {
        Self {
            host,
            faults: Mutex::new(faults.into_iter().collect()),
            calls: AtomicUsize::new(0),
        }
    }

    /// How many scripts were asked for.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn next(&self) -> Fault {
        self.calls.fetch_add(1, Ordering::SeqCst);
        // A poisoned lock means that a test has failed already.
        let mut faults = self
            .faults
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        faults.pop_front().unwrap_or(Fault::None)
    }
}

impl<R: Remote> Remote for FakeHost<R> {
    async fn talk(&self, mut script: Script, answer: Option<Answer<'_>>) -> Result<Output, Unreachable> {
        match self.next() {
            Fault::None => self.host.talk(script, answer).await,
            Fault::Refuse(why) => Err(why),
            Fault::Cut(bytes) => {
                let input = script.input.expose();
                script.input = Secret::new(&input[..bytes.min(input.len())]);
                self.host.run(script).await?;
                Err(Unreachable::Lost("cut on purpose".into()))
            }
            Fault::Damage(from_end) => {
                let mut input = script.input.expose().to_vec();
                if let Some(byte) = input.iter_mut().rev().nth(from_end) {
                    *byte ^= 1;
                }
                script.input = Secret::new(input);
                self.host.talk(script, answer).await
            }
            Fault::Deaf => {
                self.host.talk(script, answer).await?;
                Err(Unreachable::Lost("deaf on purpose".into()))
            }
            Fault::Unanswered => {
                self.host.run(script).await?;
                Err(Unreachable::Lost("nobody answered, on purpose".into()))
            }
            Fault::Answer { status, stderr } => Ok(Output {
                status,
                stdout: Secret::new(Vec::new()),
                stderr,
            }),
        }
    }
}
