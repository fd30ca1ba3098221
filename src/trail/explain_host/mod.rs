//! One host explained: where its trails lead and what each hop proves with which files, what it must hold, and
//! which lines its ntp.conf needs, each with the reason.

mod holds;
mod trails;

use super::Analysis;
use super::cryptotype::Cryptotype;
use super::graph::Node;
use super::stratum::strata;
use crate::inventory::{GroupId, HostId, IdentityScheme, Inventory};
use serde::Serialize;
use std::fmt;

/// A host explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostTrail {
    /// Its name.
    pub host: String,
    /// Its group.
    pub group: Option<String>,
    /// The name in its certificate.
    pub certificate: String,
    /// A trusted host of its group.
    pub trusted: bool,
    /// What it is to its clients (`IDENT`); none where it serves nobody over Autokey.
    pub serves_as: Option<String>,
    /// Its place in the order of restarts, from 0.
    pub wave: u32,
    /// Its stratum, where it is known.
    pub stratum: Option<u32>,
    /// Its association lines with hosts, in the order written.
    pub trails: Vec<Trail>,
    /// Files and keys it must hold.
    pub holds: Vec<Reason>,
    /// Lines of its ntp.conf.
    pub lines: Vec<Reason>,
}

/// Where one association leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trail {
    /// The line's place below the host (`servers.0`).
    pub line: String,
    /// The host at the other end.
    pub server: String,
    /// Cryptotype of this end (`IDENT`).
    pub cryptotype: String,
    /// What the line is good for: `trail`, `backup`, `key`, `plain`, `dead`.
    pub purpose: &'static str,
    /// Whether it ends at a trusted host with a source of time.
    pub proven: bool,
    /// From this host to where the trail ends; empty where the line proves nothing by Autokey.
    pub hops: Vec<Hop>,
}

/// One step of a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Who is proven.
    pub server: String,
    /// What the step proves.
    pub proves: String,
    /// Files it takes on this host.
    pub here: Vec<String>,
    /// Files it takes on the server.
    pub there: Vec<String>,
}

/// Something with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// A file, a key or a line.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Explains a host.
pub fn explain_host(inventory: &Inventory, analysis: &Analysis, host: HostId) -> HostTrail {
    let at = Explained {
        inventory,
        analysis,
        host,
        node: analysis.graph.node_of(host),
    };
    let entry = inventory.entry(host);
    let needs = analysis.needs(host);
    HostTrail {
        host: inventory.host(host).name.to_string(),
        group: entry.group.map(|group| inventory.group(group).name.to_string()),
        certificate: inventory.certificate_name(host),
        trusted: inventory.is_trusted(host),
        serves_as: needs.serves.then(|| at.server_type(entry.group).to_string()),
        wave: analysis.depth(host),
        stratum: strata(inventory, &analysis.graph)[at.node.index()],
        trails: at.trails(),
        holds: at.holds(needs),
        lines: at.lines(needs),
    }
}

struct Explained<'a> {
    inventory: &'a Inventory,
    analysis: &'a Analysis,
    host: HostId,
    node: Node,
}

impl Explained<'_> {
    fn name(&self) -> &str {
        &self.inventory.host(self.host).name
    }

    fn server_type(&self, group: Option<GroupId>) -> Cryptotype {
        Cryptotype::of_server(group.map(|group| self.inventory.group(group)))
    }
}

fn file(scheme: IdentityScheme, what: &str, group: &str) -> String {
    format!("ntpkey_{}{what}_{group}", scheme.name().to_ascii_lowercase())
}

impl fmt::Display for HostTrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.certificate)?;
        if self.trusted {
            f.write_str(", trusted host")?;
        }
        if let Some(serves_as) = &self.serves_as {
            write!(f, ", serves as {serves_as}")?;
        }
        write!(f, ", wave {}", self.wave)?;
        if let Some(stratum) = self.stratum {
            write!(f, ", stratum {stratum}")?;
        }
        writeln!(f)?;
        for trail in &self.trails {
            let proven = match (trail.purpose, trail.proven) {
                ("trail" | "backup" | "key", false) => ", NOT PROVEN",
                _ => "",
            };
            writeln!(
                f,
                "\n{} → {} ({}, {}{proven})",
                trail.line, trail.server, trail.purpose, trail.cryptotype
            )?;
            for (number, hop) in trail.hops.iter().enumerate() {
                writeln!(f, "  {}. {}", number + 1, hop.proves)?;
                if !hop.here.is_empty() {
                    writeln!(f, "     here: {}", hop.here.join(", "))?;
                }
                writeln!(f, "     on {}: {}", hop.server, hop.there.join(", "))?;
            }
        }
        for (title, reasons) in [("holds", &self.holds), ("ntp.conf", &self.lines)] {
            writeln!(f, "\n{title}")?;
            let width = reasons
                .iter()
                .map(|reason| reason.what.chars().count())
                .max()
                .unwrap_or(0);
            for reason in reasons {
                writeln!(f, "  {:width$}  {}", reason.what, reason.why)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::explain_host;
    use crate::inventory::load_str;
    use crate::trail::analyse;
    use crate::trail::sample::TODAY;

    fn explained(name: &str) -> String {
        let inventory = load_str(include_str!("../../../inventories/red-green-blue.yaml")).expect("valid");
        let analysis = analyse(&inventory, TODAY);
        let host = inventory.find(name).expect("declared");
        explain_host(&inventory, &analysis, host).to_string()
    }

    #[test]
    fn a_leaf_walks_to_its_trusted_host() {
        let expected = "\
leaf02@green, wave 3, stratum 3

servers.0 → yellow (trail, IDENT)
  1. yellow holds green's GQ key, and yellow's certificate is signed by howland
     here: ntpkey_gqpar_green
     on yellow: ntpkey_cert_yellow, ntpkey_host_yellow, ntpkey_gqkey_green
  2. howland's certificate is signed by itself and marked as trusted: the trail ends here
     on howland: ntpkey_cert_howland

servers.1 → howland (trail, IDENT)
  1. howland holds green's GQ key, and howland's certificate is signed by itself and marked as trusted: the trail ends here
     here: ntpkey_gqpar_green
     on howland: ntpkey_cert_howland, ntpkey_host_howland, ntpkey_gqkey_green

holds
  ntpkey_host_leaf02  its own RSA key: every host with Autokey has one
  ntpkey_cert_leaf02  leaf02@green, not trusted: its servers sign it
  ntpkey_gqpar_green  checks yellow and howland
  no server keys      nobody points at it over Autokey

ntp.conf
  keysdir /etc/ntp/crypto                          where its media are
  crypto pw …                                      turns Autokey on; the password opens its private files
  server yellow.green.example autokey ident green  yellow: without `ident green` anybody with a trusted certificate would be believed
  server howland.green.example autokey ident green  howland: without `ident green` anybody with a trusted certificate would be believed
";
        // Columns are as wide as the widest, which this text does not repeat.
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&explained("leaf02")), squeezed(expected));
    }

    #[test]
    fn a_trusted_host_is_told_why_it_holds_server_keys() {
        let text = explained("howland");
        assert!(
            text.starts_with("howland@green, trusted host, serves as IDENT, wave 1, stratum 2\n"),
            "{text}"
        );
        assert!(
            text.contains(
                "ntpkey_gqkey_green   proves green to its clients yellow and leaf[01-04] (5 hosts)"
            ),
            "{text}"
        );
        assert!(text.contains("ntpkey_iffpar_red    checks mort"), "{text}");
        assert!(text.contains("crypto ident green"), "{text}");
    }
}
