//! The program and its phases over real sshd on loopback.

mod apply;
#[path = "../common/mod.rs"]
mod common;
mod demo;
mod fleet;
mod guide;
mod rollback;
mod rotate;
mod rotate_idents;
mod rotate_symmetric;
mod ssh_hostkeys;
mod ssh_hosts;
mod ssh_login;
mod ssh_phases;
mod ssh_shells;
mod status;
mod verify;
