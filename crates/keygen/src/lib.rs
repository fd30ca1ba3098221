//! What `keytrail keygen` does: the work of ntp-keygen in one directory, without its traps.
//!
//! A run goes one way, and everything before the last step is a function of values:
//!
//! 1. [`Directory::observe`] reads what is there for this host and group: a [`Present`];
//! 2. [`Existing::read`] opens what the run needs of it;
//! 3. [`decide`] says which keys are kept and which are made, which files and links come to be, what is exported;
//! 4. [`Decision::make`] makes all of it in memory: an [`Outcome`];
//! 5. [`Directory::write`] writes it: every file aside, synced, renamed; links last.
//!
//! A run that fails before step 5 has touched nothing; one that fails in step 5 leaves the links as they were.
//! What differs from the stock program stands in [`compat`], once.

mod advise;
mod certify;
pub mod compat;
mod decide;
mod decision;
mod directory;
mod error;
mod existing;
mod export;
mod make;
mod options;
mod present;
mod symmetric;

#[cfg(test)]
mod tests;

pub use decide::decide;
pub use decision::{CertificatePlan, Choice, Content, Decision, ExportPlan, FilePlan, Note};
pub use directory::Directory;
pub use error::{Error, Errors, Result};
pub use existing::{Existing, GroupState, Kept};
pub use make::{NewFile, Outcome};
pub use options::{Export, Generate, Options, Subject};
pub use present::{Found, Link, Present};
pub use symmetric::symmetric_keys;
