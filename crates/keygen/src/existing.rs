//! The keys and the certificate a directory holds already, opened and proven.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Found, Options, Present, Result, error::Collector};
use keytrail_media::{
    Dialect, Filestamp, GroupKey, GroupScheme, ReadFile,
    certificate::Certificate,
    gq::GqKey,
    host_key::{RsaKey, SignKey},
    mv::{MvAuthority, MvClientKey, MvServerKey},
    pkcs8,
    private_key::PrivateKey,
};
use keytrail_vocabulary::Secret;

/// Something that was read and is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<T> {
    /// The value.
    pub value: T,
    /// The file it is in.
    pub file: String,
    /// That file's filestamp.
    pub stamp: Filestamp,
}

/// A group key with what its file says beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// The key.
    pub key: GroupKey,
    /// The layout of the file; `None` where it makes no difference (IFF).
    pub dialect: Option<Dialect>,
    /// MV clients that are shut out.
    pub revoked: BTreeSet<usize>,
}

/// What is there and needed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Existing {
    /// The host key.
    pub host_key: Option<Kept<RsaKey>>,
    /// The sign key, if it is not the host key.
    pub sign_key: Option<Kept<SignKey>>,
    /// The certificate.
    pub certificate: Option<Kept<Certificate>>,
    /// Group keys.
    pub group_keys: BTreeMap<GroupScheme, Kept<GroupState>>,
    /// The group: named, or that of the certificate.
    pub group: Option<String>,
}

impl Existing {
    /// The owner of identity files: the group, or the host where there is none.
    pub fn owner<'a>(&'a self, options: &'a Options) -> &'a str {
        self.group.as_deref().unwrap_or(&options.host)
    }

    /// Opens what this run needs. A key that is to be made anew is not opened: its password may be lost.
    ///
    /// # Errors
    /// Everything that cannot be opened or does not hold what its name says.
    pub fn read(present: &Present, options: &Options) -> Result<Self> {
        let mut errors = Collector::default();
        let protection = options.protection()?;
        let password = &protection.password;
        let host = &options.host;
        let [host_name, sign_name, certificate_name] = Present::host_names(host);
        let certificates = options.makes_certificate();
        let mut find = |wanted: bool, name: &str| -> Option<Found> {
            let found = if wanted { present.find(name) } else { Ok(None) };
            errors.take(found).flatten().cloned()
        };
        let host_file = find(certificates && !options.generate.host_key, &host_name);
        let sign_file = find(certificates && options.generate.sign_key.is_none(), &sign_name);
        let certificate_file = find(certificates, &certificate_name);

        let host_key = host_file.and_then(|found| errors.take(kept(&found, |file| rsa(file, password))));
        let sign_key = sign_file.and_then(|found| errors.take(kept(&found, |file| sign(file, password))));
        let certificate = certificate_file.and_then(|found| errors.take(kept(&found, first_certificate)));
        let named = options.group.clone();
        let group = named.or_else(|| present.certified_group(host));
        let owner = group.as_deref().unwrap_or(host);

        let mut group_keys = BTreeMap::new();
        for scheme in GroupScheme::ALL {
            if !needed(options, scheme) {
                continue;
            }
            let found = errors.take(present.find_group_key(scheme, owner, host)).flatten();
            let state =
                found.and_then(|found| errors.take(kept(found, |file| group_state(scheme, file, password))));
            group_keys.extend(state.map(|state| (scheme, state)));
        }
        errors.finish(Self {
            host_key,
            sign_key,
            certificate,
            group_keys,
            group,
        })
    }
}

/// Exports need every key there is, certificates that of GQ, revocation that of MV.
fn needed(options: &Options, scheme: GroupScheme) -> bool {
    let exported = options.exports() && options.export.scheme.is_none_or(|only| only == scheme);
    let certified = scheme == GroupScheme::Gq && options.makes_certificate();
    let updated = scheme == GroupScheme::Mv && options.updates_mv();
    !options.generate.group_keys.contains(&scheme) && (exported || certified || updated)
}

fn kept<T>(
    found: &Found,
    read: impl FnOnce(&ReadFile) -> keytrail_media::Result<T>,
) -> Result<Kept<T>, Error> {
    let place = Error::file(&found.file);
    let file = ReadFile::parse(found.bytes.expose()).map_err(&place)?;
    let value = read(&file).map_err(&place)?;
    Ok(Kept {
        value,
        file: found.file.clone(),
        stamp: file.stamp,
    })
}

fn keys(file: &ReadFile, password: &Secret) -> keytrail_media::Result<Vec<PrivateKey>> {
    let open = |(_, block)| Ok(pkcs8::read(block, Some(password))?.key);
    file.blocks
        .iter()
        .map(|(line, block)| (line, block))
        .map(open)
        .collect()
}

fn first_key(file: &ReadFile, password: &Secret) -> keytrail_media::Result<PrivateKey> {
    let (_, block) = &file.blocks[0];
    Ok(pkcs8::read(block, Some(password))?.key)
}

fn sign(file: &ReadFile, password: &Secret) -> keytrail_media::Result<SignKey> {
    SignKey::from_container(&first_key(file, password)?)
}

fn rsa(file: &ReadFile, password: &Secret) -> keytrail_media::Result<RsaKey> {
    match sign(file, password)? {
        SignKey::Rsa(key) => Ok(key),
        SignKey::Dsa(_) => Err(keytrail_media::Error::NotMedia(
            "a host key is RSA, this one is DSA".into(),
        )),
    }
}

fn first_certificate(file: &ReadFile) -> keytrail_media::Result<Certificate> {
    Certificate::from_block(&file.blocks[0].1)
}

fn group_state(
    scheme: GroupScheme,
    file: &ReadFile,
    password: &Secret,
) -> keytrail_media::Result<GroupState> {
    let containers = keys(file, password)?;
    let key = GroupKey::from_containers(scheme, &containers)?;
    let dialect = match scheme {
        GroupScheme::Iff => None,
        GroupScheme::Gq => Some(GqKey::from_container(&containers[0])?.1),
        GroupScheme::Mv => Some(Dialect::Current),
    };
    let revoked = match &key {
        GroupKey::Mv(authority) => shut_out(authority, &containers)?,
        GroupKey::Iff(_) | GroupKey::Gq(_) => BTreeSet::new(),
    };
    Ok(GroupState {
        key,
        dialect,
        revoked,
    })
}

/// Which clients the server key in an authority's second block shuts out: those for whom
/// E gbar^xhat ghat^xbar is not 1.
fn shut_out(authority: &MvAuthority, containers: &[PrivateKey]) -> keytrail_media::Result<BTreeSet<usize>> {
    let server = MvServerKey::from_container(&containers[1])?;
    let enabled = |client: &MvClientKey| {
        let p = &server.p;
        let by_gbar = server.gbar.pow_mod(&client.xhat, p);
        let by_ghat = server.ghat.pow_mod(&client.xbar, p);
        by_gbar.times_mod(&by_ghat, p).times_mod(&server.e, p).is_one()
    };
    let mut revoked = BTreeSet::new();
    for number in 1..=authority.clients() {
        if !enabled(&authority.client(number)?) {
            revoked.insert(number);
        }
    }
    Ok(revoked)
}
