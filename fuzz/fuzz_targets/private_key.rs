//! DER of private keys: what is read is written again and read as the same.
#![no_main]

use keytrail::{
    media::{
        pem::PemBlock,
        pkcs8::{self, LABELS},
    },
    secret::Secret,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((which, der)) = bytes.split_first() else { return };
    let label = LABELS[usize::from(*which) % LABELS.len()];
    let password = Secret::from("xxx");
    if let Ok(read) = pkcs8::read(&PemBlock::new(label, Secret::new(der)), Some(&password)) {
        let again = pkcs8::read(&pkcs8::pkcs8_block(&read.key), None).expect("what is written can be read");
        assert_eq!(pkcs8::pkcs8_der(&again.key), pkcs8::pkcs8_der(&read.key));
    }
});
