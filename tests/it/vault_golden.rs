//! What the verbs around the vault say, on the vault of the first release as fixture: its contents do not change.
//! `SNAPSHOTS=overwrite cargo test --test it vault_golden` rewrites the goldens: read the difference.

use crate::common::executable;
use snapbox::cmd::{Command, cargo_bin};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct Site {
    dir: TempDir,
}

struct Ran {
    status: i32,
    text: String,
}

impl Site {
    fn new() -> Self {
        let dir = TempDir::with_prefix("keytrail-test-").expect("a directory");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vaults");
        for (name, to) in [
            ("format1.vault", "fleet.vault"),
            ("format1.agekey", "ann.agekey"),
            ("format1.yaml", "fleet.yaml"),
        ] {
            fs::copy(from.join(name), dir.path().join(to)).expect("copied");
        }
        for name in ["fleet.vault", "ann.agekey"] {
            fs::set_permissions(dir.path().join(name), PermissionsExt::from_mode(0o600)).expect("its mode");
        }
        let site = Self { dir };
        site.done("vault upgrade fleet.yaml --yes --identity ann.agekey");
        for left in fs::read_dir(site.dir.path()).expect("a directory").flatten() {
            if left.file_name().to_string_lossy().contains(".before-") {
                fs::remove_file(left.path()).expect("removed");
            }
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a command line; `NAME=value` words before the verb are variables.
    fn run(&self, line: &str) -> Ran {
        let (variables, words): (Vec<&str>, Vec<&str>) =
            line.split(' ').partition(|word| word.starts_with("KEYTRAIL_"));
        let mut command = Command::new(cargo_bin!("keytrail"))
            .args(words)
            .current_dir(self.dir.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("COLUMNS", "200");
        for name in ["IDENTITY", "KEY", "PASSPHRASE", "PASSPHRASE_FILE", "KEY_COMMAND"] {
            command = command.env_remove(format!("KEYTRAIL_{name}"));
        }
        for variable in variables {
            let (name, value) = variable.split_once('=').expect("NAME=value");
            command = command.env(name, value);
        }
        let output = command.output().expect("keytrail runs");
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            let _ = writeln!(text, "! {line}");
        }
        Ran {
            status: output.status.code().expect("an exit status"),
            text,
        }
    }

    fn done(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.status, 0, "{line}\n{}", ran.text);
        ran.text
    }

    fn session(&self, lines: &[&str]) -> String {
        let mut said = String::new();
        for line in lines {
            let ran = self.run(line);
            let status = match ran.status {
                0 => String::new(),
                status => format!("[exit {status}]\n"),
            };
            // Variables stand before the program, as in a shell.
            let at = line.find("vault ").unwrap_or_default();
            let (variables, line) = if line.starts_with("KEYTRAIL_") {
                line.split_at(at)
            } else {
                ("", *line)
            };
            let _ = writeln!(said, "$ {variables}keytrail {line}\n{}{status}", ran.text);
        }
        let said = said.replace(&self.dir.path().display().to_string(), "DIR");
        steady(&said.replace(&keytrail::vault::operator(), "ME"))
    }
}

/// What differs from run to run: the time in names of copies, sizes of the database, recipients.
fn steady(text: &str) -> String {
    let mut steady = String::new();
    for line in text.lines() {
        let mut before = "";
        let words = line.split(' ').map(|word| {
            let after = std::mem::replace(&mut before, word);
            if after == "since" && word.len() >= 10 {
                return "DATE".to_owned();
            }
            let plain = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            if plain.starts_with("SHA256:") {
                return word.replace(plain, "SHA256:…");
            }
            if line.contains("public")
                && plain.len() == 64
                && plain.bytes().all(|byte| byte.is_ascii_hexdigit())
            {
                return word.replace(plain, "HEX");
            }
            let stamp = (0..word.len()).find_map(|at| {
                let stamp = word.get(at..at + 16)?;
                let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
                (digits(&stamp[..8]) && &stamp[8..9] == "T" && digits(&stamp[9..15]) && stamp.ends_with('Z'))
                    .then_some(stamp)
            });
            match (stamp, word.find("age1").filter(|_| word.len() > 50)) {
                (Some(stamp), _) => word.replace(stamp, "STAMP"),
                (None, Some(at)) => {
                    let rest = word[at..].trim_start_matches(|c: char| c.is_ascii_alphanumeric());
                    format!("{}age1…{rest}", &word[..at])
                }
                (None, None) => word.to_owned(),
            }
        });
        let mut line = words.collect::<Vec<_>>().join(" ");
        if line.trim_start().starts_with("\"added\": ") {
            line = line.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned() + "SECONDS";
        }
        if let Some((before, after)) = line.split_once(" kB") {
            let before = before.trim_end_matches(|c: char| c.is_ascii_digit());
            line = format!("{before}N kB{after}");
        }
        let _ = writeln!(steady, "{}", line.trim_end());
    }
    steady
}

#[test]
fn looking_needs_no_key() {
    let site = Site::new();
    let said = site.session(&[
        "vault info fleet.yaml",
        "vault info --format json",
        "vault check --without-key fleet.yaml",
        "history fleet.yaml",
        "history --last 1 fleet.yaml --format json",
        "history 2 fleet.yaml",
        "history 2 fleet.yaml --format yaml",
        "history 7 fleet.yaml",
        "diff fleet.yaml",
        "diff 1 fleet.yaml --format json",
        "diff 2 2 fleet.yaml --exit-code",
        "diff 1 2 fleet.yaml --exit-code --format yaml",
        "diff 1 9 fleet.yaml",
        "vault info --vault nowhere.vault",
    ]);
    snapbox::assert_data_eq!(said.clone(), snapbox::file!["../golden/vault/looking.txt"]);
    assert!(!said.contains("PRIVATE"));
}

#[test]
fn keys_come_from_everywhere_and_operators_come_and_go() {
    let site = Site::new();
    fs::write(site.path("pass"), "correct-horse\nsecond line\n").expect("written");
    fs::write(site.path("fleet2.yaml"), "").expect("written");
    let bob = keytrail::vault::create_identity(&site.path("bob.agekey")).expect("a key");
    let ann = site.done("vault recipients fleet.yaml");
    let ann = ann.split_whitespace().next().expect("a recipient").to_owned();
    let said = site.session(&[
        "vault check fleet.yaml",
        "vault check fleet.yaml --identity ann.agekey",
        "vault check fleet.yaml --identity bob.agekey",
        "KEYTRAIL_IDENTITY=ann.agekey vault check fleet.yaml",
        "KEYTRAIL_KEY_COMMAND=false vault check fleet.yaml",
        "KEYTRAIL_IDENTITY=ann.agekey KEYTRAIL_PASSPHRASE=x vault check fleet.yaml",
        "KEYTRAIL_IDENTITY=ann.agekey KEYTRAIL_KEY_COMMAND= vault check fleet.yaml --identity bob.agekey",
        &format!("vault recipients {bob} fleet.yaml"),
        "vault recipients add fleet.yaml --identity ann.agekey",
        "vault recipients add age1nonsense fleet.yaml --identity ann.agekey",
        &format!("vault recipients remove {ann} fleet.yaml --identity ann.agekey"),
        &format!("vault recipients add {bob} fleet.yaml --identity ann.agekey"),
        "vault check fleet.yaml --identity bob.agekey",
        &format!("vault recipients remove {ann} fleet.yaml --identity bob.agekey"),
        &format!("vault recipients remove {ann} fleet.yaml --identity bob.agekey"),
        "vault check fleet.yaml --identity ann.agekey",
        "vault rekey fleet.yaml --identity bob.agekey --new-passphrase-file pass",
        "vault recipients fleet.yaml --format json",
        "vault recipients add age1x fleet.yaml --passphrase-file pass",
        "vault rekey fleet.yaml --passphrase-file pass",
        "KEYTRAIL_PASSPHRASE=correct-horse vault check fleet.yaml",
        "KEYTRAIL_PASSPHRASE=battery-staple vault check fleet.yaml",
        "KEYTRAIL_PASSPHRASE_FILE=pass vault check fleet.yaml",
        &format!("vault rekey fleet.yaml --passphrase-file pass --new-recipient {ann}"),
        "vault check fleet.yaml --identity ann.agekey",
    ]);
    snapbox::assert_data_eq!(said.clone(), snapbox::file!["../golden/vault/keys.txt"]);
    for secret in ["correct-horse", "battery-staple", "AGE-SECRET-KEY"] {
        let shown = said.lines().filter(|line| !line.starts_with("$ "));
        assert!(shown.into_iter().all(|line| !line.contains(secret)), "{secret}");
    }
    // The output of a command is the key, and is not shown.
    let ran = site.run("vault check --vault fleet.vault --key-command cat ann.agekey");
    assert_eq!(
        ran.status, 2,
        "the second word is no part of the command: {}",
        ran.text
    );
    executable(&site.path("show"), "#!/bin/sh\ncat ann.agekey\n");
    let said = site.done("vault check fleet.yaml --key-command ./show");
    assert!(
        said.contains("every value opens") && !said.contains("AGE-SECRET"),
        "{said}"
    );
}

#[test]
fn a_new_vault_may_have_a_passphrase_from_the_start() {
    let site = Site::new();
    fs::write(site.path("pass"), "correct-horse\n").expect("written");
    fs::remove_file(site.path("fleet.vault")).expect("removed");
    let said = site.done("export -o out fleet.yaml --passphrase-file pass");
    assert!(
        said.contains("Made the vault") && !said.contains("Made a vault key"),
        "{said}"
    );
    assert!(!site.path("config/keytrail/identity.agekey").exists());
    let said = site.done("vault check fleet.yaml --passphrase-file pass");
    assert!(said.contains("every value opens"), "{said}");
}

#[test]
fn backups_are_put_back_and_damage_is_told() {
    let site = Site::new();
    fs::create_dir(site.path("backups")).expect("made");
    let mut said = site.session(&[
        "vault backup fleet.yaml -o one.vault",
        "vault backup fleet.yaml -o one.vault",
        "vault backup fleet.yaml -o backups",
        "vault prune --keep 1 --dry-run fleet.yaml",
        "vault prune --keep 0 --older-than 1y fleet.yaml",
        "vault rekey fleet.yaml --identity ann.agekey",
    ]);
    let whole = fs::read(site.path("fleet.vault")).expect("there");
    fs::write(site.path("fleet.vault"), &whole[..whole.len() / 2]).expect("written");
    said += &site.session(&[
        "vault info fleet.yaml",
        "diff fleet.yaml",
        "vault restore nowhere.vault fleet.yaml --identity ann.agekey",
        "vault restore fleet.yaml --identity ann.agekey",
        "vault restore one.vault fleet.yaml",
        "vault restore one.vault fleet.yaml --identity ann.agekey",
        "vault check fleet.yaml --identity ann.agekey",
    ]);
    snapbox::assert_data_eq!(said.clone(), snapbox::file!["../golden/vault/backups.txt"]);
    // What a database library can read of a broken file is its own business: not a golden.
    fs::write(site.path("fleet.vault"), &whole[..whole.len() / 2]).expect("written");
    let ran = site.run("vault check fleet.yaml --identity ann.agekey");
    assert_eq!(ran.status, 1, "{}", ran.text);
    assert!(
        ran.text.contains("bytes and has") && ran.text.contains("can still be read: "),
        "{}",
        ran.text
    );
    let ran = site.run("export -o out fleet.yaml --identity ann.agekey");
    assert_eq!(ran.status, 2);
    assert!(
        ran.text.contains("is damaged") && ran.text.contains("vault check"),
        "{}",
        ran.text
    );
    assert!(!site.path("out").exists());
}
