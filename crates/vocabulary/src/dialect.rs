//! Layouts of identity media.

/// Layouts of identity media.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// What the 4.2.8p15 daemon on OpenSSL 1.1 or later authenticates with.
    Current,
    /// What ntp-keygen 4.2.8 writes.
    Documented,
}
