//! `keytrail trail HOST`: where a host's trails lead, what it must hold and why.

use crate::cli::args::{Format, InventoryArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::inventory::{Inventory, closest};
use crate::trail::explain_host::{HostTrail, explain_host};
use serde::Serialize;

/// `trail`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keytrail trail leaf01 fleet.yaml")]
pub struct TrailArgs {
    /// Name of the host
    pub host: String,
    /// The inventory
    #[command(flatten)]
    pub inventory: InventoryArgs,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Serialize)]
struct Document {
    version: u32,
    #[serde(flatten)]
    host: HostTrail,
}

pub fn run(args: &TrailArgs, out: &mut Ui) -> Result<Answer, Failure> {
    if std::path::Path::new(&args.host).is_file() {
        return Err(Failure::new(format!("{} is a file, not a host", args.host))
            .help("the host comes first: keytrail trail HOST fleet.yaml"));
    }
    let loaded = setup::load(&args.inventory)?;
    let (inventory, analysis) = (&loaded.inventory, &loaded.analysis);
    let host = inventory
        .find(&args.host)
        .ok_or_else(|| unknown(inventory, &args.host))?;
    let told = explain_host(inventory, analysis, host);
    match args.format {
        Format::Text => out.text(&format!("{}: {told}", told.host))?,
        form => out.value(
            &Document {
                version: 1,
                host: told,
            },
            form,
        )?,
    }
    if analysis.has_errors() {
        out.note("The inventory has errors: keytrail check tells which.");
    }
    Ok(Answer::Yes)
}

fn unknown(inventory: &Inventory, name: &str) -> Failure {
    let failure = Failure::new(format!("there is no host '{name}' in the inventory"));
    let hosts = inventory.hosts.iter().map(|host| &*host.name);
    match closest(name, hosts) {
        Some(near) => failure.help(format!("did you mean {near}?")),
        None => failure.help("the names are those under `hosts`; of a range, one of its hosts (leaf01)"),
    }
}
