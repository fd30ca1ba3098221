//! What the vault knows of hosts, as rows.

use super::{HostStatus, LastVerified};
use crate::inventory::{HostId, Inventory};
use crate::media::GroupScheme;
use crate::ops::error::Result;
use crate::report::time_format;
use crate::rotate::gq_skew::{SkewedClient, skewed_clients};
use crate::rotate::record::Pending;
use crate::trail::Analysis;
use crate::vault::{Applied, CertificateEnds, SecretKind, Vault, Verified};
use std::collections::HashMap;

/// How bad it is that a daemon was not well before what runs now was put in place: somebody should ask again.
const BAD_BEFORE: u8 = 2;

/// What the vault knows of hosts.
pub(super) struct Facts<'p> {
    certificates: HashMap<Box<str>, CertificateEnds>,
    applied: HashMap<Box<str>, Applied>,
    verified: HashMap<Box<str>, Verified>,
    changed: HashMap<Box<str>, i64>,
    waiting: HashMap<&'p str, &'p Pending>,
    skewed: HashMap<HostId, SkewedClient>,
}

impl<'p> Facts<'p> {
    pub(super) fn new(vault: &Vault, inventory: &Inventory, pending: &'p [Pending]) -> Result<Self> {
        let hosts = pending
            .iter()
            .rev()
            .flat_map(|pending| pending.hosts.iter().map(move |host| (host.as_str(), pending)));
        let verified = vault.verified()?;
        let mut skewed = HashMap::new();
        for (owner, since) in vault.replaced(SecretKind::Group(GroupScheme::Gq))? {
            if let Some(group) = inventory.group_named(&owner) {
                let brought = vault.brought(since)?;
                let found = skewed_clients(inventory, group, &brought, &verified);
                skewed.extend(found.into_iter().map(|skewed| (skewed.host, skewed)));
            }
        }
        Ok(Self {
            certificates: vault.certificates()?,
            applied: vault.applied()?,
            verified,
            changed: vault.changed()?,
            waiting: hosts.collect(),
            skewed,
        })
    }

    pub(super) fn row(&self, inventory: &Inventory, analysis: &Analysis, id: HostId) -> HostStatus {
        let name = &*inventory.host(id).name;
        let needs = analysis.needs(id);
        let certificate = self.certificates.get(name).filter(|_| needs.autokey);
        let mut row = HostStatus {
            host: name.to_owned(),
            role: if inventory.is_trusted(id) {
                "trusted host"
            } else if needs.serves {
                "server"
            } else {
                "client"
            },
            group: inventory.group_of(id).map(|group| group.name.to_string()),
            generation: self.applied.get(name).map(|applied| applied.generation.0),
            certificate_ends: certificate.map(|ends| ends.standing),
            renewed: certificate.is_some_and(|ends| ends.latest > ends.standing),
            certificate_days: None,
            drift: None,
            verified: self.verified.get(name).map(|seen| LastVerified {
                before_last_change: self.changed.get(name).is_some_and(|&changed| seen.at < changed),
                at: seen.at,
                level: seen.level.clone(),
                good: seen.good,
                detail: seen.detail.clone(),
            }),
            promised: analysis.promises(inventory, id),
            trouble: Vec::new(),
            severity: 0,
            reached: None,
        };
        if let Some(seen) = row.verified.as_ref().filter(|seen| !seen.good) {
            let (severity, when) = if seen.before_last_change {
                (BAD_BEFORE, "when last asked, before its last change")
            } else {
                (5, "when last asked")
            };
            let said = format!("{when}: {}", seen.detail);
            row.add(severity, said);
        }
        if let Some(pending) = self.waiting.get(name) {
            row.add(3, pending_words(pending));
        }
        if let Some(skewed) = self.skewed.get(&id) {
            row.add(3, skew_words(inventory, skewed));
        }
        if row.generation.is_none() {
            row.add(1, "nothing was applied to it yet".to_owned());
        }
        row
    }
}

fn pending_words(pending: &Pending) -> String {
    let bite = pending.fails_by.map_or(String::new(), |by| {
        format!(", it fails by {} at the latest", time_format::minute(by))
    });
    format!("{} is pending{bite}: {}", pending.subject, pending.command)
}

fn skew_words(inventory: &Inventory, skewed: &SkewedClient) -> String {
    let servers: Vec<&str> = skewed
        .servers
        .iter()
        .map(|&server| &*inventory.host(server).name)
        .collect();
    format!(
        "pending: it was given new GQ parameters before {}, and does not come back by itself: restart its daemon {}, then keytrail verify",
        servers.join(", "),
        if skewed.ready {
            "now"
        } else {
            "once these have theirs"
        }
    )
}
