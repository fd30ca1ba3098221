//! Handing media over outside SSH: a group's client parameters for everybody who should have them, a host's group media by
//! mail.

use crate::cli::exit::Failure;
use crate::cli::fleet::{Fleet, vault_failure};
use crate::cli::planning;
use crate::cli::ui::Ui;
use crate::cli::verbs::export::with_contents;
use crate::export::{self, Entry, Parameters};
use crate::inventory::{Implementation, closest};
use crate::media::{Dialect, GroupKey, GroupScheme, MediaFile, MediaKind, MediaName};
use crate::ntpconf;
use crate::plan::Observed;
use crate::vault::SecretKind;
use std::sync::PoisonError;

/// The directory of a group's client parameters.
pub fn parameters(fleet: &Fleet, group: &str) -> Result<Vec<Entry>, Failure> {
    let Some(declared) = fleet.inventory.groups.iter().find(|known| &*known.name == group) else {
        let names = fleet.inventory.groups.iter().map(|known| &*known.name);
        let failure = Failure::new(format!("the inventory has no group {group}; nothing was written"));
        return Err(match closest(group, names) {
            Some(near) => failure.help(format!("did you mean {near}?")),
            None => failure,
        });
    };
    if declared.is_external() {
        return Err(Failure::new(format!(
            "{group} is not your group: its client parameters are its operator's to hand out"
        )));
    }
    let cannot = |error| vault_failure("nothing was written", &error);
    let unusable = |error: crate::media::Error| Failure::new("nothing was written").because(&error);
    let vault = fleet.vault.lock().unwrap_or_else(PoisonError::into_inner);
    let mut files = Vec::new();
    let held = |ident| [GroupScheme::Iff, GroupScheme::Gq].map(|scheme| (ident, scheme));
    for (ident, scheme) in declared.held_idents().flat_map(held) {
        let Some(version) = fleet.state.snapshot.secret(SecretKind::Group(scheme), ident) else {
            continue;
        };
        let Some(stamp) = version.filestamp else { continue };
        let key = GroupKey::from_vault_bytes(&vault.secret(version.id).map_err(cannot)?).map_err(unusable)?;
        let name = MediaName::new(MediaKind::ClientParameters(scheme), ident, stamp).map_err(unusable)?;
        let block = key.client_block(Dialect::Current, 1).map_err(unusable)?;
        files.push(Parameters {
            scheme,
            stamp,
            content: MediaFile::pem(name, stamp.unix(), vec![block]).render(),
        });
    }
    if files.is_empty() {
        let failure = Failure::new(format!(
            "group {group} has no client parameters to hand out; nothing was written"
        ));
        let mv = fleet
            .state
            .snapshot
            .secret(SecretKind::Group(GroupScheme::Mv), declared.ident());
        return Err(if mv.is_some() {
            failure.help("with MV each client has parameters of its own: keytrail export --mail HOST")
        } else {
            failure.help("IFF and GQ have some, once a host of the group is a server or a client")
        });
    }
    export::parameters(group, &files).map_err(unusable)
}

/// The selected host's group media, as text for a mail.
pub fn mail(fleet: &Fleet, out: &mut Ui) -> Result<(), Failure> {
    let &[host] = &*fleet.hosts else {
        return Err(Failure::new(format!(
            "{} hosts are meant, and a mail is for one",
            fleet.hosts.len()
        ))
        .help("name one: each host gets what is for that host alone"));
    };
    let shared = ntpconf::Fleet::new(&fleet.inventory);
    let cannot = |whys: Vec<String>| {
        whys.into_iter()
            .fold(Failure::new("there is nothing to mail"), Failure::why)
    };
    if fleet.inventory.entry(host).settings.ntpd == Implementation::Openvms {
        let name = &fleet.inventory.host(host).name;
        return Err(Failure::new(format!(
            "{name} runs OpenVMS, where nobody takes files out of a text"
        ))
        .help(format!("export its bundle: keytrail export {name} -o DIR")));
    }
    let made = planning::desired(fleet, &shared, host, &Observed::default()).map_err(cannot)?;
    let text = with_contents(fleet, |content| export::mail(&made, content))
        .map_err(|errors| cannot(errors.iter().map(ToString::to_string).collect()))?;
    let Some(text) = text else {
        let name = &made.desired.host;
        return Err(Failure::new(format!(
            "there is nothing to mail: {name} needs no media of a group"
        )));
    };
    out.bytes(text.as_bytes())
}
