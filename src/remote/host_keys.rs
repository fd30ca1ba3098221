//! Which host keys a host presents, and whether they are known.
//!
//! `ssh` itself is asked, not `ssh-keyscan`: only it goes by way of jump hosts and proxies, applies the user's
//! configuration, and knows certificates, aliases and hashed names. No word that a peer can write decides anything:
//!
//! * the key presented is what `ssh` writes into a known_hosts file of ours ([`record`]);
//! * that the peer holds it is known by `ssh` asking its agent, which is a socket of ours: it does so after the key
//!   exchange, when the host key has been accepted, and for no other reason ([`connect`]);
//! * which keys are known is what `ssh-keygen -F` finds in the configured files; authorities and commands are `ssh`'s own
//!   affair, so where no line is equal, one connection with strict checking says whether it accepts the key.
//!
//! None of these connections logs in.

use super::heard::Heard;
use super::known_hosts::{Known, Marker, Place};
use super::presented::{HostKeys, PresentedKey, Verdict};
use super::ssh_options::SshOptions;
use super::{Cause, Unreachable, known_hosts};
use openssl::base64;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixListener};

/// Kinds of keys a server may have, each by the names ssh negotiates it under.
const KINDS: [&str; 3] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
    "rsa-sha2-512,rsa-sha2-256",
];

/// Asks a host for its keys. Nothing is written anywhere but below `scratch`, a private directory.
///
/// # Errors
/// The host cannot be reached, or a jump host on the way cannot.
pub async fn host_keys(options: &SshOptions, scratch: &Path) -> Result<HostKeys, Unreachable> {
    let place = known_hosts::place(options).await?;
    if let Some(cause) = no_way(&place, options.connect_timeout).await {
        return Err(Unreachable::Refused {
            cause,
            said: String::new(),
        });
    }
    let (keys, said) = examine(options, &place, scratch).await?;
    keys.ok_or(Unreachable::Refused {
        cause: silent(&place),
        said,
    })
}

/// Why an `ssh` did not get through that said `said` and took so long.
pub(super) async fn diagnose(
    options: &SshOptions,
    scratch: &Path,
    said: String,
    took: Duration,
) -> Unreachable {
    let place = match known_hosts::place(options).await {
        Ok(place) => place,
        Err(why) => return why,
    };
    if let Some(cause) = no_way(&place, options.connect_timeout).await {
        return Unreachable::Refused { cause, said };
    }
    if took >= options.connect_timeout {
        // To wait once more would say nothing new.
        let cause = silent(&place);
        return Unreachable::Refused { cause, said };
    }
    match examine(options, &place, scratch).await {
        Err(why) => why,
        // Of a master's jump hosts and proxies ssh lets nothing be heard; here it does.
        Ok((None, heard)) => Unreachable::Refused {
            cause: silent(&place),
            said: if place.proxied && !heard.is_empty() {
                heard
            } else {
                said
            },
        },
        Ok((Some(keys), _)) => match (super::changed_key::changed(&keys), &keys.verdict) {
            (Some(changed), _) => changed,
            (None, Verdict::Unknown) => Unreachable::HostKey(unknown(&keys)),
            _ => Unreachable::Refused {
                cause: Cause::Login,
                said,
            },
        },
    }
}

fn unknown(keys: &HostKeys) -> String {
    let presented: Vec<String> = keys
        .keys
        .iter()
        .map(|key| format!("{} {}", key.kind, key.fingerprint))
        .collect();
    format!(
        "no host key is known for {}; it presents {}",
        keys.name,
        presented.join(", ")
    )
}

/// What it is where no host key came: with something on the way, the fault may lie there as well.
fn silent(place: &Place) -> Cause {
    if place.proxied { Cause::Way } else { Cause::NoKey }
}

/// What the network says of a host that is reached without a proxy. `None`: something answers, or there is a proxy.
async fn no_way(place: &Place, limit: Duration) -> Option<Cause> {
    if place.proxied {
        return None;
    }
    let reach = async {
        let Ok(found) = tokio::net::lookup_host((&*place.host, place.port)).await else {
            return Some(Cause::Name);
        };
        let mut refused = false;
        let mut any = false;
        for address in found {
            any = true;
            match TcpStream::connect(address).await {
                Ok(_) => return None,
                Err(err) => refused |= err.kind() == std::io::ErrorKind::ConnectionRefused,
            }
        }
        Some(match (any, refused) {
            (false, _) => Cause::Name,
            (true, true) => Cause::Closed,
            (true, false) => Cause::Silent,
        })
    };
    tokio::time::timeout(limit, reach)
        .await
        .unwrap_or(Some(Cause::Silent))
}

/// The keys of a host, `None` where it never came to one, and what ssh said meanwhile.
async fn examine(
    options: &SshOptions,
    place: &Place,
    scratch: &Path,
) -> Result<(Option<HostKeys>, String), Unreachable> {
    let dir = TempDir::with_prefix_in("keys-", scratch).map_err(|err| {
        Unreachable::Connect(format!("cannot make a directory in {}: {err}", scratch.display()))
    })?;
    let dir = dir.path();
    let known = known_hosts::lines(place).await?;
    let plain: Vec<&Known> = known.iter().filter(|line| line.marker.is_none()).collect();
    // As ssh does: first the kinds that are known.
    let mut kinds: Vec<&str> = KINDS
        .iter()
        .copied()
        .filter(|kinds| plain.iter().any(|line| is_of(line, kinds)))
        .collect();
    if kinds.len() == KINDS.len() {
        kinds.clear();
    }
    let first = kinds.join(",");
    let (mut keys, said) = record(
        options,
        place,
        dir,
        (!first.is_empty()).then(|| format!("^{first}")),
    )
    .await?;
    if keys.is_empty() {
        return Ok((None, said));
    }
    let strict = async || {
        connect(options, dir, &["StrictHostKeyChecking=yes"])
            .await
            .map(|contact| contact.accepted)
    };
    let equal = |keys: &[PresentedKey], marker: Option<Marker>| {
        known
            .iter()
            .find(|line| line.marker == marker && keys.iter().any(|key| key.blob() == Some(&line.key)))
            .map(|line| line.place.clone())
    };
    let revoked = equal(&keys, Some(Marker::Revoked));
    let verdict = if let Some(place) = revoked {
        Verdict::Changed { place, revoked: true }
    } else if let Some(stands) = equal(&keys, None) {
        if !strict().await? {
            return Err(Unreachable::HostKey(format!(
                "it presents the key of {stands}, and ssh does not accept it: it may be revoked (RevokedHostKeys), or the \
                 connection was lost"
            )));
        }
        Verdict::Known { place: Some(stands) }
    } else if strict().await? {
        let authority = known.iter().find(|line| line.marker == Some(Marker::Authority));
        Verdict::Known {
            place: authority.map(|line| line.place.clone()),
        }
    } else {
        for kind in KINDS {
            for key in record(options, place, dir, Some(kind.to_owned())).await?.0 {
                if !keys.iter().any(|have| have.blob() == key.blob()) {
                    keys.push(key);
                }
            }
        }
        if let Some(place) = equal(&keys, Some(Marker::Revoked)) {
            Verdict::Changed { place, revoked: true }
        } else if let Some(other) = plain.first() {
            let place = other.place.clone();
            Verdict::Changed {
                place,
                revoked: false,
            }
        } else {
            Verdict::Unknown
        }
    };
    let keys = HostKeys {
        name: place.name.clone(),
        file: place.file.clone(),
        verdict,
        keys,
    };
    Ok((Some(keys), said))
}

/// Whether a known key is of a kind in this list of algorithms.
fn is_of(line: &Known, kinds: &str) -> bool {
    // The algorithms of an RSA key have names of their own.
    line.kind == "ssh-rsa" && kinds.starts_with("rsa-") || kinds.split(',').any(|kind| kind == line.kind)
}

/// Has ssh write the key that a host presents, and proves, to a file of ours; and what ssh said.
async fn record(
    options: &SshOptions,
    place: &Place,
    dir: &Path,
    kinds: Option<String>,
) -> Result<(Vec<PresentedKey>, String), Unreachable> {
    /// The longest RSA key that ssh takes has less than 3 KiB.
    const LONGEST: u64 = 64 << 10;
    let file = dir.join("known");
    let _ = std::fs::remove_file(&file);
    let known = format!("UserKnownHostsFile={}", file.display());
    let kinds = kinds.map(|kinds| format!("HostKeyAlgorithms={kinds}"));
    // The first value of an option counts: these come before those of the configuration.
    let mut ours = vec![
        &*known,
        "GlobalKnownHostsFile=none",
        "RevokedHostKeys=none",
        "VerifyHostKeyDNS=no",
        "StrictHostKeyChecking=accept-new",
    ];
    ours.extend(kinds.as_deref());
    ours.extend(place.asks_command.then_some("KnownHostsCommand=none"));
    let contact = connect(options, dir, &ours).await?;
    let mut text = String::new();
    if contact.accepted
        && let Ok(file) = std::fs::File::open(&file)
    {
        let _ = file.take(LONGEST).read_to_string(&mut text);
    }
    Ok((collected(&text), contact.said))
}

/// What came of a connection that ends before it logs in.
struct Contact {
    /// The key exchange was completed, and ssh accepted the host key.
    accepted: bool,
    /// What ssh said: for people.
    said: String,
}

/// One connection that ends before it logs in.
async fn connect(options: &SshOptions, dir: &Path, ours: &[&str]) -> Result<Contact, Unreachable> {
    let limit = options.connect_timeout + Duration::from_secs(5);
    let agent = dir.join("agent");
    let _ = std::fs::remove_file(&agent);
    let listener = UnixListener::bind(&agent)
        .map_err(|err| Unreachable::Connect(format!("cannot make a socket in {}: {err}", dir.display())))?;
    let mut command = options.ssh();
    command.arg("-T");
    let timeout = format!("ConnectTimeout={}", options.connect_timeout.as_secs().max(1));
    let identity = format!("IdentityAgent={}", agent.display());
    let always = [
        &*timeout,
        &identity,
        "BatchMode=yes",
        // What is asked is the host key; no key of the user's comes into play.
        "PreferredAuthentications=none",
        "PubkeyAuthentication=yes",
        "ControlMaster=no",
        "ControlPath=none",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "UpdateHostKeys=no",
        "LogLevel=ERROR",
    ];
    for option in ours.iter().chain(&always) {
        command.args(["-o", option]);
    }
    command.args(options.place()).args(["--", &options.host, "exit"]);
    let cannot = |what: &str, err: std::io::Error| Unreachable::Connect(format!("cannot {what} ssh: {err}"));
    let mut child = command.spawn().map_err(|err| cannot("run", err))?;
    let mut heard = child.stderr.take().map(Heard::listen).unwrap_or_default();
    let mut accepted = false;
    let wait = async {
        loop {
            tokio::select! {
                ended = child.wait() => return ended,
                // Closed at once: there are no keys in this agent.
                asked = listener.accept() => accepted |= asked.is_ok(),
            }
        }
    };
    match tokio::time::timeout(limit, wait).await {
        Err(_) => return Err(Unreachable::TimedOut(limit)),
        Ok(ended) => ended.map_err(|err| cannot("wait for", err))?,
    };
    let late = tokio::time::timeout(Duration::ZERO, listener.accept());
    accepted |= matches!(late.await, Ok(Ok(_)));
    Ok(Contact {
        accepted,
        said: heard.line().await,
    })
}

impl PresentedKey {
    /// The key in base64, as known_hosts files have it.
    fn blob(&self) -> Option<&str> {
        self.line.as_deref()?.split(' ').nth(2)
    }
}

/// The keys of a known_hosts file that ssh has just written.
fn collected(text: &str) -> Vec<PresentedKey> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (_, kind, key) = (words.next()?, words.next()?, words.next()?);
        let key = base64::decode_block(key).ok()?;
        let digest = crate::digest::Digest::of(&key);
        let fingerprint = base64::encode_block(&digest.0);
        Some(PresentedKey {
            kind: kind.to_owned(),
            fingerprint: format!("SHA256:{}", fingerprint.trim_end_matches('=')),
            line: Some(line.to_owned()),
        })
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_known_hosts_has_the_fingerprint_ssh_keygen_shows() {
        // Key and fingerprint of github.com, as published.
        let line =
            "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
        let keys = collected(&format!("{line}\nno key\nx y z\n"));
        assert_eq!(keys.len(), 1);
        assert_eq!(
            keys[0].fingerprint,
            "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
        );
        assert_eq!(keys[0].line.as_deref(), Some(line));
    }
}
