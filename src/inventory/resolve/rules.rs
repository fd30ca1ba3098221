//! What the inventory says about findings and policies.

use super::Resolver;
use crate::finding::{Finding, Place, Step};
use crate::inventory::model::FindingRule;
use crate::inventory::raw::OneOrMany;
use keytrail_vocabulary::parse_date;

impl Resolver<'_> {
    /// Resolves `findings` and `policy`.
    pub fn rules(&mut self) {
        self.inventory.policies = std::mem::take(&mut self.draft.policies);
        self.inventory.expiring = self.draft.expiring.take().map(|(days, _)| days);
        for (source, item, rule) in std::mem::take(&mut self.draft.findings) {
            let path = [Step::from("findings"), Step::from(item)];
            let place = Place::value(source, path.to_vec());
            let below =
                |field: &str| Place::value(source, path.iter().cloned().chain([Step::from(field)]).collect());
            let severity = match (rule.severity, rule.waive) {
                (Some(severity), None | Some(false)) => Some(severity),
                (None, Some(true)) => None,
                (Some(_), Some(true)) | (None, None | Some(false)) => {
                    let finding = Finding::error("value-invalid", "give either `severity` or `waive: true`");
                    self.problem(finding.at(place, ""));
                    continue;
                }
            };
            if rule.reason.trim().is_empty() {
                let finding = Finding::error("value-invalid", "the reason is empty");
                self.problem(
                    finding
                        .at(below("reason"), "")
                        .help("say why, whoever reads this in a year will want to know"),
                );
                continue;
            }
            let expires = rule.expires.as_deref();
            let last_day = expires.and_then(parse_date);
            if let (Some(expires), None) = (expires, last_day) {
                let message = format!(
                    "expected a day (`2027-06-30`), found '{}'",
                    crate::inventory::yaml::clip(expires)
                );
                self.problem(Finding::error("value-invalid", message).at(below("expires"), ""));
                continue;
            }
            self.inventory.findings.push(FindingRule {
                code: rule.code,
                on: rule.on.map(|OneOrMany(on)| on).unwrap_or_default(),
                severity,
                reason: rule.reason,
                expires: last_day,
                place,
            });
        }
    }
}
