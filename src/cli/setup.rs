//! What verbs give to operations: the inventory, the way into the vault, and what surrounds them.

use crate::cli::args::{FleetArgs, InventoryArgs, VaultArgs};
use crate::cli::exit::Failure;
use crate::cli::progress::Console;
use crate::cli::runtime;
use crate::cli::ui::Ui;
use crate::cli::vault_key::{access, vault_path};
use crate::ops::{Environment, Loaded, Session, VaultAccess};
use std::path::PathBuf;
use std::sync::Arc;

/// The inventory of these options, read and analysed.
pub fn load(args: &InventoryArgs) -> Result<Loaded, Failure> {
    Ok(Loaded::read(&args.files()?)?)
}

/// The way into the vault of an inventory.
pub fn vault(args: &VaultArgs, inventory: &[PathBuf]) -> VaultAccess {
    access(args, vault_path(args, inventory))
}

/// What surrounds operations: this process, with its progress on standard error.
pub fn environment(out: &Ui) -> Environment {
    Environment {
        observer: Arc::new(Console::new(out)),
        variable: |name| std::env::var_os(name),
        temporary: std::env::temp_dir(),
    }
}

/// Proves the inventory, opens the vault and mints what is missing.
pub fn session(args: &FleetArgs, loaded: Loaded, environment: Environment) -> Result<Session, Failure> {
    runtime::small_pages();
    let access = vault(&args.vault, &loaded.paths);
    Ok(Session::open(
        loaded,
        access,
        args.templates.clone(),
        environment,
    )?)
}
