//! `keytrail status`: where every host of the fleet stands. Changes no host, mints nothing.

use crate::cli::args::{FleetArgs, Format, days};
use crate::cli::exit::{Answer, Failure};
use crate::cli::runtime;
use crate::cli::setup;
use crate::cli::ui::{Ui, document};
use crate::cli::view::{prometheus, status as view};
use crate::ops::atomic_file;
use crate::ops::status::{Status, StatusOptions, status};
use crate::report::Screen;
use clap::ValueEnum;
use std::path::PathBuf;

/// `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail status fleet.yaml                    looks at every host: files, links, configuration
  keytrail status fleet.yaml --verify           and its daemon is asked, too
  keytrail status fleet.yaml --offline          from the vault alone, at once
  keytrail status fleet.yaml --offline --format prometheus -o /var/lib/node_exporter/keytrail.prom

The table has the hosts in trouble first: out of reach, an expired certificate, not authenticated when last asked, files \
that are not as they should be, a rotation that is not there yet, a certificate that ends soon.

Exit status 1: some host is in trouble.")]
pub struct StatusArgs {
    /// Which hosts
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Only what the vault knows: no host is looked at
    #[arg(long, conflicts_with = "verify")]
    pub offline: bool,
    /// Ask the daemons, too, instead of telling what they last said
    #[arg(long)]
    pub verify: bool,
    /// Certificates that end within so many days are trouble [default: the inventory's policy, else 30d]
    #[arg(long, value_name = "DAYS", value_parser = days)]
    pub expiring: Option<i64>,
    /// Output
    #[arg(long, value_enum, default_value_t = Form::Text)]
    pub format: Form,
    /// Write it to a file, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What `status` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    Text,
    /// For programs; docs/status.md
    Json,
    /// What JSON has, as YAML
    Yaml,
    /// For node_exporter's textfile collector
    Prometheus,
}

pub fn run(args: &StatusArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let loaded = setup::load(&args.fleet.inventory)?;
    let access = setup::vault(&args.fleet.vault, &loaded.paths);
    let options = StatusOptions {
        selectors: args.fleet.on.clone(),
        offline: args.offline,
        verify: args.verify,
        expiring: args.expiring,
        templates: args.fleet.templates.clone(),
        limits: args.fleet.limits(),
    };
    let environment = setup::environment(out);
    let found = runtime::run(async |cancel| status(loaded, access, &options, environment, &cancel).await)?;
    say(args, &found, out)?;
    Ok(Answer::from(found.is_good()))
}

fn say(args: &StatusArgs, status: &Status, out: &mut Ui) -> Result<(), Failure> {
    let text = match args.format {
        Form::Text if args.output.is_some() => view::text(status, Screen::default()),
        Form::Text => view::text(status, out.screen()),
        Form::Prometheus => prometheus::text(status),
        Form::Json => document(status, Format::Json)?,
        Form::Yaml => document(status, Format::Yaml)?,
    };
    match &args.output {
        None if args.format == Form::Text => out.text(&text),
        None => out.bytes(text.as_bytes()),
        // The collector runs as somebody else.
        Some(path) => atomic_file::replace(path, atomic_file::Mode::Public, text.as_bytes())
            .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(&error)),
    }
}
