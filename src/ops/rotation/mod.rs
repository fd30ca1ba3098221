//! Rotation, renewal and revocation: media made again, the hosts they concern, and the record of it until all of these have them.

mod idents;
mod key_ids;
mod renewal;
mod revocation;
mod staged;
mod step;

pub use idents::none_under_way as no_renaming_under_way;
pub use renewal::{Renewal, next_end};
pub use revocation::{MvClient, Revocation, enforce};
pub use staged::Staged;
pub use step::{Step, StepKind, Unsuitable};

use crate::inventory::{Connection, HostId, Inventory};
use crate::mint::Work;
use crate::ops::environment::Environment;
use crate::ops::error::{Error, Result};
use crate::ops::in_force::InForce;
use crate::ops::load::Loaded;
use crate::ops::minting::Demand;
use crate::ops::notice::Notice;
use crate::ops::now;
use crate::ops::rollout::{Care, Task};
use crate::ops::session::Session;
use crate::ops::vault_access::VaultAccess;
use crate::rotate::idents::{self as names, Names};
use crate::rotate::record::{Pending, Rotation, Rotations};
use crate::rotate::subject::Subject;
use crate::secret::Secret;
use crate::vault::{self, Applied, ArtifactKind, GenerationId, SecretKind, Vault};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

/// Opens a session for a rotation: on the vault, which must be there and is locked, or as a rehearsal on a copy of it.
pub fn prepare(
    loaded: Loaded,
    access: VaultAccess,
    templates: Option<PathBuf>,
    environment: Environment,
    rehearsal: bool,
) -> Result<Session> {
    if !access.path().exists() {
        return Err(
            Error::new(format!("there is no vault {} yet", access.path().display()))
                .why("nothing was minted for this inventory")
                .help("bring the fleet to its first state: keytrail apply INVENTORY"),
        );
    }
    let mut session = if rehearsal {
        Session::rehearse(loaded, &access, templates, environment)?
    } else {
        Session::open_existing(loaded, access, templates, environment)?
    };
    session.lock()?;
    Ok(session)
}

/// What is to be made again, and what of it was done before.
pub struct Change<'a> {
    /// What is made again.
    pub subject: &'a Subject,
    /// Certificates are made again that end until then, Unix seconds.
    pub renew_until: Option<i64>,
    /// The command that finishes it, without the program's name.
    pub command: String,
    /// Make it again even where an earlier time is not finished.
    pub repeat: bool,
    /// Which hosts it concerns.
    pub concerns: Concerned<'a>,
}

/// Which hosts a change concerns.
#[derive(Clone, Copy)]
pub enum Concerned<'a> {
    /// Those whose files it changes.
    Changed,
    /// Of these, those that have not got their latest certificate, whenever it was made.
    Outdated(&'a BTreeSet<String>),
}

impl Session {
    /// Mints, unless an earlier run has and is not finished, and keeps the record. The hosts concerned; `None`: there is nothing
    /// to do.
    pub fn begin(&mut self, change: &Change<'_>) -> Result<Option<Task>> {
        let subject = change.subject;
        let rotations = Rotations::read(&self.vault())?;
        if let Concerned::Changed = change.concerns
            && !change.repeat
        {
            let left = self.left(&rotations, &subject.words)?;
            if !left.is_empty() {
                self.observer().notice(Notice::Resumed {
                    subject: &subject.words,
                    generation: rotations.of(&subject.words).map_or(0, |known| known.generation),
                    hosts: left.len(),
                });
                return Ok(Some(self.concern(&left, subject.servers_first)));
            }
        }
        let record = self.recording(rotations, change)?;
        let minted = self.mint(&Demand {
            replace: Some(&subject.anew),
            renew_until: change.renew_until,
            renewing: subject.renewing.as_ref(),
            note: &subject.words,
            record: Some(&record),
        })?;
        let hosts = match change.concerns {
            Concerned::Changed if minted => self.changed_by(subject),
            Concerned::Changed => BTreeSet::new(),
            Concerned::Outdated(wanted) => self.outdated()?.intersection(wanted).cloned().collect(),
        };
        let task = self.concern(&hosts, subject.servers_first);
        Ok((!hosts.is_empty()).then_some(task))
    }

    /// What is noted of a rotation in the same transaction with its media: which generation it is, and whom it concerns.
    fn recording(
        &self,
        rotations: Rotations,
        change: &Change<'_>,
    ) -> Result<impl Fn(&Work) -> (&'static str, Secret) + use<>> {
        let subject = change.subject;
        // Whom it concerns whatever is minted, and who of those that get a file.
        let (before, counts): (BTreeSet<String>, BTreeSet<String>) = match change.concerns {
            Concerned::Changed => {
                let hosts = self.inventory().hosts.iter().map(|host| host.name.to_string());
                (self.holders(subject), hosts.collect())
            }
            Concerned::Outdated(_) => {
                let counts = self.applied()?.into_keys().map(String::from);
                (self.outdated()?, counts.collect())
            }
        };
        let rotation = Rotation {
            subject: subject.words.clone(),
            command: format!("keytrail {}", change.command),
            generation: 0,
            minted: now(),
            began: None,
            bite: subject.bite,
            hosts: before,
        };
        Ok(move |work: &Work| {
            let mut rotations = rotations.clone();
            let mut rotation = rotation.clone();
            rotation.generation = work.generation().0;
            let placed = work.places().filter(|host| counts.contains(*host));
            rotation.hosts.extend(placed.map(str::to_owned));
            rotations.begin(rotation);
            (Rotations::STATE, vault::as_state(&rotations))
        })
    }

    /// Hosts that an earlier run of the same has not brought to it.
    fn left(&self, rotations: &Rotations, subject: &str) -> Result<BTreeSet<String>> {
        let exists = |host: &str| self.inventory().find(host).is_some();
        let pending = rotations.pending(&self.applied()?, &exists);
        let of = pending.into_iter().find(|pending| pending.subject == subject);
        Ok(of
            .map(|pending| pending.hosts.into_iter().collect())
            .unwrap_or_default())
    }

    /// Hosts that keytrail has brought to a generation before that of their certificate. Hosts that were never brought to any
    /// have their first day before them: `apply`.
    fn outdated(&self) -> Result<BTreeSet<String>> {
        let applied = self.applied()?;
        let snapshot = &self.state().snapshot;
        let newer = |host: &str| {
            let stands = applied.get(host)?.generation;
            let mut files = snapshot.files(host);
            files.find(|(placement, file)| file.kind == ArtifactKind::Certificate && placement.since > stands)
        };
        let names = self.inventory().hosts.iter().map(|host| host.name.to_string());
        Ok(names.filter(|host| newer(host).is_some()).collect())
    }

    fn applied(&self) -> Result<HashMap<Box<str>, Applied>> {
        Ok(self.vault().applied()?)
    }

    /// The hosts whose files the newest generation changes.
    fn changed_by(&self, subject: &Subject) -> BTreeSet<String> {
        let snapshot = &self.state().snapshot;
        let newest = snapshot.generation.unwrap_or(GenerationId(0));
        let mut hosts = self.holders(subject);
        let names = self.inventory().hosts.iter().map(|host| host.name.to_string());
        hosts.extend(names.filter(|name| {
            let mut files = snapshot.files(name);
            files.any(|(placement, _)| placement.since == newest)
        }));
        hosts
    }

    /// The hosts that hold symmetric keys made again: those are in no file of the vault.
    fn holders(&self, subject: &Subject) -> BTreeSet<String> {
        let keys: Vec<&str> = subject
            .anew
            .iter()
            .filter(|(kind, _)| *kind == SecretKind::Symmetric)
            .map(|(_, owner)| &**owner)
            .collect();
        if keys.is_empty() {
            return BTreeSet::new();
        }
        self.holding(&keys)
    }

    /// The hosts that hold one of these symmetric keys.
    fn holding(&self, keys: &[&str]) -> BTreeSet<String> {
        let (inventory, analysis) = (self.inventory(), self.analysis());
        let holds = |host: &HostId| {
            let group = inventory.entry(*host).group;
            analysis.needs(*host).symmetric_keys.iter().any(|&id| {
                crate::trail::needs::symmetric_key(inventory, group, id)
                    .is_some_and(|key| keys.contains(&&*crate::mint::symmetric_owner(inventory, key)))
            })
        };
        let hosts = inventory.host_ids().filter(holds);
        hosts.map(|host| inventory.host(host).name.to_string()).collect()
    }

    /// The task about these hosts, with the care that a rotation takes.
    fn concern(&self, hosts: &BTreeSet<String>, servers_first: bool) -> Task {
        let inventory = self.inventory();
        let (exported, mut reached): (Vec<HostId>, Vec<HostId>) = hosts
            .iter()
            .filter_map(|name| inventory.find(name))
            .partition(|&host| inventory.entry(host).settings.connection == Connection::Export);
        if !exported.is_empty() {
            let names: Vec<&str> = exported.iter().map(|&host| &*inventory.host(host).name).collect();
            self.observer().notice(Notice::ExportAgain(&names));
        }
        reached.sort_unstable();
        let mut task = Task::of(reached);
        task.care = Care {
            apart: true,
            servers_first,
            ..Care::default()
        };
        task.selectors = self.names(&task).collect();
        task
    }

    /// Rotations by restarts that are not everywhere yet.
    pub fn pending_restarts(&self) -> Result<Vec<Pending>> {
        by_restarts(&self.vault(), self.inventory())
    }
}

/// Everything in a vault that is not everywhere yet: rotations by restarts, and those by a new name.
pub(crate) fn pending(vault: &Vault, written: &InForce) -> Result<Vec<Pending>> {
    let mut pending = by_restarts(vault, &written.inventory)?;
    let (names, applied) = (Names::read(vault)?, vault.applied()?);
    pending.extend(names::pending(
        &names,
        &written.inventory,
        &written.analysis,
        &applied,
    ));
    Ok(pending)
}

fn by_restarts(vault: &Vault, inventory: &Inventory) -> Result<Vec<Pending>> {
    let exists = |host: &str| inventory.find(host).is_some();
    Ok(Rotations::read(vault)?.pending(&vault.applied()?, &exists))
}

/// Notes how far rotations are, after hosts have changed.
pub(crate) fn settle(session: &Session) -> Result<()> {
    let exists = |host: &str| session.inventory().find(host).is_some();
    let settle = |vault: &mut Vault| {
        let before = Rotations::read(vault)?;
        let mut after = before.clone();
        after.settle(&vault.applied()?, &exists);
        if after == before {
            Ok(())
        } else {
            after.write(vault)
        }
    };
    settle(&mut session.vault())
        .map_err(|error| Error::vault("cannot note in the vault how far rotations are", &error))
}
