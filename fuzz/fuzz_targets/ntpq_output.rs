//! What ntpq and chronyc print.
#![no_main]

use keytrail::ntpq::{self, Association, Clock, PeerStatus, System, Variables, chrony};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let lines = text.lines().count();
    if let Ok(rows) = ntpq::associations(text) {
        assert!(rows.len() <= lines);
    }
    if let Ok(rows) = ntpq::peers(text) {
        assert!(rows.len() <= lines);
    }
    let _ = Variables::read(text);
    let _ = System::read(text).map(|system| (system.synchronised(), system.certificate_expired(system.clock)));
    let _ = Clock::read(text);
    let _ = Association::read(text, Some(PeerStatus(0xf61a))).map(|found| (found.keying(), found.heard_lately()));
    let _ = (chrony::tracking(text), chrony::activity(text), chrony::serverstats(text));
    let auth = chrony::authdata(text).unwrap_or_default();
    let data = chrony::ntpdata(text).unwrap_or_default();
    for source in chrony::join(chrony::sources(text).unwrap_or_default(), &auth, &data) {
        let _ = source.verdict(true);
    }
});
