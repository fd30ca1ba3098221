//! A directory for `keygen`, and what its runs leave there.

use keytrail::{
    inventory::Implementation,
    keygen::{Directory, Errors, Existing, Options, Outcome, decide},
    media::{
        GroupScheme,
        inspect::{self, Inspected, Material, inspect},
    },
    secret::Secret,
};
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path};
use tempfile::TempDir;

pub const NOW: i64 = 1_795_190_013;

pub fn options(host: &str, group: &str) -> Options {
    let mut options = Options::new(host);
    options.group = Some(group.into());
    options.password = Some("xxx".into());
    options.generate.bits = Some(512);
    options
}

pub fn made(schemes: &[(GroupScheme, u32)], group: &str) -> Options {
    let mut options = options("mort", group);
    options.generate.group_keys = schemes.iter().map(|(scheme, _)| *scheme).collect();
    options.generate.identity_bits = schemes.first().map(|(_, bits)| *bits);
    options.generate.mv_clients = 3;
    options
}

pub fn run_at(dir: &Path, options: &Options, now: i64) -> Result<Outcome, Errors> {
    options.check()?;
    let directory = Directory::open(dir)?;
    let present = directory.observe(options)?;
    let existing = Existing::read(&present, options)?;
    let outcome = decide(options, &present, &existing, now)?.make(options)?;
    directory.write(&outcome)?;
    Ok(outcome)
}

pub fn run(dir: &TempDir, options: &Options) -> Outcome {
    run_at(dir.path(), options, NOW).unwrap_or_else(|errors| panic!("{errors}"))
}

pub fn refused(dir: &TempDir, options: &Options) -> String {
    let before = snapshot(dir.path());
    let text = run_at(dir.path(), options, NOW).unwrap_err().to_string();
    assert_eq!(
        snapshot(dir.path()),
        before,
        "a refused run changed the directory: {text}"
    );
    text
}

/// Names with what they hold: content or link, and mode.
pub fn snapshot(dir: &Path) -> BTreeMap<String, (Vec<u8>, u32)> {
    let entry = |entry: fs::DirEntry| {
        let path = entry.path();
        let held = match fs::read_link(&path) {
            Ok(target) => (target.to_string_lossy().into_owned().into_bytes(), 0),
            Err(_) => (
                fs::read(&path).unwrap(),
                path.metadata().unwrap().permissions().mode() & 0o7777,
            ),
        };
        (entry.file_name().into_string().unwrap(), held)
    };
    fs::read_dir(dir)
        .unwrap()
        .map(|found| entry(found.unwrap()))
        .collect()
}

pub fn open(name: &str, bytes: &[u8], password: &str) -> Inspected {
    let password = Secret::from(password);
    let options = inspect::Options {
        file_name: Some(name),
        password: Some(&password),
        daemon: Implementation::NtpOrg,
        now: NOW,
        show_private: false,
    };
    inspect(bytes, &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn open_file(dir: &TempDir, name: &str) -> Inspected {
    open(name, &fs::read(dir.path().join(name)).unwrap(), "xxx")
}

pub fn exported(outcome: &Outcome, kind: &str, password: &str) -> Inspected {
    let (name, bytes) = outcome
        .exports
        .iter()
        .find(|(name, _)| name.to_string().starts_with(&format!("ntpkey_{kind}_")))
        .unwrap_or_else(|| panic!("no {kind} was exported"));
    open(&name.to_string(), bytes.expose(), password)
}

pub fn target(dir: &TempDir, link: &str) -> String {
    let target = fs::read_link(dir.path().join(link)).unwrap_or_else(|error| panic!("{link}: {error}"));
    target.to_string_lossy().into_owned()
}

pub fn certificate(dir: &TempDir) -> keytrail::media::certificate::Certificate {
    match open_file(dir, "ntpkey_cert_mort").material {
        Some(Material::Certificate(certificate)) => certificate,
        other => panic!("{other:?}"),
    }
}
