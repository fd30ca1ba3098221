//! Values as text and tables, for people. Nothing here does anything.

pub mod findings;
pub mod inspect;
pub mod notice;
pub mod operators;
pub mod outcome;
pub mod pending;
pub mod prometheus;
pub mod rollback;
pub mod rotation_preview;
pub mod status;
pub mod verify;
