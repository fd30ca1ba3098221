//! Configuration files of others: nothing is lost, nothing a terminal would obey is shown, keytrail's block goes in and out.
#![no_main]

use keytrail::inventory::Implementation;
use keytrail::ntpconf::{block, foreign_lines, words};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let lines = foreign_lines(content);
    let bytes: Vec<&[u8]> = lines.iter().map(|line| line.bytes.expose()).collect();
    assert_eq!(bytes.join(&b'\n'), content.strip_suffix(b"\n").unwrap_or(content));
    assert!(lines.iter().all(|line| !line.shown.contains(|c: char| c.is_control() && c != '\t')));
    let without = block::remove(content);
    if let Ok(spliced) = block::splice(content, b"server mort\n") {
        assert!(matches!(block::find(&spliced), Ok(Some(_))));
        assert_eq!(block::splice(&spliced, b"server mort\n").as_ref(), Ok(&spliced));
        if block::find(content) == Ok(None) {
            assert_eq!(block::remove(&spliced), without);
        }
    }
    for line in String::from_utf8_lossy(content).lines() {
        for daemon in [Implementation::NtpOrg, Implementation::Chrony] {
            assert!(words(daemon, line).iter().map(String::len).sum::<usize>() <= line.len());
        }
    }
});
