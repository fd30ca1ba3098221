//! What a host should show, from inventory, analysis and what was minted.

use super::{Promised, Verification};
use crate::apply::Site;
use crate::inventory::{
    Association, Auth, GroupId, HostEntry, HostId, IdentityScheme, Inventory, Mode, Target,
};
use crate::media::{Filestamp, GroupScheme};
use crate::mint::State;
use crate::ntpq::{Expected, Promise, limit};
use crate::trail::Analysis;
use crate::trail::broadcast::media;
use crate::trail::cryptotype::Cryptotype;
use crate::trail::graph::Role;
use crate::trail::needs::{self, target_group};
use crate::vault::{ArtifactKind, SecretKind};
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

/// Shortest poll interval of the daemons where the inventory says nothing, log2 seconds.
const MINPOLL: u8 = 6;

/// What `host` should show. `state`: what was minted; without a vault the empty state, and then no generation of any group
/// key is promised.
pub fn verification(
    inventory: &Inventory,
    analysis: &Analysis,
    state: &State,
    host: HostId,
    site: Site,
) -> Verification {
    let builder = Builder {
        inventory,
        analysis,
        state,
        host,
        entry: inventory.entry(host),
    };
    builder.build(site)
}

struct Builder<'a> {
    inventory: &'a Inventory,
    analysis: &'a Analysis,
    state: &'a State,
    host: HostId,
    entry: &'a HostEntry,
}

/// An association with how long it takes to come about.
struct Made {
    promised: Promised,
    limit: Duration,
    minpoll: u8,
}

impl Builder<'_> {
    fn build(&self, site: Site) -> Verification {
        let settings = &self.entry.settings;
        let own = self.analysis.needs(self.host);
        let graph = &self.analysis.graph;
        let lines = self.entry.associations.iter().enumerate();
        let mut made: Vec<Made> = lines.filter_map(|(at, line)| self.line(at, line)).collect();
        if self.entry.broadcast_client {
            made.extend(self.broadcast(made.is_empty()));
        }
        let minpoll = made.iter().map(|made| made.minpoll).min().unwrap_or(MINPOLL);
        let waited = made.iter().filter(|made| made.promised.required);
        Verification {
            host: self.inventory.host(self.host).name.to_string(),
            site,
            implementation: settings.ntpd,
            conf: [&settings.conf, &settings.include_file]
                .into_iter()
                .filter(|path| path.starts_with('/'))
                .map(ToString::to_string)
                .collect(),
            log: settings.log.as_deref().map(str::to_owned),
            level: settings.verify,
            keys: (!own.symmetric_keys.is_empty()).then(|| settings.keys_file.to_string()),
            autokey: own.autokey,
            serves: graph.clients(graph.node_of(self.host)).next().is_some(),
            limit: waited
                .map(|made| made.limit)
                .max()
                // A host that waits for nobody still needs its own clock to be set.
                .unwrap_or_else(|| limit(&Promise::Plain, 1, minpoll)),
            poll: Duration::from_secs(1 << minpoll.min(17)),
            promised: made.into_iter().map(|made| made.promised).collect(),
            servers_up: HashSet::new(),
        }
    }

    /// One line. Broadcasts are sent to nobody in particular: there is nothing to prove.
    fn line(&self, at: usize, line: &Association) -> Option<Made> {
        if line.mode == Mode::Broadcast {
            return None;
        }
        let (server, mut addresses, certificate) = self.server(&line.target);
        let group = line_group(self.inventory, line);
        let (promise, key_made) = match line.auth {
            Auth::None => (Promise::Plain, None),
            Auth::Key(id) => (Promise::Key(id), None),
            Auth::Autokey => self.autokey(line.ident.as_deref(), group, Some(&line.target)),
        };
        spellings(&mut addresses);
        let private = matches!(
            promise,
            Promise::Autokey {
                scheme: IdentityScheme::Pc,
                ..
            }
        );
        Some(made(
            Expected {
                server,
                addresses,
                // Members of a PC group all show the trusted host's.
                certificate: certificate.filter(|_| line.auth == Auth::Autokey && !private),
                promise,
            },
            self.required(at, line),
            key_made,
            self.trail(&line.target),
            line.minpoll,
        ))
    }

    /// What a server is called: in the inventory, on the wire, in its certificate.
    fn server(&self, target: &Target) -> (String, Vec<String>, Option<String>) {
        let inventory = self.inventory;
        match target {
            Target::Host(host) => (
                inventory.host(*host).name.to_string(),
                vec![
                    inventory.address(*host).into_owned(),
                    inventory.host(*host).name.to_string(),
                ],
                Some(inventory.certificate_name(*host)),
            ),
            Target::External(group, index) => {
                let external = inventory.group(*group).external.as_ref();
                // The loader resolved the index against this very list.
                let server = &external.expect("an external group").servers[*index as usize];
                (server.name.to_string(), vec![server.address.to_string()], None)
            }
            Target::Address(address) => (address.to_string(), vec![address.to_string()], None),
        }
    }

    /// The promise of an Autokey line to a server of `group`, and when the group's key was made. Of keys under a name that no
    /// others ever had the name says enough.
    fn autokey(
        &self,
        written: Option<&str>,
        group: Option<GroupId>,
        target: Option<&Target>,
    ) -> (Promise, Option<i64>) {
        let found = group.map(|id| self.inventory.group(id));
        let ident = found.map(|group| target.map_or(group.ident(), |target| needs::ident(group, target)));
        let scheme = found.and_then(crate::trail::cryptotype::scheme_in_use);
        let stamp = match (group, scheme.and_then(GroupScheme::of)) {
            (Some(group), Some(scheme)) => self.stamp(group, scheme, ident.unwrap_or_default()),
            _ => None,
        };
        let promise = Promise::Autokey {
            scheme: scheme.unwrap_or(if Cryptotype::of_server(found) == Cryptotype::Pc {
                IdentityScheme::Pc
            } else {
                IdentityScheme::Tc
            }),
            group: scheme.and(written.or(ident)).map(str::to_owned),
            stamp: stamp.map(|stamp| stamp.0),
            serves: self.must_be_signed(),
        };
        let fresh = found.is_some_and(|group| group.next_ident().is_some_and(|next| Some(next) == ident));
        (promise, stamp.map(Filestamp::unix).filter(|_| !fresh))
    }

    /// The stamp the group's servers prove themselves with: that of the key in the vault, or for a group outside the fleet of
    /// the client parameters that are equal to it (GQ parameters may be older than the key).
    fn stamp(&self, group: GroupId, scheme: GroupScheme, ident: &str) -> Option<Filestamp> {
        let snapshot = &self.state.snapshot;
        let name = &*self.inventory.group(group).name;
        if self.inventory.group(group).external.is_none() {
            return snapshot.secret(SecretKind::Group(scheme), ident)?.filestamp;
        }
        if scheme == GroupScheme::Gq {
            return None;
        }
        snapshot
            .files(&self.inventory.host(self.host).name)
            .map(|(_, artifact)| artifact)
            .find(|artifact| {
                artifact.kind == ArtifactKind::ClientParameters(scheme) && *artifact.owner == *name
            })
            .map(|artifact| artifact.filestamp)
    }

    /// Whether it serves over Autokey with a certificate that a server must have signed.
    fn must_be_signed(&self) -> bool {
        let needs = self.analysis.needs(self.host);
        needs.serves && !needs.trusted
    }

    /// A trusted host where trails end, and any host with lines whose role is no more than that, waits for nobody.
    fn required(&self, at: usize, line: &Association) -> bool {
        let graph = &self.analysis.graph;
        let node = graph.node_of(self.host);
        let member = graph.member(node);
        let monitors = member.root && member.clock;
        let role = graph
            .lines(node)
            .find(|(_, _, edge)| !edge.is_heard() && edge.line as usize == at)
            .map(|(_, _, edge)| edge.role);
        match (&line.auth, role) {
            (Auth::None, _) => false,
            (Auth::Key(_), _) => !monitors,
            (Auth::Autokey, Some(role)) => role == Role::Trail,
            // To an address outside the inventory.
            (Auth::Autokey, None) => !member.root,
        }
    }

    /// Certificates on the way from a server to its trusted host.
    fn trail(&self, target: &Target) -> u32 {
        match target {
            Target::Host(host) => self.analysis.depth(*host) + 1,
            Target::External(..) | Target::Address(_) => 1,
        }
    }

    /// A client of broadcasts has one association with each server it hears. Networks are not declared, so any of them will
    /// do, and the host only waits for one where it has no other line.
    fn broadcast(&self, alone: bool) -> Option<Made> {
        let media = media(self.inventory);
        let heard: Vec<_> = media
            .iter()
            .filter(|medium| medium.may_be_heard_by(self.inventory, self.host))
            .collect();
        let (sender, first) = heard.iter().flat_map(|medium| &medium.servers).next()?;
        let (promise, key_made) = match first.auth {
            Auth::None => (Promise::Plain, None),
            Auth::Key(id) => (Promise::Key(id), None),
            Auth::Autokey => self.autokey(None, sender.group, None),
        };
        let mut addresses = Vec::new();
        for (sender, _) in heard.iter().flat_map(|medium| &medium.servers) {
            for host in sender.hosts() {
                addresses.push(self.inventory.address(host).into_owned());
            }
        }
        spellings(&mut addresses);
        let server = format!("broadcast {}", heard[0].address);
        let required = alone && promise != Promise::Plain;
        let expected = Expected {
            server,
            addresses,
            certificate: None,
            promise,
        };
        Some(made(expected, required, key_made, 1, None))
    }
}

fn made(
    expected: Expected,
    required: bool,
    key_made: Option<i64>,
    certificates: u32,
    minpoll: Option<u8>,
) -> Made {
    let minpoll = minpoll.unwrap_or(MINPOLL);
    Made {
        limit: limit(&expected.promise, certificates, minpoll),
        promised: Promised {
            expected,
            required,
            key_made,
        },
        minpoll,
    }
}

/// The group whose key a server proves itself with.
fn line_group(inventory: &Inventory, line: &Association) -> Option<GroupId> {
    target_group(inventory, &line.target).or_else(|| inventory.group_named(line.ident.as_deref()?))
}

/// Addresses as daemons print them, beside how they were written.
fn spellings(addresses: &mut Vec<String>) {
    let printed: Vec<String> = addresses
        .iter()
        .filter_map(|address| Some(address.parse::<IpAddr>().ok()?.to_string()))
        .filter(|printed| !addresses.contains(printed))
        .collect();
    addresses.extend(printed);
}
