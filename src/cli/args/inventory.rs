//! Which inventory.

use crate::cli::exit::Failure;
use clap::Args;
use std::path::{Path, PathBuf};

/// Which inventory.
#[derive(Debug, Args, Clone)]
pub struct InventoryArgs {
    /// Inventory files, or directories of them, read as one [default: keytrail.yaml]
    #[arg(value_name = "INVENTORY")]
    pub paths: Vec<PathBuf>,
}

impl InventoryArgs {
    /// The files: as given, else `keytrail.yaml` here.
    pub fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        if !self.paths.is_empty() {
            return Ok(self.paths.clone());
        }
        let default = Path::new("keytrail.yaml");
        if default.exists() {
            return Ok(vec![default.into()]);
        }
        Err(
            Failure::new("no inventory given, and there is no keytrail.yaml here")
                .help("name one: keytrail check fleet.yaml")
                .help("or start one: keytrail init keytrail.yaml"),
        )
    }
}
