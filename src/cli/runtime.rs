//! Running asynchronous work, and stopping it in an orderly way on Ctrl-C and SIGTERM.

use crate::apply::Cancel;
use crate::cli::exit::Failure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// How many connections may be open at once. Each is an `ssh`, which takes 1.4 MB that it shares with none (OpenSSH 9.2), and half
/// of the memory is for others; there are limits on processes, too.
pub fn room_for_connections() -> usize {
    const EACH: u64 = 2 << 20;
    const UNKNOWN: u64 = 1024;
    let room = memory().map_or(UNKNOWN, |bytes| bytes / 2 / EACH);
    usize::try_from(room.clamp(64, 4096)).map_or(1, |room| room.min(room_for_files()))
}

/// The memory to be had, in bytes: the machine's, or what a container is allowed.
fn memory() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let available = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let available = available.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024;
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|limit| limit.trim().parse().ok());
    Some(available.min(limit.unwrap_or(u64::MAX)))
}

/// For how many connections there are files: each takes a handful of ours, and limits of 1024 files are common where
/// far more are allowed to those who ask.
fn room_for_files() -> usize {
    const EACH: u64 = 6;
    const OTHERS: u64 = 100;
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(1 << 16, |most| most.min(1 << 16));
    if limit.current.is_some_and(|current| current < wanted) {
        let asked = Rlimit {
            current: Some(wanted),
            ..limit
        };
        if setrlimit(Resource::Nofile, asked).is_ok() {
            limit = asked;
        }
    }
    let files = limit.current.unwrap_or(wanted).saturating_sub(OTHERS);
    usize::try_from(files / EACH).unwrap_or(usize::MAX).max(1)
}

/// Asks for memory in pages of the usual size. In huge ones, which the allocator asks for and which serve a proof of a
/// million hosts well, a run that mostly waits holds three times the memory it uses (docs/performance.md).
pub fn small_pages() {
    // A matter of economy: where it cannot be had, nothing is wrong.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Runs `work` to its end. The first signal asks it to stop (hosts in flight finish their phase); the second one
/// ends the process at once.
pub fn run<T>(work: impl AsyncFnOnce(Cancel) -> Result<T, Failure>) -> Result<T, Failure> {
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
        work(cancel).await
    })
}
