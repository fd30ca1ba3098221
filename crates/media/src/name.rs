//! File names of key media: `ntpkey_RSAhost_mort.4004178813` and the generic names the daemon opens.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use keytrail_vocabulary::IdentityScheme;

use super::{Error, Filestamp, KeyAlgorithm, Result, SignatureDigest, SignatureScheme};

/// The identity schemes in which a secure group has a key of its own, and files for it. TC and PC have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupScheme {
    /// Schnorr.
    Iff,
    /// Guillou-Quisquater.
    Gq,
    /// Mu-Varadharajan.
    Mv,
}

impl GroupScheme {
    /// All three, in the order in which a client takes them when a server offers several (measured).
    pub const ALL: [Self; 3] = [Self::Iff, Self::Gq, Self::Mv];

    /// The inventory's scheme, if it has group keys.
    pub fn of(scheme: IdentityScheme) -> Option<Self> {
        match scheme {
            IdentityScheme::Tc | IdentityScheme::Pc => None,
            IdentityScheme::Iff => Some(Self::Iff),
            IdentityScheme::Gq => Some(Self::Gq),
            IdentityScheme::Mv => Some(Self::Mv),
        }
    }

    /// `iff`, `gq`, `mv`: as in the names of exported files.
    pub fn lower(self) -> &'static str {
        match self {
            Self::Iff => "iff",
            Self::Gq => "gq",
            Self::Mv => "mv",
        }
    }

    /// `IFF`, `GQ`, `MV`.
    pub fn upper(self) -> &'static str {
        match self {
            Self::Iff => "IFF",
            Self::Gq => "GQ",
            Self::Mv => "MV",
        }
    }
}

impl fmt::Display for GroupScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.upper())
    }
}

/// What a media file holds, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// `RSAhost`: the RSA host key.
    HostKey,
    /// `RSAsign`, `DSAsign`: a sign key other than the host key.
    SignKey(KeyAlgorithm),
    /// `RSA-SHA256cert` and the like: the certificate.
    Certificate(SignatureScheme),
    /// `IFFkey`, `GQkey`, `MVta`: the group key as generated, kept by the trusted agent.
    GroupKey(GroupScheme),
    /// `iffkey`, `gqkey`, `mvkey`: the group key as exported to one server.
    ServerKey(GroupScheme),
    /// `iffpar`, `gqpar`, `mvpar`: client parameters.
    ClientParameters(GroupScheme),
    /// `MVkey3`: the MV client key with this number, as older generators named it at the trusted agent.
    MvClientKey(u16),
    /// `MD5key`: symmetric keys of any type.
    SymmetricKeys,
}

impl MediaKind {
    /// The word between `ntpkey_` and the owner.
    pub fn type_name(self) -> String {
        match self {
            Self::HostKey => "RSAhost".into(),
            Self::SignKey(algorithm) => format!("{}sign", algorithm.as_str()),
            Self::Certificate(scheme) => format!("{}cert", scheme.short_name()),
            Self::GroupKey(GroupScheme::Mv) => "MVta".into(),
            Self::GroupKey(scheme) => format!("{}key", scheme.upper()),
            Self::ServerKey(scheme) => format!("{}key", scheme.lower()),
            Self::ClientParameters(scheme) => format!("{}par", scheme.lower()),
            Self::MvClientKey(number) => format!("MVkey{number}"),
            Self::SymmetricKeys => "MD5key".into(),
        }
    }

    /// The word in the generic name the daemon (or, for `mvta`, the generator) opens.
    /// `None` for symmetric keys: the daemon opens what its `keys` line names; ntp-keygen links `ntp.keys`.
    pub fn link_type(self) -> Option<String> {
        match self {
            Self::HostKey => Some("host".into()),
            Self::SignKey(_) => Some("sign".into()),
            Self::Certificate(_) => Some("cert".into()),
            Self::GroupKey(GroupScheme::Mv) => Some("mvta".into()),
            Self::GroupKey(scheme) | Self::ServerKey(scheme) => Some(format!("{}key", scheme.lower())),
            Self::ClientParameters(scheme) => Some(format!("{}par", scheme.lower())),
            Self::MvClientKey(_) => Some("mvpar".into()),
            Self::SymmetricKeys => None,
        }
    }

    /// Whether the file must be readable for nobody but the daemon. Client parameters and certificates are
    /// not: the daemon reads `..par` files after it has dropped its privileges (measured).
    pub fn is_private(self) -> bool {
        !matches!(
            self,
            Self::Certificate(_) | Self::ClientParameters(_) | Self::MvClientKey(_)
        )
    }

    /// The generic name the daemon opens for this kind of file and this owner: `ntpkey_host_mort`,
    /// `ntpkey_iffpar_red`. The link for symmetric keys is `ntp.keys`, whoever owns them.
    pub fn link_name(self, owner: &str) -> String {
        self.link_type()
            .map_or_else(|| "ntp.keys".into(), |word| format!("ntpkey_{word}_{owner}"))
    }

    fn fixed() -> impl Iterator<Item = Self> {
        let schemes = SignatureDigest::ALL.map(|digest| SignatureScheme {
            key: KeyAlgorithm::Rsa,
            digest,
        });
        let group = GroupScheme::ALL.into_iter().flat_map(|scheme| {
            [
                Self::GroupKey(scheme),
                Self::ServerKey(scheme),
                Self::ClientParameters(scheme),
            ]
        });
        [
            Self::HostKey,
            Self::SignKey(KeyAlgorithm::Rsa),
            Self::SignKey(KeyAlgorithm::Dsa),
            Self::SymmetricKeys,
        ]
        .into_iter()
        .chain(schemes.into_iter().map(Self::Certificate))
        .chain(group)
    }
}

/// The name of a media file: `ntpkey_<kind>_<owner>.<filestamp>`.
///
/// The owner is the host for host keys, sign keys, certificates and symmetric keys, and the secure group for the rest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaName {
    /// What the file holds.
    pub kind: MediaKind,
    /// Host or secure group.
    pub owner: String,
    /// When it was made; compared by the daemon.
    pub stamp: Filestamp,
}

/// The prefix of every file name on Unix.
pub const PREFIX: &str = "ntpkey_";
/// The prefix of every file name on OpenVMS.
pub const OPENVMS_PREFIX: &str = "tcpip$ntpkey_";

impl MediaName {
    /// Names a file.
    ///
    /// # Errors
    /// The owner must be usable in a file name and on a header line: not empty, at most 200 bytes, no blanks, slashes or control characters.
    pub fn new(kind: MediaKind, owner: impl Into<String>, stamp: Filestamp) -> Result<Self> {
        let owner = owner.into();
        let bad = |c: char| c == '/' || c == '\\' || c.is_whitespace() || c.is_control();
        if owner.is_empty() || owner.len() > 200 || owner.contains(bad) {
            return Err(Error::refused(
                format!("file name for owner {owner:?}"),
                "a host or group name in a file name has 1 to 200 bytes and no blanks, slashes or control characters",
                "rename the host or group",
            ));
        }
        Ok(Self { kind, owner, stamp })
    }

    /// The generic name the daemon opens; see [`MediaKind::link_name`].
    pub fn link(&self) -> String {
        self.kind.link_name(&self.owner)
    }

    /// The name with OpenVMS's prefix in place of `ntpkey_`.
    pub fn openvms(&self) -> String {
        format!("{OPENVMS_PREFIX}{}", &self.to_string()[PREFIX.len()..])
    }
}

impl fmt::Display for MediaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{PREFIX}{}_{}.{}",
            self.kind.type_name(),
            self.owner,
            self.stamp
        )
    }
}

impl FromStr for MediaName {
    type Err = Error;

    /// Reads a file name, with either prefix.
    fn from_str(name: &str) -> Result<Self> {
        let wrong = |why: &str| {
            let shown: String = name.chars().take(80).collect();
            let help = "names read ntpkey_TYPE_OWNER.FILESTAMP, for example ntpkey_RSAhost_mort.4004178813";
            Error::refused(format!("file name {shown:?}"), why, help)
        };
        let rest = name
            .strip_prefix(PREFIX)
            .or_else(|| name.strip_prefix(OPENVMS_PREFIX))
            .ok_or_else(|| wrong("it does not begin with ntpkey_"))?;
        let (rest, stamp) = rest
            .rsplit_once('.')
            .ok_or_else(|| wrong("it has no filestamp after a dot"))?;
        let stamp = stamp
            .parse()
            .map_err(|_| wrong("what follows the last dot is no filestamp"))?;
        // One kind's name may hold an underscore (id-rsassa-pkcs1-v1_5-…), so compare whole words.
        let known = MediaKind::fixed().find_map(|kind| {
            let owner = rest.strip_prefix(kind.type_name().as_str())?.strip_prefix('_')?;
            Some((kind, owner))
        });
        let numbered = || {
            let (number, owner) = rest.strip_prefix("MVkey")?.split_once('_')?;
            Some((MediaKind::MvClientKey(number.parse().ok()?), owner))
        };
        let (kind, owner) = known
            .or_else(numbered)
            .ok_or_else(|| wrong("its type is none of those known"))?;
        Self::new(kind, owner, stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for name in [
            "ntpkey_RSAhost_mort.4004178813",
            "ntpkey_DSAsign_my_host.example.org.1",
            "ntpkey_RSA-SHA256cert_mort.4004178813",
            "ntpkey_id-rsassa-pkcs1-v1_5-with-sha3-256cert_h_1.4004178813",
            "ntpkey_IFFkey_red.4004178813",
            "ntpkey_iffkey_red.4004178813",
            "ntpkey_gqpar_green.4004178813",
            "ntpkey_MVta_mvg.4004178813",
            "ntpkey_MVkey3_trish.4004178813",
            "ntpkey_MD5key_hms.4004178824",
        ] {
            let read: MediaName = name.parse().unwrap();
            assert_eq!(read.to_string(), name);
            assert_eq!(read.openvms().parse::<MediaName>().unwrap(), read);
        }
    }

    #[test]
    fn knows_what_the_daemon_opens() {
        for (name, link) in [
            ("ntpkey_RSAhost_mort.1", "ntpkey_host_mort"),
            ("ntpkey_RSAsign_mort.1", "ntpkey_sign_mort"),
            ("ntpkey_RSA-MD5cert_mort.1", "ntpkey_cert_mort"),
            ("ntpkey_IFFkey_red.1", "ntpkey_iffkey_red"),
            ("ntpkey_mvkey_red.1", "ntpkey_mvkey_red"),
            ("ntpkey_MVta_red.1", "ntpkey_mvta_red"),
            ("ntpkey_gqpar_red.1", "ntpkey_gqpar_red"),
            ("ntpkey_MD5key_hms.1", "ntp.keys"),
        ] {
            assert_eq!(name.parse::<MediaName>().unwrap().link(), link);
        }
    }

    #[test]
    fn refuses_other_names_with_a_reason() {
        for name in [
            "",
            "ntpkey_",
            "ntp.keys",
            "ntpkey_RSAhost_mort",
            "ntpkey_RSAhost_.1",
            "ntpkey_foo_bar.1",
            "ntpkey_RSAhost_a/b.1",
            "ntpkey_MVkey_a.1",
            "ntpkey_RSAhost_a.99999999999",
        ] {
            assert!(name.parse::<MediaName>().is_err(), "{name}");
        }
    }
}
