//! `key-not-trusted`: an extra line takes the trust away from keytrail's keys.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity, Step};
use crate::inventory::{HostEntry, Implementation};
use crate::trail::needs::Needs;

pub(super) const RULE: Rule = Rule {
    code: "key-not-trusted",
    severity: Severity::Error,
    title: "an extra line takes the trust away from a key",
    why: why!("key-not-trusted"),
    source: "measured on ntp.org 4.2.8p15 and NTPsec 1.2.2: `trustedkey` twice, `keys` twice",
    run,
    brings: &[],
    fails: sample!("key-not-trusted", "fail"),
    passes: sample!("key-not-trusted", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    for entry in &context.inventory.entries {
        if entry.settings.extra.is_empty() {
            continue;
        }
        let needs = context.needs.of(context.graph.node_of(entry.first));
        for (at, line) in entry.settings.extra.iter().enumerate() {
            found.extend(judge(entry, needs, at, line));
        }
    }
}

fn judge(entry: &HostEntry, needs: &Needs, at: usize, line: &str) -> Option<Finding> {
    let ntpd = entry.settings.ntpd;
    let mut tokens = line.split_ascii_whitespace();
    let (what, lost) = match (tokens.next()?, ntpd) {
        ("trustedkey", Implementation::NtpOrg | Implementation::Openvms) => {
            let named = spelled_ids(tokens);
            let lost: Vec<String> = needs
                .symmetric_keys
                .iter()
                .filter(|id| !named.iter().any(|&(low, high)| (low..=high).contains(id)))
                .map(u32::to_string)
                .collect();
            ("replaces keytrail's `trustedkey` line", lost)
        }
        ("keys" | "keyfile", _) => (
            "replaces keytrail's key file",
            needs.symmetric_keys.iter().map(u32::to_string).collect(),
        ),
        _ => return None,
    };
    if lost.is_empty() {
        return None;
    }
    Some(
        RULE.found(format!(
            "{} would not trust key {}: an extra line {what}",
            entry.pattern,
            words::list(&lost)
        ))
        .at(entry.place(&[Step::from("ntp_conf"), Step::from(at)]), what)
        .help("take the line out; further ids belong under `keys: { trusted: […] }`")
        .about(&*entry.pattern),
    )
}

/// Ids and ranges (`( 3 ... 5 )`) of a `trustedkey` line.
fn spelled_ids<'a>(tokens: impl Iterator<Item = &'a str>) -> Vec<(u32, u32)> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    let mut range = false;
    for token in tokens {
        if token == "..." {
            range = true;
        } else if let Ok(id) = token.trim_matches(['(', ')']).parse() {
            match found.last_mut() {
                Some(last) if range => last.1 = id,
                _ => found.push((id, id)),
            }
            range = false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::spelled_ids;

    #[test]
    fn ranges_as_the_daemon_reads_them() {
        assert_eq!(spelled_ids("1 (3 ... 5) 7".split(' ')), [(1, 1), (3, 5), (7, 7)]);
        assert_eq!(spelled_ids("( 3 ... 5 )".split(' ')), [(3, 5)]);
    }
}
