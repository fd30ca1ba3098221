//! By what a line is authenticated: one value for each way there is.

use super::cryptotype::scheme_in_use;
use super::graph::{Line, TrailGraph};
use super::needs::{line_ident, symmetric_key};
use crate::inventory::{Auth, GroupId, IdentityScheme, Inventory, KeyType};
use std::collections::HashMap;
use std::fmt;

/// A way to authenticate, as fine as people tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Symmetric keys of a type; `None`: of one that is not known, or of no declared key.
    Key(Option<KeyType>),
    /// Autokey with this scheme of the server's group.
    Autokey(IdentityScheme),
    /// What a line of `ntp_conf` says, which is not looked into.
    Verbatim,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(Some(kind)) => kind.as_str(),
            Self::Key(None) => "keys of unknown type",
            Self::Autokey(scheme) => scheme.name(),
            Self::Verbatim => "lines of `ntp_conf`",
        })
    }
}

/// Finds the methods of lines; keys are looked up once.
#[derive(Debug)]
pub struct Methods<'i> {
    inventory: &'i Inventory,
    keys: HashMap<(Option<GroupId>, u32), Method>,
}

impl<'i> Methods<'i> {
    /// Of an inventory.
    pub fn new(inventory: &'i Inventory) -> Self {
        Self {
            inventory,
            keys: HashMap::new(),
        }
    }

    /// Of an edge; `None`: it is not authenticated.
    pub fn of_edge(&mut self, graph: &TrailGraph, line: Line) -> Option<Method> {
        let edge = graph.graph()[line];
        if !edge.role.is_authenticated() {
            return None;
        }
        let (entry, association) = graph.association(self.inventory, line);
        match association.auth {
            Auth::Key(id) => Some(self.of_key(entry.group, id)),
            Auth::Autokey => {
                let server = graph.ends(line).1;
                Some(Method::Autokey(self.scheme(graph.group(self.inventory, server))))
            }
            Auth::None => None,
        }
    }

    /// Of a line to an address outside the inventory.
    pub fn of_address(
        &mut self,
        group: Option<GroupId>,
        association: &crate::inventory::Association,
    ) -> Option<Method> {
        match association.auth {
            Auth::Key(id) => Some(self.of_key(group, id)),
            Auth::Autokey => {
                let group = line_ident(self.inventory, association).map(|ident| ident.group);
                Some(Method::Autokey(self.scheme(group)))
            }
            Auth::None => None,
        }
    }

    fn of_key(&mut self, group: Option<GroupId>, id: u32) -> Method {
        let inventory = self.inventory;
        *self.keys.entry((group, id)).or_insert_with(|| {
            let key = symmetric_key(inventory, group, id);
            Method::Key(key.and_then(|key| key.kind.known().copied()))
        })
    }

    fn scheme(&self, group: Option<GroupId>) -> IdentityScheme {
        let Some(group) = group.map(|group| self.inventory.group(group)) else {
            return IdentityScheme::Tc;
        };
        if group.identity.contains(&IdentityScheme::Pc) {
            return IdentityScheme::Pc;
        }
        scheme_in_use(group).unwrap_or(IdentityScheme::Tc)
    }
}
