//! Throw-away hosts on this machine, to try keytrail on.

pub mod sshd;
