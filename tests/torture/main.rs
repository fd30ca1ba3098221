//! What an apply promises to survive, over real SSH servers: a controller that is killed or cut off at any moment,
//! hosts that break in every way there is. After each, every host stands in its old or its new state, never between,
//! and running the same command again finishes the work.
//!
//! `make torture` runs the long form: `KEYTRAIL_TORTURE` is the number of kills, `KEYTRAIL_TORTURE_SEED` repeats a run.

// What a torture was like is worth knowing when it went well, too.
#![allow(clippy::print_stdout)]

mod breakages;
#[path = "../common/mod.rs"]
mod common;
mod fleet;
mod guard;
mod kills;

use std::path::{Path, PathBuf};

fn entries(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}
