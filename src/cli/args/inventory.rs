//! Which inventory.

use clap::Args;
use std::path::PathBuf;

/// Which inventory.
#[derive(Debug, Args, Clone)]
pub struct InventoryArgs {
    /// Inventory files, or directories of them, read as one [default: keytrail.yaml]
    #[arg(value_name = "INVENTORY")]
    pub paths: Vec<PathBuf>,
}
