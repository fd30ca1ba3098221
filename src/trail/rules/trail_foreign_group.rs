//! `trail-foreign-group`: a trail ends at a group that the client cannot verify.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{GroupId, IdentityScheme, Target};
use crate::trail::cryptotype::scheme_in_use;
use crate::trail::graph::{Node, Role};
use crate::trail::needs::target_group;

pub(super) const RULE: Rule = Rule {
    code: "trail-foreign-group",
    severity: Severity::Error,
    title: "a trail ends at a group the client cannot verify",
    why: why!("trail-foreign-group"),
    source: "RFC 5906 section 6 (secure groups); source of 4.2.8p15, crypto_gq and cert_hike; measured on \
             4.2.8p15",
    run,
    brings: &[],
    fails: sample!("trail-foreign-group", "fail"),
    passes: sample!("trail-foreign-group", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    leaving(context, found);
    written_idents(context, found);
    without_parameters(context, found);
}

/// By node: whether a trail stays in the group until a trusted host of it, and whether one leaves the group.
#[derive(Clone, Copy, Default)]
struct Ends {
    own: bool,
    foreign: bool,
}

/// Servers that are not trusted and whose trail leaves their group.
fn leaving(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (inventory, graph) = (context.inventory, context.graph);
    if inventory.groups.len() < 2 {
        return;
    }
    let mut order: Vec<Node> = graph.nodes().collect();
    // Upstreams first; nodes of a cycle have their own finding.
    order.sort_by_key(|node| context.proof.depth[node.index()]);
    let mut ends = vec![Ends::default(); order.len()];
    for node in order {
        let Some(group) = graph.group(inventory, node) else {
            continue;
        };
        let member = graph.member(node);
        let mut mine = Ends {
            own: member.trusted,
            foreign: false,
        };
        let mut crossing = None;
        for (line, server, _) in graph.lines(node).filter(|(_, _, edge)| edge.role == Role::Trail) {
            if graph.group(inventory, server) == Some(group) {
                let above = ends[server.index()];
                let trusted = graph.member(server).trusted;
                mine.own |= trusted || above.own;
                mine.foreign |= !trusted && above.foreign;
            } else {
                mine.foreign = true;
                crossing.get_or_insert((line, server));
            }
        }
        ends[node.index()] = mine;
        let serves = || graph.clients(node).any(|(_, _, edge)| edge.role.is_autokey());
        if let Some(crossing) = crossing
            && !member.trusted
            && serves()
        {
            found.extend(crosses(context, node, group, crossing, mine));
        }
    }
}

fn crosses(
    context: &Context<'_>,
    node: Node,
    group: GroupId,
    (line, server): (crate::trail::graph::Line, Node),
    ends: Ends,
) -> Option<Finding> {
    let (inventory, graph) = (context.inventory, context.graph);
    let gq = scheme_in_use(inventory.group(group)) == Some(IdentityScheme::Gq);
    if ends.own && !gq {
        return None;
    }
    let name = graph.name(inventory, node);
    let own = &inventory.group(group).name;
    let foreign = graph
        .group(inventory, server)
        .map_or("no group", |id| &inventory.group(id).name);
    let (entry, association) = graph.association(inventory, line);
    let message = if ends.own {
        format!("{name} serves {own} with GQ, but one of its trails ends outside {own}")
    } else if gq {
        format!(
            "{name} serves {own} with GQ, but its trail ends outside {own}: its clients fail with error 114"
        )
    } else {
        format!("{name} serves {own}, but its trail ends outside {own}")
    };
    let mut finding = RULE
        .found(message)
        .at(entry.place(&association.steps()), format!("leads to {}, of {foreign}", graph.name(inventory, server)))
        .help(match inventory.group(group).trusted.first() {
            Some(&trusted) => format!(
                "give {name} a server of {own} that leads to {}, and let trusted hosts alone follow other groups",
                inventory.host(trusted).name
            ),
            None => format!("give {own} a trusted host"),
        })
        .about(name);
    if ends.own || !gq {
        finding.severity = Severity::Warning;
    }
    Some(finding)
}

/// An `ident` written by hand that names another group than the server's.
fn written_idents(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (entry, association) in context.lines() {
        let (Some(ident), Some(group)) = (
            association.ident.as_deref(),
            target_group(inventory, &association.target),
        ) else {
            continue;
        };
        let server = words::target(inventory, association);
        let of = &inventory.group(group).name;
        if ident != &**of && inventory.group_named(ident).is_some() {
            found.push(
                RULE.found(format!(
                    "{server} is checked with the parameters of {ident}, but belongs to {of}"
                ))
                .at(entry.place(&association.steps()), format!("`ident: {ident}`"))
                .help("leave `ident` out: it follows from the server's group")
                .about(&*entry.pattern),
            );
        }
    }
}

/// External groups with an identity scheme whose parameters nobody handed over.
fn without_parameters(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (number, group) in inventory.groups.iter().enumerate() {
        let (Some(external), Some(scheme)) = (&group.external, scheme_in_use(group)) else {
            continue;
        };
        let is_used = |id: u32| {
            context
                .lines()
                .any(|(_, line)| matches!(line.target, Target::External(group, _) if group.0 == id))
        };
        let word = format!("{}par", scheme.name().to_ascii_lowercase());
        let named = |path: &std::path::PathBuf| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .to_ascii_lowercase();
            // A file whose name says another scheme holds that one; a name that says nothing may hold any.
            name.contains(&word)
                || !["iffpar", "gqpar", "mvpar"]
                    .iter()
                    .any(|other| name.contains(other))
        };
        if external.parameters.iter().any(named) || !u32::try_from(number).is_ok_and(is_used) {
            continue;
        }
        let scheme = scheme.name();
        found.push(
            RULE.found(format!("nobody can verify the external group {}: its {scheme} parameters are missing", group.name))
                .at(group.place(&["external".into(), "parameters".into()]), format!("no {word} file"))
                .help(format!(
                    "ask its operator for the client parameters (ntpkey_{word}_{}) and list the file under `parameters`",
                    group.name
                ))
                .about(&*group.name),
        );
    }
}
