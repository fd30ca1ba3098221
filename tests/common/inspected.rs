//! What `inspect` makes of the bytes of a file.

use keytrail::finding::Severity;
use keytrail::inventory::Implementation;
use keytrail::media::inspect::{Inspected, Options};
use keytrail::secret::Secret;

/// 2026-12-01, some days into the validity of the golden certificates.
pub const NOW: i64 = 1_796_083_200;

pub fn options<'a>(file_name: Option<&'a str>, password: Option<&'a Secret>) -> Options<'a> {
    Options {
        file_name,
        password,
        daemon: Implementation::NtpOrg,
        now: NOW,
        show_private: false,
    }
}

pub fn errors(inspected: &Inspected) -> Vec<&str> {
    let remarks = inspected.report.remarks.iter();
    remarks
        .filter(|remark| remark.severity == Severity::Error)
        .map(|remark| remark.what.as_str())
        .collect()
}
