//! What a host should hold: its needs and settings, as files with what they are made from.

use super::decision::{Decision, DesiredFile, DesiredSecret, Version};
use super::error::Problem;
use super::spec::Spec;
use super::work::{Make, Recipe};
use super::{Request, Revocations, State};
use crate::digest::Digest;
use crate::inventory::{Group, GroupId, HostId, IdentityScheme, Lifetime, Settings};
use crate::media::KeyAlgorithm;
use crate::media::certificate::Role;
use crate::media::cipher::{Cipher, Protection};
use crate::media::{GroupScheme, MediaKind};
use crate::vault::{ArtifactKind, SecretKind, Snapshot};
use std::collections::{BTreeSet, HashMap};

const DAY: i64 = 86_400;

/// Knows what hosts should hold.
pub(super) struct DesiredFiles<'r, 's> {
    pub(super) request: Request<'r>,
    pub(super) snapshot: &'s Snapshot,
    pub(super) revoked: &'s Revocations,
    /// Number of the MV client key of every host that needs one.
    pub(super) mv_clients: HashMap<(GroupId, HostId), usize>,
    /// How many MV client keys each group has.
    pub(super) mv_counts: HashMap<GroupId, usize>,
}

impl<'r, 's> DesiredFiles<'r, 's> {
    pub(super) fn new(request: Request<'r>, state: &'s State) -> Self {
        let mut wants = Self {
            request,
            snapshot: &state.snapshot,
            revoked: &state.revoked,
            mv_clients: HashMap::new(),
            mv_counts: HashMap::new(),
        };
        wants.assign_mv_clients();
        wants
    }

    /// The files of a host; its secrets are decided on the way.
    pub(super) fn of(&mut self, host: HostId, decision: &mut Decision<'_, '_>) -> Vec<DesiredFile> {
        let inventory = self.request.inventory;
        let needs = (self.request.needs)(host);
        self.symmetric_keys(host, needs, decision);
        if !needs.autokey {
            return Vec::new();
        }
        // PC: what the trusted host has, byte for byte, under its names.
        let identity = needs.private_certificate_of.unwrap_or(host);
        let Some(crypto) = Crypto::of(self.request, identity, decision) else {
            return Vec::new();
        };
        let mut wants = self.own_media(identity, &crypto, decision);
        for scheme in needs
            .server_keys
            .iter()
            .filter_map(|&scheme| GroupScheme::of(scheme))
        {
            let group = inventory.entry(host).group.map(|group| inventory.group(group));
            for ident in group.into_iter().flat_map(Group::held_idents) {
                wants.extend(self.server_key(host, scheme, ident, &crypto, decision));
            }
        }
        for &(group, scheme) in &needs.client_parameters {
            if let Some(scheme) = GroupScheme::of(scheme) {
                for ident in inventory.group(group).held_idents() {
                    wants.extend(self.client_parameters(host, group, scheme, ident, decision));
                }
            }
        }
        wants
    }

    /// Host key, sign key and certificate.
    fn own_media(
        &mut self,
        host: HostId,
        crypto: &Crypto<'_>,
        decision: &mut Decision<'_, '_>,
    ) -> Vec<DesiredFile> {
        let name = &self.request.inventory.host(host).name;
        let settings = crypto.settings;
        let host_key = decision.secret(DesiredSecret {
            kind: SecretKind::HostKey,
            owner: name.clone(),
            spec: Spec::new().with("rsa", settings.host_key_bits).finish(),
            make: Make::Rsa {
                bits: settings.host_key_bits,
            },
            host: Some(host),
        });
        let sign_key = settings.sign_key.map(|sign| {
            let (word, make) = match sign.kind {
                KeyAlgorithm::Rsa => ("rsa", Make::Rsa { bits: sign.bits }),
                KeyAlgorithm::Dsa => ("dsa", Make::Dsa { bits: sign.bits }),
            };
            let version = decision.secret(DesiredSecret {
                kind: SecretKind::SignKey,
                owner: name.clone(),
                spec: Spec::new().with(word, sign.bits).finish(),
                make,
                host: Some(host),
            });
            (sign.kind, version)
        });
        let mut wants =
            vec![crypto.private(host, ArtifactKind::HostKey, MediaKind::HostKey, "key", &host_key)];
        if let Some((algorithm, sign)) = &sign_key {
            let media = MediaKind::SignKey(*algorithm);
            wants.push(crypto.private(host, ArtifactKind::SignKey, media, "sign", sign));
        }
        wants.extend(self.certificate(host, crypto, &host_key, sign_key.as_ref(), decision));
        for want in &mut wants {
            want.links = vec![want.media.link_name(name)];
        }
        wants
    }

    fn certificate(
        &mut self,
        host: HostId,
        crypto: &Crypto<'_>,
        host_key: &Version,
        sign_key: Option<&(KeyAlgorithm, Version)>,
        decision: &mut Decision<'_, '_>,
    ) -> Option<DesiredFile> {
        let inventory = self.request.inventory;
        let needs = (self.request.needs)(host);
        let name = &inventory.host(host).name;
        let entry = inventory.entry(host);
        let (algorithm, word, key) = match sign_key {
            Some((algorithm, key)) => (*algorithm, "sign", key),
            None => (KeyAlgorithm::Rsa, "key", host_key),
        };
        let scheme = crypto.settings.certificate_scheme.meaning().cloned();
        let scheme = match scheme
            .map_err(Clone::clone)
            .and_then(|scheme| scheme.with_key(algorithm))
        {
            Ok(scheme) => scheme,
            Err(refused) => {
                decision.problems.push(Problem::refused(name, &refused));
                return None;
            }
        };
        let private = inventory
            .group_of(host)
            .is_some_and(|group| group.identity.contains(&IdentityScheme::Pc));
        let role = match (needs.trusted, private) {
            (false, _) => Role::Plain,
            (true, false) => Role::Trusted,
            (true, true) => Role::Private,
        };
        let gq = entry
            .group
            .filter(|_| needs.trusted && needs.server_keys.contains(&IdentityScheme::Gq))
            .map(|group| {
                let ident = inventory.group(group).ident_of(host);
                self.group_key(group, GroupScheme::Gq, ident, decision)
            });
        let start = decision.stamp.unix();
        let spec = Spec::new()
            .with("name", inventory.certificate_name(host))
            .with("scheme", scheme);
        let (spec, not_after) = match crypto.settings.certificate_lifetime {
            Lifetime::Days(days) => (spec.with("days", days), start + i64::from(days) * DAY),
            Lifetime::Until(last) => (
                spec.with("until", last),
                last.midnight().assume_utc().unix_timestamp() + DAY,
            ),
        };
        if not_after <= start {
            decision.problems.push(Problem::new(
                name,
                "the lifetime of its certificate is over before it begins",
                "give a longer lifetime or a later last day under 'certificate'",
            ));
            return None;
        }
        let spec = spec
            .with("role", role_word(role))
            .made_of(word, key.since)
            .with_some("gq", gq.as_ref().map(|gq| gq.since));
        Some(DesiredFile {
            kind: ArtifactKind::Certificate,
            media: MediaKind::Certificate(scheme),
            owner: name.clone(),
            stamp: decision.stamp,
            spec: spec.finish(),
            links: Vec::new(),
            recipe: Recipe::Certificate {
                key: key.source.clone(),
                subject: inventory.certificate_name(host),
                scheme,
                role,
                not_after,
                gq: gq.map(|gq| gq.source),
            },
            maker: Some(host),
        })
    }

    /// The host's own copy of its group's key. The daemon opens it under the name of `crypto ident`, mostly the group's; older
    /// configurations without it under the host's.
    fn server_key(
        &mut self,
        host: HostId,
        scheme: GroupScheme,
        ident: &str,
        crypto: &Crypto<'_>,
        decision: &mut Decision<'_, '_>,
    ) -> Option<DesiredFile> {
        let inventory = self.request.inventory;
        let name = &inventory.host(host).name;
        let group = inventory.entry(host).group?;
        let key = self.group_key(group, scheme, ident, decision);
        let dialect = crypto.settings.dialect;
        let revoked = match self.mv_counts.get(&group) {
            Some(&count) if scheme == GroupScheme::Mv => self.shut_out(group, count),
            _ => BTreeSet::new(),
        };
        let spec = Spec::new()
            .with("host", name)
            .made_of("group", key.since)
            .made_of("password", crypto.password.since)
            .with("cipher", crypto.cipher)
            .with("dialect", format!("{dialect:?}").to_lowercase())
            .with_some("revoked", list(&revoked));
        let media = MediaKind::ServerKey(scheme);
        let mut links = vec![media.link_name(ident)];
        if ident != &**name && ident == inventory.group(group).ident_of(host) {
            links.push(media.link_name(name));
        }
        Some(DesiredFile {
            kind: ArtifactKind::ServerKey(scheme),
            media,
            owner: ident.into(),
            stamp: key.stamp,
            spec: spec.finish(),
            links,
            recipe: Recipe::ServerKey {
                group: key.source,
                password: crypto.password.source.clone(),
                cipher: crypto.cipher,
                dialect,
                revoked,
            },
            maker: Some(host),
        })
    }

    fn client_parameters(
        &mut self,
        host: HostId,
        group: GroupId,
        scheme: GroupScheme,
        ident: &str,
        decision: &mut Decision<'_, '_>,
    ) -> Option<DesiredFile> {
        let inventory = self.request.inventory;
        let owner: Box<str> = ident.into();
        let media = MediaKind::ClientParameters(scheme);
        let (spec, stamp, recipe) = if inventory.group(group).is_external() {
            let Some(file) = self.request.given.parameters.get(&(group, scheme)) else {
                decision.problems.push(Problem::new(
                    &owner,
                    format!("no {scheme} client parameters of this external group were given"),
                    "name the file its operator handed over under 'external: parameters'",
                ));
                return None;
            };
            match crate::media::file::filestamp(file.expose()) {
                Ok(stamp) => {
                    let spec = Spec::new().with("given", Digest::of(file.expose()));
                    (spec, stamp, Recipe::Given(file.clone()))
                }
                Err(error) => {
                    decision.problems.push(Problem::media(&owner, &error));
                    return None;
                }
            }
        } else {
            let key = self.group_key(group, scheme, ident, decision);
            let client = self.mv_clients.get(&(group, host)).copied();
            let client = client.filter(|_| scheme == GroupScheme::Mv);
            if scheme == GroupScheme::Mv && client.is_none() {
                decision.problems.push(Problem::new(
                    &inventory.host(host).name,
                    format!("every client key of group {owner} is revoked"),
                    format!(
                        "raise 'mv: clients' of group {owner}: its key is then made anew with more of them"
                    ),
                ));
                return None;
            }
            let dialect = inventory.entry(host).settings.dialect;
            let spec = Spec::new()
                .made_of("group", key.since)
                .with("dialect", format!("{dialect:?}").to_lowercase())
                .with_some("client", client);
            let recipe = Recipe::ClientParameters {
                group: key.source,
                dialect,
                client: client.unwrap_or(0),
            };
            (spec, key.stamp, recipe)
        };
        Some(DesiredFile {
            kind: ArtifactKind::ClientParameters(scheme),
            media,
            links: vec![media.link_name(&owner)],
            owner,
            stamp,
            spec: spec.finish(),
            recipe,
            maker: None,
        })
    }

    fn group_key(
        &self,
        group: GroupId,
        scheme: GroupScheme,
        ident: &str,
        decision: &mut Decision<'_, '_>,
    ) -> Version {
        let declared = self.request.inventory.group(group);
        let bits = match scheme {
            GroupScheme::Iff => declared.identity_bits.iff,
            GroupScheme::Gq => declared.identity_bits.gq,
            GroupScheme::Mv => declared.identity_bits.mv,
        };
        let clients = self.mv_counts.get(&group).copied();
        let clients = clients.filter(|_| scheme == GroupScheme::Mv);
        decision.secret(DesiredSecret {
            kind: SecretKind::Group(scheme),
            owner: ident.into(),
            spec: Spec::new()
                .with("bits", bits)
                .with_some("clients", clients)
                .finish(),
            make: Make::Group {
                scheme,
                bits,
                clients: clients.unwrap_or(0),
            },
            host: None,
        })
    }
}

/// How a host's private files are encrypted.
struct Crypto<'a> {
    settings: &'a Settings,
    name: &'a str,
    password: Version,
    cipher: Cipher,
}

impl<'r> Crypto<'r> {
    fn of(request: Request<'r>, host: HostId, decision: &mut Decision<'_, '_>) -> Option<Self> {
        let name = &request.inventory.host(host).name;
        let settings = &*request.inventory.entry(host).settings;
        let given = request.given.passwords.get(&host);
        let problem = if given.is_none() && settings.password.is_some() {
            Some(Problem::new(
                name,
                "its password was not given",
                "see where its 'password' comes from",
            ))
        } else {
            let unusable = |given: &crate::secret::Secret| Protection::new(given.clone()).err();
            given.and_then(unusable).map(|error| Problem::media(name, &error))
        };
        decision.problems.extend(problem);
        let (make, source) = match given {
            Some(password) => (Make::Given(password.clone()), "given"),
            None => (Make::Password, "generated"),
        };
        let password = decision.secret(DesiredSecret {
            kind: SecretKind::Password,
            owner: name.clone(),
            spec: Spec::new().with("from", source).finish(),
            make,
            host: Some(host),
        });
        match settings.cipher.meaning() {
            Ok(&cipher) => Some(Self {
                settings,
                name,
                password,
                cipher,
            }),
            Err(refused) => {
                decision.problems.push(Problem::refused(name, refused));
                None
            }
        }
    }

    /// A private key of the host itself, encrypted.
    fn private(
        &self,
        host: HostId,
        kind: ArtifactKind,
        media: MediaKind,
        word: &str,
        key: &Version,
    ) -> DesiredFile {
        let spec = Spec::new()
            .made_of(word, key.since)
            .made_of("password", self.password.since)
            .with("cipher", self.cipher);
        DesiredFile {
            kind,
            media,
            owner: self.name.into(),
            stamp: key.stamp,
            spec: spec.finish(),
            links: Vec::new(),
            recipe: Recipe::Private {
                key: key.source.clone(),
                password: self.password.source.clone(),
                cipher: self.cipher,
            },
            maker: Some(host),
        }
    }
}

/// `2,5`, or nothing where there are none.
fn list(numbers: &BTreeSet<usize>) -> Option<String> {
    let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    (!words.is_empty()).then(|| words.join(","))
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Plain => "plain",
        Role::Trusted => "trusted",
        Role::Private => "private",
    }
}
