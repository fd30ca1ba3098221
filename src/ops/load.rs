//! Reading and proving an inventory.

use crate::finding::{Finding, Severity};
use crate::inventory::{self, Connection, HostId, Inventory, LoadFailure};
use crate::ops::error::{Error, Kind, Result};
use crate::ops::notice::{Notice, Observer};
use crate::trail::{self, Analysis};
use std::path::PathBuf;

/// An inventory that is well formed, with what its analysis found.
#[derive(Debug)]
pub struct Loaded {
    /// The inventory as it is written.
    pub inventory: Inventory,
    /// Its graph, findings, and the needs of its hosts.
    pub analysis: Analysis,
    /// The files or directories it was read from.
    pub paths: Vec<PathBuf>,
}

/// Which of the selected hosts an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All of them.
    All,
    /// Those that keytrail connects to: all but those with `connection: export`.
    Connected,
}

impl Loaded {
    /// Reads inventory files, or directories of them, as one inventory and analyses it. Errors in its trails are findings; a
    /// malformed inventory is an error of [`Kind::Malformed`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let dir = tempfile::tempdir()?;
    /// let file = dir.path().join("fleet.yaml");
    /// std::fs::write(
    ///     &file,
    ///     "version: 1
    /// groups: { green: { identity: gq, trusted: [howland] } }
    /// hosts:
    ///   howland: { group: green, address: 192.0.2.20, reference_clock: true }
    ///   yellow: { group: green, address: 192.0.2.30, servers: [howland] }
    /// ",
    /// )?;
    /// let loaded = keytrail::ops::Loaded::read(&[file])?;
    /// assert!(!loaded.analysis.has_errors());
    /// # Ok(())
    /// # }
    /// ```
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        match inventory::load(paths) {
            Ok(inventory) => {
                let analysis = trail::analyse(&inventory, time::OffsetDateTime::now_utc().date());
                Ok(Self {
                    inventory,
                    analysis,
                    paths: paths.to_vec(),
                })
            }
            Err(LoadFailure::Unreadable { path, error }) => {
                Err(Error::new(format!("cannot read {}", path.display())).because(&error))
            }
            Err(LoadFailure::Invalid { sources, findings }) => Err(Error::of(
                "the inventory cannot be read",
                Kind::Malformed { sources, findings },
            )),
        }
    }

    /// Makes sure that every trail is proven. What was found below errors is told to `observer`.
    pub fn proven(&self, observer: &dyn Observer) -> Result<()> {
        let serious: Vec<Finding> = self
            .analysis
            .findings
            .iter()
            .filter(|finding| finding.severity > Severity::Note)
            .cloned()
            .collect();
        let sources = &self.inventory.sources;
        if self.analysis.has_errors() {
            return Err(Error::of(
                "the trails of the inventory have errors",
                Kind::Unproven {
                    sources: sources.clone(),
                    findings: serious,
                },
            ));
        }
        if !serious.is_empty() {
            observer.notice(Notice::Findings {
                sources,
                findings: &serious,
            });
        }
        Ok(())
    }

    /// The hosts that `selectors` select, in the order of the inventory; without any selector all hosts.
    pub fn select(&self, selectors: &[String], reach: Reach, observer: &dyn Observer) -> Result<Vec<HostId>> {
        select(&self.inventory, &self.analysis, selectors, reach, observer)
    }
}

pub(crate) fn select(
    inventory: &Inventory,
    analysis: &Analysis,
    selectors: &[String],
    reach: Reach,
    observer: &dyn Observer,
) -> Result<Vec<HostId>> {
    let selected = inventory::select(inventory, selectors, |host| analysis.depth(host))?;
    if reach == Reach::All {
        return Ok(selected);
    }
    let (connected, exported): (Vec<_>, Vec<_>) = selected
        .into_iter()
        .partition(|&host| inventory.entry(host).settings.connection != Connection::Export);
    if !exported.is_empty() {
        observer.notice(Notice::ExportOnly {
            hosts: exported.len(),
        });
    }
    Ok(connected)
}
