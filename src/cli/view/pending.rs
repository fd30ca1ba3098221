//! Rotations that are not everywhere yet, for people.

use crate::ops::now;
use crate::report::{counted, names, time_format};
use crate::rotate::record::Pending;

/// One of them.
pub fn text(pending: &Pending) -> String {
    const NAMED: usize = 8;
    let names = names(&pending.hosts, NAMED);
    let now = now();
    let until = match pending.fails_by {
        Some(at) if at <= now => "\n  Their packets are refused until then.".to_owned(),
        Some(at) => format!(
            "\n  Those that were not restarted go on with the old until they are examined anew, each at a moment of its own, the last by {}, and fail then; one that was (rolled back, or rebooted) is refused by its servers at once.",
            time_format::minute(at)
        ),
        None => String::new(),
    };
    format!(
        "Pending: {}, generation {}: {} of {} have it, not yet {names}.{until}\n  Finish it: {}",
        pending.subject,
        pending.generation,
        pending.done,
        counted(pending.done + pending.hosts.len(), "host"),
        pending.command
    )
}
