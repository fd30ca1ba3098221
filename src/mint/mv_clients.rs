//! Which host gets which MV client key.

use super::desired_files::DesiredFiles;
use super::spec::number;
use crate::inventory::{GroupId, HostId, IdentityScheme};
use crate::media::GroupScheme;
use crate::media::mv::MvAuthority;
use crate::vault::{Artifact, ArtifactKind, SecretKind};
use std::collections::{BTreeSet, HashMap};

/// The number of the MV client key that client parameters in the vault hold.
pub fn mv_client(artifact: &Artifact) -> Option<usize> {
    (artifact.kind == ArtifactKind::ClientParameters(GroupScheme::Mv))
        .then(|| number(&artifact.spec, "client"))
        .flatten()
}

impl DesiredFiles<'_, '_> {
    /// Gives every host that needs MV parameters the number of a client key: the one it has, else the one with the
    /// fewest hosts. So numbers stay when hosts come and go. A host that is shut out keeps the number it is shut out with;
    /// others that shared it get another.
    pub(super) fn assign_mv_clients(&mut self) {
        let inventory = self.request.inventory;
        let mut needing: HashMap<GroupId, Vec<HostId>> = HashMap::new();
        for host in inventory.host_ids() {
            for &(group, scheme) in &(self.request.needs)(host).client_parameters {
                if scheme == IdentityScheme::Mv {
                    needing.entry(group).or_default().push(host);
                }
            }
        }
        // A group whose trusted host serves before it has clients of its own has a key all the same.
        for group in 0..u32::try_from(inventory.groups.len()).unwrap_or(u32::MAX) {
            let group = GroupId(group);
            let declared = inventory.group(group);
            if declared.is_external() || !declared.identity.contains(&IdentityScheme::Mv) {
                continue;
            }
            let hosts = needing.remove(&group).unwrap_or_default();
            let count = self.mv_count(group, hosts.len());
            let kind = ArtifactKind::ClientParameters(GroupScheme::Mv);
            let revoked = self.shut_out(group, count);
            let has = |host: &HostId| {
                let name = &inventory.host(*host).name;
                if let Some(client) = self.revoked.client_of(&declared.name, name) {
                    return Some(client.min(count));
                }
                let mut files = self.snapshot.files(name);
                let (_, file) = files.find(|(_, file)| {
                    file.kind == kind && declared.held_idents().any(|ident| *file.owner == *ident)
                })?;
                mv_client(file).filter(|client| (1..=count).contains(client) && !revoked.contains(client))
            };
            let numbers: Vec<Option<usize>> = hosts.iter().map(has).collect();
            let mut load = vec![0_usize; count];
            for client in numbers.iter().flatten() {
                load[client - 1] += 1;
            }
            let free: Vec<usize> = (1..=count).filter(|client| !revoked.contains(client)).collect();
            for (host, client) in hosts.into_iter().zip(numbers) {
                let client = client.or_else(|| {
                    let least = free.iter().copied().min_by_key(|&client| load[client - 1])?;
                    load[least - 1] += 1;
                    Some(least)
                });
                // Where all are shut out, `client_parameters` says so.
                if let Some(client) = client {
                    self.mv_clients.insert((group, host), client);
                }
            }
            self.mv_counts.insert(group, count);
        }
    }

    /// The client keys of a group that are shut out, of the `count` it has: where a new key has fewer, the last one
    /// stands for those beyond.
    pub(super) fn shut_out(&self, group: GroupId, count: usize) -> BTreeSet<usize> {
        let name = &self.request.inventory.group(group).name;
        let revoked = self.revoked.clients(name).into_iter();
        revoked.map(|client| client.min(count)).collect()
    }

    /// As many client keys as the inventory says, else as there are; a first key has twice as many as hosts need
    /// now, as far as the modulus has room, since more can only be had with a new key.
    fn mv_count(&self, group: GroupId, hosts: usize) -> usize {
        let declared = self.request.inventory.group(group);
        let kept = self
            .snapshot
            .secret(SecretKind::Group(GroupScheme::Mv), declared.ident())
            .and_then(|version| number(&version.spec, "clients"));
        match declared.mv_clients {
            Some(clients) => clients as usize,
            None => kept.unwrap_or_else(|| {
                let room = MvAuthority::capacity(declared.identity_bits.mv);
                (2 * hosts).clamp(2, room.max(2))
            }),
        }
    }
}
