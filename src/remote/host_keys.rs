//! Which host keys a host presents, and what `ssh` makes of them.
//!
//! `ssh` itself is asked, not `ssh-keyscan`: only it goes by way of jump hosts and proxies, applies the user's
//! configuration, and knows certificates, aliases and hashed names. One connection asks for its verdict with strict
//! checking, as every later connection will be made. Where that is no, one more connection a kind of key has it
//! written to a file of ours, as `known_hosts` would have it. None of them logs in.

use super::ssh::{SshOptions, refusal, said};
use super::{Unreachable, known_hosts};
use openssl::base64;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// Kinds of keys a server may have, each by the names ssh negotiates it under.
const KINDS: [&str; 3] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
    "rsa-sha2-512,rsa-sha2-256",
];

/// What `ssh` makes of a host's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The key, or the authority that certified it, stands in a known_hosts file.
    Known {
        /// FILE:LINE, where ssh says it.
        place: Option<String>,
    },
    /// Nothing is known of this host.
    Unknown,
    /// Another key is known for it, or this one is revoked.
    Changed {
        /// What stands against it, FILE:LINE; of a revoked key what ssh says.
        place: String,
        /// Whether the key presented is marked as revoked.
        revoked: bool,
    },
}

/// A key, as presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedKey {
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa` …; with `-cert-v01@openssh.com` for a certificate.
    pub kind: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The line for a known_hosts file, its name hashed if the configuration says so; `None` for a key that is known.
    pub line: Option<String>,
}

/// The keys of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKeys {
    /// The name under which known_hosts files have the host: `HostKeyAlias`, or host name and port.
    pub name: String,
    /// The file to which ssh would add a key.
    pub file: PathBuf,
    /// What ssh makes of them.
    pub verdict: Verdict,
    /// A known host's key; every kind of key of any other.
    pub keys: Vec<PresentedKey>,
}

/// Asks a host for its keys, and `ssh` for its verdict. Nothing is written anywhere but below `scratch`, a private directory.
///
/// # Errors
/// The host cannot be reached, or a jump host on the way cannot.
pub async fn host_keys(options: &SshOptions, scratch: &Path) -> Result<HostKeys, Unreachable> {
    let dir = TempDir::with_prefix_in("keys-", scratch).map_err(|err| {
        Unreachable::Connect(format!("cannot make a directory in {}: {err}", scratch.display()))
    })?;
    let place = known_hosts::place(options).await?;
    let (log, status) = connect(options, dir.path(), &["StrictHostKeyChecking=yes"]).await?;
    let Some((verdict, presented)) = read(&log) else {
        return Err(refusal(&log, &said(dir.path()), status));
    };
    if let Verdict::Known { .. } = verdict {
        return Ok(HostKeys {
            name: place.name,
            file: place.file,
            verdict,
            keys: presented.into_iter().collect(),
        });
    }
    let mut keys = Vec::new();
    for kind in KINDS {
        let file = dir.path().join("known");
        let known = format!("UserKnownHostsFile={}", file.display());
        let kinds = format!("HostKeyAlgorithms={kind}");
        // The first value of an option counts: these come before those of the configuration.
        let ours = [
            &*known,
            &kinds,
            "GlobalKnownHostsFile=none",
            "StrictHostKeyChecking=accept-new",
        ];
        connect(options, dir.path(), &ours).await?;
        keys.extend(collected(&std::fs::read_to_string(&file).unwrap_or_default()));
        let _ = std::fs::remove_file(&file);
    }
    if keys.is_empty() {
        return Err(Unreachable::HostKey(
            "it presented a key, and none a moment later".into(),
        ));
    }
    Ok(HostKeys {
        name: place.name,
        file: place.file,
        verdict,
        keys,
    })
}

/// One connection that ends before it logs in. What ssh logged, and how it ended; what jump hosts said is in [`said`].
pub(super) async fn connect(
    options: &SshOptions,
    dir: &Path,
    ours: &[&str],
) -> Result<(String, ExitStatus), Unreachable> {
    let log = dir.join("log");
    let limit = options.connect_timeout + Duration::from_secs(5);
    let mut command = options
        .ssh(dir)
        .map_err(|err| Unreachable::Connect(format!("cannot run ssh: {err}")))?;
    command.arg("-T").arg("-E").arg(&log);
    let timeout = format!("ConnectTimeout={}", options.connect_timeout.as_secs().max(1));
    let always = [
        &*timeout,
        "BatchMode=yes",
        // What is asked is the host key; no key and no agent of the user's comes into play.
        "PreferredAuthentications=none",
        "ControlMaster=no",
        "ControlPath=none",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "UpdateHostKeys=no",
        "LogLevel=DEBUG1",
    ];
    for option in ours.iter().chain(&always) {
        command.args(["-o", option]);
    }
    command.args(options.place()).args(["--", &options.host, "exit"]);
    let status = run(command, limit).await?;
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    Ok((text, status))
}

async fn run(mut command: Command, limit: Duration) -> Result<ExitStatus, Unreachable> {
    let mut child = command
        .spawn()
        .map_err(|err| Unreachable::Connect(format!("cannot run ssh: {err}")))?;
    match tokio::time::timeout(limit, child.wait()).await {
        Err(_) => Err(Unreachable::TimedOut(limit)),
        Ok(status) => status.map_err(|err| Unreachable::Connect(format!("cannot wait for ssh: {err}"))),
    }
}

/// The verdict and the key of a connection, from what ssh logged; `None` if it never came to a host key.
fn read(log: &str) -> Option<(Verdict, Option<PresentedKey>)> {
    let lines = || log.lines().map(|line| line.trim_start_matches("debug1: ").trim());
    let after = |prefix: &str| lines().find_map(|line| line.strip_prefix(prefix).map(str::to_owned));
    let presented = after("Server host certificate: ")
        .or_else(|| after("Server host key: "))
        .and_then(|text| {
            let mut words = text.split([' ', ',']);
            Some(PresentedKey {
                kind: words.next()?.to_owned(),
                fingerprint: words.next()?.to_owned(),
                line: None,
            })
        });
    let verdict = if log.contains("REVOKED HOST KEY DETECTED") {
        Verdict::Changed {
            place: lines()
                .find(|line| line.contains("revoked"))
                .unwrap_or_default()
                .to_owned(),
            revoked: true,
        }
    } else if log.contains("HOST IDENTIFICATION HAS CHANGED") {
        let place = lines().find_map(|line| {
            line.strip_prefix("Offending ")?
                .split_once(" in ")
                .map(|(_, place)| place)
        });
        Verdict::Changed {
            place: place.unwrap_or("known_hosts").to_owned(),
            revoked: false,
        }
    } else if lines().any(|line| line.starts_with("Host '") && line.contains("is known and matches")) {
        let place = after("Found key in ").or_else(|| after("Found CA key in "));
        Verdict::Known {
            place: place.map(|place| place.trim_end_matches('.').to_owned()),
        }
    } else if log.contains("host key is known for") {
        Verdict::Unknown
    } else {
        return None;
    };
    Some((verdict, presented))
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

    #[test]
    fn what_ssh_logs_is_told_apart() {
        let known = "debug1: Server host key: ssh-ed25519 SHA256:abc\n\
                     debug1: Host '[h]:2222' is known and matches the ED25519 host key.\n\
                     debug1: Found key in /h/known_hosts:7\n";
        let (verdict, key) = read(known).unwrap();
        assert_eq!(
            verdict,
            Verdict::Known {
                place: Some("/h/known_hosts:7".into())
            }
        );
        assert_eq!(key.unwrap().fingerprint, "SHA256:abc");
        let unknown = "debug1: Server host key: ssh-ed25519 SHA256:abc\n\
                       No ED25519 host key is known for x and you have requested strict checking.\n\
                       Host key verification failed.\n";
        assert_eq!(read(unknown).unwrap().0, Verdict::Unknown);
        let changed = "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n\
                       Offending ED25519 key in /h/known_hosts:3\n";
        assert_eq!(
            read(changed).unwrap().0,
            Verdict::Changed {
                place: "/h/known_hosts:3".into(),
                revoked: false
            }
        );
        assert_eq!(read("ssh: connect to host x port 22: Connection refused"), None);
    }
}
