//! Secrets that the command line names a file for.

use crate::ops::{Result, secret_source};
use crate::secret::Secret;
use std::path::Path;

/// The first line of a file, or of standard input for `-`; `what` it is, for people.
pub fn from_file(what: &str, path: &Path) -> Result<Secret> {
    if path == Path::new("-") {
        secret_source::from_reader(what, std::io::stdin().lock())
    } else {
        secret_source::from_file(what, path)
    }
}
