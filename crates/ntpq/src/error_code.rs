//! The errors of the Autokey protocol, 101 to 115, by their numbers (manual, authopt).

use serde::Serialize;
use std::fmt;

/// An error of the Autokey protocol by its documented number. cryptostats write it as hexadecimal 0x100 + n where
/// the manual says 100 + n: `10e` is 114.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ErrorCode(u16);

impl ErrorCode {
    /// From the documented number; `None` outside 101–115.
    pub fn new(number: u16) -> Option<Self> {
        (101..=115).contains(&number).then_some(Self(number))
    }

    /// From the event as cryptostats write it.
    pub(super) fn from_event(event: u16) -> Option<Self> {
        Self::new(event.checked_sub(0x100)?.checked_add(100)?)
    }

    /// The documented number.
    pub fn number(self) -> u16 {
        self.0
    }

    /// The field's name for it.
    pub fn name(self) -> &'static str {
        match self.0 {
            101 => "bad field format or length",
            102 => "bad timestamp",
            103 => "bad filestamp",
            104 => "bad or missing public key",
            105 => "unsupported digest type",
            106 => "unsupported identity type",
            107 => "bad signature length",
            108 => "signature not verified",
            109 => "certificate not verified",
            110 => "host certificate expired",
            111 => "bad or missing cookie",
            112 => "bad or missing leapseconds table",
            113 => "bad or missing certificate",
            114 => "bad or missing group key",
            _ => "protocol error",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_documented_numbers_and_no_others() {
        assert_eq!(ErrorCode::from_event(0x10f), ErrorCode::new(115));
        assert_eq!(ErrorCode::from_event(0x101), ErrorCode::new(101));
        for event in [0, 0xff, 0x100, 0x110, u16::MAX] {
            assert_eq!(ErrorCode::from_event(event), None);
        }
        assert_eq!(
            ErrorCode::new(114).unwrap().to_string(),
            "114 (bad or missing group key)"
        );
    }
}
