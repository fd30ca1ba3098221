//! keytrail: provision NTP secure groups.

pub mod apply;
pub mod cli;
pub mod demo;
pub mod digest;
pub mod export;
pub mod finding;
pub mod inventory;
pub mod keygen;
pub mod media;
pub mod mint;
pub mod ntpconf;
pub mod ntpq;
pub mod plan;
pub mod remote;
pub mod report;
pub mod secret;
pub mod trail;
pub mod vault;
