//! What hosts should look like, from what was minted for them.

use crate::apply::{PhaseError, Site};
use crate::digest::Digest;
use crate::inventory::{Connection, HostEntry, HostId, Inventory, Settings};
use crate::mint::{State, symmetric_owner};
use crate::ntpconf::{self, ConfError};
use crate::ops::session::Session;
use crate::plan::live_update::Control;
use crate::plan::{self, DesiredHost, HostInput, Observed};
use crate::trail::needs::symmetric_key;
use crate::vault::ArtifactId;
use std::collections::HashMap;

/// Where a host's files are.
pub(crate) fn site(inventory: &Inventory, host: HostId) -> Site {
    let settings: &Settings = &inventory.entry(host).settings;
    let root = settings.root.as_deref().map(|root| {
        let root = inventory.fill(host, root).into_owned();
        // A directory of this machine may be written relative to the inventory, and the inventory to here.
        match std::path::absolute(&root) {
            Ok(path) if settings.connection == Connection::Local => path.to_string_lossy().into_owned(),
            _ => root,
        }
    });
    Site {
        root,
        keysdir: settings.keysdir.to_string(),
        owner: settings.owner.as_deref().map(str::to_owned),
        group: settings.file_group.as_deref().map(str::to_owned),
    }
}

/// Whether scripts run as root on a host with these settings. A local one runs as whoever we are, which it finds out itself.
pub(super) fn as_root(settings: &Settings) -> bool {
    match &settings.connection {
        Connection::Ssh(ssh) => {
            ssh.become_root.is_some() || ssh.user.as_deref().is_none_or(|user| user == "root")
        }
        Connection::Local | Connection::Export => true,
    }
}

/// The key with which a host's daemon takes changes while it runs.
pub(crate) fn control(inventory: &Inventory, state: &State, entry: &HostEntry) -> Option<Control> {
    let id = entry.settings.control_key?;
    let declared = symmetric_key(inventory, entry.group, id)?;
    let key = state.symmetric.get(&*symmetric_owner(inventory, declared))?;
    let kind = *declared.kind.known()?;
    let key = key.clone();
    Some(Control { id, kind, key })
}

/// Why there is no plan for a host.
pub(crate) enum Unplanned {
    /// Its own files do not allow it: that is its failure, and no other host's.
    Host(PhaseError),
    /// What the inventory says cannot be written.
    Inventory(Vec<String>),
}

impl Unplanned {
    fn of(errors: &[ConfError]) -> Self {
        let inventory = errors.iter().filter(|error| error.of_its_files().is_none());
        let inventory: Vec<String> = inventory.map(ToString::to_string).collect();
        if !inventory.is_empty() {
            return Self::Inventory(inventory);
        }
        let found: Vec<_> = errors.iter().filter_map(ConfError::of_its_files).collect();
        let messages: Vec<&str> = found.iter().map(|(message, _)| &**message).collect();
        Self::Host(PhaseError::Failed {
            message: messages.join("; "),
            help: found.first().map(|(_, help)| (*help).to_owned()),
            stderr: String::new(),
        })
    }

    /// Everything that is wrong, where no host was looked at.
    pub(crate) fn words(self) -> Vec<String> {
        match self {
            Self::Host(error) => vec![error.to_string()],
            Self::Inventory(words) => words,
        }
    }
}

/// What a host should look like, given what stands there; all problems of the host.
pub(crate) fn desired(
    session: &Session,
    shared: &ntpconf::ConfContext<'_>,
    host: HostId,
    observed: &Observed,
) -> Result<DesiredHost, Unplanned> {
    let name = &*session.inventory().host(host).name;
    let needs = session.analysis().needs(host);
    let value = |owner: &str| session.state().symmetric.get(owner);
    let key_file = plan::key_file(session.inventory(), host, needs, &value)
        .map_err(|error| Unplanned::Inventory(vec![error.to_string()]))?;
    // A private certificate's key is the trusted host's own file, encrypted with its password.
    let owner = needs
        .private_certificate_of
        .map_or(name, |trusted| &session.inventory().host(trusted).name);
    let input = HostInput {
        inventory: session.inventory(),
        host,
        needs,
        depth: session.analysis().depth(host),
        fleet: shared,
        media: &session.state().snapshot.media(name),
        password: session.state().passwords.get(owner),
        key_file: key_file.as_ref(),
    };
    let mut made: DesiredHost =
        plan::desired(&input, session.templates(), observed).map_err(|errors| Unplanned::of(&errors))?;
    made.once_held(
        &session.inventory().entry(host).settings.keysdir,
        session.state().snapshot.ever(name),
    );
    Ok(made)
}

/// Where contents are in the vault, by digest.
pub(crate) fn artifacts(session: &Session) -> HashMap<Digest, ArtifactId> {
    session
        .state()
        .snapshot
        .artifacts()
        .map(|artifact| (artifact.digest, artifact.id))
        .collect()
}
