//! Everything that talks to people: verbs, output, progress, exit status. One file per verb.

mod apply;
pub mod args;
mod check;
mod demo;
mod diff;
mod explain;
mod export;
mod fleet;
mod given;
mod graph;
mod handover;
mod history;
mod hold;
mod hostkeys;
mod init;
mod inspect;
mod journal;
mod keygen;
mod load;
mod man;
mod out;
mod outcome;
mod passwords;
mod plan;
mod planning;
mod progress;
mod readiness;
mod reident;
mod rekey;
mod renew;
mod revoke;
mod rollback;
mod rollout;
mod rotate;
mod rotating;
mod runtime;
mod schema;
mod shown;
mod status;
mod steps;
mod stored;
mod trail;
mod unlock;
mod vault;
mod verify;
mod watch;
mod when;
mod whole;

use args::{Cli, Verb};
use clap::CommandFactory as _;
use out::Out;
use std::fmt;
use std::process::ExitCode;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What a verb answers, as exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Done, nothing wrong: 0.
    Yes,
    /// The answer is no: 1.
    No,
    /// The input is malformed, and what is wrong with it has been said: 2.
    Unusable,
}

/// Why a verb could not run: exit status 2.
#[derive(Debug)]
pub struct Failure {
    /// What could not be done.
    what: String,
    /// Why, outermost cause first.
    why: Vec<String>,
    /// What to do now.
    help: Vec<String>,
    /// Whoever read the output has seen enough (`keytrail … | head`): nothing to say, and no fault.
    enough: bool,
}

impl Failure {
    /// What could not be done, without a cause yet.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: Vec::new(),
            help: Vec::new(),
            enough: false,
        }
    }

    /// Nobody reads the output any more. A failure and no exit on the spot, so that what is temporary is cleaned up.
    pub fn enough() -> Self {
        Self {
            enough: true,
            ..Self::new("nobody reads the output any more")
        }
    }

    /// Adds an error and everything it stems from.
    #[must_use]
    pub fn because(mut self, error: &dyn std::error::Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat their source in their own text.
            if !self.why.last().is_some_and(|outer| outer.contains(&text)) {
                self.why.push(text);
            }
            cause = error.source();
        }
        self
    }

    /// Adds a reason.
    #[must_use]
    pub fn why(mut self, text: impl Into<String>) -> Self {
        self.why.push(text.into());
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        for why in &self.why {
            write!(f, "\n  because: {why}")?;
        }
        for help in &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// Runs the verb of a command line.
pub fn run(cli: &Cli) -> ExitCode {
    start_log(cli.verbose);
    let mut out = Out::new(cli.color, cli.quiet);
    let answer = match &cli.verb {
        Verb::Init(args) => init::run(args, &mut out),
        Verb::Plan(args) => plan::run(args, &mut out),
        Verb::Apply(args) => apply::run(args, &mut out),
        Verb::Rollback(args) => rollback::run(args, &mut out),
        Verb::Verify(args) => verify::run(args, &mut out),
        Verb::Status(args) => status::run(args, &mut out),
        Verb::Unlock(args) => unlock::run(args, &mut out),
        Verb::Renew(args) => renew::run(args, &mut out),
        Verb::Rotate(args) => rotate::run(args, &mut out),
        Verb::Revoke(args) => revoke::run(args, &mut out),
        Verb::Unrevoke(args) => revoke::undo(args, &mut out),
        Verb::Export(args) => export::run(args, &mut out),
        Verb::Hostkeys(args) => hostkeys::run(args, &mut out),
        Verb::Demo(args) => demo::run(args, &mut out),
        Verb::Schema => schema::run(&mut out),
        Verb::Check(args) => check::run(args, &mut out),
        Verb::Inspect(args) => inspect::run(args, &mut out),
        Verb::Explain(args) => explain::run(args, &mut out),
        Verb::Graph(args) => graph::run(args, &mut out),
        Verb::Trail(args) => trail::run(args, &mut out),
        Verb::Vault(args) => vault::run(args, &mut out),
        Verb::History(args) => history::run(args, &mut out),
        Verb::Diff(args) => diff::run(args, &mut out),
        Verb::Keygen(args) => keygen::run(args, &mut out),
        Verb::Man(args) => man::run(args, &mut out),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut shown(), "keytrail", &mut script);
            out.bytes(&script).map(|()| Answer::Yes)
        }
    };
    match answer {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Ok(Answer::Unusable) => ExitCode::from(2),
        Err(failure) if failure.enough => ExitCode::SUCCESS,
        Err(failure) => {
            out.failure(&failure);
            ExitCode::from(2)
        }
    }
}

/// The command line without its hidden verbs, which completion scripts would list all the same.
fn shown() -> clap::Command {
    let whole = Cli::command();
    let verbs: Vec<clap::Command> = whole
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .cloned()
        .collect();
    let mut shown = clap::Command::new("keytrail").args(whole.get_arguments().cloned());
    if let Some(about) = whole.get_about() {
        shown = shown.about(about.clone());
    }
    shown.subcommands(verbs)
}

/// Log lines on standard error: warnings by default, more with `-v`.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    let filter = tracing_subscriber::filter::Targets::new().with_target("keytrail", level);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false);
    // A second start (library users, tests) keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_list_what_help_lists() {
        for shell in [
            clap_complete::Shell::Bash,
            clap_complete::Shell::Zsh,
            clap_complete::Shell::Fish,
        ] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut shown(), "keytrail", &mut script);
            let script = String::from_utf8(script).expect("text");
            let lists = |verb: &str| {
                script.contains(&format!("keytrail__subcmd__{verb}"))
                    || script.contains(&format!("-a \"{verb}\""))
                    || script.contains(&format!("'{verb}:"))
            };
            assert!(lists("rotate") && lists("vault"), "{shell}");
            assert!(!lists("man"), "{shell}");
        }
    }
}
