//! The options of a run, as values.

use std::collections::BTreeSet;

use super::{Error, Result, error::Collector};
use keytrail_media::{
    Dialect, Filestamp, GroupScheme, KeyAlgorithm, MediaKind, MediaName, SignatureScheme,
    certificate::{MAX_NAME, Role},
    cipher::{Cipher, Protection},
    mv::MvAuthority,
};
use keytrail_vocabulary::Secret;

/// What `-s` says: a host, a group, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// What stands before `@`.
    pub host: Option<String>,
    /// What stands after it.
    pub group: Option<String>,
}

impl std::str::FromStr for Subject {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (host, group) = match text.split_once('@') {
            Some((host, group)) => (host, Some(group)),
            None => (text, None),
        };
        if group.is_some_and(|group| group.is_empty() || group.contains('@')) || text.is_empty() {
            return Err(Error::refused(
                format!("subject name {text:?}"),
                "it is neither host, host@group nor @group",
                "for example -s mort@red",
            ));
        }
        Ok(Self {
            host: (!host.is_empty()).then(|| host.to_owned()),
            group: group.map(str::to_owned),
        })
    }
}

impl Subject {
    /// Joins `-s` and `-i`.
    ///
    /// # Errors
    /// They name two groups; the stock program then silently drops the one of `-i`.
    pub fn with_ident(self, ident: Option<String>) -> Result<Self, Error> {
        match (&self.group, ident) {
            (Some(group), Some(ident)) if *group != ident => Err(Error::refused(
                format!("-s …@{group} with -i {ident}"),
                "these are two different groups",
                "name the group once",
            )),
            (None, Some(ident)) => Ok(Self {
                group: Some(ident),
                ..self
            }),
            _ => Ok(self),
        }
    }
}

/// Keys to be made, whether there are older ones or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Generate {
    /// `-H`: a host key.
    pub host_key: bool,
    /// `-m`: size in bits of host and sign keys that are made.
    pub bits: Option<u32>,
    /// `-S`: a sign key.
    pub sign_key: Option<KeyAlgorithm>,
    /// `-I`, `-G`, `-V`: group keys.
    pub group_keys: BTreeSet<GroupScheme>,
    /// `-b`: size in bits of the group keys' moduli.
    pub identity_bits: Option<u32>,
    /// `-V`: the number of MV client keys.
    pub mv_clients: usize,
}

/// What goes to standard output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Export {
    /// `-e`: client parameters.
    pub parameters: bool,
    /// `-q`: the server key, encrypted with this password.
    pub server_key: Option<Secret>,
    /// `--client`: which MV client key `-e` takes.
    pub client: Option<usize>,
    /// `--scheme`: only this one, where there are keys of several.
    pub scheme: Option<GroupScheme>,
}

/// Everything a run is told. `host` is there already: the caller knows the machine's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Name of the host, owner of its keys and its certificate.
    pub host: String,
    /// The secure group, if named.
    pub group: Option<String>,
    /// `-p`; without one it is the host name, as with the stock program.
    pub password: Option<Secret>,
    /// `-C`.
    pub cipher: Cipher,
    /// Layout of identity media.
    pub dialect: Dialect,
    /// New keys.
    pub generate: Generate,
    /// `-c`: signature scheme of the certificate.
    pub scheme: Option<SignatureScheme>,
    /// `-T`, `-P`.
    pub role: Option<Role>,
    /// `-l`: days the certificate is valid.
    pub lifetime: Option<u32>,
    /// `-e`, `-q`.
    pub export: Export,
    /// `-v`: MV clients to shut out.
    pub revoke: BTreeSet<usize>,
    /// `--readmit`: MV clients to let in again.
    pub readmit: BTreeSet<usize>,
}

impl Options {
    /// Days a certificate is valid if nothing is said.
    pub const DEFAULT_LIFETIME: u32 = 365;
    /// The longest lifetime in days: the last one the stock program does not compute wrongly (136 years).
    pub const MAX_LIFETIME: u32 = 49_710;
    /// Size of a DSA sign key if nothing is said.
    pub const DEFAULT_DSA_BITS: u32 = 1024;

    /// The options of a run without any.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            group: None,
            password: None,
            cipher: Cipher::default(),
            dialect: Dialect::Current,
            generate: Generate::default(),
            scheme: None,
            role: None,
            lifetime: None,
            export: Export::default(),
            revoke: BTreeSet::new(),
            readmit: BTreeSet::new(),
        }
    }

    /// Whether something is to be printed on standard output.
    pub fn exports(&self) -> bool {
        self.export.parameters || self.export.server_key.is_some()
    }

    /// Whether MV clients are to be shut out or let in.
    pub fn updates_mv(&self) -> bool {
        !self.revoke.is_empty() || !self.readmit.is_empty()
    }

    /// Whether any key is to be made anew.
    pub fn generates(&self) -> bool {
        let Generate {
            host_key,
            sign_key,
            group_keys,
            ..
        } = &self.generate;
        *host_key || sign_key.is_some() || !group_keys.is_empty()
    }

    /// Whether the run makes a certificate: always, but for runs that only export or only update MV keys.
    pub fn makes_certificate(&self) -> bool {
        let asked = self.scheme.is_some() || self.role.is_some() || self.lifetime.is_some();
        self.generates() || asked || !(self.exports() || self.updates_mv())
    }

    /// What protects the files in the directory.
    ///
    /// # Errors
    /// A password `crypto pw` cannot say.
    pub fn protection(&self) -> Result<Protection, Error> {
        let password = match &self.password {
            Some(password) => password.clone(),
            None => Secret::from(self.host.as_str()),
        };
        Ok(Protection::new(password)?.with_cipher(self.cipher))
    }

    /// What protects an exported server key.
    ///
    /// # Errors
    /// A password `crypto pw` cannot say.
    pub fn export_protection(&self) -> Result<Option<Protection>, Error> {
        let protect = |password: &Secret| Ok(Protection::new(password.clone())?.with_cipher(self.cipher));
        self.export.server_key.as_ref().map(protect).transpose()
    }

    /// Checks everything that can be said without looking at the directory.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn check(&self) -> Result<()> {
        let mut errors = Collector::default();
        for owner in std::iter::once(&self.host).chain(&self.group) {
            errors.take(MediaName::new(MediaKind::HostKey, owner.as_str(), Filestamp(0)));
            if owner.contains('@') {
                errors.push(Error::refused(
                    format!("name {owner:?}"),
                    "host and group names hold no @",
                    "give them apart: -s host@group",
                ));
            }
        }
        let name = self.host.len() + self.group.as_ref().map_or(0, |group| group.len() + 1);
        if name > MAX_NAME {
            errors.push(Error::refused(
                format!("certificate name of {name} bytes"),
                format!(
                    "a certificate names host or host@group in at most {MAX_NAME} bytes; the stock program then \
                     writes a certificate without a name and exits 0"
                ),
                "choose a shorter host or group name",
            ));
        }
        errors.take(self.protection());
        errors.take(self.export_protection());
        self.check_certificate(&mut errors);
        self.check_mv(&mut errors);
        if !self.exports() && (self.export.client.is_some() || self.export.scheme.is_some()) {
            errors.push(Error::refused(
                "--client or --scheme without -e or -q",
                "they choose what is exported",
                "add -e or -q",
            ));
        }
        errors.finish(())
    }

    fn check_certificate(&self, errors: &mut Collector) {
        if let Some(days) = self.lifetime
            && !(1..=Self::MAX_LIFETIME).contains(&days)
        {
            errors.push(Error::refused(
                format!("certificate lifetime of {days} days"),
                "the stock program's count of seconds overflows, and 0 days are no lifetime",
                format!("choose 1 to {}", Self::MAX_LIFETIME),
            ));
        }
    }

    fn check_mv(&self, errors: &mut Collector) {
        let makes_mv = self.generate.group_keys.contains(&GroupScheme::Mv);
        if makes_mv && self.generate.mv_clients < 2 {
            errors.push(Error::refused(
                format!("-V {}", self.generate.mv_clients),
                "MV is there to shut out single clients; with one there is nobody else to keep, and the stock program's \
                 only client is always shut out",
                "use -V 2 or more, or IFF (-I)",
            ));
        }
        if makes_mv && self.updates_mv() {
            errors.push(Error::refused(
                "-V with -v",
                "one makes a new MV key, the other updates the old one",
                "run them one after the other",
            ));
        }
        let both: Vec<String> = self
            .revoke
            .intersection(&self.readmit)
            .map(ToString::to_string)
            .collect();
        if !both.is_empty() {
            errors.push(Error::refused(
                format!("MV client {} in both -v and --readmit", both.join(", ")),
                "it cannot be shut out and let in at once",
                "name it in one of them",
            ));
        }
    }

    /// Size of a group key's modulus. MV grows with the number of clients, each of which needs a prime of its own.
    pub fn identity_bits(&self, scheme: GroupScheme) -> u32 {
        let usual = keytrail_media::GroupKey::default_bits(scheme);
        let enough = || {
            (usual..=*MvAuthority::BITS.end())
                .step_by(64)
                .find(|bits| MvAuthority::capacity(*bits) >= self.generate.mv_clients)
                .unwrap_or(*MvAuthority::BITS.end())
        };
        match (self.generate.identity_bits, scheme) {
            (Some(bits), _) => bits,
            (None, GroupScheme::Mv) => enough(),
            (None, _) => usual,
        }
    }
}
