//! Whole files as `inspect` gets them: header, PEM, containers, judgement.
#![no_main]

use keytrail::{
    inventory::Implementation,
    media::inspect::{Options, inspect, pair},
    secret::Secret,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let password = Secret::from("xxx");
    let options = Options {
        file_name: None,
        password: Some(&password),
        daemon: Implementation::NtpOrg,
        now: 1_796_083_200,
        show_private: false,
    };
    if let Ok(inspected) = inspect(bytes, &options) {
        let _ = pair(&inspected, &inspected);
    }
});
