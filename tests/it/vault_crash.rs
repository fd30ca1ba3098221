//! `kill -9` at random moments: a generation is in the vault whole or not at all, and what was reported as
//! committed stays.

use keytrail::digest::Digest;
use keytrail::media::Filestamp;
use keytrail::secret::Secret;
use keytrail::vault::{ArtifactKind, KeySource, NewArtifact, NewSecret, SecretKind, Vault, create_identity};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const HOSTS: u32 = 60;
/// Set for the process that is killed: the directory it works in.
const DIR: &str = "KEYTRAIL_TEST_CRASH_DIR";

fn vault(dir: &Path) -> (PathBuf, KeySource) {
    (
        dir.join("campus.vault"),
        KeySource::File(dir.join("identity.agekey")),
    )
}

fn text(generation: u32, host: u32) -> Secret {
    // Some pages each, so that a commit takes a while.
    Secret::new(format!("generation {generation} host {host} ").repeat(400))
}

fn write_next(vault: &mut Vault) -> u32 {
    let read = vault.snapshot().expect("a snapshot");
    let mut generation = vault
        .begin(read.generation, "crash", Digest::of(b"inventory"), 0)
        .expect("begun");
    let number = generation.id().0;
    for host in 0..HOSTS {
        let name = format!("host{host}");
        let value = text(number, host);
        for (old, _) in read.files(&name) {
            generation.end_placement(old.id).expect("ended");
        }
        let artifact = NewArtifact {
            kind: ArtifactKind::HostKey,
            owner: &name,
            filestamp: Filestamp(number),
            not_after: None,
            spec: "",
            content: &value,
        };
        let artifact = generation.artifact(&artifact).expect("kept");
        generation
            .place(&name, artifact, &format!("ntpkey_RSAhost_{name}.{number}"), &[])
            .expect("placed");
        let password = NewSecret {
            kind: SecretKind::Password,
            owner: &name,
            filestamp: None,
            spec: "",
            value: &value,
        };
        generation.secret(&password).expect("kept");
    }
    let state = Secret::from(number.to_string());
    generation.state("crash", &state).expect("kept");
    generation.commit().expect("committed").expect("changed").0
}

/// Not a test of its own: what the killed processes do.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else {
        return;
    };
    let (path, key) = vault(&dir);
    let mut out = std::io::stdout();
    let mut say = |line: &str| {
        writeln!(out, "{line}")
            .and_then(|()| out.flush())
            .expect("the parent listens");
    };
    say("\nready");
    let mut vault = if path.exists() {
        Vault::open(&path, &key)
    } else {
        Vault::create(&path, &key, &[])
    }
    .expect("a vault");
    loop {
        let committed = write_next(&mut vault);
        say(&format!("committed {committed}"));
    }
}

fn spawn(dir: &Path) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["vault_crash::child", "--exact", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("spawned");
    let out = child.stdout.take().expect("piped");
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "ready"), "the child starts");
    (child, lines)
}

fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    openssl::rand::rand_bytes(&mut bytes).expect("randomness");
    u64::from_ne_bytes(bytes) % below
}

#[test]
fn a_killed_writer_leaves_whole_generations() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, key) = vault(dir.path());
    create_identity(&dir.path().join("identity.agekey")).expect("a key");
    let (mut reported, mut with_journal) = (0, 0);
    for round in 0..400 {
        if round >= 40 && reported > 0 && with_journal > 0 {
            break;
        }
        let (mut child, lines) = spawn(dir.path());
        // The first rounds hit the making of the vault, the others anything.
        std::thread::sleep(Duration::from_micros(random(if round < 10 {
            20_000
        } else {
            // Longer and longer, for machines that have much else to do.
            120_000 * (1 + round / 20)
        })));
        child.kill().expect("killed");
        child.wait().expect("gone");
        for line in lines {
            if let Some(number) = line.strip_prefix("committed ") {
                reported = number.parse().expect("a number");
            }
        }
        if !path.exists() {
            assert_eq!(reported, 0, "round {round}: the vault is gone");
            continue;
        }
        let journal = path.with_extension("vault-journal");
        with_journal += u32::from(journal.metadata().is_ok_and(|meta| meta.len() > 0));

        let vault = Vault::open(&path, &key).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(vault.check().expect("checked").is_empty(), "round {round}");
        let snapshot = vault.snapshot().expect("a snapshot");
        let last = snapshot.generation.map_or(0, |generation| generation.0);
        assert!(
            last >= reported,
            "round {round}: generation {reported} was reported, {last} is there"
        );
        let all = vault.generations().expect("generations");
        assert!(all.iter().map(|info| info.id.0).eq(1..=last), "round {round}");
        let state = vault.state("crash").expect("a state");
        let expected = (last > 0).then(|| Secret::from(last.to_string()));
        assert!(
            state == expected,
            "round {round}: a state comes with its generation"
        );
        for host in 0..HOSTS {
            let name = format!("host{host}");
            let files = snapshot.media(&name);
            assert_eq!(files.len(), usize::from(last > 0), "round {round} {name}");
            for file in files {
                let expected = text(last, host);
                assert!(
                    vault.content(file.artifact).expect("a content") == expected,
                    "round {round} {name}"
                );
                assert!(
                    vault.password(&name).expect("a password") == Some(expected),
                    "round {round} {name}"
                );
            }
        }
    }
    assert!(reported > 0, "the children got something done");
    assert!(with_journal > 0, "some were killed in the middle of a commit");
}

#[test]
fn a_backup_taken_while_somebody_writes_is_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, key) = vault(dir.path());
    create_identity(&dir.path().join("identity.agekey")).expect("a key");
    let (mut child, mut lines) = spawn(dir.path());
    let mut seen = 0;
    for number in 0..4 {
        // Something was committed since the last one, and more is being written.
        assert!(
            lines.any(|line| line.starts_with("committed ")),
            "it goes on writing"
        );
        let copy = dir.path().join(format!("backup{number}.vault"));
        Vault::open_locked(&path)
            .expect("the vault")
            .backup(&copy)
            .expect("a backup");
        let vault = Vault::open(&copy, &key).expect("the copy");
        assert!(vault.check().expect("checked").is_empty());
        let snapshot = vault.snapshot().expect("a snapshot");
        let last = snapshot.generation.map_or(0, |generation| generation.0);
        assert!(last > seen, "{last} after {seen}");
        seen = last;
        for host in 0..HOSTS {
            let name = format!("host{host}");
            let expected = text(last, host);
            let files = snapshot.media(&name);
            assert_eq!(files.len(), 1, "{name}");
            assert!(
                vault.content(files[0].artifact).expect("a content") == expected,
                "{name}"
            );
            assert!(
                vault.password(&name).expect("a password") == Some(expected),
                "{name}"
            );
        }
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
}
