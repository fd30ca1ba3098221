//! `digest-mixed`: different `crypto digest` at the ends of an Autokey line.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Settings, Target};

pub(super) const RULE: Rule = Rule {
    code: "digest-mixed",
    severity: Severity::Error,
    title: "different crypto digests at the ends of an Autokey line",
    why: why!("digest-mixed"),
    source: "NTP reference manual, `crypto digest`; measured on 4.2.8p15",
    run,
    brings: &[],
    fails: sample!("digest-mixed", "fail"),
    passes: sample!("digest-mixed", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (entry, line) in context.lines() {
        let Target::Host(host) = line.target else { continue };
        let server = inventory.entry(host);
        // Most hosts share their settings with their server: no text to compare.
        if line.auth != crate::inventory::Auth::Autokey
            || std::sync::Arc::ptr_eq(&entry.settings, &server.settings)
            || digest(&entry.settings) == digest(&server.settings)
        {
            continue;
        }
        let works = crate::trail::platform::autokey_works(line.mode, &entry.settings, Some(&server.settings));
        if !works {
            continue;
        }
        let name = words::target(inventory, line);
        let (here, there) = (digest(&entry.settings), digest(&server.settings));
        found.push(
            RULE.found(format!(
                "{} uses the digest {here}, {name} uses {there}: no packet passes",
                entry.pattern
            ))
            .at(entry.place(&line.steps()), format!("{} → {name}", entry.pattern))
            .at(entry.place(&["crypto".into(), "digest".into()]), here)
            .at(server.place(&["crypto".into(), "digest".into()]), there)
            .help("set `crypto: { digest: … }` once, under `defaults`")
            .about(&*entry.pattern),
        );
    }
}

fn digest(settings: &Settings) -> String {
    let name = settings.digest.as_deref().unwrap_or("MD5").to_ascii_uppercase();
    if name == "SHA" { "SHA1".to_owned() } else { name }
}
