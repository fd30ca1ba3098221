//! Which vault, and what opens it.

use clap::Args;
use std::path::PathBuf;

/// The variable that names the one vault to accept, where there are no known vaults: its public key.
pub const EXPECTED: &str = "KEYTRAIL_VAULT_ID";

/// Which vault, and what opens it.
#[derive(Debug, Args, Clone, Default)]
pub struct VaultArgs {
    /// The vault [default: the inventory's name with .vault, beside it]
    #[arg(long, value_name = "FILE")]
    pub vault: Option<PathBuf>,
    /// File with the age identity that opens the vault [env: KEYTRAIL_IDENTITY] [default:
    /// keytrail/identity.agekey below the user's configuration]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["passphrase_file", "key_command"])]
    pub identity: Option<PathBuf>,
    /// File with the passphrase that opens the vault, '-' for standard input [env: KEYTRAIL_PASSPHRASE_FILE]
    #[arg(long, value_name = "FILE", conflicts_with = "key_command")]
    pub passphrase_file: Option<PathBuf>,
    /// Command that prints the age identity or the passphrase; words separated by blanks, no shell
    /// [env: KEYTRAIL_KEY_COMMAND]
    #[arg(long, value_name = "COMMAND")]
    pub key_command: Option<String>,
    /// Wait so long for another keytrail that holds the vault
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u32,
}
