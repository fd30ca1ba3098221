//! NTP implementations.

/// NTP implementations.
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
pub enum Implementation {
    /// The reference implementation, 4.2.8; the only one with Autokey.
    #[serde(rename = "ntp.org")]
    NtpOrg,
    /// NTPsec: symmetric keys and NTS.
    #[serde(rename = "ntpsec")]
    Ntpsec,
    /// chrony: symmetric keys and NTS.
    #[serde(rename = "chrony")]
    Chrony,
    /// HP/VSI TCP/IP Services for OpenVMS.
    #[serde(rename = "openvms")]
    Openvms,
}

impl Implementation {
    /// Every implementation, in the order of documentation.
    pub const ALL: [Self; 4] = [Self::NtpOrg, Self::Ntpsec, Self::Chrony, Self::Openvms];

    /// As its makers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NtpOrg => "ntp.org",
            Self::Ntpsec => "NTPsec",
            Self::Chrony => "chrony",
            Self::Openvms => "OpenVMS",
        }
    }
}
