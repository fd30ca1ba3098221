//! cryptostats and the logs of all daemons.
#![no_main]

use keytrail::ntpq::{Cryptostats, DaemonLog};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let stats = Cryptostats::read(text);
    assert!(stats.since_start().len() <= stats.lines.len());
    let log = DaemonLog::read(text);
    for trouble in log.troubles() {
        assert!(!trouble.to_string().is_empty() && !trouble.explanation().meaning.is_empty());
    }
    let _ = (log.last_run(), log.end());
});
