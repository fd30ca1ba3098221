//! What is told to a running daemon in place of a restart: that an association goes, and is made anew with another `ident`.
//!
//! ntp.org's daemon takes that over `ntpq` from who has its control key (measured on 4.2.8p15; everything else about Autokey it
//! reads at its start and never again).

use super::{Action, DesiredHost, HostPlan, Observed};
use crate::digest::Digest;
use crate::inventory::{Implementation, KeyType};
use crate::secret::Secret;
use std::fmt::Write as _;

/// Under which name the command is among [`DesiredHost::contents`]: no path of a host.
pub const PATH: &str = "tell";

/// Longest key that a key file gives whole to the daemon, bytes (source of 4.2.8p15, `authreadkeys`).
const LONGEST_KEY: usize = 32;

/// The key that a daemon takes changes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Its id: `controlkey`.
    pub id: u32,
    /// Its type.
    pub kind: KeyType,
    /// Its value.
    pub key: Secret,
}

/// An association made anew with another `ident`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The server's address, or name, as its line says.
    pub server: String,
    /// The new line.
    pub line: String,
}

impl Control {
    /// Why this key cannot be used: ntpq takes its bytes as a line, and knows few types.
    ///
    /// # Errors
    /// In words.
    pub fn usable(&self, daemon: Implementation) -> Result<&'static str, String> {
        if daemon != Implementation::NtpOrg {
            return Err("only ntp.org's daemon moves an Autokey association while it runs".to_owned());
        }
        let kind = match self.kind {
            KeyType::Md5 => "MD5",
            KeyType::Sha1 => "SHA1",
            KeyType::Ripemd160 => "RIPEMD160",
            KeyType::Aes128Cmac => "AES128CMAC",
            other => {
                return Err(format!(
                    "ntpq cannot use a control key of type {}: MD5, SHA1 and AES-128-CMAC it can",
                    other.as_str()
                ));
            }
        };
        let key = self.key.expose();
        if key.len() > LONGEST_KEY || key.iter().any(|byte| [0, b'\n', b'\r'].contains(byte)) {
            return Err(format!(
                "ntpq cannot be given control key {}, one byte of which ends a line: rotate it (keytrail rotate symmetric), or use type MD5",
                self.id
            ));
        }
        Ok(kind)
    }

    /// The command that makes the moves on the host, and fails where the daemon refuses one.
    ///
    /// # Errors
    /// As [`Control::usable`].
    pub fn command(&self, daemon: Implementation, moves: &[Move]) -> Result<Secret, String> {
        let kind = self.usable(daemon)?;
        let mut text = HEAD.to_owned();
        for Move { server, line } in moves {
            for (change, then) in [(format!("unpeer {server}"), "sleep 1\n"), (line.clone(), "")] {
                let mut said = format!("keyid {}\nkeytype {kind}\npasswd\n", self.id).into_bytes();
                said.extend_from_slice(self.key.expose());
                said.extend_from_slice(format!("\n:config {change}\n").as_bytes());
                let _ = writeln!(text, "tell {} {}", quoted(&change), quoted(&escaped(&said)));
                text.push_str(then);
            }
        }
        Ok(Secret::from(text))
    }
}

/// POSIX sh. `printf` is the shell's own, so the key is in no list of processes.
const HEAD: &str = r#"at=''
for address in 127.0.0.1 ::1; do
    case $(ntpq -n -c as "$address" 2>&1 </dev/null) in
        *assid* | *'No association'*)
            at=$address
            break
            ;;
    esac
done
[ -n "$at" ] || { echo 'no ntpd answers ntpq here'; exit 1; }
tell() {
    said=$(printf %b "$2" | ntpq -n "$at" 2>&1)
    case $said in
        *'Config Succeeded'*) printf 'told: %s\n' "$1" ;;
        *) printf '%s: %s\n' "$1" "$said"; exit 1 ;;
    esac
}
"#;

/// Bytes as `printf %b` takes them.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b' ' | b':' | b'.' => text.push(char::from(*byte)),
            other => {
                let _ = write!(text, "\\0{other:03o}");
            }
        }
        text
    })
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Tells the daemon instead of restarting it, where all that a plan changes for it are the `ident`s of lines, and it can be
/// told. `control`: its control key, with its daemon.
pub(super) fn instead(
    plan: &mut HostPlan,
    made: &mut DesiredHost,
    observed: &Observed,
    daemon: Implementation,
    control: &Control,
) {
    if observed.restart_pending {
        return;
    }
    let Some(moves) = moves(plan, made, observed).filter(|moves| !moves.is_empty()) else {
        return;
    };
    let Ok(command) = control.command(daemon, &moves) else {
        return;
    };
    let digest = Digest::of(command.expose());
    for action in &mut plan.actions {
        if let Action::Restart { command } = action {
            *action = Action::Tell {
                changes: moves.iter().map(|one| one.line.clone()).collect(),
                digest,
                restart: std::mem::take(command),
            };
        }
    }
    made.contents.insert(PATH.to_owned(), command);
}

/// The lines that change, if nothing else does that the daemon reads at its start.
fn moves(plan: &HostPlan, made: &DesiredHost, observed: &Observed) -> Option<Vec<Move>> {
    let mut moves = Vec::new();
    for action in &plan.actions {
        match action {
            Action::ReplaceConf { path, .. } => {
                let old = observed.conf.get(path)?.expose_str()?;
                let new = made.contents.get(path)?.expose_str()?;
                moves.extend(moved(old, new)?);
            }
            Action::SwitchLink { path, .. } if !made.desired.unread.contains(path) => return None,
            Action::RemoveLink { path, .. } if made.desired.absent.contains(path) => return None,
            Action::PutFile {
                replaces: Some(_), ..
            }
            | Action::Tell { .. } => return None,
            _ => {}
        }
    }
    Some(moves)
}

/// Line by line: the same but for the `ident` of servers.
fn moved(old: &str, new: &str) -> Option<Vec<Move>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    if old.len() != new.len() {
        return None;
    }
    let mut moves = Vec::new();
    for (old, new) in old.iter().zip(&new).filter(|(old, new)| old != new) {
        let words = |line: &str| {
            line.split_ascii_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let (before, after) = (words(old), words(new));
        let ident = before.iter().position(|word| word == "ident")? + 1;
        let same = before.len() == after.len()
            && before
                .iter()
                .zip(&after)
                .enumerate()
                .all(|(at, (before, after))| at == ident || before == after);
        let autokey = before.iter().any(|word| word == "autokey");
        let server = after.get(1).filter(|_| same && autokey && after[0] == "server")?;
        moves.push(Move {
            server: server.clone(),
            line: after.join(" "),
        });
    }
    Some(moves)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "crypto pw x host leaf\nkeys /k\nserver 10.0.0.1 autokey ident red iburst\nserver 10.0.0.2 autokey ident red\n";

    #[test]
    fn only_another_ident_of_a_server_is_a_move() {
        let new = OLD.replace("10.0.0.1 autokey ident red", "10.0.0.1 autokey ident red2");
        let moves = moved(OLD, &new).expect("moves");
        assert_eq!(
            moves,
            [Move {
                server: "10.0.0.1".into(),
                line: "server 10.0.0.1 autokey ident red2 iburst".into(),
            }]
        );
        assert_eq!(moved(OLD, OLD), Some(Vec::new()));
        for (from, to) in [
            ("pw x", "pw y"),
            ("10.0.0.2 autokey", "10.0.0.3 autokey"),
            ("autokey ident red iburst", "key 7 ident red iburst"),
            ("ident red iburst", "ident red2"),
            ("server 10.0.0.1", "peer 10.0.0.1"),
            ("keys /k\n", ""),
        ] {
            assert_eq!(moved(OLD, &OLD.replace(from, to)), None, "{from}");
        }
    }

    #[test]
    fn a_key_that_ntpq_cannot_be_given_is_refused_with_what_to_do() {
        let key = |kind, bytes: &[u8]| Control {
            id: 9,
            kind,
            key: Secret::new(bytes),
        };
        let refused = |control: Control, daemon| control.usable(daemon).expect_err("refused");
        let unix = Implementation::NtpOrg;
        assert!(refused(key(KeyType::Aes128Cmac, b"abc\ndef"), unix).contains("rotate it"));
        assert!(refused(key(KeyType::Sha256, b"abc"), unix).contains("type SHA256"));
        assert!(refused(key(KeyType::Md5, b"abc"), Implementation::Ntpsec).contains("ntp.org"));
        assert_eq!(key(KeyType::Md5, b"abc").usable(unix), Ok("MD5"));
    }

    /// The command against an ntpq of our own, which takes it or refuses it.
    #[test]
    fn the_daemon_is_told_on_standard_input_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("ntpq");
        let log = dir.path().join("log");
        let fake = format!(
            "#!/bin/sh\ncase \"$*\" in *' as '*) echo 'ind assid'; exit;; esac\necho \"args $*\" >>{0}\ncat >>{0}\n[ ! -e {0}.no ] && echo Config Succeeded\n",
            log.display()
        );
        std::fs::write(&path, fake).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
        let control = Control {
            id: 9,
            kind: KeyType::Aes128Cmac,
            key: Secret::new(*b"\x01\xfe %'\"\\$`0\x7f"),
        };
        let moves = [Move {
            server: "10.0.0.1".into(),
            line: "server 10.0.0.1 autokey ident red2".into(),
        }];
        let command = control
            .command(Implementation::NtpOrg, &moves)
            .expect("a command");
        let script = dir.path().join("tell");
        std::fs::write(&script, command.expose()).expect("written");
        let run = || {
            let path = format!(
                "{}:{}",
                dir.path().display(),
                std::env::var("PATH").expect("a path")
            );
            let output = std::process::Command::new("sh")
                .arg(&script)
                .env("PATH", path)
                .output()
                .expect("sh");
            (
                output.status.success(),
                String::from_utf8_lossy(&output.stdout).into_owned(),
            )
        };
        let (good, said) = run();
        assert!(good, "{said}");
        assert_eq!(
            said,
            "told: unpeer 10.0.0.1\ntold: server 10.0.0.1 autokey ident red2\n"
        );
        let heard = std::fs::read(&log).expect("a log");
        let one = |change: &str| {
            [
                b"args -n 127.0.0.1\nkeyid 9\nkeytype AES128CMAC\npasswd\n",
                control.key.expose(),
                format!("\n:config {change}\n").as_bytes(),
            ]
            .concat()
        };
        let both = [one("unpeer 10.0.0.1"), one("server 10.0.0.1 autokey ident red2")].concat();
        assert_eq!(heard, both);
        std::fs::write(dir.path().join("log.no"), "").expect("written");
        let (good, said) = run();
        assert!(!good && said.starts_with("unpeer 10.0.0.1: "), "{said}");
    }
}
