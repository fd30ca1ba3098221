//! Real outputs of ntpq, chronyc, cryptostats and logs: every state must be read, and judged as it was set up.

mod keys;
mod promises;
mod random;
mod states;
mod variants;

use keytrail::inventory::IdentityScheme;
use keytrail::ntpq::{
    Association, Cryptostats, Evidence, Judgement, Scheme, Server, System, Timestamp, Verdict, judge,
};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn golden(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn manifest() -> Vec<Value> {
    let all: Value = serde_json::from_str(&golden("ntpq/manifest.json")).expect("manifest");
    all["states"].as_array().expect("states").clone()
}

fn file(state: &str, kind: &str) -> Option<String> {
    let name = format!("ntpq/{state}.{kind}.txt");
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(&name)
        .exists()
        .then(|| golden(&name))
}

/// In all states but these two the server ran, which an orchestrator knows from the server itself.
fn server(state: &str) -> Server {
    match state {
        "unreachable" | "lost-server" => Server::Down,
        _ => Server::Up,
    }
}

struct Read {
    association: Association,
    stats: Option<Cryptostats>,
    now: Option<Timestamp>,
}

fn read(state: &str) -> Read {
    Read {
        association: Association::read(&file(state, "rv-assoc").expect("rv-assoc"), None).expect(state),
        stats: file(state, "cryptostats").map(|text| Cryptostats::read(&text)),
        now: System::read(&file(state, "rv").expect("rv")).expect(state).clock,
    }
}

fn judged_with(state: &str, server: Server, since: Option<Timestamp>) -> Judgement {
    let read = read(state);
    judge(&Evidence {
        association: &read.association,
        stats: read.stats.as_ref().map(|s| s.lines.as_slice()),
        now: read.now,
        since,
        server,
    })
}

fn judged(state: &str) -> Judgement {
    judged_with(state, server(state), None)
}

/// The manifest's words for a verdict: auth, scheme, complete.
fn words(verdict: &Verdict) -> (&'static str, Option<&'static str>, Option<bool>) {
    let scheme = |scheme: &Scheme| match scheme {
        Scheme::Autokey(IdentityScheme::Tc) => "TC",
        Scheme::Autokey(IdentityScheme::Pc) => "PC",
        Scheme::Autokey(IdentityScheme::Iff) => "IFF",
        Scheme::Autokey(IdentityScheme::Gq) => "GQ",
        Scheme::Autokey(IdentityScheme::Mv) => "MV",
        Scheme::Key(_) => "AUTH",
        Scheme::Nts => "NTS",
    };
    match verdict {
        Verdict::ReferenceClock => ("not applicable", None, None),
        Verdict::Proven { scheme: s, complete } => ("ok", Some(scheme(s)), Some(*complete)),
        Verdict::InProgress(_) => ("pending", None, None),
        Verdict::NotAuthenticated | Verdict::Unreachable => ("none", None, None),
        Verdict::Failed(_) => ("bad", None, None),
        Verdict::Lost(s) => ("lost", Some(scheme(s)), None),
    }
}
