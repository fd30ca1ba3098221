//! A vault file changed at random: bits, pages, truncations, fields of every column. Whatever `vault check` calls damaged, every
//! verb refuses in the same words, nothing that is read of it is other than what was written, and all of it ends.
//!
//! `KEYTRAIL_MUTATIONS` is how many there are (`make torture`: 10 000), `KEYTRAIL_MUTATIONS_SEED` repeats a run.

use keytrail::digest::Digest;
use keytrail::media::Filestamp;
use keytrail::secret::Secret;
use keytrail::vault::{
    ArtifactKind, GenerationId, HostResult, KeySource, NewArtifact, NewSecret, Outcome, Run, SecretKind,
    Snapshot, Vault, Verified, condition, create_identity,
};
use rusqlite::types::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// No more than a few seconds, however busy the machine; a circle would take for ever.
const ENDS: Duration = Duration::from_secs(60);

/// Numbers that can be had again (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        usize::try_from(drawn).expect("53 bits") % limit
    }
}

/// A vault with something in every table, and of several pages.
fn vault(path: &Path, key: &KeySource) {
    let mut vault = Vault::create(path, key, &[]).expect("a vault");
    for number in 1..=4u32 {
        let old = vault.snapshot().expect("read");
        let mut generation = vault
            .begin(old.generation, "mutated", Digest::of(b"inventory"), 1_795_219_200)
            .expect("begun");
        for host in ["mort", "leaf", "bud"] {
            let content = Secret::from(format!("{host} {number} {}", "x".repeat(700)));
            for (placement, _) in old.files(host) {
                generation.end_placement(placement.id).expect("ended");
            }
            let artifact = NewArtifact {
                kind: ArtifactKind::Certificate,
                owner: host,
                filestamp: Filestamp(4_004_178_800 + number),
                not_after: Some(1_900_000_000),
                spec: "days=365",
                content: &content,
            };
            let id = generation.artifact(&artifact).expect("kept");
            let name = format!("ntpkey_RSA-SHA256cert_{host}.{number}");
            generation
                .place(host, id, &name, &[format!("ntpkey_cert_{host}")])
                .expect("placed");
            let secret = NewSecret {
                kind: SecretKind::Password,
                owner: host,
                filestamp: None,
                spec: "generated",
                value: &content,
            };
            generation.secret(&secret).expect("kept");
        }
        generation.commit().expect("committed").expect("changed");
        let run = vault
            .start_run(&Run {
                command: "apply",
                operator: "ann",
                generation: Some(GenerationId(number)),
                started: 5,
            })
            .expect("begun");
        let results = ["mort", "leaf", "bud"].map(|host| HostResult {
            host: host.into(),
            outcome: Outcome::Applied,
            generation: Some(GenerationId(number)),
            detail: String::new(),
            at: 6,
        });
        vault.record(run, &results).expect("recorded");
        vault.end_run(run, "done", 7).expect("ended");
    }
    vault
        .set_state("rotation", Some(&Secret::from("half way")))
        .expect("kept");
    let seen = Verified {
        at: 8,
        level: "auth".into(),
        good: true,
        detail: "well".into(),
    };
    vault.set_verified([("mort", &seen)]).expect("kept");
    // Free pages, too.
    vault.prune(&[GenerationId(1)], 9).expect("pruned");
}

/// Everything that a vault says.
#[derive(Debug, PartialEq)]
struct Said {
    media: Vec<String>,
    secrets: Vec<String>,
    rest: String,
}

fn said(vault: &Vault) -> keytrail::vault::Result<Said> {
    let snapshot: Snapshot = vault.snapshot()?;
    let mut media: Vec<String> = snapshot
        .hosts()
        .flat_map(|host| {
            snapshot
                .media(host)
                .into_iter()
                .map(move |file| format!("{host} {file:?}"))
        })
        .collect();
    media.sort();
    let mut secrets: Vec<String> = vault
        .secrets(SecretKind::Password)?
        .iter()
        .map(|(owner, value)| format!("{owner} {:?}", value.expose_str()))
        .collect();
    secrets.sort();
    let mut applied: Vec<_> = vault.applied()?.into_iter().collect();
    applied.sort_by(|one, other| one.0.cmp(&other.0));
    let mut ends: Vec<_> = vault.certificates()?.into_iter().collect();
    ends.sort_by(|one, other| one.0.cmp(&other.0));
    let mut verified: Vec<_> = vault.verified()?.into_iter().collect();
    verified.sort_by(|one, other| one.0.cmp(&other.0));
    let rest = format!(
        "{:?} {:?} {applied:?} {ends:?} {verified:?} {:?} {:?} {:?}",
        snapshot.generation,
        snapshot.last_filestamp,
        vault.generations()?,
        vault.runs()?,
        vault.operators()?
    );
    Ok(Said { media, secrets, rest })
}

/// Changes the file in one of four ways; says how.
fn mutate(path: &Path, whole: &[u8], fields: &[(String, String)], random: &mut Random) -> String {
    let mut bytes = whole.to_vec();
    let what = match random.below(4) {
        0 => {
            let (at, bit) = (random.below(bytes.len()), random.below(8));
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at}")
        }
        1 => {
            let pages = bytes.len() / 4096;
            let (to, from) = (random.below(pages) * 4096, random.below(pages) * 4096);
            if to == from {
                let byte = u8::try_from(random.below(256)).expect("a byte");
                bytes[to..to + 4096].fill(byte);
                format!("page at {to} filled with {byte}")
            } else {
                bytes.copy_within(from..from + 4096, to);
                format!("page at {from} copied to {to}")
            }
        }
        2 => {
            let length = random.below(bytes.len());
            bytes.truncate(length);
            format!("cut to {length} bytes")
        }
        _ => {
            fs::write(path, &bytes).expect("written");
            return change_a_field(path, fields, random);
        }
    };
    fs::write(path, &bytes).expect("written");
    what
}

/// One field of one row gets another value of its kind, or goes with its row.
fn change_a_field(path: &Path, fields: &[(String, String)], random: &mut Random) -> String {
    let db = rusqlite::Connection::open(path).expect("opened");
    db.pragma_update(None, "foreign_keys", false).expect("set");
    let (table, column) = &fields[random.below(fields.len())];
    let rows: i64 = db
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .expect("counted");
    let row = random.below(usize::try_from(rows).expect("a few"));
    let at = format!("(SELECT {column} FROM {table} LIMIT 1 OFFSET {row})");
    let value: Value = db
        .query_row(&format!("SELECT {at}"), [], |row| row.get(0))
        .expect("read");
    let new = match value {
        _ if random.below(8) == 0 => {
            let sql = format!("DELETE FROM {table} WHERE {column} IS {at}");
            let gone = db.execute(&sql, []).unwrap_or(0);
            return format!("{table}: {gone} rows deleted");
        }
        Value::Integer(number) => Value::Integer(number.wrapping_add(1)),
        Value::Text(text) => Value::Text(text + "x"),
        Value::Blob(mut bytes) => {
            let at = random.below(bytes.len().max(1));
            match bytes.get_mut(at) {
                Some(byte) => *byte ^= 1,
                None => bytes.push(0),
            }
            Value::Blob(bytes)
        }
        Value::Null | Value::Real(_) => Value::Integer(1),
    };
    let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {column} IS {at}");
    // What the database itself refuses changes nothing.
    let changed = db.execute(&sql, [new]).unwrap_or(0);
    format!("{table}.{column}: {changed} rows changed")
}

fn fields(path: &Path) -> Vec<(String, String)> {
    let db = rusqlite::Connection::open(path).expect("opened");
    let mut query = db
        .prepare(
            "SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'",
        )
        .expect("prepared");
    let all: Vec<(String, String)> = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("asked")
        .collect::<Result<_, _>>()
        .expect("read");
    let filled = |table: &str| {
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get::<_, i64>(0)
        })
        .expect("counted")
            > 0
    };
    all.into_iter().filter(|(table, _)| filled(table)).collect()
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn what_check_calls_damaged_every_verb_refuses_in_the_same_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, identity): (PathBuf, PathBuf) = (dir.path().join("v.vault"), dir.path().join("key"));
    create_identity(&identity).expect("a key");
    let key = KeySource::File(identity);
    vault(&path, &key);
    let whole = fs::read(&path).expect("read");
    let original = said(&Vault::open(&path, &key).expect("whole")).expect("read");
    let fields = fields(&path);
    let seed = number("KEYTRAIL_MUTATIONS_SEED", 0x5eed_0001);
    let mut random = Random(seed);
    let (mut damaged, mut harmless) = (0, 0);
    for round in 0..number("KEYTRAIL_MUTATIONS", 400) {
        let what = mutate(&path, &whole, &fields, &mut random);
        let what = format!("seed {seed} round {round}: {what}");
        let start = Instant::now();
        let opened = Vault::open(&path, &key);
        let checked = condition(&path, Some(&key));
        let unlocked = condition(&path, None);
        assert!(start.elapsed() < ENDS, "{what}: took {:?}", start.elapsed());
        match (opened, checked) {
            (Ok(vault), Ok(found)) => {
                assert!(found.wrong.is_empty(), "{what}: opened, but {:?}", found.wrong);
                assert_eq!(said(&vault).expect("read"), original, "{what}");
                harmless += 1;
            }
            (Err(refused), Ok(found)) => {
                let first = found
                    .wrong
                    .first()
                    .unwrap_or_else(|| panic!("{what}: whole, but {refused}"));
                assert_eq!(refused.to_string(), first.to_string(), "{what}");
                damaged += 1;
            }
            (Err(refused), Err(error)) => {
                assert_eq!(refused.to_string(), error.to_string(), "{what}");
                damaged += 1;
            }
            (Ok(_), Err(error)) => panic!("{what}: opened, but {error}"),
        }
        drop(unlocked);
        let _ = fs::remove_file(dir.path().join("v.vault-journal"));
    }
    assert!(
        damaged > 0 && harmless > 0,
        "{damaged} damaged, {harmless} harmless"
    );
}

/// A file of the same kind, cut off, that an earlier build looked at for ever.
#[test]
fn a_cut_off_vault_is_looked_at_in_finite_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("v.vault");
    let key = dir.path().join("key");
    create_identity(&key).expect("a key");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vaults");
    fs::copy(root.join("truncated-35267.vault"), &path).expect("copied");
    let start = Instant::now();
    for key in [None, Some(KeySource::File(key))] {
        let found = condition(&path, key.as_ref());
        assert!(
            !matches!(&found, Ok(found) if found.wrong.is_empty()),
            "{found:?}"
        );
    }
    assert!(start.elapsed() < ENDS, "{:?}", start.elapsed());
    // The same of the present format, at every page.
    let key = KeySource::File(dir.path().join("key"));
    vault(&dir.path().join("whole.vault"), &key);
    let whole = fs::read(dir.path().join("whole.vault")).expect("read");
    for length in (0..whole.len()).step_by(4096).chain([35_267, 100, 99]) {
        fs::write(&path, &whole[..length.min(whole.len() - 1)]).expect("written");
        let start = Instant::now();
        for key in [None, Some(&key)] {
            let found = condition(&path, key);
            assert!(
                !matches!(&found, Ok(found) if found.wrong.is_empty()),
                "{length} bytes: {found:?}"
            );
        }
        assert!(start.elapsed() < ENDS, "{length} bytes: {:?}", start.elapsed());
    }
}
