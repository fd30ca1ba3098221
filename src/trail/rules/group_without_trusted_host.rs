//! `group-without-trusted-host`: a group no trail can end in.

use super::{Context, Rule, sample, why};
use crate::finding::{Finding, Severity};
use crate::inventory::{Association, Auth, GroupId};

pub(super) const RULE: Rule = Rule {
    code: "group-without-trusted-host",
    severity: Severity::Error,
    title: "a secure group has no trusted host",
    why: why!("group-without-trusted-host"),
    source: "NTP reference manual, Authentication Options, “NTP Secure Groups”",
    run,
    brings: &[],
    fails: sample!("group-without-trusted-host", "fail"),
    passes: sample!("group-without-trusted-host", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let mut members = vec![false; inventory.groups.len()];
    let mut autokey = vec![false; inventory.groups.len()];
    let mut keyed = vec![false; inventory.groups.len()];
    for entry in &inventory.entries {
        if let Some(group) = entry.group {
            let group = group.0 as usize;
            members[group] = true;
            autokey[group] |= context.needs.of(context.graph.node_of(entry.first)).autokey;
            let key = |line: &Association| matches!(line.auth, Auth::Key(_));
            keyed[group] |= entry.associations.iter().any(key);
        }
    }
    for (number, group) in inventory.groups.iter().enumerate() {
        if group.is_external() {
            continue;
        }
        // Where symmetric keys are all that is used no trail has to end anywhere.
        let trail = autokey[number] || !keyed[number];
        if group.trusted.is_empty() && members[number] && trail {
            found.push(
                RULE.found(format!("the group {} has no trusted host", group.name))
                    .at(group.place(&[]), "no `trusted`")
                    .help("name the hosts at the root of the group: `trusted: [HOST]`")
                    .about(&*group.name),
            );
        }
        for (at, &host) in group.trusted.iter().enumerate() {
            let is_of = inventory.entry(host).group;
            if is_of.is_none_or(|GroupId(id)| id as usize != number) {
                let name = &inventory.host(host).name;
                let of = is_of.map_or("no group", |id| &inventory.group(id).name);
                found.push(
                    RULE.found(format!(
                        "{name} cannot be a trusted host of {}: it belongs to {of}",
                        group.name
                    ))
                    .at(group.place(&["trusted".into(), at.into()]), "")
                    .at(
                        inventory.entry(host).place(&["group".into()]),
                        format!("{name} belongs to {of}"),
                    )
                    .help(format!("name a member of {}, or move {name}", group.name))
                    .about(&*group.name),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::inventory::load_str;
    use crate::trail::sample::TODAY;

    #[test]
    fn a_group_of_symmetric_keys_alone_needs_none() {
        let codes = |lines: &str| -> Vec<&str> {
            let inventory = load_str(&format!(
                "version: 1\ngroups:\n  lab: {{ symmetric_keys: {{ 7: {{ type: AES-128-CMAC }} }} }}\nhosts:\n  \
                 th: {{ group: lab, reference_clock: true }}\n{lines}"
            ))
            .expect("well formed");
            let findings = crate::trail::analyse(&inventory, TODAY).findings;
            findings.iter().map(|finding| finding.code).collect()
        };
        let keyed = "  leaf: { group: lab, servers: [{ host: th, key: 7 }] }\n";
        assert_eq!(codes(keyed), [""; 0]);
        let both = format!("{keyed}  other: {{ group: lab, servers: [th] }}\n");
        assert!(codes(&both).contains(&"group-without-trusted-host"));
        assert!(codes("").contains(&"group-without-trusted-host"));
    }
}
