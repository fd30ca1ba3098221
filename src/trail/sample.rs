//! Inventories for tests, built as values.

use crate::finding::SourceId;
use crate::inventory::{
    Association, Auth, ConfMode, Connection, Dialect, EntryId, Group, GroupId, Host, HostEntry, HostId,
    IdentityBits, IdentityScheme, Implementation, Inventory, Mode, Settings, Target,
};
use std::sync::Arc;

pub(crate) const TODAY: time::Date = time::macros::date!(2026 - 11 - 20);

pub(crate) fn settings() -> Settings {
    Settings {
        ntpd: Implementation::NtpOrg,
        keysdir: "/etc/ntp/crypto".into(),
        conf: "/etc/ntp.conf".into(),
        conf_mode: ConfMode::Include,
        include_file: "/etc/ntp.keytrail.conf".into(),
        owner: None,
        file_group: None,
        restart: None,
        verify: crate::inventory::Verify::None,
        log: None,
        connection: Connection::Export,
        root: None,
        certificate_scheme: crate::vocabulary::SignatureScheme::RSA_SHA256.into(),
        certificate_lifetime: crate::inventory::Lifetime::Days(365),
        host_key_bits: 2048,
        sign_key: None,
        cipher: crate::vocabulary::Cipher::Aes256Cbc.into(),
        dialect: Dialect::Current,
        password: None,
        password_place: None,
        digest: None,
        randfile: None,
        automax: None,
        revoke: None,
        keys_file: "/etc/ntp.keys".into(),
        trusted_keys: Vec::new(),
        control_key: None,
        request_key: None,
        cryptostats: false,
        restrict_notrust: Vec::new(),
        extra: Vec::new(),
        nat: false,
        keysdir_on: None,
    }
}

/// Builds an inventory host by host; lines are added by number, so they may point forward.
pub(crate) struct Builder {
    pub(crate) inventory: Inventory,
    settings: Arc<Settings>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            inventory: Inventory::default(),
            settings: Arc::new(settings()),
        }
    }

    pub(crate) fn group(&mut self, name: &str, identity: &[IdentityScheme]) -> GroupId {
        let id = GroupId(u32::try_from(self.inventory.groups.len()).expect("few groups"));
        self.inventory.groups.push(Group {
            name: name.into(),
            source: SourceId(0),
            identity: identity.to_vec(),
            trusted: Vec::new(),
            identity_bits: IdentityBits::default(),
            mv_clients: None,
            external: None,
            agent: None,
            idents: None,
        });
        id
    }

    pub(crate) fn host(&mut self, name: &str, group: Option<GroupId>) -> HostId {
        let number = |len: usize| u32::try_from(len).expect("few hosts");
        let entry = EntryId(number(self.inventory.entries.len()));
        let host = HostId(number(self.inventory.hosts.len()));
        self.inventory.entries.push(HostEntry {
            pattern: name.into(),
            source: SourceId(0),
            first: host,
            count: 1,
            group,
            address: None,
            associations: Vec::new(),
            broadcast_client: false,
            reference_clock: None,
            tags: Vec::new(),
            settings: Arc::clone(&self.settings),
        });
        self.inventory.hosts.push(Host {
            name: name.into(),
            entry,
        });
        let Inventory { hosts, by_name, .. } = &mut self.inventory;
        by_name.insert(host.0, |host| &hosts[host as usize].name);
        host
    }

    pub(crate) fn entry(&mut self, host: HostId) -> &mut HostEntry {
        let entry = self.inventory.host(host).entry;
        &mut self.inventory.entries[entry.0 as usize]
    }

    /// Makes a host a trusted host of its group with a clock.
    pub(crate) fn root(&mut self, host: HostId) {
        self.entry(host).reference_clock = Some(Vec::new());
        self.trust(host);
    }

    pub(crate) fn trust(&mut self, host: HostId) {
        if let Some(group) = self.entry(host).group {
            self.inventory.groups[group.0 as usize].trusted.push(host);
        }
    }

    pub(crate) fn line(&mut self, client: HostId, server: HostId, auth: Auth) {
        let lines = &mut self.entry(client).associations;
        let index = u32::try_from(lines.len()).expect("few lines");
        lines.push(Association {
            mode: Mode::Server,
            target: Target::Host(server),
            auth,
            plain_on_purpose: false,
            iburst: true,
            minpoll: None,
            maxpoll: None,
            prefer: false,
            ident: None,
            options: Vec::new(),
            index,
        });
    }
}

/// Hosts 0 and 1 are trusted with a clock; the rest have the given lines.
pub(crate) fn random(hosts: u32, lines: &[(u32, u32)]) -> Inventory {
    let mut b = Builder::new();
    let red = b.group("red", &[IdentityScheme::Iff]);
    let blue = b.group("blue", &[IdentityScheme::Mv, IdentityScheme::Gq]);
    for number in 0..hosts {
        b.host(
            &format!("h{number}"),
            Some(if number % 2 == 0 { red } else { blue }),
        );
    }
    b.root(HostId(0));
    b.root(HostId(1));
    for &(client, server) in lines {
        b.line(HostId(client), HostId(server), Auth::Autokey);
    }
    b.inventory
}
