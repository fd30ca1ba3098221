//! Key files of every daemon: what a daemon reads and can be written for it again, it reads as the same.
#![no_main]

use keytrail::{inventory::Implementation, media::key_file};
use libfuzzer_sys::fuzz_target;

const DAEMONS: [Implementation; 4] =
    [Implementation::NtpOrg, Implementation::Ntpsec, Implementation::Chrony, Implementation::Openvms];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, text)) = bytes.split_first() else { return };
    let daemon = DAEMONS[usize::from(*which) % DAEMONS.len()];
    let Ok(read) = key_file::read(text, daemon) else { return };
    let keys: Vec<_> = read.keys.into_iter().map(|(_, key)| key).collect();
    if let Ok(lines) = key_file::lines(&keys, daemon) {
        let mut again: Vec<_> = match key_file::read(lines.expose(), daemon) {
            Ok(again) => again.keys.into_iter().map(|(_, key)| key).collect(),
            Err(_) => Vec::new(),
        };
        let mut keys = keys;
        keys.sort_by_key(|key| key.id);
        again.sort_by_key(|key| key.id);
        assert_eq!(again, keys);
    }
});
