//! A plan as text: one block per host, hosts of a range that change alike folded into one, the summary last.

use super::{Action, DiffOp, HostPlan, Plan, Summary};
use crate::foreign::is_hidden;
use crate::ntpconf::printable;
use crate::vocabulary::counted;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What stands for the host's name in a folded block.
const NAME: &str = "{}";
/// What stands for a filestamp where those of folded hosts differ.
const STAMP: &str = "{stamp}";

/// The plan as text, without colours, ending in a line break.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let by_name: BTreeMap<&str, &HostPlan> =
        plan.hosts.iter().map(|host| (host.host.as_str(), host)).collect();
    for (index, wave) in plan.waves.iter().enumerate() {
        let _ = writeln!(out, "wave {} of {}", index + 1, plan.waves.len());
        let hosts: Vec<&HostPlan> = wave
            .iter()
            .filter_map(|name| by_name.get(name.as_str()).copied())
            .collect();
        for fold in fold(&hosts) {
            out.push('\n');
            out.push_str(&fold);
        }
        out.push('\n');
    }
    let quiet = plan.hosts.iter().filter(|host| !host.is_changed());
    for host in quiet.filter(|host| !host.warnings.is_empty()) {
        let _ = writeln!(out, "  {} · unchanged", host.host);
        out.push_str(&warnings(host));
        out.push('\n');
    }
    out.push_str(&summary(&plan.summary));
    out.push('\n');
    // Targets of links are what somebody on a host has made them, and a stored plan may come from anywhere.
    if out.contains(|c: char| is_hidden(c) && !matches!(c, '\n' | '\t')) {
        out = out.split('\n').map(printable).collect::<Vec<_>>().join("\n");
    }
    out
}

/// The summary line.
pub fn summary(summary: &Summary) -> String {
    let hosts = counted(summary.hosts, "host");
    let mut parts = vec![if summary.hosts == 0 {
        "no host is in this plan".to_owned()
    } else if summary.changed == 0 {
        format!("{hosts}: nothing to change")
    } else {
        format!(
            "{hosts}: {} to change, {} unchanged",
            summary.changed,
            summary.hosts - summary.changed
        )
    }];
    let mut add = |number: usize, what: &str| {
        if number > 0 {
            parts.push(counted(number, what));
        }
    };
    add(summary.files, "file");
    add(summary.links, "link");
    add(summary.confs, "configuration file");
    add(summary.fixes, "mode or owner correction");
    add(summary.retired, "retired file");
    if summary.restarts > 0 {
        let waves = counted(summary.waves, "wave");
        parts.push(format!("{} in {waves}", counted(summary.restarts, "restart")));
    }
    if summary.told > 0 {
        parts.push(format!("{} told while running", counted(summary.told, "daemon")));
    }
    if summary.warnings > 0 {
        parts.push(counted(summary.warnings, "warning"));
    }
    parts.join(" · ")
}

/// The blocks of one wave. Hosts of one range with the same block but for name and stamps share one.
fn fold(hosts: &[&HostPlan]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&HostPlan>)> = Vec::new();
    let mut at: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for host in hosts {
        let Some(range) = &host.range else {
            groups.push((String::new(), vec![host]));
            continue;
        };
        let key = (range.as_str(), without_stamps(&general(host)));
        let index = *at.entry(key).or_insert_with(|| {
            groups.push((range.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[index].1.push(host);
    }
    groups
        .into_iter()
        .map(|(range, members)| match members.as_slice() {
            [host] => format!("  {}\n{}", host.host, block(host)),
            [first, .., last] => {
                let texts: BTreeSet<String> = members.iter().map(|host| general(host)).collect();
                let shown = match texts.first() {
                    Some(text) if texts.len() == 1 => text.clone(),
                    Some(text) => without_stamps(text),
                    None => String::new(),
                };
                format!(
                    "  {} … {} · {} hosts of {range}\n{shown}",
                    first.host,
                    last.host,
                    members.len()
                )
            }
            [] => String::new(),
        })
        .collect()
}

/// A host's block with its name left open.
fn general(host: &HostPlan) -> String {
    block(host).replace(&host.host, NAME)
}

/// Ten digits after a dot are a filestamp (NTP seconds of this era).
fn without_stamps(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dot) = rest.find('.') {
        let digits = rest[dot + 1..].bytes().take_while(u8::is_ascii_digit).count();
        out.push_str(&rest[..=dot]);
        if digits == 10 {
            out.push_str(STAMP);
            rest = &rest[dot + 11..];
        } else {
            rest = &rest[dot + 1..];
        }
    }
    out.push_str(rest);
    out
}

fn block(host: &HostPlan) -> String {
    // A file and the new link to it are one line.
    let placed: BTreeMap<&str, u32> = host
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::PutFile {
                path,
                file,
                replaces: None,
            } => Some((path.as_str(), file.mode)),
            _ => None,
        })
        .collect();
    let linked: BTreeSet<String> = host
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::SwitchLink { path, to, .. } => Some(sibling(path, to)),
            _ => None,
        })
        .collect();
    let mut out = String::new();
    let mut directory = "";
    for action in &host.actions {
        if matches!(action, Action::PutFile { path, replaces: None, .. } if linked.contains(path)) {
            continue;
        }
        let Some(path) = path(action) else {
            continue;
        };
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        if dir != directory {
            directory = dir;
            let _ = writeln!(out, "    {dir}/");
        }
        line(&mut out, action, name, &placed);
    }
    for action in &host.actions {
        match action {
            Action::Restart { command, because } => {
                let _ = writeln!(out, "    restart: {command}");
                if let Some(why) = because {
                    let _ = writeln!(out, "      not told while it runs: {why}");
                }
            }
            Action::Tell { changes, .. } => {
                let _ = writeln!(
                    out,
                    "    live update (restart if the daemon refuses it): {}",
                    changes.join("; ")
                );
            }
            _ => {}
        }
    }
    out.push_str(&warnings(host));
    out
}

fn warnings(host: &HostPlan) -> String {
    host.warnings.iter().fold(String::new(), |out, warning| {
        out + "    warning: " + warning + "\n"
    })
}

fn path(action: &Action) -> Option<&str> {
    match action {
        Action::PutFile { path, .. }
        | Action::FixMode { path, .. }
        | Action::FixOwner { path, .. }
        | Action::SwitchLink { path, .. }
        | Action::RemoveLink { path, .. }
        | Action::ReplaceConf { path, .. }
        | Action::Retire { path, .. } => Some(path),
        Action::Restart { .. } | Action::Tell { .. } => None,
    }
}

/// The path a link's target has.
fn sibling(link: &str, target: &str) -> String {
    match link.rsplit_once('/') {
        Some((dir, _)) => format!("{dir}/{target}"),
        None => target.to_owned(),
    }
}

fn line(out: &mut String, action: &Action, name: &str, placed: &BTreeMap<&str, u32>) {
    let _ = match action {
        Action::PutFile {
            file, replaces: None, ..
        } => writeln!(out, "      + {name} {:04o}", file.mode),
        Action::PutFile { file, .. } => {
            writeln!(
                out,
                "      ~ {name} {:04o} (content damaged on the host)",
                file.mode
            )
        }
        Action::FixMode { from, to, .. } => writeln!(out, "      ~ {name} {to:04o} (was {from:04o})"),
        Action::FixOwner { from, to, .. } => writeln!(out, "      ~ {name} {to} (was {from})"),
        Action::SwitchLink { path, from, to } => {
            let mode = placed
                .get(sibling(path, to).as_str())
                .map_or_else(String::new, |mode| format!(" {mode:04o}"));
            match from {
                None => writeln!(out, "      + {name} → {to}{mode}"),
                Some(from) => writeln!(out, "      ~ {name} → {to}{mode} (was {from})"),
            }
        }
        Action::RemoveLink { from, .. } => writeln!(out, "      - {name} (was {from})"),
        Action::Retire { .. } => writeln!(out, "      - {name} (retired)"),
        Action::ReplaceConf { from, file, diff, .. } => {
            let mark = if from.is_some() { '~' } else { '+' };
            let _ = writeln!(out, "      {mark} {name} {:04o}", file.mode);
            for line in diff {
                let mark = match line.op {
                    DiffOp::Keep => ' ',
                    DiffOp::Add => '+',
                    DiffOp::Remove => '-',
                    DiffOp::Skip => '…',
                };
                let _ = writeln!(out, "          {mark} {}", line.text);
            }
            Ok(())
        }
        Action::Restart { .. } | Action::Tell { .. } => Ok(()),
    };
}
