//! What operations tell while they go on, for people.

use crate::cli::args::EXPECTED;
use crate::cli::view::{findings, outcome};
use crate::mint::{What, Work};
use crate::ops::Notice;
use crate::ops::rotation::{Step, StepKind};
use crate::report::{Screen, counted, names};
use crate::rotate::impact;
use crate::vault::{ArtifactKind, SecretKind};
use indexmap::IndexMap;

/// Whether something is said although only results and errors are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A word on the side.
    Note,
    /// Must not be missed.
    Warning,
}

/// Names in a sentence before the others are only counted.
const NAMED: usize = 4;

/// A notice in words. Those about progress have none.
pub fn text(notice: &Notice<'_>, screen: Screen) -> (Weight, String) {
    let text = match notice {
        Notice::HostRemoved(departed) => {
            let words = departed
                .words()
                .into_iter()
                .map(|words| format!("warning: {words}"));
            return (Weight::Warning, words.collect::<Vec<_>>().join("\n"));
        }
        Notice::VaultExposed { path, mode } => {
            let what = if mode & 0o022 == 0 { "read" } else { "write to" };
            let text = format!(
                "warning: others can {what} the vault {} (mode {mode:04o})\n  help: chmod 600 it",
                path.display()
            );
            return (Weight::Warning, text);
        }
        Notice::Unrecorded(report) => return (Weight::Warning, outcome::text(report, screen)),
        Notice::Findings {
            sources,
            findings: found,
        } => findings::text(sources, found, screen.color).trim_end().to_owned(),
        Notice::Minted {
            generation,
            work,
            rehearsal,
        } => minted(*generation, work, *rehearsal),
        Notice::Impact(impacts) => impact::text(impacts).trim_end().to_owned(),
        Notice::StepBegan(step) => step_began(step),
        notice => sentence(notice),
    };
    (Weight::Note, text)
}

fn sentence(notice: &Notice<'_>) -> String {
    match notice {
        Notice::VaultKeyCreated(path) => format!(
            "Made a vault key: {}\n  Keep a copy of it in a safe place: without it nobody can read the vault, with it anybody can.",
            path.display()
        ),
        Notice::VaultUnverified(path) => {
            format!("{}: not verified: opened without its key", path.display())
        }
        Notice::VaultFirstUse { path, id, known } => format!(
            "First use of {} here: from now on it must be the vault {id} ({}).\n  \
             Compare that with `keytrail vault info` on the machine it comes from.",
            path.display(),
            known.display()
        ),
        Notice::VaultUnknown { path, id, why } => format!(
            "Nothing shows that {} is the vault you expect ({why}).\n  To accept no other one, set {EXPECTED}={}",
            path.display(),
            id.hex()
        ),
        Notice::NotRemembered => {
            "What was seen is not kept for `keytrail status`: that takes the vault's key.".to_owned()
        }
        Notice::VaultCreated(path) => format!("Made the vault: {}", path.display()),
        Notice::ExportOnly { hosts } => {
            format!("{hosts} of the hosts get their files by `keytrail export` and are left out here.")
        }
        Notice::RunInterrupted {
            run,
            command,
            operator,
            changed,
        } => format!(
            "Run {run} ({command}, by {operator}) was interrupted: it had changed {}. This one goes on from what the hosts show.",
            counted(*changed, "host")
        ),
        Notice::PlanWarning { host, warning } => format!("warning: {host}: {warning}"),
        Notice::ReadinessUnchecked(hosts) => format!(
            "Not asked whether they are ready for the restart of a neighbour (verify: none): {}",
            names(*hosts, NAMED)
        ),
        Notice::RevocationUndone => {
            "MV clients are revoked: a server that goes back behind that lets them in again, until the next apply shuts them out".to_owned()
        }
        Notice::StartCheckedOnly => {
            "Keys have other ids or names by rotation: hosts are looked at for their start alone. Then: keytrail verify".to_owned()
        }
        Notice::NotVerified { hosts } => format!(
            "{hosts} of the hosts are not looked at (`verify: none`, or no restart command); --level auth looks at them all \
             the same."
        ),
        Notice::Resumed {
            subject,
            generation,
            hosts,
        } => format!(
            "Generation {generation} of the {subject} was minted before; {} still to do.",
            counted(*hosts, "host")
        ),
        Notice::ExportAgain(hosts) => format!(
            "These get their files by `keytrail export`, and need them anew: {}",
            hosts.join(", ")
        ),
        Notice::IdChosen { key, now, next } => {
            format!("Symmetric key {key}: from id {now} to id {next}, in three steps.")
        }
        Notice::NameChosen { group, now, next } => format!(
            "Group {group}: from the keys called {now} to new ones called {next}, without a gap."
        ),
        Notice::IdInUse { key, id } => {
            format!("Symmetric key {key} is in use as id {id} now. The inventory may go on calling it {key}.")
        }
        Notice::NameInUse { group, name } => format!(
            "The keys of group {group} are called {name} now; certificates and the inventory go on saying {group}."
        ),
        _ => String::new(),
    }
}

fn minted(generation: u32, work: &Work, rehearsal: bool) -> String {
    let mut made: IndexMap<&str, usize> = IndexMap::new();
    for task in work.tasks() {
        *made.entry(word(task.what)).or_default() += 1;
    }
    let made: Vec<String> = made.iter().map(|(what, count)| counted(*count, what)).collect();
    match (made.is_empty(), rehearsal) {
        (false, false) => format!("Minted generation {generation}: {}", made.join(", ")),
        (false, true) => format!("Would mint generation {generation}: {}", made.join(", ")),
        (true, false) => {
            format!("Generation {generation}: nothing new was made, what is no longer needed was taken out")
        }
        (true, true) => {
            format!("Generation {generation} would make nothing new, and take out what is no longer needed")
        }
    }
}

/// What was made, in words.
fn word(what: What) -> &'static str {
    match what {
        What::Secret(SecretKind::Password) => "password",
        What::Secret(SecretKind::HostKey) => "host key",
        What::Secret(SecretKind::SignKey) => "sign key",
        What::Secret(SecretKind::Group(_)) => "group key",
        What::Secret(SecretKind::Symmetric) => "symmetric key",
        What::File(ArtifactKind::HostKey) => "host key file",
        What::File(ArtifactKind::SignKey) => "sign key file",
        What::File(ArtifactKind::Certificate) => "certificate",
        What::File(ArtifactKind::ServerKey(_)) => "server key copy",
        What::File(ArtifactKind::ClientParameters(_)) => "client parameter file",
    }
}

fn step_began(step: &Step) -> String {
    let does = match &step.kind {
        StepKind::IdAdded => "servers learn the new id beside the old one.".to_owned(),
        StepKind::IdSwitched => "clients use the new id; servers hold the old one still.".to_owned(),
        StepKind::IdRemoved => "the old id goes.".to_owned(),
        StepKind::NameAdded { name } => {
            format!("all hosts get the new keys under the name {name}, which nothing reads yet.")
        }
        StepKind::NameMoved { name, servers } => {
            let (verb, whose) = if servers.len() == 1 {
                ("proves itself", "its")
            } else {
                ("prove themselves", "their")
            };
            format!(
                "{} {verb} with {name}, and {whose} clients follow while their daemons run on.",
                names(servers, NAMED)
            )
        }
        StepKind::NameRemoved { name } => format!("the old keys, called {name}, go."),
    };
    format!("Step {} of {}: {does}", step.number, step.of)
}
