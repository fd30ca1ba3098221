//! The errors of the Autokey protocol in words: what the daemon means, what is likely behind it, what to do now. After
//! the manual's list (authopt) and what was measured on ntp.org 4.2.8p15.

use super::cryptostats::{ErrorLine, Step};
use super::error_code::ErrorCode;
use super::explanation::{Explanation, explanation};

/// What a documented error number means, wherever it was seen. `None` for numbers that are not documented.
pub fn explain(number: u16) -> Option<Explanation> {
    ErrorCode::new(number).map(general)
}

/// What an error line means, with the step and the side it was seen on taken into account.
pub fn explain_at(line: &ErrorLine) -> Explanation {
    match (line.code.number(), line.opcode.step()) {
        (115, Some(Step::Identity)) if line.opcode.empty() => explanation!("error/115-identity"),
        (115, Some(Step::Sign)) => explanation!("error/115-sign"),
        (110, Some(Step::Sign)) if line.while_serving() => explanation!("error/110-sign-serving"),
        (110, Some(Step::Sign)) => explanation!("error/110-sign"),
        (109, Some(Step::Certificate)) => explanation!("error/109-certificate"),
        (110, Some(Step::Certificate)) => explanation!("error/110-certificate"),
        _ => general(line.code),
    }
}

fn general(code: ErrorCode) -> Explanation {
    match code.number() {
        101 => explanation!("error/101"),
        102 => explanation!("error/102"),
        103 => explanation!("error/103"),
        104 => explanation!("error/104"),
        105 => explanation!("error/105"),
        106 => explanation!("error/106"),
        107 => explanation!("error/107"),
        108 => explanation!("error/108"),
        109 => explanation!("error/109"),
        110 => explanation!("error/110"),
        111 => explanation!("error/111"),
        112 => explanation!("error/112"),
        113 => explanation!("error/113"),
        114 => explanation!("error/114"),
        _ => explanation!("error/115"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_number_is_explained_and_no_other() {
        let told: Vec<_> = (101..=115).filter_map(explain).map(|told| told.meaning).collect();
        assert_eq!(told.len(), 15);
        assert_eq!((explain(100), explain(116)), (None, None));
    }
}
