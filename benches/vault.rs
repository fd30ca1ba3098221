//! What durability costs: a generation of 10 000 hosts, sealed and on disk, beside the same rows written without any sync.
//! `cargo bench --bench vault`; HOSTS and ROUNDS by environment. The directory is TMPDIR: name a real disk.
//!
//! Not criterion: the two ways take turns, and the ratio within one run is what counts on a machine that has more to do.

mod common;

use common::{is_wanted, setting};
use keytrail::digest::Digest;
use keytrail::media::{Filestamp, GroupScheme};
use keytrail::secret::Secret;
use keytrail::vault::{ArtifactKind, KeySource, NewArtifact, NewSecret, SecretKind, Vault, create_identity};
use rusqlite::{Connection, params_from_iter, types::Value};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a client of one group holds, with the sizes that minting gives: RSA 2048, IFF.
const FILES: [(ArtifactKind, usize); 3] = [
    (ArtifactKind::HostKey, 1950),
    (ArtifactKind::Certificate, 1180),
    (ArtifactKind::ClientParameters(GroupScheme::Iff), 640),
];

fn main() {
    if !is_wanted() {
        return;
    }
    let (hosts, rounds) = (setting("HOSTS", 10_000), setting("ROUNDS", 5));
    let dir = tempfile::tempdir().expect("a directory");
    let identity = dir.path().join("identity.agekey");
    create_identity(&identity).expect("a key");
    let key = KeySource::File(identity);
    let (mut durable, mut unsynced, mut synced) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let path = dir.path().join(format!("{round}.vault"));
        durable.push(generation(&path, &key, hosts));
        let rows = Rows::read(&path);
        unsynced.push(rows.write(&dir.path().join("unsynced"), "OFF"));
        synced.push(rows.write(&dir.path().join("synced"), "EXTRA"));
        std::fs::remove_file(path).expect("removed");
    }
    let (durable, unsynced, synced) = (median(durable), median(unsynced), median(synced));
    let mut out = std::io::stdout();
    let mut say = |what: &str, took: Duration| {
        use std::io::Write as _;
        let ratio = took.as_secs_f64() / unsynced.as_secs_f64();
        writeln!(out, "{what:<44} {:>8.3} s  {ratio:>5.2} x", took.as_secs_f64()).expect("a terminal");
    };
    say("rows alone, unsynced", unsynced);
    say("rows alone, synced", synced);
    say("a generation: made, sealed, synced", durable);
}

/// Writes a generation as minting does and waits until it is on disk.
fn generation(path: &Path, key: &KeySource, hosts: u32) -> Duration {
    let mut vault = Vault::create(path, key, &[]).expect("a vault");
    let contents: Vec<Vec<u8>> = FILES.iter().map(|(_, size)| vec![b'x'; *size]).collect();
    let start = Instant::now();
    let mut generation = vault
        .begin(None, "bench", Digest::of(b"inventory"), 0)
        .expect("begun");
    for host in 0..hosts {
        let name = format!("leaf{host:05}");
        for (kind, size) in [(SecretKind::Password, 20), (SecretKind::HostKey, 1200)] {
            let secret = NewSecret {
                kind,
                owner: &name,
                filestamp: None,
                spec: "bits=2048",
                value: &Secret::new(vec![b'x'; size]),
            };
            generation.secret(&secret).expect("kept");
        }
        for ((kind, _), content) in FILES.iter().zip(&contents) {
            let shared = matches!(kind, ArtifactKind::ClientParameters(_));
            let mut content = content.clone();
            if !shared {
                content[..name.len()].copy_from_slice(name.as_bytes());
            }
            let owner = if shared { "green" } else { &*name };
            let artifact = NewArtifact {
                kind: *kind,
                owner,
                filestamp: Filestamp(4_004_178_813),
                not_after: None,
                spec: "bits=2048",
                content: &Secret::new(content),
            };
            let id = generation.artifact(&artifact).expect("kept");
            let link = format!("ntpkey_{}_{owner}", kind.code());
            generation
                .place(&name, id, &format!("{link}.4004178813"), &[link])
                .expect("placed");
        }
    }
    generation.commit().expect("committed").expect("changed");
    start.elapsed()
}

/// Every row of a vault, in the order of its tables.
struct Rows {
    schema: Vec<String>,
    tables: Vec<(String, Vec<Vec<Value>>)>,
}

impl Rows {
    fn read(path: &Path) -> Self {
        let db = Connection::open(path).expect("opened");
        let texts = |sql: &str| -> Vec<String> {
            let mut query = db.prepare(sql).expect("prepared");
            let rows = query.query_map([], |row| row.get(0)).expect("asked");
            rows.collect::<Result<_, _>>().expect("read")
        };
        let schema = texts("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, rowid");
        let names = texts("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
        let tables = names.into_iter().map(|name| {
            let mut query = db.prepare(&format!("SELECT * FROM {name}")).expect("prepared");
            let columns = query.column_count();
            let rows = query
                .query_map([], |row| (0..columns).map(|column| row.get(column)).collect())
                .expect("asked")
                .collect::<Result<_, _>>()
                .expect("read");
            (name, rows)
        });
        let tables = tables.collect();
        Self { schema, tables }
    }

    /// Writes them in one transaction, row by row, with the vault's settings but for the syncs.
    fn write(&self, path: &Path, synchronous: &str) -> Duration {
        let mut db = Connection::open(path).expect("opened");
        db.execute_batch(&format!(
            "PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; PRAGMA cache_spill = OFF;"
        ))
        .expect("set");
        for sql in &self.schema {
            db.execute_batch(sql).expect("made");
        }
        let start = Instant::now();
        let writing = db.transaction().expect("begun");
        writing
            .pragma_update(None, "defer_foreign_keys", true)
            .expect("set");
        for (name, rows) in &self.tables {
            let Some(first) = rows.first() else { continue };
            let places = vec!["?"; first.len()].join(", ");
            let mut insert = writing
                .prepare(&format!("INSERT INTO {name} VALUES ({places})"))
                .expect("prepared");
            for row in rows {
                insert.execute(params_from_iter(row)).expect("written");
            }
        }
        writing.commit().expect("committed");
        let took = start.elapsed();
        drop(db);
        std::fs::remove_file(path).expect("removed");
        took
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
