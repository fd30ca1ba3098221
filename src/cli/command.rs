//! The command line as a whole: its verbs, and which function carries out each.

use crate::cli::args::{Color, Format};
use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::cli::verbs::{
    apply, check, demo, diff, explain, export, graph, history, hostkeys, init, inspect, keygen, man, plan,
    renew, revoke, rollback, rotate, schema, status, trail, unlock, vault, verify,
};
use clap::{CommandFactory as _, Parser, Subcommand};

/// Provision NTP secure groups: prove every certificate trail, mint the key media, push them over SSH.
#[derive(Debug, Parser)]
#[command(name = "keytrail", version, max_term_width = 100, propagate_version = false)]
#[command(after_help = "Start here:
  keytrail demo                      see the whole way on throw-away hosts of this machine
  keytrail init > fleet.yaml         a commented inventory to start from
  keytrail check fleet.yaml          prove the trails; touches nothing
  keytrail plan fleet.yaml           mint what is missing and show what would change on which host
  keytrail apply fleet.yaml          do it

Exit status: 0 done, nothing wrong; 1 the answer is no (findings, failed hosts, changes with \
--exit-code); 2 could not run (usage, unreadable or malformed input, no vault).")]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Say more about what goes on (-vv: traces of every step); never anything secret
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say less: no progress, only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write a commented inventory to start from
    Init(init::InitArgs),
    /// Prove that every certificate trail is acyclic and ends at a trusted host; find every mistake
    Check(check::CheckArgs),
    /// Mint what is missing and show what would change on every host; changes no host
    Plan(plan::PlanArgs),
    /// Bring the fleet to the state of the inventory
    Apply(apply::ApplyArgs),
    /// Take hosts back to an earlier state, from the records they keep
    Rollback(rollback::RollbackArgs),
    /// Take away locks that dead runs have left on hosts
    Unlock(unlock::UnlockArgs),
    /// Make certificates anew before they end
    Renew(renew::RenewArgs),
    /// Make keys anew and bring them to the hosts, with the least disturbance
    Rotate(rotate::RotateArgs),
    /// Shut MV clients out of their group
    Revoke(revoke::RevokeArgs),
    /// Let MV clients in again
    Unrevoke(revoke::UnrevokeArgs),
    /// Tell where every host stands: generation, certificate, drift, authentication; changes no host
    Status(status::StatusArgs),
    /// Ask the running daemons whether the fleet authenticates as promised; changes no host
    Verify(verify::VerifyArgs),
    /// Write hosts' files into a directory, for hosts that are not reached over SSH
    Export(export::ExportArgs),
    /// Show the SSH host keys of the fleet and compare them with known_hosts; remember those of new hosts
    Hostkeys(hostkeys::HostkeysArgs),
    /// Provision the sample fleet on throw-away hosts of this machine, and clean up
    Demo(demo::DemoArgs),
    /// Print the JSON Schema of inventories, for editors and CI
    #[command(after_help = "Example:\n  keytrail schema > docs/inventory.schema.json")]
    Schema,
    /// Say what files of key media hold, and prove their numbers
    Inspect(inspect::InspectArgs),
    /// Tell what a finding or an error number of the daemon means, and what to do about it
    Explain(explain::ExplainArgs),
    /// Draw the certificate trails
    Graph(graph::GraphArgs),
    /// Explain one host: where its trails lead, what each hop proves, what it must hold and why
    Trail(trail::TrailArgs),
    /// Care for the vault: who can open it, backups, new keys, old generations, damage
    Vault(vault::VaultVerb),
    /// Who applied what, when, with what result
    History(history::HistoryArgs),
    /// What differs between two generations of the vault, host by host; never a value
    Diff(diff::DiffArgs),
    /// Make key media in a directory, with the options of ntp-keygen
    Keygen(Box<keygen::KeygenArgs>),
    /// Write the manual pages, for packagers
    #[command(hide = true)]
    Man(man::ManArgs),
    /// Print a shell's completion script
    #[command(after_help = "Example:\n  keytrail completions bash > /etc/bash_completion.d/keytrail")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl Verb {
    /// The form of its answer, in which it also says what is wrong with an inventory.
    pub fn format(&self) -> Format {
        match self {
            Self::Plan(args) => args.format,
            Self::Apply(args) => args.format,
            Self::Rollback(args) => args.format,
            Self::Verify(args) => args.format,
            Self::Unlock(args) => args.format,
            Self::Hostkeys(args) => args.format,
            Self::Trail(args) => args.format,
            Self::Renew(args) => args.change.format,
            Self::Rotate(args) => args.change.format,
            Self::Revoke(args) => args.change.format,
            Self::Unrevoke(args) => args.change.format,
            _ => Format::Text,
        }
    }

    /// Carries it out.
    pub fn run(&self, out: &mut Ui) -> Result<Answer, Failure> {
        match self {
            Self::Init(args) => init::run(args, out),
            Self::Plan(args) => plan::run(args, out),
            Self::Apply(args) => apply::run(args, out),
            Self::Rollback(args) => rollback::run(args, out),
            Self::Verify(args) => verify::run(args, out),
            Self::Status(args) => status::run(args, out),
            Self::Unlock(args) => unlock::run(args, out),
            Self::Renew(args) => renew::run(args, out),
            Self::Rotate(args) => rotate::run(args, out),
            Self::Revoke(args) => revoke::run(args, out),
            Self::Unrevoke(args) => revoke::undo(args, out),
            Self::Export(args) => export::run(args, out),
            Self::Hostkeys(args) => hostkeys::run(args, out),
            Self::Demo(args) => demo::run(args, &parse_and_run, out),
            Self::Schema => schema::run(out),
            Self::Check(args) => check::run(args, out),
            Self::Inspect(args) => inspect::run(args, out),
            Self::Explain(args) => explain::run(args, out),
            Self::Graph(args) => graph::run(args, out),
            Self::Trail(args) => trail::run(args, out),
            Self::Vault(args) => vault::run(args, out),
            Self::History(args) => history::run(args, out),
            Self::Diff(args) => diff::run(args, out),
            Self::Keygen(args) => keygen::run(args, out),
            Self::Man(args) => man::run(args, Cli::command(), out),
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut shown(), "keytrail", &mut script);
                out.bytes(&script).map(|()| Answer::Yes)
            }
        }
    }
}

/// Carries out the words of a command line.
fn parse_and_run(words: &[String], out: &mut Ui) -> Result<Answer, Failure> {
    let words = std::iter::once("keytrail").chain(words.iter().map(String::as_str));
    let parsed = Cli::try_parse_from(words).map_err(|error| Failure::new(error.to_string()))?;
    parsed.verb.run(out)
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Command;

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

    /// Words of every verb that is not hidden, and file names of those that are.
    fn verbs(command: &Command, words: &str, visible: &mut Vec<(String, bool)>, hidden: &mut Vec<String>) {
        for verb in command.get_subcommands() {
            let words = format!("{words} {}", verb.get_name());
            if verb.is_hide_set() {
                hidden.push(words);
            } else {
                verbs(verb, &words, visible, hidden);
                visible.push((words, verb.has_subcommands()));
            }
        }
    }

    #[test]
    fn every_verb_has_a_page_with_examples_and_hidden_ones_have_none() {
        let pages = man::pages(Cli::command()).expect("pages");
        let (mut visible, mut hidden) = (vec![("keytrail".to_owned(), false)], Vec::new());
        verbs(&Cli::command(), "keytrail", &mut visible, &mut hidden);
        assert!(visible.len() > 10 && hidden.contains(&"keytrail man".to_owned()));
        assert_eq!(pages.len(), visible.len());
        let text = |words: &str| {
            let file = words.replace(' ', "-") + ".1";
            let page = pages.iter().find(|page| page.file == file);
            let text = &page.unwrap_or_else(|| panic!("no page {file}")).text;
            String::from_utf8_lossy(text).replace("\\-", "-")
        };
        for (words, has_verbs) in &visible {
            let shows = |of: &str| {
                let text = text(of);
                let examples = text.split_once(".SH \"EXAMPLES\"");
                examples.is_some_and(|(_, after)| after.contains(&format!("\\&{words}")))
            };
            // `vault` leaves it to its own verbs; `vault recipients add` is shown by `vault recipients`.
            let above = words.rsplit_once(' ').map_or("keytrail", |(above, _)| above);
            let found = shows(words) || *has_verbs || (above.contains(' ') && shows(above));
            assert!(found, "`{words} --help` shows no example of it");
        }
    }

    /// Clap breaks lines where the terminal ends: what was broken by hand before would be broken twice.
    #[test]
    fn help_is_broken_by_the_terminal_alone() {
        fn look(command: &Command, words: &str) {
            let help = command.get_after_help().map(ToString::to_string);
            for paragraph in help.unwrap_or_default().split("\n\n") {
                let own = paragraph.lines().filter(|line| !line.starts_with(' ')).count();
                assert!(own <= 1, "{words}: a paragraph is one line: {paragraph}");
                let indented = paragraph.lines().filter(|line| line.starts_with(' '));
                for line in indented {
                    assert!(line.chars().count() <= 100, "{words}: too long: {line}");
                }
            }
            for verb in command.get_subcommands() {
                look(verb, &format!("{words} {}", verb.get_name()));
            }
        }
        look(&Cli::command(), "keytrail");
    }
}
