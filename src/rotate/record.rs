//! What is known of a rotation that was begun: which generation it is and whom it concerns. What is left of it follows from where
//! every host stands.

use super::gap::REEXAMINED;
use crate::vault::{self, Applied, Vault};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// What becomes of a daemon that goes on with what it had, once others have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaleKeyEffect {
    /// Nothing: the old is only still in use.
    Never,
    /// It fails when its associations are next examined.
    WhenExamined,
    /// It fails at the next packet.
    AtOnce,
}

/// A rotation that was minted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// What is rotated, e.g. `identity of group green`.
    pub subject: String,
    /// What finishes it, e.g. `keytrail rotate identity --group green`.
    pub command: String,
    /// The generation with the new media.
    pub generation: u32,
    /// When that was minted, Unix seconds.
    pub minted: i64,
    /// When the first host was seen to have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<i64>,
    /// What becomes of daemons that were not restarted.
    pub bite: StaleKeyEffect,
    /// The hosts whose files it changes.
    pub hosts: BTreeSet<String>,
}

/// A rotation that is not everywhere yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// What is rotated.
    pub subject: String,
    /// What finishes it.
    pub command: String,
    /// The generation with the new media.
    pub generation: u32,
    /// Hosts that have it.
    pub done: usize,
    /// Hosts that do not have it yet.
    pub hosts: Vec<String>,
    /// When the last of the hosts that were not restarted fails at the latest, Unix seconds: each does so at some moment between
    /// the first host's change and this. `None`: nothing fails; it was not begun on any host, or what is old still works.
    pub fails_by: Option<i64>,
}

/// The rotations of a vault that were begun and not known to be over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rotations(Vec<Rotation>);

impl Rotations {
    /// Under which name the vault keeps them.
    pub const STATE: &str = "rotations";

    /// Reads them.
    pub fn read(vault: &Vault) -> vault::Result<Self> {
        vault.state_as(Self::STATE, "the record of its rotations")
    }

    /// Keeps them.
    pub fn write(&self, vault: &mut Vault) -> vault::Result<()> {
        vault.set_state_as(Self::STATE, self)
    }

    /// A rotation begins; an earlier one of the same subject is replaced by it.
    pub fn begin(&mut self, rotation: Rotation) {
        self.0.retain(|earlier| earlier.subject != rotation.subject);
        self.0.push(rotation);
    }

    /// The rotation of a subject, if it is not over.
    pub fn of(&self, subject: &str) -> Option<&Rotation> {
        self.0.iter().find(|rotation| rotation.subject == subject)
    }

    /// Notes which rotations have begun, and forgets those that every host has. Hosts that `exists` does not know are out
    /// of it.
    pub fn settle(&mut self, applied: &HashMap<Box<str>, Applied>, exists: &dyn Fn(&str) -> bool) {
        for rotation in &mut self.0 {
            rotation.began = rotation.began(applied);
        }
        self.0.retain(|rotation| {
            let left = rotation.left(applied).filter(|host| exists(host));
            left.count() > 0
        });
    }

    /// What is pending, the most urgent first.
    pub fn pending(
        &self,
        applied: &HashMap<Box<str>, Applied>,
        exists: &dyn Fn(&str) -> bool,
    ) -> Vec<Pending> {
        let mut pending: Vec<Pending> = self
            .0
            .iter()
            .map(|rotation| rotation.pending(applied, exists))
            .filter(|pending| !pending.hosts.is_empty())
            .collect();
        pending.sort_by_key(|pending| (pending.fails_by.unwrap_or(i64::MAX), pending.generation));
        pending
    }
}

impl Rotation {
    /// When the first host had it: as noted, else as far as can be seen (a later run of the host hides it).
    fn began(&self, applied: &HashMap<Box<str>, Applied>) -> Option<i64> {
        self.began.or_else(|| {
            let stand = self.hosts.iter().filter_map(|host| applied.get(host.as_str()));
            let have = stand.filter(|stands| stands.generation.0 >= self.generation);
            have.map(|stands| stands.at).min()
        })
    }

    fn left<'a>(&'a self, applied: &'a HashMap<Box<str>, Applied>) -> impl Iterator<Item = &'a String> {
        self.hosts.iter().filter(|host| {
            applied
                .get(host.as_str())
                .is_none_or(|stands| stands.generation.0 < self.generation)
        })
    }

    fn pending(&self, applied: &HashMap<Box<str>, Applied>, exists: &dyn Fn(&str) -> bool) -> Pending {
        let hosts: Vec<String> = self.left(applied).filter(|host| exists(host)).cloned().collect();
        Pending {
            subject: self.subject.clone(),
            command: self.command.clone(),
            generation: self.generation,
            done: self.hosts.iter().filter(|host| exists(host)).count() - hosts.len(),
            fails_by: match self.bite {
                StaleKeyEffect::Never => None,
                StaleKeyEffect::WhenExamined => self.began(applied).map(|at| at + REEXAMINED),
                StaleKeyEffect::AtOnce => self.began(applied),
            },
            hosts,
        }
    }
}
