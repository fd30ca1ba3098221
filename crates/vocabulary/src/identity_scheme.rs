//! Identity schemes: how a member of a secure group shows that it is one.

/// Identity schemes of Autokey (RFC 5906 section 6 and appendix B).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum IdentityScheme {
    /// Trusted certificate: the trail alone.
    Tc,
    /// Private certificate: one key and certificate copied to all members.
    Pc,
    /// Schnorr (Identify Friend or Foe).
    Iff,
    /// Guillou-Quisquater.
    Gq,
    /// Mu-Varadharajan.
    Mv,
}

impl IdentityScheme {
    /// As the field writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tc => "TC",
            Self::Pc => "PC",
            Self::Iff => "IFF",
            Self::Gq => "GQ",
            Self::Mv => "MV",
        }
    }
}
