//! The values a template sees: everything a daemon needs to be told, one typed value per host.
//!
//! Every text in here is already spelled for the daemon ([`super::spell`]): quoted where it must be. Names are
//! those of docs/templates.md.

use serde::Serialize;

/// All values of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Context {
    /// Host name of the inventory.
    pub host: String,
    /// Its secure group, if any.
    pub group: Option<String>,
    /// `ntp.org`, `ntpsec`, `chrony` or `openvms`.
    pub implementation: &'static str,
    /// Directory of the key media; only on hosts that take part in Autokey.
    pub keysdir: Option<String>,
    /// The `crypto` command; only on hosts that take part in Autokey.
    pub crypto: Option<Crypto>,
    /// Symmetric keys; only on hosts that hold any.
    pub keys: Option<Keys>,
    /// Lines of the reference clock, as written in the inventory.
    pub reference_clock: Vec<String>,
    /// One value per association, in the order servers, peers, broadcast.
    pub associations: Vec<Association>,
    /// Addresses of the hosts that point at this one, for daemons that serve nobody else (chrony).
    pub clients: Vec<String>,
    /// Listens to broadcast servers.
    pub broadcastclient: bool,
    /// Group for broadcast client and symmetric passive associations; a daemon has one.
    pub ident: Option<String>,
    /// `automax`, log2 seconds.
    pub automax: Option<u32>,
    /// `revoke`, log2 seconds.
    pub revoke: Option<u32>,
    /// `statistics cryptostats` is wanted.
    pub cryptostats: bool,
    /// What stands between `restrict` and `notrust`.
    pub restrict_notrust: Vec<String>,
    /// Lines of the inventory for the daemon, as written.
    pub extra: Vec<String>,
}

/// Options of the `crypto` command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Crypto {
    /// Password of the private files. A stand-in: a template can only write it, not look at it.
    pub password: Option<String>,
    /// Owner in the file names `ntpkey_host_…`, `ntpkey_cert_…`: without it the daemon takes what
    /// gethostname() says, which need not be the inventory's name.
    pub host: String,
    /// Group whose server keys this host holds; only on servers of a group with keys.
    pub ident: Option<String>,
    /// Digest of the packets' MAC.
    pub digest: Option<String>,
    /// Random seed file.
    pub randfile: Option<String>,
}

/// Symmetric keys a daemon must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// The key file.
    pub file: String,
    /// Ids to trust, as ntpd spells them: `1 (3 ... 5) 9`.
    pub trusted: String,
    /// The same ids one by one.
    pub ids: Vec<u32>,
    /// `controlkey`.
    pub control: Option<u32>,
    /// `requestkey`.
    pub request: Option<u32>,
}

/// One association line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Association {
    /// `server`, `peer` or `broadcast`.
    pub command: &'static str,
    /// Address or name in the line.
    pub address: String,
    /// The host's name in the inventory, where it has one.
    pub name: Option<String>,
    /// Authenticated by Autokey.
    pub autokey: bool,
    /// Id of its symmetric key.
    pub key: Option<u32>,
    /// Group whose parameters prove the server.
    pub ident: Option<String>,
    /// `iburst`.
    pub iburst: bool,
    /// Shortest poll interval, log2 seconds.
    pub minpoll: Option<u8>,
    /// Longest poll interval, log2 seconds.
    pub maxpoll: Option<u8>,
    /// `prefer`.
    pub prefer: bool,
    /// NTP version to speak, where another than the daemon's own choice is needed.
    pub version: Option<u8>,
    /// Further words, as written.
    pub options: Vec<String>,
}

impl Context {
    /// A host with everything, for finding out which names a template may use.
    pub(super) fn sample() -> Self {
        Self {
            host: "mort".into(),
            group: Some("red".into()),
            implementation: "ntp.org",
            keysdir: Some("/etc/ntp/crypto".into()),
            crypto: Some(Crypto {
                password: Some("x".into()),
                host: "mort".into(),
                ident: Some("red".into()),
                digest: Some("SHA256".into()),
                randfile: Some("/dev/urandom".into()),
            }),
            keys: Some(Keys {
                file: "/etc/ntp/ntp.keys".into(),
                trusted: "1".into(),
                ids: vec![1],
                control: Some(1),
                request: Some(1),
            }),
            reference_clock: vec!["server 127.127.1.0".into()],
            associations: vec![Association {
                command: "server",
                address: "192.0.2.1".into(),
                name: Some("macabre".into()),
                autokey: true,
                key: Some(1),
                ident: Some("blue".into()),
                iburst: true,
                minpoll: Some(4),
                maxpoll: Some(6),
                prefer: true,
                version: Some(4),
                options: vec!["burst".into()],
            }],
            clients: vec!["192.0.2.2".into()],
            broadcastclient: true,
            ident: Some("red".into()),
            automax: Some(12),
            revoke: Some(16),
            cryptostats: true,
            restrict_notrust: vec!["192.0.2.0 mask 255.255.255.0".into()],
            extra: vec!["tos orphan 5".into()],
        }
    }
}

/// Key ids as `trustedkey` takes them: runs of three and more as `(a ... b)`, with the blanks the daemon's scanner needs
/// (`(1...3)` is a syntax error and loses the line; measured on 4.2.8p15 and NTPsec 1.2.2).
pub(super) fn spell_ids(ids: &[u32]) -> String {
    let mut words = Vec::new();
    let mut rest = ids;
    while let Some(&first) = rest.first() {
        let run = rest.iter().zip(first..).take_while(|(a, b)| **a == *b).count();
        if run >= 3 {
            words.push(format!("({first} ... {})", rest[run - 1]));
        } else {
            words.extend(rest[..run].iter().map(u32::to_string));
        }
        rest = &rest[run..];
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::spell_ids;

    #[test]
    fn ids_are_folded_with_blanks() {
        assert_eq!(spell_ids(&[]), "");
        assert_eq!(spell_ids(&[7]), "7");
        assert_eq!(spell_ids(&[1, 2, 4]), "1 2 4");
        assert_eq!(spell_ids(&(1..=19).collect::<Vec<_>>()), "(1 ... 19)");
        assert_eq!(spell_ids(&[1, 3, 4, 5, 65534]), "1 (3 ... 5) 65534");
    }
}
