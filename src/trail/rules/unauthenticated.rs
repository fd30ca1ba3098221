//! `unauthenticated`: time comes by a line that nothing authenticates.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity, Step};
use crate::inventory::{Association, Auth, HostEntry, Mode, Policy, Target};
use crate::trail::needs::own_keys;
use crate::trail::platform::{extra_servers, is_clock_driver};

/// Lines of one host that are shown.
const SHOWN: usize = 8;

pub(super) const RULE: Rule = Rule {
    code: "unauthenticated",
    severity: Severity::Warning,
    title: "a line that nothing authenticates",
    why: why!("unauthenticated"),
    source: "RFC 8633 section 3.2 and 4; RFC 5905 section 11.2.1 (the selection algorithm)",
    run,
    brings: &[],
    fails: sample!("unauthenticated", "fail"),
    passes: sample!("unauthenticated", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let strict = context
        .inventory
        .policies
        .iter()
        .find(|(policy, _)| *policy == Policy::Strict);
    let before = found.len();
    for entry in &context.inventory.entries {
        found.extend(lines(context, entry));
        if has_nothing(context, entry) {
            found.push(nothing(entry));
        }
    }
    for (settings, entries) in context.by_settings {
        let extra: Vec<usize> = extra_servers(settings)
            .filter(|(_, proven)| !proven)
            .map(|(number, _)| number)
            .collect();
        if let Some(&number) = extra.first() {
            found.push(verbatim(context, entries, &settings.extra[number]));
        }
    }
    if let Some((_, demanded)) = strict {
        for finding in &mut found[before..] {
            finding.severity = Severity::Error;
            let stricter = std::mem::replace(finding, RULE.found(""));
            *finding = stricter.at(demanded.clone(), "demanded here");
        }
    }
}

/// Association lines that nothing authenticates and of which the inventory does not say that this is meant.
fn lines(context: &Context<'_>, entry: &HostEntry) -> Option<Finding> {
    let clock =
        |line: &Association| matches!(&line.target, Target::Address(address) if is_clock_driver(address));
    let plain: Vec<&Association> = entry
        .associations
        .iter()
        .filter(|line| line.auth == Auth::None && !line.plain_on_purpose && !clock(line))
        .collect();
    let first = plain.first()?;
    let proven = entry
        .associations
        .iter()
        .filter(|line| line.auth != Auth::None)
        .count();
    let name = &*entry.pattern;
    let message = if plain.iter().all(|line| line.mode == Mode::Broadcast) {
        format!("{name} broadcasts without authentication")
    } else if proven > 0 {
        let many = plain.len() > 1;
        let has = if many {
            format!("{} lines that are", plain.len())
        } else {
            "a line that is".to_owned()
        };
        let are = if proven > 1 { "are" } else { "is" };
        let so = match (plain.len() > proven, many) {
            (true, _) => "they outvote what is proven",
            (false, true) => "their time counts as much",
            (false, false) => "its time counts as much",
        };
        format!("{name} has {has} not authenticated beside {proven} that {are}: {so}")
    } else {
        let mut names: Vec<&str> = plain
            .iter()
            .take(3)
            .map(|line| words::target(context.inventory, line))
            .collect();
        if plain.len() > names.len() {
            names.push("others");
        }
        format!(
            "{name} gets its time from {} without authentication",
            words::list(&names)
        )
    };
    let mut finding = RULE.found(message).about(name);
    for line in plain.iter().take(SHOWN) {
        finding = finding.at(entry.place(&line.steps()), "not authenticated");
    }
    if plain.len() > SHOWN {
        finding = finding.help(format!("{} lines; {SHOWN} are shown", plain.len()));
    }
    for help in ways_out(context, entry, &plain) {
        finding = finding.help(help);
    }
    let spelled = match &first.target {
        Target::Address(address) if first.mode != Mode::Broadcast => format!("address: {address}"),
        _ => format!("host: {}", words::target(context.inventory, first)),
    };
    Some(finding.help(format!("if it is meant, say so: `{{ {spelled}, auth: none }}`")))
}

/// How the lines could be authenticated.
fn ways_out(context: &Context<'_>, entry: &HostEntry, plain: &[&Association]) -> Vec<String> {
    let inventory = context.inventory;
    let mut help = Vec::new();
    let servers = plain.iter().filter_map(|line| match line.target {
        Target::Host(host) => Some(inventory.entry(host)),
        _ => None,
    });
    let group = servers
        .clone()
        .find_map(|server| server.group)
        .filter(|_| entry.group.is_none());
    if let Some(group) = group {
        let group = &inventory.group(group).name;
        help.push(format!(
            "if it belongs to {group}, give it `group: {group}`: Autokey authenticates its lines then"
        ));
    }
    if let Some(key) = servers.flat_map(own_keys).next() {
        help.push(format!(
            "give the line a key of the server: `key: {key}`, or `association: {{ key: {key} }}`"
        ));
    } else if group.is_none() && plain.iter().any(|line| matches!(line.target, Target::Host(_))) {
        help.push("give the line a symmetric key that both ends have: `key: N`".to_owned());
    }
    let outside =
        |line: &&&Association| line.mode != Mode::Broadcast && matches!(line.target, Target::Address(_));
    if plain.iter().any(|line| outside(&line)) {
        help.push(
            "a server outside can be authenticated with a key of its operator, or as one of an `external` group".to_owned(),
        );
    }
    help
}

/// Whether nothing says where a host gets its time from. Members of groups have `trail-missing`.
fn has_nothing(context: &Context<'_>, entry: &HostEntry) -> bool {
    let node = context.graph.node_of(entry.first);
    entry.group.is_none()
        && !entry.broadcast_client
        && entry.associations.iter().all(|line| line.mode == Mode::Broadcast)
        && extra_servers(&entry.settings).next().is_none()
        && !context.graph.member(node).clock
        && !context
            .graph
            .clients(node)
            .any(|(_, _, edge)| edge.role.is_authenticated())
}

fn nothing(entry: &HostEntry) -> Finding {
    RULE.found(format!("nothing says where {} gets its time from", entry.pattern))
        .at(entry.place(&[]), "no `servers`, no `reference_clock`")
        .help("give it `servers`, or `reference_clock: true` where its configuration has the lines of a clock already")
        .about(&*entry.pattern)
}

/// A `server` or `pool` line among the extra lines.
fn verbatim(context: &Context<'_>, entries: &[&HostEntry], line: &str) -> Finding {
    let path: [Step; 1] = ["ntp_conf".into()];
    RULE.found(format!(
        "`{line}` gives {} time without authentication",
        words::hosts(words::count(entries))
    ))
    .at(context.setting_place(entries, &path), "not authenticated")
    .help("take it out of `ntp_conf`, or write it under `servers`, authenticated or with `auth: none`")
    .about(&*entries[0].pattern)
}
