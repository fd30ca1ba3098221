//! What `keytrail status --offline` takes for a large fleet: `cargo bench --bench status`; HOSTS (100 000) and ROUNDS (5) by
//! environment. A vault as 100 000 hosts leave it (two generations of certificates, every host applied and verified, twenty
//! runs), an inventory with every host spelled out, and the program as a whole, a process each time.

mod common;

use common::{is_wanted, setting};
use keytrail::digest::Digest;
use keytrail::media::{Filestamp, GroupScheme};
use keytrail::secret::Secret;
use keytrail::vault::{
    ArtifactKind, GenerationId, HostResult, KeySource, NewArtifact, NewSecret, Outcome, Run, SecretKind,
    Vault, Verified, create_identity,
};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const YEAR: i64 = 365 * 86_400;
const RUNS: u32 = 20;

fn main() {
    if !is_wanted() {
        return;
    }
    let (hosts, rounds) = (setting("HOSTS", 100_000), setting("ROUNDS", 5));
    let dir = tempfile::tempdir().expect("a directory");
    let names: Vec<String> = (0..hosts).map(|host| format!("host{host:06}")).collect();
    let inventory = dir.path().join("fleet.yaml");
    std::fs::write(&inventory, fleet(&names)).expect("the inventory");
    let identity = dir.path().join("identity.agekey");
    create_identity(&identity).expect("a key");
    let vault = dir.path().join("fleet.vault");
    fill(&vault, &KeySource::File(identity.clone()), &names);
    let size = vault.metadata().expect("the vault").len();
    let mut out = std::io::stdout();
    writeln!(out, "{hosts} hosts, a vault of {} MB", size / 1_000_000).expect("a terminal");

    lists(&vault, &KeySource::File(identity.clone()), rounds);
    let cases: [(&str, &[&str]); 5] = [
        ("status --offline", &["status", "--offline"]),
        (
            "status --offline --format json",
            &["status", "--offline", "--format", "json"],
        ),
        (
            "status --offline --format prometheus",
            &["status", "--offline", "--format", "prometheus"],
        ),
        ("check (with the dates of the vault)", &["check"]),
        (
            "check (another place, no vault)",
            &["check", "--vault", "/dev/null"],
        ),
    ];
    for (what, words) in cases {
        let mut inventory = inventory.clone();
        let mut words = words.to_vec();
        if words.contains(&"--vault") {
            words.truncate(1);
            let alone = dir.path().join("alone.yaml");
            std::fs::copy(&inventory, &alone).expect("copied");
            inventory = alone;
        }
        let mut took: Vec<(Duration, Duration)> =
            (0..rounds).map(|_| run(&words, &inventory, &identity)).collect();
        took.sort_unstable();
        let (elapsed, processor) = took[took.len() / 2];
        writeln!(
            out,
            "{what:<40} {:>7.2} s elapsed {:>7.2} s user + sys",
            elapsed.as_secs_f64(),
            processor.as_secs_f64()
        )
        .expect("a terminal");
    }
}

/// What it costs to know that the lists are what was written: the same rows read without the key and with it; and what every verb
/// with the key does first, which is to look at all of the file and to open every value.
fn lists(path: &Path, key: &KeySource, rounds: u32) {
    let mut out = std::io::stdout();
    let locked = Vault::open_locked(path).expect("a vault");
    let opened = Vault::open(path, key).expect("a vault");
    let read = |vault: &Vault| {
        vault.snapshot().expect("read");
        vault.applied().expect("read");
        vault.changed().expect("read");
        vault.verified().expect("read");
    };
    let timed = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    let open = || drop(Vault::open(path, key).expect("a vault"));
    let cases: [(&str, &dyn Fn()); 3] = [
        ("lists read, without the key", &|| read(&locked)),
        ("the same lists, authenticated", &|| read(&opened)),
        ("open with the key, all of it examined", &open),
    ];
    let mut took = cases.map(|_| Vec::new());
    // In turns: what counts is the difference, on a machine that has more to do.
    for _ in 0..rounds {
        for ((_, work), took) in cases.iter().zip(&mut took) {
            took.push(timed(work));
        }
    }
    for ((what, _), mut took) in cases.iter().zip(took) {
        took.sort_unstable();
        let (least, median) = (took[0].as_secs_f64(), took[took.len() / 2].as_secs_f64());
        writeln!(out, "{what:<40} {median:>7.2} s, at least {least:>7.2} s").expect("a terminal");
    }
}

fn run(words: &[&str], inventory: &Path, identity: &Path) -> (Duration, Duration) {
    let used = || {
        let times = std::fs::read_to_string("/proc/self/stat").expect("/proc");
        let fields: Vec<&str> = times
            .rsplit(')')
            .next()
            .expect("fields")
            .split_whitespace()
            .collect();
        // User and system time of children that have ended, in ticks of 10 ms.
        let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
        Duration::from_millis((ticks(13) + ticks(14)) * 10)
    };
    let (before, start) = (used(), Instant::now());
    let status = Command::new(env!("CARGO_BIN_EXE_keytrail"))
        .args(words)
        .arg(inventory)
        .env("KEYTRAIL_IDENTITY", identity)
        .stdout(Stdio::null())
        .status()
        .expect("started");
    assert_eq!(status.code(), Some(0), "{words:?}");
    (start.elapsed(), used().saturating_sub(before))
}

/// A trusted host, one server in a hundred, leaves with two servers each.
fn fleet(names: &[String]) -> String {
    let mut text = String::from(
        "version: 1\ngroups:\n  green: { identity: iff, trusted: [host000000] }\nhosts:\n  \
         host000000: { group: green, reference_clock: true }\n",
    );
    let servers = (names.len() / 100).max(2);
    for (at, name) in names.iter().enumerate().skip(1) {
        let line = if at <= servers {
            "[host000000]".to_owned()
        } else {
            let (first, second) = (at % servers + 1, (at + 1) % servers + 1);
            format!("[host{first:06}, host{second:06}]")
        };
        writeln!(text, "  {name}: {{ group: green, servers: {line} }}").expect("written");
    }
    text
}

fn fill(path: &Path, key: &KeySource, names: &[String]) {
    let mut vault = Vault::create(path, key, &[]).expect("a vault");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    let now = i64::try_from(now.as_secs()).expect("a date");
    let mut latest = None;
    for round in 0..2 {
        let old = vault.snapshot().expect("read");
        let mut generation = vault
            .begin(old.generation, "bench", Digest::of(b"inventory"), now)
            .expect("begun");
        for name in names {
            if round == 0 {
                once(&mut generation, name);
            }
            for (placement, artifact) in old.files(name) {
                if artifact.kind == ArtifactKind::Certificate {
                    generation.end_placement(placement.id).expect("ended");
                }
            }
            place(
                &mut generation,
                name,
                name,
                ArtifactKind::Certificate,
                Some(now + YEAR + round),
                1180,
            );
        }
        latest = generation.commit().expect("committed");
    }
    let latest = latest.expect("two generations");
    for _ in 0..RUNS {
        record(&mut vault, latest, names, now);
    }
    let seen = Verified {
        at: now,
        level: "auth".into(),
        good: true,
        detail: "1 of 1 association authenticates".into(),
    };
    let all = names.iter().map(|name| (name.as_str(), &seen));
    vault.set_verified(all).expect("kept");
}

/// What a host gets once.
fn once(generation: &mut keytrail::vault::Generation<'_>, name: &str) {
    for (kind, size) in [(SecretKind::Password, 20), (SecretKind::HostKey, 1200)] {
        let secret = NewSecret {
            kind,
            owner: name,
            filestamp: None,
            spec: "bits=2048",
            value: &Secret::new(vec![b'x'; size]),
        };
        generation.secret(&secret).expect("kept");
    }
    place(generation, name, name, ArtifactKind::HostKey, None, 1950);
    let shared = ArtifactKind::ClientParameters(GroupScheme::Iff);
    place(generation, name, "green", shared, None, 640);
}

fn place(
    generation: &mut keytrail::vault::Generation<'_>,
    host: &str,
    owner: &str,
    kind: ArtifactKind,
    not_after: Option<i64>,
    size: usize,
) {
    let mut content = vec![b'x'; size];
    let own = format!("{owner} {not_after:?}");
    content[..own.len()].copy_from_slice(own.as_bytes());
    let artifact = NewArtifact {
        kind,
        owner,
        filestamp: Filestamp(4_004_178_813),
        not_after,
        spec: "bits=2048",
        content: &Secret::new(content),
    };
    let id = generation.artifact(&artifact).expect("kept");
    let link = format!("ntpkey_{}_{owner}", kind.code());
    let name = format!("{link}.{}", 4_004_178_813 + not_after.unwrap_or_default() % 2);
    generation.place(host, id, &name, &[link]).expect("placed");
}

fn record(vault: &mut Vault, generation: GenerationId, names: &[String], now: i64) {
    let run = Run {
        command: "apply",
        operator: "bench",
        generation: Some(generation),
        started: now,
    };
    let run = vault.start_run(&run).expect("started");
    let results: Vec<HostResult> = names
        .iter()
        .map(|host| HostResult {
            host: host.clone(),
            outcome: Outcome::Applied,
            generation: Some(generation),
            detail: String::new(),
            at: now,
        })
        .collect();
    vault.record(run, &results).expect("recorded");
    vault.end_run(run, "done", now).expect("ended");
}
