//! `platform-lacks-autokey`: Autokey with an implementation that has none.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Auth, Target};
use crate::trail::platform::has_autokey;

/// Lines shown for one entry.
const SHOWN: usize = 4;

pub(super) const RULE: Rule = Rule {
    code: "platform-lacks-autokey",
    severity: Severity::Error,
    title: "Autokey with an implementation that has none",
    why: why!("platform-lacks-autokey"),
    source: "documentation of NTPsec and chrony; keys measured between ntp.org 4.2.8p15, NTPsec 1.2.2 and \
             chrony 4.3",
    run,
    brings: &[],
    fails: sample!("platform-lacks-autokey", "fail"),
    passes: sample!("platform-lacks-autokey", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for entry in &inventory.entries {
        let own = !has_autokey(entry.settings.ntpd);
        let lacking = |target: &Target| match target {
            Target::Host(host) => {
                Some(inventory.entry(*host)).filter(|server| !has_autokey(server.settings.ntpd))
            }
            _ => None,
        };
        let lines: Vec<_> = entry
            .associations
            .iter()
            .filter(|line| line.auth == Auth::Autokey && (own || lacking(&line.target).is_some()))
            .collect();
        let Some(first) = lines.first() else { continue };
        let (who, ntpd) = match lacking(&first.target) {
            Some(server) if !own => (words::target(inventory, first), server.settings.ntpd),
            _ => (&*entry.pattern, entry.settings.ntpd),
        };
        let mut finding = RULE
            .found(format!(
                "{who} runs {}, which has no Autokey",
                words::implementation(ntpd)
            ))
            .about(&*entry.pattern);
        for line in lines.iter().take(SHOWN) {
            finding = finding.at(
                entry.place(&line.steps()),
                format!(
                    "{} → {} by Autokey",
                    entry.pattern,
                    words::target(inventory, line)
                ),
            );
        }
        found.push(
            finding.help("authenticate with a symmetric key both sides know: `key: N`, type AES-128-CMAC"),
        );
    }
}
