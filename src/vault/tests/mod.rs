//! What a vault promises, tried on real files.

mod copies;
mod generations;
mod hostile;
mod meanwhile;
mod owners;
mod prune;
mod states;

use super::*;
use crate::digest::Digest;
use crate::media::{Filestamp, GroupScheme};
use crate::secret::Secret;
use std::fs;
use std::os::unix::fs::MetadataExt;
use tempfile::TempDir;

const NOW: i64 = 1_795_219_200;

struct Fixture {
    dir: TempDir,
    key: KeySource,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let identity = dir.path().join("identity.agekey");
        create_identity(&identity).unwrap();
        Self {
            dir,
            key: KeySource::File(identity),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("campus.vault")
    }

    fn create(&self) -> Vault {
        Vault::create(&self.path(), &self.key, &[]).unwrap()
    }

    fn open(&self) -> Result<Vault> {
        Vault::open(&self.path(), &self.key)
    }
}

fn begin(vault: &mut Vault) -> Generation<'_> {
    let read = vault.snapshot().unwrap().generation;
    vault.begin(read, "test", Digest::of(b"inventory"), NOW).unwrap()
}

fn content(text: &str) -> Secret {
    Secret::from(text)
}

fn host_key(owner: &'static str, content: &'static Secret) -> NewArtifact<'static> {
    NewArtifact {
        kind: ArtifactKind::HostKey,
        owner,
        filestamp: Filestamp(4_004_178_813),
        not_after: None,
        spec: "bits=2048",
        content,
    }
}

fn password(owner: &'static str, value: &'static Secret) -> NewSecret<'static> {
    NewSecret {
        kind: SecretKind::Password,
        owner,
        filestamp: None,
        spec: "generated",
        value,
    }
}

fn leak(text: &str) -> &'static Secret {
    Box::leak(Box::new(content(text)))
}

/// A vault with two hosts, each with a key and a password.
fn filled(fixture: &Fixture) -> Vault {
    let mut vault = fixture.create();
    let mut generation = begin(&mut vault);
    for (host, key, pw) in [
        ("mort", "MARKER-KEY-OF-MORT", "MARKER-PW-OF-MORT"),
        ("macabre", "MARKER-KEY-OF-MACABRE", "MARKER-PW-OF-MACABRE"),
    ] {
        generation.secret(&password(host, leak(pw))).unwrap();
        let artifact = generation.artifact(&host_key(host, leak(key))).unwrap();
        let links = [format!("ntpkey_host_{host}"), "ntpkey_host_alias".to_owned()];
        generation
            .place(
                host,
                artifact,
                &format!("ntpkey_RSAhost_{host}.4004178813"),
                &links,
            )
            .unwrap();
    }
    let numbers = NewSecret {
        kind: SecretKind::HostKey,
        filestamp: Some(Filestamp(4_004_178_813)),
        ..password("mort", leak("MARKER-NUMBERS-OF-MORT"))
    };
    generation.secret(&numbers).unwrap();
    assert_eq!(generation.commit().unwrap(), Some(GenerationId(1)));
    vault
}

/// The same with something in every list.
fn busy(fixture: &Fixture) -> Vault {
    let mut vault = filled(fixture);
    vault.set_state("rotation", Some(&content("half way"))).unwrap();
    let run = vault
        .start_run(&Run {
            command: "apply",
            operator: "ann",
            generation: Some(GenerationId(1)),
            started: NOW,
        })
        .unwrap();
    let result = |host: &str, outcome| HostResult {
        host: host.into(),
        outcome,
        generation: Some(GenerationId(1)),
        detail: String::new(),
        at: NOW + 1,
    };
    let results = [
        result("mort", Outcome::Applied),
        result("macabre", Outcome::RolledBack),
    ];
    vault.record(run, &results).unwrap();
    let seen = Verified {
        at: NOW,
        level: "auth".into(),
        good: false,
        detail: "error 114".into(),
    };
    vault.set_verified([("mort", &seen)]).unwrap();
    vault
}

fn identity_of(fixture: &Fixture, name: &str) -> (String, KeySource) {
    let path = fixture.dir.path().join(name);
    (create_identity(&path).unwrap(), KeySource::File(path))
}

/// The next generation: another key and password for mort.
fn renew(vault: &mut Vault, number: u32) {
    let snapshot = vault.snapshot().unwrap();
    let old: Vec<_> = snapshot
        .files("mort")
        .map(|(placement, _)| placement.id)
        .collect();
    let mut generation = begin(vault);
    for id in old {
        generation.end_placement(id).unwrap();
    }
    let key = leak(&format!("MARKER-KEY-{number}"));
    let artifact = generation.artifact(&host_key("mort", key)).unwrap();
    generation
        .place(
            "mort",
            artifact,
            &format!("ntpkey_RSAhost_mort.4004178813-g{number}"),
            &[],
        )
        .unwrap();
    generation
        .secret(&password("mort", leak(&format!("MARKER-PW-{number}"))))
        .unwrap();
    assert_eq!(generation.commit().unwrap(), Some(GenerationId(number)));
}

fn holds(path: &Path, key: &KeySource) {
    let vault = Vault::open(path, key).unwrap();
    assert!(vault.check().unwrap().is_empty());
    assert_eq!(
        vault.password("mort").unwrap(),
        Some(content("MARKER-PW-OF-MORT"))
    );
    let file = &vault.snapshot().unwrap().media("macabre")[0];
    assert_eq!(
        vault.content(file.artifact).unwrap(),
        content("MARKER-KEY-OF-MACABRE")
    );
}
