//! A plan as `plan -o` saves it and `apply` takes it: the plan, and from what it was made.

use crate::ops::atomic_file;
use crate::ops::error::{Error, Result};
use crate::ops::rollout::{Care, Task};
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// From where a session was read; all paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Inventory files or directories.
    pub inventory: Vec<PathBuf>,
    /// The vault.
    pub vault: PathBuf,
    /// The directory of templates, if it is not the built-in ones.
    pub templates: Option<PathBuf>,
}

impl Origin {
    pub(crate) fn new(inventory: &[PathBuf], vault: &Path, templates: Option<&Path>) -> Result<Self> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|error| {
                Error::new(format!("cannot make {} absolute", path.display())).because(&error)
            })
        };
        Ok(Self {
            inventory: inventory
                .iter()
                .map(|path| absolute(path))
                .collect::<Result<_>>()?,
            vault: absolute(vault)?,
            templates: templates.map(absolute).transpose()?,
        })
    }
}

/// From what a plan was made. Paths are absolute, so `apply` may run in another directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedFrom {
    /// Inventory files or directories.
    pub inventory: Vec<PathBuf>,
    /// The vault.
    pub vault: PathBuf,
    /// The selectors of its hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// The directory of templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<PathBuf>,
    /// Never two servers of one host at the same time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
    /// No host before its servers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub servers_first: bool,
    /// All daemons restart: no live updates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restart: bool,
}

/// A plan with from what it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Saved<'p> {
    /// From what it was made.
    pub from: SavedFrom,
    /// The plan itself.
    pub plan: &'p Plan,
}

impl SavedFrom {
    pub(crate) fn new(origin: &Origin, task: &Task) -> Self {
        Self {
            inventory: origin.inventory.clone(),
            vault: origin.vault.clone(),
            on: task.selectors.clone(),
            templates: origin.templates.clone(),
            apart: task.care.apart,
            servers_first: task.care.servers_first,
            restart: task.restart,
        }
    }

    /// How carefully its hosts are to change.
    pub fn care(&self) -> Care {
        Care {
            apart: self.apart,
            servers_first: self.servers_first,
            ..Care::default()
        }
    }
}

/// Writes a plan whole or not at all.
pub fn write(path: &Path, plan: &Saved<'_>) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(format!("cannot write the plan to {}", path.display())).because(&error)
    };
    let mut text = serde_json::to_string_pretty(plan).map_err(|error| failed(error.into()))?;
    text.push('\n');
    let text = crate::foreign::json(&text);
    atomic_file::replace(path, atomic_file::Mode::Private, text.as_bytes()).map_err(failed)
}

/// Reads a plan back.
pub fn read(path: &Path) -> Result<(SavedFrom, Plan)> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Read {
        from: SavedFrom,
        plan: serde_json::Value,
    }
    let cannot = || Error::new(format!("cannot use the plan {}", path.display()));
    let again = "make it with: keytrail plan INVENTORY -o plan.json";
    let text = std::fs::read_to_string(path).map_err(|error| cannot().because(&error))?;
    let read: Read = serde_json::from_str(&text).map_err(|error| cannot().because(&error).help(again))?;
    let plan = Plan::from_json(&read.plan.to_string()).map_err(|why| cannot().why(why).help(again))?;
    Ok((read.from, plan))
}
