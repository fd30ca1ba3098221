//! Cryptotypes: what client and server of an association are in the manual's terms, and which go together
//! (NTP reference manual, "Identity Schemes and Cryptotypes").

use crate::inventory::{Association, Auth, Group, IdentityScheme};
use std::fmt;

/// The authentication and identity an end of an association uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cryptotype {
    /// No authentication.
    None,
    /// Symmetric key.
    Auth,
    /// Autokey with a private certificate.
    Pc,
    /// Autokey with trusted certificates alone.
    Tc,
    /// Autokey with an identity scheme.
    Ident,
}

impl fmt::Display for Cryptotype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "NONE",
            Self::Auth => "AUTH",
            Self::Pc => "PC",
            Self::Tc => "TC",
            Self::Ident => "IDENT",
        })
    }
}

/// What the manual's table says of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// They interoperate.
    Yes,
    /// They interoperate unless the server's restrictions say `notrust`.
    UnlessNotrust,
    /// They do not.
    No,
}

impl Cryptotype {
    /// What a member of this group is as a server over Autokey; outside groups TC.
    pub fn of_server(group: Option<&Group>) -> Self {
        let Some(group) = group else { return Self::Tc };
        if group.identity.contains(&IdentityScheme::Pc) {
            Self::Pc
        } else if server_schemes(group).is_empty() {
            Self::Tc
        } else {
            Self::Ident
        }
    }

    /// What a member of `group` is as the client of a line to a server of type `server`. The `ident` of a
    /// line follows from the server's group, so a client uses an identity scheme where the server has one.
    pub fn of_client(association: &Association, group: Option<&Group>, server: Self) -> Self {
        match association.auth {
            Auth::None => Self::None,
            Auth::Key(_) => Self::Auth,
            Auth::Autokey if Self::of_server(group) == Self::Pc => Self::Pc,
            Auth::Autokey if server == Self::Ident => Self::Ident,
            Auth::Autokey => Self::Tc,
        }
    }

    /// The manual's table, client in the row, server in the column.
    pub fn as_client_of(self, server: Self) -> Compatibility {
        use Compatibility::{No, UnlessNotrust, Yes};
        match (self, server) {
            (Self::None, Self::None)
            | (Self::Auth, Self::Auth)
            | (Self::Pc, Self::Pc)
            | (Self::Tc, Self::Tc | Self::Ident)
            | (Self::Ident, Self::Ident) => Yes,
            (Self::None, _) => UnlessNotrust,
            _ => No,
        }
    }
}

/// The identity schemes a group's servers hold keys of, in the order in which the daemon chooses.
pub fn server_schemes(group: &Group) -> Vec<IdentityScheme> {
    let mut schemes: Vec<IdentityScheme> = group
        .identity
        .iter()
        .copied()
        .filter(|scheme| !matches!(scheme, IdentityScheme::Tc | IdentityScheme::Pc))
        .collect();
    schemes.sort_unstable();
    schemes.dedup();
    schemes
}

/// The scheme the daemon runs with a server of this group: the first of IFF, GQ, MV it holds, and no other,
/// whatever the client has.
pub fn scheme_in_use(group: &Group) -> Option<IdentityScheme> {
    server_schemes(group).into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_the_manual() {
        use Cryptotype::{Auth, Ident, None, Pc, Tc};
        let all = [None, Auth, Pc, Tc, Ident];
        let table = all.map(|client| {
            all.map(|server| match client.as_client_of(server) {
                Compatibility::Yes => 'y',
                Compatibility::UnlessNotrust => '*',
                Compatibility::No => '-',
            })
            .iter()
            .collect::<String>()
        });
        assert_eq!(table, ["y****", "-y---", "--y--", "---yy", "----y"]);
    }
}
