//! MV clients shut out of their group by the servers' keys alone, and let in again.

use super::{Change, Concerned};
use crate::inventory::{self, HostId};
use crate::mint::{Revocations, mv_client};
use crate::ops::error::{Error, Result};
use crate::ops::rollout::Task;
use crate::ops::session::Session;
use crate::rotate::record::StaleKeyEffect;
use crate::rotate::subject::Subject;
use std::collections::{BTreeSet, HashSet};

/// A host with its client key of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MvClient {
    /// The group.
    pub group: String,
    /// The number of its client key.
    pub number: usize,
    /// The host.
    pub host: String,
}

/// Who is shut out, or let in again.
#[derive(Debug)]
pub struct Revocation {
    /// The clients that were named.
    pub named: BTreeSet<MvClient>,
    /// Other hosts with the same client keys; of an end of revocation, those that stay shut out with the same key.
    pub sharing: BTreeSet<MvClient>,
    /// All clients that it is about.
    pub clients: BTreeSet<MvClient>,
    revoked: Revocations,
}

impl Revocation {
    /// Of the hosts that `words` name, with commas between them; with `shared`, also of those that share a key with them.
    pub fn of(session: &Session, words: &str, shared: bool) -> Result<Self> {
        let named = named(session, words)?;
        let has_same_key = |client: &MvClient| {
            let same = |other: &MvClient| (&other.group, other.number) == (&client.group, client.number);
            !named.contains(client) && named.iter().any(same)
        };
        let sharing: BTreeSet<MvClient> = held(session).filter(has_same_key).collect();
        let mut clients = named.clone();
        if shared {
            clients.extend(sharing.iter().cloned());
        }
        let mut revoked = session.state().revoked.clone();
        for client in &clients {
            revoked.revoke(&client.group, client.number, &client.host);
        }
        Ok(Self {
            named,
            sharing,
            clients,
            revoked,
        })
    }

    /// The end of the revocation of the hosts that `words` name, with commas between them.
    pub fn end_of(session: &Session, words: &str) -> Result<Self> {
        let wanted: BTreeSet<&str> = words.split(',').map(str::trim).collect();
        let mut revoked = session.state().revoked.clone();
        let named: BTreeSet<MvClient> = all(&revoked)
            .filter(|client| wanted.contains(&*client.host))
            .collect();
        let is_named = |host: &&&str| named.iter().any(|client| client.host == ***host);
        if let Some(unknown) = wanted.iter().find(|host| !is_named(host)) {
            let known: BTreeSet<String> = all(&revoked).map(|client| client.host).collect();
            let known: Vec<String> = known.into_iter().collect();
            return Err(
                Error::new(format!("'{unknown}' is not shut out")).help(if known.is_empty() {
                    "nobody is".to_owned()
                } else {
                    format!("these are: {}", known.join(", "))
                }),
            );
        }
        let mut sharing = BTreeSet::new();
        for client in &named {
            revoked.restore(&client.group, &client.host);
            let same = |other: &MvClient| (&other.group, other.number) == (&client.group, client.number);
            sharing.extend(all(&revoked).filter(same));
        }
        Ok(Self {
            clients: named.clone(),
            named,
            sharing,
            revoked,
        })
    }

    /// Keeps who is shut out, and mints the servers' keys that follow from it. The servers concerned; `None`: no key changes.
    pub fn begin(&self, session: &mut Session, command: &str) -> Result<Option<Task>> {
        let changed = self.revoked != session.state().revoked;
        if changed {
            // First the set, then what follows from it: whoever mints next finishes what a crash in between leaves.
            self.revoked
                .write(&mut session.vault())
                .map_err(|error| Error::vault("cannot keep in the vault who is shut out", &error))?;
        }
        let groups: BTreeSet<&str> = self.clients.iter().map(|client| &*client.group).collect();
        let groups: Vec<&str> = groups.into_iter().collect();
        let subject = Subject {
            words: format!("MV clients of {}", groups.join(", ")),
            anew: HashSet::new(),
            renewing: None,
            bite: StaleKeyEffect::Never,
            servers_first: false,
        };
        session.begin(&Change {
            subject: &subject,
            renew_until: None,
            command: command.to_owned(),
            repeat: changed,
            concerns: Concerned::Changed,
        })
    }

    /// The hosts it is about.
    pub fn hosts(&self) -> BTreeSet<String> {
        self.clients.iter().map(|client| client.host.clone()).collect()
    }
}

/// The task that restarts the daemons of these hosts, so that who is shut out is refused at once.
pub fn enforce(session: &Session, hosts: &BTreeSet<String>) -> Option<Task> {
    let ids: Vec<HostId> = hosts
        .iter()
        .filter_map(|host| session.inventory().find(host))
        .collect();
    if ids.is_empty() {
        return None;
    }
    let mut task = Task::of(session.inventory().host_ids().filter(|host| ids.contains(host)));
    task.care.restart = ids.into_iter().collect();
    Some(task)
}

fn all(revoked: &Revocations) -> impl Iterator<Item = MvClient> + '_ {
    revoked.all().map(|(group, number, host)| MvClient {
        group: group.to_owned(),
        number,
        host: host.to_owned(),
    })
}

/// The clients that are named, each with the client keys it holds.
fn named(session: &Session, words: &str) -> Result<BTreeSet<MvClient>> {
    let (inventory, analysis) = (session.inventory(), session.analysis());
    let mut found = BTreeSet::new();
    for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let hosts: Vec<String> = match inventory::select(inventory, &[word], |host| analysis.depth(host)) {
            Ok(hosts) => hosts
                .into_iter()
                .map(|host| inventory.host(host).name.to_string())
                .collect(),
            // Taken out of the inventory, it still holds what it was given.
            Err(_) if session.state().snapshot.hosts().any(|host| host == word) => vec![word.to_owned()],
            Err(error) => return Err(error.into()),
        };
        for host in hosts {
            let clients = keys_of(session, &host);
            if clients.is_empty() {
                return Err(Error::new(format!("{host} cannot be revoked"))
                    .why("it holds no MV client key; with IFF and GQ all members of a group hold the same")
                    .help("shut it out by a new key for the others: take it out of the inventory, then `keytrail rotate identity --group NAME`"));
            }
            found.extend(clients);
        }
    }
    if found.is_empty() {
        return Err(Error::new("no host was named").help("for example: keytrail revoke leaf03 fleet.yaml"));
    }
    Ok(found)
}

/// The client keys a host was last given.
fn keys_of(session: &Session, host: &str) -> Vec<MvClient> {
    let revoked = &session.state().revoked;
    let mut clients: Vec<MvClient> = Vec::new();
    // The oldest first: later ones replace earlier ones of the same group.
    for (_, artifact) in session.state().snapshot.ever(host) {
        if let Some(number) = mv_client(artifact) {
            let group = group_of(session, &artifact.owner);
            clients.retain(|known| known.group != group);
            clients.push(MvClient {
                number: revoked.client_of(&group, host).unwrap_or(number),
                group,
                host: host.to_owned(),
            });
        }
    }
    clients
}

/// Everybody in the inventory who holds a client key.
fn held(session: &Session) -> impl Iterator<Item = MvClient> + '_ {
    session.inventory().hosts.iter().flat_map(|host| {
        let files = session.state().snapshot.files(&host.name);
        files.filter_map(|(_, artifact)| {
            Some(MvClient {
                group: group_of(session, &artifact.owner),
                number: mv_client(artifact)?,
                host: host.name.to_string(),
            })
        })
    })
}

/// The group whose media have this name.
fn group_of(session: &Session, ident: &str) -> String {
    let group = session.inventory().group_of_ident(ident);
    group.map_or(ident, |group| &group.name).to_owned()
}
