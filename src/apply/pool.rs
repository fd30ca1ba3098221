//! Work on many hosts at once, so many at a time, and the wish to stop.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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

/// How many hosts at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Worked on at the same time.
    pub(super) jobs: usize,
    /// Begun and not ended, those included that only wait for something and need no hand.
    pub(super) in_flight: usize,
}

/// A place among those worked on at the same time.
#[derive(Debug)]
pub(super) struct Permit {
    all: Arc<Semaphore>,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Permit {
    /// Waits for something without keeping others from working, and takes a place again after that.
    pub(super) async fn lend<T>(&self, wait: impl Future<Output = T>) -> T {
        drop(self.held().take());
        let waited = wait.await;
        let taken = Arc::clone(&self.all).acquire_owned().await.ok();
        *self.held() = taken;
        waited
    }

    fn held(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `run` on every item, as many at a time as there is room for, in order of the items; once `stop` says so the
/// items not begun are left out. Results come in the order in which they are ready.
pub(super) async fn each<I, T, F>(
    items: Vec<I>,
    room: Room,
    stop: impl Fn() -> bool,
    mut run: impl FnMut(I, Arc<Permit>) -> F,
) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let permits = Arc::new(Semaphore::new(room.jobs.max(1)));
    let mut items = items.into_iter().peekable();
    let mut running = JoinSet::new();
    let mut done = Vec::with_capacity(items.len());
    loop {
        let begins =
            items.peek().is_some() && running.len() < room.in_flight.max(room.jobs).max(1) && !stop();
        tokio::select! {
            permit = Arc::clone(&permits).acquire_owned(), if begins => {
                // Somebody may have asked to stop while there was no permit.
                if let Some(item) = items.next_if(|_| !stop()) {
                    let permit = Permit { all: Arc::clone(&permits), held: Mutex::new(permit.ok()) };
                    running.spawn(run(item, Arc::new(permit)));
                }
            }
            ended = running.join_next(), if !running.is_empty() => match ended {
                Some(Ok(result)) => done.push(result),
                // A bug of ours: it must not look like a host that was left out.
                Some(Err(err)) => std::panic::resume_unwind(err.into_panic()),
                None => {}
            },
            else => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    fn room(jobs: usize) -> Room {
        Room {
            jobs,
            in_flight: jobs,
        }
    }

    #[tokio::test]
    async fn at_most_so_many_at_a_time() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let done = each(
            (0..50).collect(),
            room(7),
            || false,
            |i: u32, _| {
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
            room(2),
            || cancel.is_cancelled(),
            move |i: u32, _| {
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

    /// Two permits, and all five that fit in flight wait for each other: they could not, had one to keep its permit.
    #[tokio::test]
    async fn who_waits_makes_room() {
        let together = Arc::new(tokio::sync::Barrier::new(5));
        let working = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let room = Room {
            jobs: 2,
            in_flight: 5,
        };
        let done = each(
            (0..10).collect(),
            room,
            || false,
            |i: u32, permit| {
                let (together, working, most) =
                    (Arc::clone(&together), Arc::clone(&working), Arc::clone(&most));
                async move {
                    for part in 0..2 {
                        most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        working.fetch_sub(1, Ordering::SeqCst);
                        if part == 0 {
                            permit.lend(together.wait()).await;
                        }
                    }
                    i
                }
            },
        );
        let done = tokio::time::timeout(Duration::from_secs(60), done).await;
        assert_eq!(done.expect("nobody waits for a permit for ever").len(), 10);
        assert_eq!(most.load(Ordering::SeqCst), 2, "work keeps to the permits");
    }

    #[tokio::test]
    async fn nobody_begins_once_it_is_enough() {
        let enough = Cancel::default();
        let stop = enough.clone();
        let room = Room {
            jobs: 1,
            in_flight: 100,
        };
        let done = each(
            (0..50).collect(),
            room,
            || enough.is_cancelled(),
            move |i: u32, permit| {
                let stop = stop.clone();
                async move {
                    permit.lend(tokio::task::yield_now()).await;
                    stop.cancel();
                    i
                }
            },
        );
        assert!(done.await.len() < 50);
    }
}
