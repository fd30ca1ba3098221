//! From inventory and analysis to the values of a host's template.

use super::context::{Association, Context, Crypto, Keys, spell_ids};
use super::error::ConfError;
use super::fleet::ConfContext;
use super::rendered::stand_in;
use super::spell::{self, Unspellable};
use crate::inventory::{self, Auth, GroupId, HostId, Implementation, Inventory, Mode, Settings, Target};
use crate::secret::Secret;
use crate::trail::needs::{self, Needs};
use crate::trail::platform::has_autokey;
use std::collections::BTreeSet;

/// What the lines of one host follow from.
#[derive(Debug, Clone, Copy)]
pub struct HostFacts<'a> {
    /// The inventory.
    pub inventory: &'a Inventory,
    /// Which host.
    pub host: HostId,
    /// What it must hold.
    pub needs: &'a Needs,
    /// What was looked up for the whole inventory.
    pub fleet: &'a ConfContext<'a>,
    /// Password of its private files.
    pub password: Option<&'a Secret>,
    /// Owner in the names of its host key and certificate links (`ntpkey_host_OWNER`).
    pub owner: &'a str,
}

/// The implementation's name in inventories.
pub fn implementation_name(implementation: Implementation) -> &'static str {
    match implementation {
        Implementation::NtpOrg => "ntp.org",
        Implementation::Ntpsec => "ntpsec",
        Implementation::Chrony => "chrony",
        Implementation::Openvms => "openvms",
    }
}

/// The values of a host's template, and what the stand-ins in them stand for. All problems at once.
pub fn context(facts: &HostFacts<'_>) -> Result<(Context, Vec<Secret>), Vec<ConfError>> {
    let entry = facts.inventory.entry(facts.host);
    let settings = &*entry.settings;
    let mut writer = Writer {
        facts,
        settings,
        errors: Vec::new(),
        secrets: Vec::new(),
    };
    let context = writer.context(entry);
    if writer.errors.is_empty() {
        Ok((context, writer.secrets))
    } else {
        Err(writer.errors)
    }
}

struct Writer<'a> {
    facts: &'a HostFacts<'a>,
    settings: &'a Settings,
    errors: Vec<ConfError>,
    secrets: Vec<Secret>,
}

impl Writer<'_> {
    fn context(&mut self, entry: &inventory::HostEntry) -> Context {
        let inventory = self.facts.inventory;
        let settings = self.settings;
        let autokey = self.facts.needs.autokey;
        if autokey && !has_autokey(settings.ntpd) {
            self.unsupported(
                "take part in Autokey".into(),
                "use symmetric keys (`key:`) for its associations, or another implementation",
            );
        }
        self.refuse_unsupported(entry);
        let ids = self.key_ids(entry);
        Context {
            host: inventory.host(self.facts.host).name.to_string(),
            group: inventory
                .group_of(self.facts.host)
                .map(|group| group.name.to_string()),
            implementation: implementation_name(settings.ntpd),
            keysdir: autokey.then(|| self.word("keysdir", &settings.keysdir)),
            crypto: autokey.then(|| self.crypto()),
            keys: (!ids.is_empty()).then(|| Keys {
                file: self.word("keys file", &settings.keys_file),
                trusted: spell_ids(&ids),
                ids,
                control: settings.control_key,
                request: settings.request_key,
            }),
            clients: self.facts.fleet.clients(inventory, self.facts.host).addresses,
            reference_clock: self.lines(
                "reference_clock",
                entry.reference_clock.iter().flatten().map(String::as_str),
            ),
            associations: entry
                .associations
                .iter()
                .map(|association| self.association(association))
                .collect(),
            broadcastclient: entry.broadcast_client,
            ident: autokey
                .then(|| self.facts.fleet.global_ident(inventory, self.facts.host))
                .flatten()
                .map(|group| self.word("ident", inventory.group(group).ident())),
            automax: settings.automax.filter(|_| autokey),
            revoke: settings.revoke.filter(|_| autokey),
            cryptostats: settings.cryptostats && autokey,
            restrict_notrust: settings
                .restrict_notrust
                .iter()
                .map(|address| self.check("restrict_notrust", address, spell::words(address)))
                .collect(),
            extra: self.lines("extra", settings.extra.iter().map(|line| &**line)),
        }
    }

    fn refuse_unsupported(&mut self, entry: &inventory::HostEntry) {
        const NO_BROADCAST: &str = "use `servers`: unicast associations work with every implementation";
        if matches!(
            self.settings.ntpd,
            Implementation::NtpOrg | Implementation::Openvms
        ) {
            return;
        }
        if entry.broadcast_client {
            self.unsupported("listen to broadcast servers".into(), NO_BROADCAST);
        }
        if entry.associations.iter().any(|line| line.mode == Mode::Broadcast) {
            self.unsupported("send authenticated broadcasts".into(), NO_BROADCAST);
        }
        if self.settings.ntpd == Implementation::Chrony && !self.settings.restrict_notrust.is_empty() {
            self.unsupported(
                "demand authentication by `restrict … notrust`".into(),
                "leave restrict_notrust out on this host; chrony trusts authenticated sources alone as soon as one has a key",
            );
        }
    }

    fn crypto(&mut self) -> Crypto {
        let needs = self.facts.needs;
        let settings = self.settings;
        Crypto {
            password: self
                .facts
                .password
                .map(|password| self.secret("crypto pw", password)),
            host: self.word("crypto host", self.facts.owner),
            ident: needs.crypto_ident.map(|group| {
                let group = self.facts.inventory.group(group);
                self.word("crypto ident", group.ident_of(self.facts.host))
            }),
            digest: settings
                .digest
                .as_deref()
                .map(|digest| self.word("digest", digest)),
            randfile: settings
                .randfile
                .as_deref()
                .map(|file| self.word("randfile", file)),
        }
    }

    fn association(&mut self, line: &inventory::Association) -> Association {
        let inventory = self.facts.inventory;
        let (address, name) = match &line.target {
            Target::Host(host) => (
                inventory.address(*host).into_owned(),
                Some(inventory.host(*host).name.to_string()),
            ),
            Target::External(group, server) => {
                let external = inventory.group(*group).external.as_ref();
                // The loader resolved the index against this very list.
                let server = &external.expect("an external group").servers[*server as usize];
                (server.address.to_string(), Some(server.name.to_string()))
            }
            Target::Address(address) => (address.to_string(), None),
        };
        let autokey = line.auth == Auth::Autokey;
        let key = match line.auth {
            Auth::Key(id) => Some(id),
            Auth::Autokey | Auth::None => None,
        };
        let ident = match &line.ident {
            Some(ident) => Some(self.word("ident", ident)),
            None if autokey => self
                .server_group(line)
                .map(|group| self.word("ident", needs::ident(inventory.group(group), &line.target))),
            None => None,
        };
        Association {
            command: match line.mode {
                Mode::Server => "server",
                Mode::Peer => "peer",
                Mode::Broadcast => "broadcast",
            },
            address: self.word("the address of an association", &address),
            name,
            autokey,
            key,
            ident,
            iburst: line.iburst,
            minpoll: line.minpoll,
            maxpoll: line.maxpoll,
            prefer: line.prefer,
            version: key.and_then(|id| self.version(line, id)),
            options: line
                .options
                .iter()
                .map(|option| self.check("an option of an association", option, spell::words(option)))
                .collect(),
        }
    }

    /// The group an `ident` must name: that of a server with an identity scheme. A server with none (TC, PC) needs no
    /// `ident`, unless it belongs to another group: then the daemon's @group gate drops its answers without one.
    fn server_group(&self, line: &inventory::Association) -> Option<GroupId> {
        let inventory = self.facts.inventory;
        if let Some(ident) = needs::line_ident(inventory, line) {
            return Some(ident.group);
        }
        needs::target_group(inventory, &line.target)
            .filter(|group| inventory.entry(self.facts.host).group != Some(*group))
    }

    /// chrony sends NTPv3 with the whole digest where the MAC is longer than 20 bytes, which both ntpds refuse
    /// unless the line says `version 4` (measured: chrony 4.3 with ntp.org 4.2.8p15 and NTPsec 1.2.2).
    fn version(&self, line: &inventory::Association, id: u32) -> Option<u8> {
        let inventory = self.facts.inventory;
        if self.settings.ntpd != Implementation::Chrony {
            return None;
        }
        if let Target::Host(host) = line.target
            && inventory.entry(host).settings.ntpd == Implementation::Chrony
        {
            return None;
        }
        let group = inventory.entry(self.facts.host).group;
        let kind = needs::symmetric_key(inventory, group, id)?.kind.known()?;
        kind.needs_version_4_from_chrony().then_some(4)
    }

    /// Every id the daemon must trust: those of its own lines, those its clients use, and those asked for.
    fn key_ids(&self, entry: &inventory::HostEntry) -> Vec<u32> {
        let mut ids: BTreeSet<u32> = needs::own_keys(entry).collect();
        ids.extend(&self.facts.needs.symmetric_keys);
        ids.into_iter().collect()
    }

    fn word(&mut self, what: &str, value: &str) -> String {
        self.check(what, value, spell::word(self.settings.ntpd, value))
    }

    fn lines<'b>(&mut self, what: &str, lines: impl Iterator<Item = &'b str>) -> Vec<String> {
        lines
            .map(|line| self.check(what, line, spell::line(line)))
            .collect()
    }

    fn check(&mut self, what: &str, value: &str, spelled: Result<String, Unspellable>) -> String {
        spelled.unwrap_or_else(|why| {
            let shown = super::rendered::printable(value);
            self.refuse(format!("{what} '{shown}'"), why, "change it in the inventory");
            String::new()
        })
    }

    /// A stand-in for a secret value, spelled for the daemon.
    fn secret(&mut self, what: &str, value: &Secret) -> String {
        let spelled = match value.expose_str() {
            Some(text) => spell::word(self.settings.ntpd, text),
            None => Err(Unspellable::NotAscii),
        };
        match spelled {
            Ok(spelled) => {
                self.secrets.push(Secret::from(spelled));
                stand_in(self.secrets.len() - 1)
            }
            Err(why) => {
                self.refuse(
                    format!("the password ({what})"),
                    why,
                    "choose another password: printable ASCII without quotes, e.g. letters and digits",
                );
                String::new()
            }
        }
    }

    fn refuse(&mut self, what: String, why: Unspellable, help: &'static str) {
        self.errors.push(ConfError::Value {
            host: self.facts.inventory.host(self.facts.host).name.to_string(),
            what,
            file: self.settings.conf.to_string(),
            why,
            help,
        });
    }

    fn unsupported(&mut self, what: String, help: &'static str) {
        self.errors.push(ConfError::Unsupported {
            host: self.facts.inventory.host(self.facts.host).name.to_string(),
            implementation: implementation_name(self.settings.ntpd),
            what,
            help,
        });
    }
}
