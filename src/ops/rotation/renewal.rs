//! Certificates made again before they end.

use super::{Change, Concerned};
use crate::inventory::HostId;
use crate::ops::error::Result;
use crate::ops::rollout::Task;
use crate::ops::session::Session;
use crate::rotate::record::StaleKeyEffect;
use crate::rotate::subject::Subject;
use crate::vault::ArtifactKind;
use std::collections::{BTreeSet, HashSet};

/// Which certificates are renewed.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// Of these hosts.
    pub hosts: Vec<HostId>,
    /// Those that end until then, Unix seconds.
    pub until: i64,
    /// The command that finishes it, without the program's name.
    pub command: String,
}

impl Session {
    /// Mints certificates that are due. The hosts that have not got their latest one; `None`: nothing is due.
    pub fn renew(&mut self, renewal: &Renewal) -> Result<Option<Task>> {
        let (inventory, analysis) = (self.inventory(), self.analysis());
        let hosts = &renewal.hosts;
        let names: BTreeSet<String> = hosts
            .iter()
            .map(|&host| inventory.host(host).name.to_string())
            .collect();
        let owners: HashSet<Box<str>> = hosts
            .iter()
            .map(|&host| analysis.needs(host).private_certificate_of.unwrap_or(host))
            .map(|owner| inventory.host(owner).name.clone())
            .collect();
        let subject = Subject {
            words: "certificates".into(),
            anew: HashSet::new(),
            renewing: Some(owners),
            bite: StaleKeyEffect::Never,
            servers_first: false,
        };
        self.begin(&Change {
            subject: &subject,
            renew_until: Some(renewal.until),
            command: renewal.command.clone(),
            repeat: false,
            concerns: Concerned::Outdated(&names),
        })
    }
}

/// The host whose certificate ends first, and when, Unix seconds.
pub fn next_end(session: &Session, hosts: &[HostId]) -> Option<(String, i64)> {
    let names = hosts
        .iter()
        .map(|&host| session.inventory().host(host).name.to_string());
    names
        .flat_map(|host| {
            let files = session.state().snapshot.files(&host);
            let ends = files
                .filter(|(_, artifact)| artifact.kind == ArtifactKind::Certificate)
                .filter_map(|(_, artifact)| artifact.not_after);
            ends.map(|end| (end, host.clone())).collect::<Vec<_>>()
        })
        .min()
        .map(|(end, host)| (host, end))
}
