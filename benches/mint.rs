//! Minting beside an in-process loop over the library it mints with, and what a second core brings:
//! `cargo bench --bench mint`, or with `--features vendored` for an OpenSSL of our own. docs/performance.md has the table.
//!
//! What the loop makes for a host is what a host that serves nobody costs at least: an RSA key, the key encrypted under a
//! password, a self-signed certificate. It keeps nothing. Minting makes the same and everything else a generation is: passwords,
//! group keys, names, sealing, one durable transaction.
//!
//! Time to make an RSA key varies by its own size from key to key, so a figure needs many keys: HOSTS (default 200) in each of
//! ROUNDS (3) rounds, in turns, a process each, because rayon's pool is made once in a process. BITS (2048) shows by small keys what
//! minting costs beside them.

#![allow(clippy::print_stdout)]

mod common;

use common::setting;
use keytrail::digest::Digest;
use keytrail::inventory::{Inventory, load_str};
use keytrail::mint::{Given, Request, State, mint, reconcile};
use keytrail::trail::analyse;
use keytrail::vault::{KeySource, Vault, create_identity};
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::symm::{Cipher, encrypt};
use openssl::x509::{X509Builder, X509NameBuilder};
use rayon::prelude::*;
use std::collections::HashSet;
use std::process::Command;
use std::time::Instant;

const NOW: i64 = 1_795_219_200;

fn main() {
    let hosts = setting("HOSTS", 200);
    // A process of its own for one figure: the second word says which.
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some("loop") => report(|| in_process(hosts)),
        Some("keytrail") => by_keytrail(hosts),
        _ => table(hosts, setting("ROUNDS", 3)),
    }
}

fn bits() -> u32 {
    setting("BITS", 2048)
}

/// Elapsed seconds of `run` on standard output.
fn report(run: impl FnOnce()) {
    let began = Instant::now();
    run();
    println!("{}", began.elapsed().as_secs_f64());
}

fn table(hosts: usize, rounds: usize) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runs = [("loop", cores), ("keytrail", cores), ("loop", 1), ("keytrail", 1)];
    let mut seconds = vec![0.0; runs.len()];
    for _ in 0..rounds {
        for (sum, (who, threads)) in seconds.iter_mut().zip(runs) {
            *sum += in_a_process(who, threads);
        }
    }
    let made = f64::from(u32::try_from(hosts * rounds).expect("a reasonable number"));
    println!(
        "{}, RSA-{}, {rounds} rounds of {hosts} hosts in turns, {cores} cores\n",
        openssl::version::version(),
        bits()
    );
    println!("| what | threads | ms a host | hosts a second | × the loop | × one thread |");
    println!("|---|--:|--:|--:|--:|--:|");
    for (index, (who, threads)) in runs.into_iter().enumerate() {
        let name = if who == "loop" {
            "loop over OpenSSL"
        } else {
            "keytrail, into a vault"
        };
        println!(
            "| {name} | {threads} | {:.1} | {:.1} | {:.2} | {:.2} |",
            seconds[index] / made * 1000.0,
            made / seconds[index],
            seconds[index / 2 * 2] / seconds[index],
            seconds[2 + index % 2] / seconds[index],
        );
    }
}

fn in_a_process(who: &str, threads: usize) -> f64 {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .arg(who)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{who}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    said.trim().parse().expect("seconds")
}

/// The loop: what a script in a fast language would do.
fn in_process(hosts: usize) {
    (0..hosts)
        .into_par_iter()
        .for_each(|_| drop(one_host(bits()).expect("OpenSSL makes a key and a certificate")));
}

fn one_host(bits: u32) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
    let key = PKey::from_rsa(Rsa::generate(bits)?)?;
    let mut salt = [0; 16 + 16];
    openssl::rand::rand_bytes(&mut salt)?;
    let mut derived = [0; 32];
    let rounds = keytrail::media::cipher::Protection::DEFAULT_ITERATIONS as usize;
    pbkdf2_hmac(
        b"correct horse",
        &salt[..16],
        rounds,
        MessageDigest::sha256(),
        &mut derived,
    )?;
    let der = key.private_key_to_pkcs8()?;
    let sealed = encrypt(Cipher::aes_256_cbc(), &derived, Some(&salt[16..]), &der)?;

    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", "leaf@fleet")?;
    let name = name.build();
    let mut certificate = X509Builder::new()?;
    certificate.set_version(2)?;
    certificate.set_serial_number(&*Asn1Integer::from_bn(&*BigNum::from_u32(1)?)?)?;
    certificate.set_not_before(&*Asn1Time::from_unix(NOW)?)?;
    certificate.set_not_after(&*Asn1Time::days_from_now(365)?)?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    certificate.set_pubkey(&key)?;
    certificate.sign(&key, MessageDigest::sha256())?;
    Ok((sealed, certificate.build().to_der()?))
}

/// The same number of hosts, minted from an inventory into a new vault. Deciding what to make counts too.
fn by_keytrail(hosts: usize) {
    let inventory = fleet(hosts);
    let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 20));
    let dir = tempfile::tempdir().expect("a directory");
    let identity = dir.path().join("identity.agekey");
    create_identity(&identity).expect("an identity");
    let path = dir.path().join("fleet.vault");
    let mut vault = Vault::create(&path, &KeySource::File(identity), &[]).expect("a vault");
    report(|| {
        let state = State::read(&vault).expect("the state");
        let request = Request {
            inventory: &inventory,
            needs: &|host| analysis.needs(host),
            given: &Given::default(),
            now: NOW,
            renew_until: NOW,
            renewing: None,
            anew: &HashSet::new(),
        };
        let work = reconcile(&request, &state).expect("everything can be made");
        mint(&mut vault, &work, "bench", Digest::of(b"bench"), &()).expect("minted");
    });
}

/// One trusted host and clients of it, of the scheme with the cheapest group key: hosts are what is measured.
fn fleet(hosts: usize) -> Inventory {
    let text = format!(
        "version: 1
defaults: {{ host_key: {{ bits: {} }}, connection: export }}
groups: {{ fleet: {{ identity: iff, trusted: [top], identity_key: {{ iff: 512 }} }} }}
hosts:
  top: {{ group: fleet, reference_clock: true }}
  \"leaf[00001-{:05}]\": {{ group: fleet, servers: [top] }}
",
        bits(),
        hosts - 1
    );
    load_str(&text).expect("the fleet loads")
}
