//! Certificates: reading never panics, and a copy reads the same.
#![no_main]

use keytrail::media::{Filestamp, certificate::Certificate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        let _ = (certificate.role(), certificate.gq_public(), certificate.scheme(), certificate.group());
        let _ = (certificate.is_self_signed(), certificate.suits(Filestamp(0)));
        assert_eq!(Certificate::from_block(&certificate.block()).expect("it was read before"), certificate);
    }
});
