//! Which vault hosts belong to, by the records they keep: what is judged of every host that was looked at.

use crate::apply::PhaseError;
use crate::ops::error::{Error, Result};
use crate::plan::{Observed, Plan};
use crate::vault::{self, Carried, GenerationId, GenerationInfo, Vault, VaultId, carried};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// The vault that hosts should belong to.
pub(crate) struct Belonging {
    vault: VaultId,
    generations: Vec<GenerationInfo>,
    /// Hosts that show that the vault is an older copy, with the generation they were brought to.
    ahead: Vec<(String, GenerationId)>,
}

impl Belonging {
    /// To this vault, which was opened with its key.
    pub(crate) fn to(vault: &Vault) -> Result<Self> {
        Ok(Self {
            vault: vault.id()?,
            generations: vault.generations()?,
            ahead: Vec::new(),
        })
    }

    /// Why this host is left alone, if it is. One that shows that the vault is old is remembered for [`Belonging::settle`].
    pub(crate) fn judge(&mut self, host: &str, keysdir: &str, observed: &Observed) -> Option<PhaseError> {
        let record = format!("{keysdir}/.keytrail/vault");
        let failed = |message: String, help: String| {
            Some(PhaseError::Failed {
                message,
                help: Some(help),
                stderr: String::new(),
            })
        };
        match carried(observed.vault.as_deref(), host, self.vault, &self.generations) {
            Carried::Nothing | Carried::Own(_) => None,
            Carried::Ahead(generation) => {
                self.ahead.push((host.to_owned(), generation));
                None
            }
            Carried::Diverged(generation) => failed(
                format!(
                    "it was brought to another generation {generation} than this vault has: the vault went on from an older copy"
                ),
                format!(
                    "restore the newest copy of the vault; if there is none, delete {record} on the host"
                ),
            ),
            Carried::Other(other) => failed(
                format!(
                    "it belongs to another vault: {other} changed it last, this one is {}",
                    self.vault
                ),
                format!("use that vault; if the host is to belong to this one, delete {record} on it"),
            ),
            Carried::Forged => failed(
                format!("{record} is not what a vault wrote for this host"),
                format!("look who wrote it, then delete {record} on the host"),
            ),
        }
    }

    /// Whether the vault is as new as the hosts know it.
    ///
    /// # Errors
    /// Where a record that this vault signed is ahead of it: everything stops.
    pub(crate) fn settle(self) -> Result<()> {
        const SHOWN: usize = 5;
        if self.ahead.is_empty() {
            return Ok(());
        }
        let mut hosts: Vec<String> = self
            .ahead
            .iter()
            .take(SHOWN)
            .map(|(host, generation)| format!("{host} (generation {generation})"))
            .collect();
        if self.ahead.len() > SHOWN {
            hosts.push(format!("{} more", self.ahead.len() - SHOWN));
        }
        let latest = match self.generations.last() {
            Some(latest) => format!("its latest generation is {}", latest.id),
            None => "it has no generation".to_owned(),
        };
        Err(Error::new("the vault is an older copy: nothing was changed on any host")
            .why(format!(
                "{latest}, but it has signed later records on hosts: {}",
                hosts.join(", ")
            ))
            .help(
                "restore the newest copy of the vault (keytrail vault restore); if there is none, see docs/vault.md, \"An older copy\"",
            ))
    }
}

/// What each host of a plan keeps of the vault once it is changed, in the order of the plan.
pub(crate) fn records(vault: &Mutex<Vault>, plan: &Plan) -> Result<Vec<String>> {
    let Some(number) = u32::try_from(plan.generation).ok().filter(|&number| number > 0) else {
        return Ok(vec![String::new(); plan.hosts.len()]);
    };
    let vault = vault.lock().unwrap_or_else(PoisonError::into_inner);
    let sign = || {
        let generation = vault.generation(GenerationId(number))?;
        let signer = vault.signer()?;
        plan.hosts
            .par_iter()
            .map(|host| signer.host_record(&host.host, &generation))
            .collect::<vault::Result<Vec<_>>>()
    };
    sign().map_err(|error: vault::Error| Error::vault("cannot sign for the hosts", &error))
}
