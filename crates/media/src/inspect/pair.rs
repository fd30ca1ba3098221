//! Whether two files belong together.

use serde::Serialize;

use super::{Inspected, Material};
use crate::{
    Filestamp, Result,
    certificate::Certificate,
    gq::{GqKey, GqParameters},
    host_key::SignKey,
    iff::{IffKey, IffParameters},
    key_file::KeyFile,
    mv::{MvAuthority, MvClientKey, MvServerKey},
    number::Number,
};

/// How many challenges are put to a server key. One proves as much; more find a pair that passes by chance.
const ROUNDS: u32 = 8;

/// One thing that was tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What must hold.
    pub what: String,
    /// Whether it does.
    pub holds: bool,
}

/// What was found about two files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PairReport {
    /// What the two were taken for.
    pub relation: String,
    /// What was tested, in order.
    pub checks: Vec<Check>,
    /// Whether everything holds.
    pub belong: bool,
}

struct Checks(Vec<Check>);

impl Checks {
    fn test(&mut self, what: impl Into<String>, holds: bool) -> bool {
        self.0.push(Check {
            what: what.into(),
            holds,
        });
        holds
    }

    fn report(self, relation: &str) -> PairReport {
        let belong = !self.0.is_empty() && self.0.iter().all(|check| check.holds);
        PairReport {
            relation: relation.into(),
            checks: self.0,
            belong,
        }
    }
}

/// Tests whether two files belong together, in either order: server key and client parameters of a scheme, by its own
/// challenge and answer; certificate and key; certificate and GQ key; two files of symmetric keys.
///
/// # Errors
/// OpenSSL has no random numbers.
pub fn pair(one: &Inspected, other: &Inspected) -> Result<PairReport> {
    match ordered(one, other)? {
        Some(report) => Ok(report),
        None => Ok(ordered(other, one)?.unwrap_or_else(|| unrelated(one, other))),
    }
}

fn unrelated(one: &Inspected, other: &Inspected) -> PairReport {
    let mut checks = Checks(Vec::new());
    for inspected in [one, other]
        .into_iter()
        .filter(|inspected| inspected.material.is_none())
    {
        let why = inspected
            .report
            .remarks
            .first()
            .map_or("it could not be opened", |remark| &remark.what);
        checks.test(format!("{} can be used: {why}", inspected.report.title), false);
    }
    if checks.0.is_empty() {
        let name = |inspected: &Inspected| {
            inspected
                .report
                .holds
                .map_or_else(|| "nothing".into(), |holds| holds.to_string())
        };
        checks.test(
            format!(
                "{} and {} have anything to do with each other",
                name(one),
                name(other)
            ),
            false,
        );
    }
    checks.report("no relation")
}

fn ordered(server: &Inspected, client: &Inspected) -> Result<Option<PairReport>> {
    use Material as M;
    let (Some(first), Some(second)) = (&server.material, &client.material) else {
        return Ok(None);
    };
    let stamps = (server.stamp, client.stamp);
    Ok(Some(match (first, second) {
        (M::IffServer(key), M::IffClient(parameters)) => iff(key, parameters, stamps)?,
        (M::GqServer(key), M::GqClient(parameters)) => gq(key, parameters, stamps)?,
        (M::MvServer(key), M::MvClient(client)) => mv(key, client, stamps)?,
        (M::MvAuthority(authority), M::MvClient(client)) => authority_client(authority, client, stamps),
        (M::MvAuthority(authority), M::MvServer(key)) => authority_server(authority, key),
        (M::Certificate(certificate), M::SignKey(key)) => certificate_key(certificate, key),
        (M::Certificate(certificate), M::GqServer(key)) => certificate_gq(certificate, key),
        (M::Symmetric(one), M::Symmetric(other)) => symmetric(one, other),
        _ => return Ok(None),
    }))
}

fn equal_stamps(checks: &mut Checks, stamps: (Option<Filestamp>, Option<Filestamp>)) {
    let shown = |stamp: Option<Filestamp>| stamp.map_or_else(|| "none".into(), |stamp| stamp.to_string());
    let what = format!(
        "the filestamps are equal ({}, {}), or error 103",
        shown(stamps.0),
        shown(stamps.1)
    );
    checks.test(what, stamps.0 == stamps.1);
}

/// Challenges below `modulus`, each answered by the first function and tested by the second.
fn rounds<R>(
    checks: &mut Checks,
    modulus: &Number,
    respond: impl Fn(&Number) -> Result<R>,
    verify: impl Fn(&Number, &R) -> bool,
) -> Result<()> {
    let mut passed = 0;
    for _ in 0..ROUNDS {
        let challenge = Number::random_below(modulus)?;
        passed += u32::from(verify(&challenge, &respond(&challenge)?));
    }
    checks.test(
        format!("{passed} of {ROUNDS} challenges are answered right"),
        passed == ROUNDS,
    );
    Ok(())
}

fn iff(
    key: &IffKey,
    client: &IffParameters,
    stamps: (Option<Filestamp>, Option<Filestamp>),
) -> Result<PairReport> {
    let mut checks = Checks(Vec::new());
    let server = key.parameters();
    let same = server.p == client.p && server.q == client.q && server.g == client.g;
    checks.test("p, q and g are the same", same);
    checks.test("v is g^(q-b) mod p", server.v == client.v);
    rounds(
        &mut checks,
        &server.q,
        |r| key.respond(r),
        |r, response| client.verify(r, response),
    )?;
    equal_stamps(&mut checks, stamps);
    Ok(checks.report("IFF server key and client parameters"))
}

fn gq(
    key: &GqKey,
    client: &GqParameters,
    stamps: (Option<Filestamp>, Option<Filestamp>),
) -> Result<PairReport> {
    let mut checks = Checks(Vec::new());
    checks.test("n and b are the same", key.parameters() == client);
    let v = key.public_value();
    rounds(
        &mut checks,
        &client.n,
        |r| key.respond(r),
        |r, response| client.verify(v, r, response),
    )?;
    checks.test(
        "the client's filestamp is not later than the server's, or error 103",
        stamps.1 <= stamps.0,
    );
    Ok(checks.report("GQ server key and client parameters"))
}

fn mv(
    key: &MvServerKey,
    client: &MvClientKey,
    stamps: (Option<Filestamp>, Option<Filestamp>),
) -> Result<PairReport> {
    let mut checks = Checks(Vec::new());
    if checks.test("p is the same", key.p == client.p) {
        let what = "ghat^xbar gbar^xhat E = 1 mod p: the client is not revoked";
        checks.test(what, key.enables(client));
        rounds(
            &mut checks,
            &key.p,
            |r| key.respond(r),
            |r, response| client.verify(r, response),
        )?;
    }
    equal_stamps(&mut checks, stamps);
    Ok(checks.report("MV server key and client key"))
}

fn authority_client(
    authority: &MvAuthority,
    client: &MvClientKey,
    stamps: (Option<Filestamp>, Option<Filestamp>),
) -> PairReport {
    let mut checks = Checks(Vec::new());
    let number = (1..=authority.clients()).find(|j| authority.client(*j).is_ok_and(|key| key == *client));
    let what = number.map_or_else(
        || "it is one of its clients".into(),
        |j| format!("it is its client {j}"),
    );
    checks.test(what, number.is_some());
    equal_stamps(&mut checks, stamps);
    checks.report("MV authority and client key")
}

fn authority_server(authority: &MvAuthority, key: &MvServerKey) -> PairReport {
    let mut checks = Checks(Vec::new());
    checks.test("p is the same", authority.modulus() == &key.p);
    let clients = (1..=authority.clients()).filter_map(|j| Some((j, authority.client(j).ok()?)));
    let (enabled, revoked): (Vec<_>, Vec<_>) = clients.partition(|(_, client)| key.enables(client));
    let list = |clients: Vec<(usize, MvClientKey)>| {
        let numbers: Vec<_> = clients.iter().map(|(j, _)| j.to_string()).collect();
        if numbers.is_empty() {
            "none".into()
        } else {
            numbers.join(", ")
        }
    };
    let revoked_numbers = revoked.iter().map(|(j, _)| *j).collect();
    let own = authority.server(&revoked_numbers).is_ok_and(|own| own == *key);
    checks.test(
        format!(
            "it is its server key (lets in {}; shuts out {})",
            list(enabled),
            list(revoked)
        ),
        own,
    );
    checks.report("MV authority and server key")
}

fn certificate_key(certificate: &Certificate, key: &SignKey) -> PairReport {
    let mut checks = Checks(Vec::new());
    checks.test(
        "the certificate's key is this key's public half, or error 108",
        certificate.belongs_to(key),
    );
    checks.report("certificate and key")
}

fn certificate_gq(certificate: &Certificate, key: &GqKey) -> PairReport {
    let mut checks = Checks(Vec::new());
    let same = certificate.gq_public().as_ref() == Some(key.public_value());
    checks.test(
        "the certificate carries the public value v of this key, or error 114",
        same,
    );
    checks.report("certificate and GQ server key")
}

fn symmetric(one: &KeyFile, other: &KeyFile) -> PairReport {
    let mut checks = Checks(Vec::new());
    let find = |id| {
        other
            .keys
            .iter()
            .find(|(_, key)| key.id == id)
            .map(|(_, key)| key)
    };
    for (_, key) in &one.keys {
        if let Some(twin) = find(key.id) {
            let same = key.kind == twin.kind && key.secret == twin.secret;
            checks.test(format!("id {} has the same type and key in both", key.id), same);
        }
    }
    if checks.0.is_empty() {
        checks.test("they have an id in common", false);
    }
    checks.report("symmetric keys")
}
