//! Files of the real ntp-keygen 4.2.8p15, with the numbers of their manifest.

use keytrail::{
    media::{ReadFile, certificate::Certificate, number::Number, pkcs8, private_key::PrivateKey},
    secret::Secret,
};
use serde_json::Value;
use std::{fs, path::PathBuf};

pub fn golden(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/media")
        .join(path)
}

pub fn bytes(path: &str) -> Vec<u8> {
    fs::read(golden(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

pub fn manifest() -> Value {
    serde_json::from_slice(&bytes("manifest.json")).unwrap()
}

pub fn number(value: &Value) -> Number {
    let text = value
        .as_str()
        .map_or_else(|| format!("{:x}", value.as_u64().unwrap()), str::to_owned);
    Number::from_hex(&text).unwrap()
}

/// Every file of the generator: set, its description, file name, its description.
pub fn files() -> Vec<(String, Value, String, Value)> {
    let mut all = Vec::new();
    for (set, description) in manifest()["sets"].as_object().unwrap() {
        for (name, file) in description["files"].as_object().unwrap() {
            all.push((set.clone(), description.clone(), name.clone(), file.clone()));
        }
    }
    assert!(all.len() > 25, "the manifest lost its files");
    all
}

pub fn password(set: &Value, file: &Value) -> Option<Secret> {
    let password = file.get("password").unwrap_or(&set["password"]);
    password.as_str().map(Secret::from)
}

pub fn keys(path: &str, password: Option<&str>) -> Vec<PrivateKey> {
    let read = ReadFile::parse(&bytes(path)).unwrap();
    let password = password.map(Secret::from);
    read.blocks
        .iter()
        .map(|(_, block)| pkcs8::read(block, password.as_ref()).unwrap().key)
        .collect()
}

pub fn key(path: &str, password: Option<&str>) -> PrivateKey {
    keys(path, password).remove(0)
}

pub fn certificate(path: &str) -> Certificate {
    Certificate::from_block(&ReadFile::parse(&bytes(path)).unwrap().blocks[0].1).unwrap()
}
