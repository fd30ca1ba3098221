//! What a rotation is about: which secrets are made anew, and what that means for who has not got it yet.

use super::record::StaleKeyEffect;
use crate::inventory::{GroupId, HostId, IdentityScheme, Inventory};
use crate::media::GroupScheme;
use crate::mint::symmetric_owner;
use crate::trail::needs::Needs;
use crate::vault::SecretKind;
use std::collections::{BTreeSet, HashSet};

/// What can be rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The keys of a group's identity schemes IFF, GQ and MV; with GQ also the trusted hosts' certificates, which carry a value
    /// of it.
    Identity,
    /// Host keys, and the certificates made of them.
    HostKey,
    /// Sign keys, and the certificates made of them.
    SignKey,
    /// Certificates alone.
    Certificate,
    /// Passwords of private files: the same numbers, encrypted anew.
    Password,
    /// Symmetric keys.
    Symmetric,
    /// The one key and private certificate of a PC group.
    Pc,
}

/// Whose.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Groups, for [`What::Identity`] and [`What::Pc`].
    pub groups: Vec<GroupId>,
    /// Hosts, for what belongs to hosts.
    pub hosts: Vec<HostId>,
    /// Symmetric keys, as [`symmetric_owner`] names them.
    pub keys: Vec<String>,
}

/// Something that cannot be rotated, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What, and why not.
    pub what: String,
    /// What to do.
    pub help: String,
}

/// What is made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// In words: `identity of group green`.
    pub words: String,
    /// Secrets.
    pub anew: HashSet<(SecretKind, Box<str>)>,
    /// Owners of certificates made anew whatever they are made of.
    pub renewing: Option<HashSet<Box<str>>>,
    /// What becomes of daemons that have not got it yet.
    pub bite: StaleKeyEffect,
    /// A client must not have it before its servers have.
    pub servers_first: bool,
}

/// What `what` means for `scope`. All refusals at once.
pub fn subject<'n>(
    what: What,
    scope: &Scope,
    inventory: &Inventory,
    needs: &dyn Fn(HostId) -> &'n Needs,
) -> Result<Subject, Vec<Refusal>> {
    let mut collected = Collected::default();
    let (bite, servers_first) = match what {
        What::Identity | What::Pc => (StaleKeyEffect::WhenExamined, true),
        What::Symmetric => (StaleKeyEffect::AtOnce, true),
        What::HostKey | What::SignKey | What::Certificate | What::Password => (StaleKeyEffect::Never, false),
    };
    let mut renewing = None;
    match what {
        What::Identity => collected.identity(scope, inventory),
        What::Pc => collected.private(scope, inventory),
        What::Symmetric => collected.symmetric(scope, inventory),
        What::Certificate => {
            let hosts = scope.hosts.iter().filter(|&&host| needs(host).autokey);
            let owners = hosts.map(|&host| owner(inventory, needs(host), host));
            renewing = Some(owners.collect::<HashSet<Box<str>>>());
        }
        What::HostKey | What::SignKey | What::Password => {
            for &host in scope.hosts.iter().filter(|&&host| needs(host).autokey) {
                collected.host(what, inventory, needs(host), host);
            }
        }
    }
    if !collected.refused.is_empty() {
        return Err(collected.refused);
    }
    if collected.anew.is_empty() && renewing.as_ref().is_none_or(HashSet::is_empty) {
        return Err(vec![Refusal {
            what: format!("there is no {} there that could be rotated", kind(what)),
            help: "see `keytrail trail HOST INVENTORY` for what a host holds".into(),
        }]);
    }
    Ok(Subject {
        words: format!("{} of {}", kind(what), whose(what, scope, inventory)),
        anew: collected.anew,
        renewing,
        bite,
        servers_first,
    })
}

/// What is rotated, in words.
fn kind(what: What) -> &'static str {
    match what {
        What::Identity => "identity",
        What::HostKey => "host key",
        What::SignKey => "sign key",
        What::Certificate => "certificate",
        What::Password => "password",
        What::Symmetric => "symmetric key",
        What::Pc => "private certificate",
    }
}

/// Whose it is, in words that are the same for the same scope.
fn whose(what: What, scope: &Scope, inventory: &Inventory) -> String {
    const NAMED: usize = 3;
    let (one, names): (&str, Vec<&str>) = match what {
        What::Identity | What::Pc => {
            let groups: BTreeSet<GroupId> = scope.groups.iter().copied().collect();
            let names = groups.into_iter().map(|group| &*inventory.group(group).name);
            ("group ", names.collect())
        }
        What::Symmetric => ("", scope.keys.iter().map(String::as_str).collect()),
        _ if scope.hosts.len() == inventory.hosts.len() => return "all hosts".into(),
        _ => {
            let names = scope.hosts.iter().map(|&host| &*inventory.host(host).name);
            ("", names.collect())
        }
    };
    let plural = if names.len() > 1 && !one.is_empty() {
        "groups "
    } else {
        one
    };
    if names.len() <= NAMED {
        return format!("{plural}{}", names.join(", "));
    }
    // The digest keeps selections apart that begin alike.
    let digest = crate::digest::Digest::of(names.join("\0").as_bytes()).to_string();
    format!(
        "{plural}{} … {} ({}, {})",
        names[0],
        names[names.len() - 1],
        names.len(),
        &digest[..8]
    )
}

/// The host whose key and certificate a host holds: its own, or those of its group's trusted host (PC).
fn owner(inventory: &Inventory, needs: &Needs, host: HostId) -> Box<str> {
    let owner = needs.private_certificate_of.unwrap_or(host);
    inventory.host(owner).name.clone()
}

#[derive(Default)]
struct Collected {
    anew: HashSet<(SecretKind, Box<str>)>,
    refused: Vec<Refusal>,
}

impl Collected {
    fn refuse(&mut self, what: impl Into<String>, help: impl Into<String>) {
        self.refused.push(Refusal {
            what: what.into(),
            help: help.into(),
        });
    }

    fn identity(&mut self, scope: &Scope, inventory: &Inventory) {
        for &id in &scope.groups {
            let group = inventory.group(id);
            if group.is_external() {
                self.refuse(
                    format!("group {} is outside the fleet: its keys belong to somebody else", group.name),
                    "put the files its operator hands over under 'external: parameters', then `keytrail apply`",
                );
                continue;
            }
            let schemes: Vec<GroupScheme> = group
                .identity
                .iter()
                .filter_map(|&scheme| GroupScheme::of(scheme))
                .collect();
            if schemes.is_empty() {
                let help = if is_private(inventory, id) {
                    format!(
                        "its members share one certificate: keytrail rotate pc --group {}",
                        group.name
                    )
                } else {
                    format!(
                        "with TC the certificates are all there is: keytrail rotate certificate --group {}",
                        group.name
                    )
                };
                self.refuse(format!("group {} has no identity keys", group.name), help);
            }
            for scheme in schemes {
                self.anew
                    .insert((SecretKind::Group(scheme), group.ident().into()));
            }
        }
    }

    fn private(&mut self, scope: &Scope, inventory: &Inventory) {
        for &id in &scope.groups {
            let group = inventory.group(id);
            match group.trusted.first().filter(|_| is_private(inventory, id)) {
                Some(&trusted) => {
                    let name = &inventory.host(trusted).name;
                    self.anew.insert((SecretKind::HostKey, name.clone()));
                    if inventory.entry(trusted).settings.sign_key.is_some() {
                        self.anew.insert((SecretKind::SignKey, name.clone()));
                    }
                }
                None => self.refuse(
                    format!("group {} has no private certificate", group.name),
                    format!(
                        "its identity keys: keytrail rotate identity --group {}",
                        group.name
                    ),
                ),
            }
        }
    }

    fn symmetric(&mut self, scope: &Scope, inventory: &Inventory) {
        for name in &scope.keys {
            let Some(key) = inventory
                .keys
                .iter()
                .find(|key| symmetric_owner(inventory, key) == *name)
            else {
                let known: Vec<String> = inventory
                    .keys
                    .iter()
                    .map(|key| symmetric_owner(inventory, key))
                    .collect();
                self.refuse(
                    format!("there is no symmetric key {name}"),
                    format!("the inventory has {}", known.join(", ")),
                );
                continue;
            };
            if key.value.is_some() {
                self.refuse(
                    format!("the value of symmetric key {name} comes from the inventory"),
                    "change it where it comes from, then `keytrail apply`",
                );
                continue;
            }
            self.anew.insert((SecretKind::Symmetric, name.as_str().into()));
        }
    }

    fn host(&mut self, what: What, inventory: &Inventory, needs: &Needs, host: HostId) {
        let name = &inventory.host(host).name;
        let settings = &inventory.entry(host).settings;
        let private = inventory
            .entry(host)
            .group
            .filter(|&group| is_private(inventory, group));
        if let (Some(group), What::HostKey | What::SignKey) = (private, what) {
            self.refuse(
                format!("{name} shares its key with all members of its group"),
                format!("keytrail rotate pc --group {}", inventory.group(group).name),
            );
            return;
        }
        match what {
            What::SignKey if settings.sign_key.is_none() => {}
            What::SignKey => {
                self.anew.insert((SecretKind::SignKey, name.clone()));
            }
            What::Password if settings.password.is_some() => self.refuse(
                format!("the password of {name} comes from the inventory"),
                "change it where it comes from, then `keytrail apply`: files and ntp.conf follow in one step",
            ),
            What::Password => {
                let owner = owner(inventory, needs, host);
                self.anew.insert((SecretKind::Password, owner));
            }
            _ => {
                self.anew.insert((SecretKind::HostKey, name.clone()));
            }
        }
    }
}

fn is_private(inventory: &Inventory, group: GroupId) -> bool {
    inventory.group(group).identity.contains(&IdentityScheme::Pc)
}
