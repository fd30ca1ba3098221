//! A plan as `plan -o` stores it and `apply` takes it: the plan, and from what it was made.

use crate::cli::args::FleetArgs;
use crate::cli::exit::Failure;
use crate::cli::fleet::Care;
use crate::cli::whole;
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// From what a plan was made. Paths are absolute, so `apply` may run in another directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Inventory files or directories.
    pub inventory: Vec<PathBuf>,
    /// The vault.
    pub vault: PathBuf,
    /// The selection of `--on`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// The templates of `--templates`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<PathBuf>,
    /// Never two servers of one host at the same time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
    /// No host before its servers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub servers_first: bool,
    /// No daemon is told what it could be: all restart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restart: bool,
}

/// A stored plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stored<'p> {
    /// From what it was made.
    pub from: Source,
    /// The plan itself.
    pub plan: &'p Plan,
}

impl Source {
    /// What these arguments name.
    pub fn new(args: &FleetArgs, inventory: &[PathBuf], vault: &Path) -> Result<Self, Failure> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|error| {
                Failure::new(format!("cannot make {} absolute", path.display())).because(&error)
            })
        };
        Ok(Self {
            inventory: inventory
                .iter()
                .map(|path| absolute(path))
                .collect::<Result<_, _>>()?,
            vault: absolute(vault)?,
            on: args.on.clone(),
            templates: args.templates.as_deref().map(absolute).transpose()?,
            apart: false,
            servers_first: false,
            restart: false,
        })
    }

    /// The arguments that make the same plan.
    pub fn args(&self, given: &FleetArgs) -> FleetArgs {
        let mut args = given.clone();
        args.inventory.paths.clone_from(&self.inventory);
        args.vault.vault = Some(self.vault.clone());
        args.on.clone_from(&self.on);
        args.templates.clone_from(&self.templates);
        args
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
pub fn write(path: &Path, plan: &Stored<'_>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!("cannot write the plan to {}", path.display())).because(&error)
    };
    let mut text = serde_json::to_vec_pretty(plan).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    whole::replace(path, whole::Mode::Private, &text).map_err(failed)
}

/// Reads a plan back.
pub fn read(path: &Path) -> Result<(Source, Plan), Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Read {
        from: Source,
        plan: serde_json::Value,
    }
    let cannot = || Failure::new(format!("cannot use the plan {}", path.display()));
    let again = "make it with: keytrail plan INVENTORY -o plan.json";
    let text = std::fs::read_to_string(path).map_err(|error| cannot().because(&error))?;
    let read: Read = serde_json::from_str(&text).map_err(|error| cannot().because(&error).help(again))?;
    let plan = Plan::from_json(&read.plan.to_string()).map_err(|why| cannot().why(why).help(again))?;
    Ok((read.from, plan))
}
