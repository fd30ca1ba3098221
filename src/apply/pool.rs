//! Work on many hosts at once, so many at a time, and the wish to stop.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

/// The wish to stop: hosts in flight finish their phase, no other host is begun. Clones wish the same.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Runs `run` on every item, at most `jobs` at a time, in order of the items; once `stop` says so the items
/// not begun are left out. Results come in the order in which they are ready.
pub(super) async fn each<I, T, F>(
    items: Vec<I>,
    jobs: usize,
    stop: impl Fn() -> bool,
    mut run: impl FnMut(I) -> F,
) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut items = items.into_iter();
    let mut running = JoinSet::new();
    let mut done = Vec::with_capacity(items.len());
    loop {
        while running.len() < jobs.max(1) && !stop() {
            let Some(item) = items.next() else { break };
            running.spawn(run(item));
        }
        match running.join_next().await {
            None => return done,
            Some(Ok(result)) => done.push(result),
            // A bug of ours: it must not look like a host that was left out.
            Some(Err(err)) => std::panic::resume_unwind(err.into_panic()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    #[tokio::test]
    async fn at_most_so_many_at_a_time() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let done = each(
            (0..50).collect(),
            7,
            || false,
            |i: u32| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                async move {
                    let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(running, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    i
                }
            },
        )
        .await;
        assert_eq!(done.len(), 50);
        assert_eq!(most.load(Ordering::SeqCst), 7);
    }

    #[tokio::test]
    async fn cancelling_finishes_what_is_in_flight() {
        let cancel = Cancel::default();
        let stop = cancel.clone();
        let done = each(
            (0..50).collect(),
            2,
            || cancel.is_cancelled(),
            move |i: u32| {
                let stop = stop.clone();
                async move {
                    if i == 3 {
                        stop.cancel();
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    i
                }
            },
        )
        .await;
        assert!((4..=5).contains(&done.len()), "{done:?}");
    }
}
