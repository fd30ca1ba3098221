//! What surrounds operations.

use crate::ops::notice::Observer;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// What an operation takes from around it.
#[derive(Clone)]
pub struct Environment {
    /// Who hears what happens.
    pub observer: Arc<dyn Observer>,
    /// The variables that an inventory may name for passwords and keys.
    pub variable: fn(&str) -> Option<OsString>,
    /// Where private temporary directories are made.
    pub temporary: PathBuf,
}
