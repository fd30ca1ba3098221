//! Settings: what defaults, group and host say, the nearest first.

use super::directory;
use super::layer::{Layer, key_ids};
use crate::finding::{Finding, SourceId, Step};
use crate::inventory::defaults::Defaults;
use crate::inventory::draft::Draft;
use crate::inventory::model::{
    Cipher, Connection, Dialect, GroupId, Implementation, KeyAlgorithm, Lifetime, PasswordSource, Settings,
    SignKey, SignatureScheme, Source, Ssh, Verify,
};
use crate::inventory::raw::{
    OneOrMany, RawAssociationDefaults, RawConnection, RawHostKeys, RawLifetime, RawPassword, RawRestart,
    RawSettings, RawSsh,
};
use hashbrown::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Settings with what the model keeps elsewhere.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// For the entry.
    pub settings: Arc<Settings>,
    /// For its associations.
    pub association: RawAssociationDefaults,
}

/// The settings of defaults and groups.
pub struct Layers<'s> {
    defaults: Option<Layer>,
    groups: Vec<Option<Layer>>,
    sources: &'s [Source],
    /// For hosts that set nothing themselves: by group.
    shared: HashMap<Option<GroupId>, Resolved>,
    /// The last host that did, for the next one that says the same.
    last: Option<(Option<GroupId>, Box<RawSettings>, Resolved)>,
}

impl<'s> Layers<'s> {
    /// Takes the settings out of a draft and checks them.
    pub fn new(draft: &mut Draft, sources: &'s [Source]) -> Self {
        let defaults = draft.defaults.take().map(|defaults| Layer {
            raw: defaults.settings,
            source: defaults.source,
            base: vec![Step::from("defaults")],
        });
        let groups = draft.groups.iter_mut().map(|(name, group)| {
            group.settings.take().map(|raw| Layer {
                raw,
                source: group.source,
                base: vec![Step::from("groups"), Step::Key(name.clone())],
            })
        });
        let groups: Vec<_> = groups.collect();
        for layer in defaults.iter().chain(groups.iter().flatten()) {
            layer.check(&mut draft.problems);
        }
        Self {
            defaults,
            groups,
            sources,
            shared: HashMap::new(),
            last: None,
        }
    }

    /// The settings of nobody in particular, to be replaced.
    pub fn none() -> Arc<Settings> {
        static NONE: std::sync::LazyLock<Arc<Settings>> =
            std::sync::LazyLock::new(|| merge(&[], &[]).settings);
        Arc::clone(&NONE)
    }

    /// The settings of a host.
    pub fn of_host(
        &mut self,
        problems: &mut Vec<Finding>,
        group: Option<GroupId>,
        source: SourceId,
        base: &[Step],
        own: Option<Box<RawSettings>>,
    ) -> Resolved {
        let above = group.and_then(|group| self.groups.get(group.0 as usize)?.as_ref());
        let Some(raw) = own else {
            let (sources, defaults) = (self.sources, self.defaults.as_ref());
            let shared = self.shared.entry(group).or_insert_with(|| {
                let layers: Vec<_> = above.into_iter().chain(defaults).collect();
                merge(&layers, sources)
            });
            return shared.clone();
        };
        if let Some((same_group, same, resolved)) = &self.last
            && *same_group == group
            && *same == raw
            // A password has a place of its own.
            && raw.password.is_none()
        {
            return resolved.clone();
        }
        let own = Layer {
            raw,
            source,
            base: base.to_vec(),
        };
        own.check(problems);
        let layers: Vec<_> = std::iter::once(&own)
            .chain(above)
            .chain(self.defaults.as_ref())
            .collect();
        let resolved = merge(&layers, self.sources);
        self.last = Some((group, own.raw, resolved.clone()));
        resolved
    }
}

/// What the nearest layer says that says anything.
fn merge(layers: &[&Layer], sources: &[Source]) -> Resolved {
    /// The nearest value of a field, or of a field of a nested mapping.
    fn find<'l, T>(layers: &[&'l Layer], field: impl Fn(&'l RawSettings) -> Option<T>) -> Option<T> {
        layers.iter().find_map(|layer| field(&layer.raw))
    }
    let text = |field: fn(&RawSettings) -> Option<&Box<str>>| find(layers, field).cloned();
    let ntpd = implementation(layers);
    let usual = Defaults::of(ntpd);
    // A host with `ntpd: chrony` does not mean the `conf` that `defaults` gives for another daemon.
    let same = (0..layers.len()).filter(|&at| implementation(&layers[at..]) == ntpd);
    let same = &same.map(|at| layers[at]).collect::<Vec<_>>();
    let or = |given: Option<Box<str>>, usual: &str| given.unwrap_or_else(|| usual.into());
    let root = layers
        .iter()
        .find_map(|layer| Some((layer.raw.root.as_ref()?, layer.source)));
    let connection = connection(layers, sources);
    let root = root.map(|(root, source)| match connection {
        Connection::Local => directory::of_file(sources, source)
            .join(&**root)
            .to_string_lossy()
            .into(),
        Connection::Ssh(_) | Connection::Export => root.clone(),
    });
    let in_place = matches!(connection, Connection::Ssh(_)) && root.is_none();
    let password = layers
        .iter()
        .find_map(|layer| Some((layer.raw.password.clone()?, layer)));
    let sign_bits = find(layers, |raw| raw.sign_key.as_ref()?.bits);
    let sign_kind = find(layers, |raw| raw.sign_key.as_ref()?.kind);
    let lines = find(layers, |raw| raw.ntp_conf.as_ref());
    let restart = match find(same, |raw| raw.restart.as_ref()) {
        Some(RawRestart::Command(command)) => Some(command.clone()),
        None if in_place => usual.restart.map(Into::into),
        Some(RawRestart::Never) | None => None,
    };
    // Below a root no daemon of this tree runs that could be asked.
    let restarted_here = restart.is_some() && root.is_none();
    let settings = Settings {
        ntpd,
        keysdir: or(find(same, |raw| raw.keysdir.clone()), usual.keysdir),
        conf: or(find(same, |raw| raw.conf.clone()), usual.conf),
        conf_mode: find(same, |raw| raw.conf_mode).unwrap_or(usual.conf_mode),
        include_file: or(find(same, |raw| raw.include_file.clone()), usual.include_file),
        owner: text(|raw| raw.owner.as_ref()),
        file_group: text(|raw| raw.file_group.as_ref()),
        restart,
        verify: find(layers, |raw| raw.verify).unwrap_or(if restarted_here {
            Verify::Start
        } else {
            Verify::None
        }),
        log: find(same, |raw| raw.log.clone()),
        connection,
        root,
        certificate_scheme: find(layers, |raw| raw.certificate.as_ref()?.scheme.clone())
            .unwrap_or_else(|| SignatureScheme::RSA_SHA256.into()),
        certificate_lifetime: match find(layers, |raw| raw.certificate.as_ref()?.lifetime) {
            Some(RawLifetime::Days(days)) => Lifetime::Days(days),
            Some(RawLifetime::Until(last)) => Lifetime::Until(last),
            None => Lifetime::Days(365),
        },
        host_key_bits: find(layers, |raw| raw.host_key.as_ref()?.bits).unwrap_or(2048),
        sign_key: (sign_bits.is_some() || sign_kind.is_some()).then(|| sign_key(sign_kind, sign_bits)),
        cipher: find(layers, |raw| raw.cipher.clone()).unwrap_or_else(|| Cipher::default().into()),
        dialect: find(layers, |raw| raw.dialect).unwrap_or(Dialect::Current),
        password_place: password.as_ref().map(|(_, layer)| layer.place(&["password"])),
        password: password
            .map(|(raw, layer)| self::password(raw, &directory::of_file(sources, layer.source))),
        digest: text(|raw| raw.crypto.as_ref()?.digest.as_ref()),
        randfile: text(|raw| raw.crypto.as_ref()?.randfile.as_ref()),
        automax: find(layers, |raw| raw.automax).map(u32::from),
        revoke: find(layers, |raw| raw.revoke).map(u32::from),
        keys_file: or(find(same, |raw| raw.keys.as_ref()?.file.clone()), usual.keys_file),
        trusted_keys: find(layers, |raw| raw.keys.as_ref()?.trusted.as_ref())
            .map(|OneOrMany(ids)| ids.iter().filter_map(|ids| key_ids(ids)).flatten().collect())
            .unwrap_or_default(),
        control_key: find(layers, |raw| raw.keys.as_ref()?.control),
        request_key: find(layers, |raw| raw.keys.as_ref()?.request),
        cryptostats: find(layers, |raw| raw.cryptostats).unwrap_or_default(),
        restrict_notrust: find(layers, |raw| raw.restrict_notrust.as_ref())
            .map(|OneOrMany(addresses)| addresses.clone())
            .unwrap_or_default(),
        extra: lines
            .map(|OneOrMany(lines)| conf_lines(lines))
            .unwrap_or_default(),
        nat: find(layers, |raw| raw.nat).unwrap_or_default(),
        keysdir_on: find(layers, |raw| raw.keysdir_on.clone()),
    };
    Resolved {
        settings: Arc::new(settings),
        association: RawAssociationDefaults {
            iburst: find(layers, |raw| raw.association.as_ref()?.iburst),
            minpoll: find(layers, |raw| raw.association.as_ref()?.minpoll),
            maxpoll: find(layers, |raw| raw.association.as_ref()?.maxpoll),
            key: find(layers, |raw| raw.association.as_ref()?.key),
        },
    }
}

/// The implementation that the settings of these layers are for.
fn implementation(layers: &[&Layer]) -> Implementation {
    let said = layers.iter().find_map(|layer| layer.raw.ntpd);
    said.unwrap_or(Implementation::NtpOrg)
}

fn sign_key(kind: Option<KeyAlgorithm>, bits: Option<u32>) -> SignKey {
    let kind = kind.unwrap_or(KeyAlgorithm::Rsa);
    let usual = match kind {
        KeyAlgorithm::Rsa => 2048,
        KeyAlgorithm::Dsa => 1024,
    };
    SignKey {
        kind,
        bits: bits.unwrap_or(usual),
    }
}

fn connection(layers: &[&Layer], sources: &[Source]) -> Connection {
    match layers.iter().find_map(|layer| layer.raw.connection) {
        Some(RawConnection::Local) => return Connection::Local,
        Some(RawConnection::Export) => return Connection::Export,
        Some(RawConnection::Ssh) | None => {}
    }
    let said: Vec<_> = layers
        .iter()
        .filter_map(|layer| Some((layer.raw.ssh.as_ref()?, layer.source)))
        .collect();
    let text = |field: fn(&RawSsh) -> Option<&Box<str>>| said.iter().find_map(|(ssh, _)| field(ssh)).cloned();
    let file = |field: fn(&RawSsh) -> Option<&PathBuf>| {
        said.iter()
            .find_map(|(ssh, source)| Some(local_file(field(ssh)?, &directory::of_file(sources, *source))))
    };
    Connection::Ssh(Ssh {
        user: text(|ssh| ssh.user.as_ref()),
        host: text(|ssh| ssh.host.as_ref()),
        port: said.iter().find_map(|(ssh, _)| ssh.port),
        identity_file: file(|ssh| ssh.identity_file.as_ref()),
        proxy_jump: text(|ssh| ssh.proxy_jump.as_ref()),
        config: file(|ssh| ssh.config.as_ref()),
        accept_new: said.iter().find_map(|(ssh, _)| ssh.host_keys) == Some(RawHostKeys::AcceptNew),
        connect_timeout: said
            .iter()
            .find_map(|(ssh, _)| ssh.connect_timeout)
            .map(|span| span.0),
        become_root: said.iter().find_map(|(ssh, _)| ssh.become_root),
    })
}

/// A file of this machine: relative to the inventory, unless `ssh` is to find the home directory.
fn local_file(file: &Path, directory: &Path) -> PathBuf {
    if file.starts_with("~") {
        file.to_owned()
    } else {
        directory.join(file)
    }
}

/// Where a password comes from, files relative to the inventory.
pub fn password(raw: RawPassword, directory: &Path) -> PasswordSource {
    match raw {
        RawPassword::Literal(secret) => PasswordSource::Literal(secret),
        RawPassword::From(source) => match (source.env, source.file) {
            (Some(env), _) => PasswordSource::Env(env),
            (None, Some(file)) => PasswordSource::File(directory.join(file)),
            (None, None) => PasswordSource::Command(source.command.unwrap_or_default()),
        },
    }
}

/// Lines as the daemon will have them: a block of text is as many as it has.
fn conf_lines(lines: &[Box<str>]) -> Vec<Box<str>> {
    lines
        .iter()
        .flat_map(|text| text.lines())
        .map(Into::into)
        .collect()
}
