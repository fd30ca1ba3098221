//! What somebody could do who owns one host, one account or one file, and what a watcher of processes and files sees.

#[path = "../common/mod.rs"]
mod common;
mod peers;
mod racing;
mod secrets;
mod vault;
mod vault_mutations;
