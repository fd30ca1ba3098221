//! `ident-missing`: a line whose server's identity would not be checked, or not with any parameters there are.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Association, Auth, HostEntry, Mode, Target};

pub(super) const RULE: Rule = Rule {
    code: "ident-missing",
    severity: Severity::Error,
    title: "a line has no `ident` the daemon could check the server with",
    why: why!("ident-missing"),
    source: "source of 4.2.8p15, cert_hike and crypto_ident; measured on 4.2.8p15",
    run,
    brings: &[],
    fails: sample!("ident-missing", "fail"),
    passes: sample!("ident-missing", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (entry, association) in context.lines() {
        if association.auth != Auth::Autokey || association.mode == Mode::Broadcast {
            continue;
        }
        match (&association.target, association.ident.as_deref()) {
            (Target::Address(address), None) => found.push(bare_address(entry, association, address)),
            (_, Some(ident)) if inventory.group_named(ident).is_none() => {
                found.push(unknown(
                    entry,
                    association,
                    ident,
                    words::group_of_target(inventory, association),
                ));
            }
            _ => {}
        }
    }
}

fn bare_address(entry: &HostEntry, association: &Association, address: &str) -> Finding {
    RULE.found(format!("nothing says which group {address} belongs to, so its identity would not be checked"))
        .at(entry.place(&association.steps()), "Autokey to an address outside the inventory")
        .help(
            "declare its group with `external:` (servers and the client parameters its operator hands out) and name \
             the server here",
        )
        .about(&*entry.pattern)
}

fn unknown(entry: &HostEntry, association: &Association, ident: &str, group: Option<&str>) -> Finding {
    RULE.found(format!(
        "`ident: {ident}` names no group of the inventory, so no parameters are placed for it"
    ))
    .at(
        entry.place(&association.steps()),
        format!("the daemon would look for ntpkey_…par_{ident}"),
    )
    .help(match group {
        Some(group) => format!("leave `ident` out: it follows from the server's group, {group}"),
        None => "write the name of the server's group".to_owned(),
    })
    .about(&*entry.pattern)
}
