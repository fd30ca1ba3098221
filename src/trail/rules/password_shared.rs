//! `password-shared`: several hosts with one password.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Place, Severity};
use crate::inventory::{HostEntry, PasswordSource};

pub(super) const RULE: Rule = Rule {
    code: "password-shared",
    severity: Severity::Warning,
    title: "several hosts share one password",
    why: why!("password-shared"),
    source: "NTP reference manual, ntp-keygen: server keys are re-encrypted with the password of the host that gets them",
    run,
    brings: &[],
    fails: sample!("password-shared", "fail"),
    passes: sample!("password-shared", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let mut shared: Vec<(&PasswordSource, Option<&Place>, Vec<&HostEntry>)> = Vec::new();
    for (settings, entries) in context.by_settings {
        let Some(password) = &settings.password else {
            continue;
        };
        match shared.iter_mut().find(|(known, ..)| *known == password) {
            Some((_, _, hosts)) => hosts.extend(entries),
            None => shared.push((password, settings.password_place.as_ref(), entries.clone())),
        }
    }
    for (_, place, entries) in shared {
        let count = words::count(&entries);
        if count < 2 {
            continue;
        }
        let names: Vec<&str> = entries.iter().take(3).map(|entry| &*entry.pattern).collect();
        let more = if entries.len() > 3 { " …" } else { "" };
        let place = place
            .cloned()
            .unwrap_or_else(|| entries[0].place(&["password".into()]));
        found.push(
            RULE.found(format!("{} share one password", words::hosts(count)))
                .at(place, format!("{}{more}", names.join(", ")))
                .help("leave `password` out: keytrail generates one for each host")
                .about(&*entries[0].pattern),
        );
    }
}
