//! keytrail: provision NTP secure groups.

pub mod media;
pub mod secret;
