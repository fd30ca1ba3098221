//! Running asynchronous work, and stopping it in an orderly way on Ctrl-C and SIGTERM.

use crate::apply::Cancel;
use crate::cli::exit::Failure;
use tokio::signal::unix::{SignalKind, signal};

/// Asks for memory in pages of the usual size. In huge ones, which the allocator asks for and which serve a proof of a
/// million hosts well, a run that mostly waits holds three times the memory it uses (docs/performance.md).
pub fn small_pages() {
    // A matter of economy: where it cannot be had, nothing is wrong.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Runs `work` to its end. The first signal asks it to stop (hosts in flight finish their phase); the second one
/// ends the process at once.
pub fn run<T, E: Into<Failure>>(work: impl AsyncFnOnce(Cancel) -> Result<T, E>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("cannot start worker threads").because(&error))?;
    runtime.block_on(async {
        let cancel = Cancel::default();
        let failed = |error: std::io::Error| Failure::new("cannot listen for signals").because(&error);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let asked = cancel.clone();
        tokio::spawn(async move {
            for time in 0.. {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if time > 0 {
                    std::process::exit(130);
                }
                tracing::warn!("stopping: hosts in flight finish their phase; once more ends at once");
                asked.cancel();
            }
        });
        work(cancel).await.map_err(Into::into)
    })
}
