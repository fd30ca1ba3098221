//! What a host keeps of the vault that last changed it: which vault, and its generation then, signed by the vault and bound to
//! the host's name. A host cannot make one that says more than it was told, and cannot use another host's.

use super::error::Result;
use super::generation_id::GenerationId;
use super::model::GenerationInfo;
use super::signature::Signer;
use super::vault_id::VaultId;
use openssl::sha::Sha256;

/// What the line begins with.
const VERSION: &str = "1";

/// What the record of a host shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// It has none: nothing of keytrail's was there, or an earlier build put it there.
    Nothing,
    /// This vault changed it last, in a generation that the vault has.
    Own(GenerationId),
    /// This vault had a later generation once: it is an older copy.
    Ahead(GenerationId),
    /// This vault had another generation of that number once: it went on from an older copy.
    Diverged(GenerationId),
    /// Another vault changed it last.
    Other(VaultId),
    /// No vault signed that for this host.
    Forged,
}

impl Signer {
    /// The record of `host` once it has been brought to `generation`: one line, no secret.
    pub fn host_record(&self, host: &str, generation: &GenerationInfo) -> Result<String> {
        let vault = self.id();
        let mark = mark(generation);
        let signature = self.sign(&message(&vault, host, generation.id.0, &mark))?;
        let signature = hex(&signature);
        Ok(format!(
            "{VERSION} {} {} {mark} {signature}",
            vault.hex(),
            generation.id
        ))
    }
}

/// What the record `line` of `host` means for this vault, which has these generations.
pub fn carried(line: Option<&str>, host: &str, vault: VaultId, generations: &[GenerationInfo]) -> Carried {
    let Some(line) = line else {
        return Carried::Nothing;
    };
    let Some((id, generation, mark)) = read(line, host) else {
        return Carried::Forged;
    };
    if id != vault {
        return Carried::Other(id);
    }
    let known = generations.iter().find(|info| info.id == generation);
    match known {
        Some(info) if self::mark(info) == mark => Carried::Own(generation),
        None if generations.last().is_none_or(|latest| latest.id < generation) => Carried::Ahead(generation),
        _ => Carried::Diverged(generation),
    }
}

/// The parts of a record that its vault signed for this host.
fn read<'l>(line: &'l str, host: &str) -> Option<(VaultId, GenerationId, &'l str)> {
    let fields: Vec<&str> = line.split(' ').collect();
    let [VERSION, vault, generation, mark, signature] = fields[..] else {
        return None;
    };
    let vault: VaultId = vault.parse().ok()?;
    let generation: u32 = generation.parse().ok()?;
    let signature = bytes(signature)?;
    vault
        .signed(&message(&vault, host, generation, mark), &signature)
        .then_some((vault, GenerationId(generation), mark))
}

fn message(vault: &VaultId, host: &str, generation: u32, mark: &str) -> Vec<u8> {
    format!(
        "keytrail host record {VERSION}\n{}\n{}\n{host}\n{generation}\n{mark}\n",
        vault.hex(),
        host.len()
    )
    .into_bytes()
}

/// Tells a generation from another of the same number: 16 hex digits.
fn mark(generation: &GenerationInfo) -> String {
    let mut hash = Sha256::new();
    hash.update(&generation.id.0.to_be_bytes());
    hash.update(&generation.created.to_be_bytes());
    hash.update(&generation.inventory.0);
    hash.update(generation.note.as_bytes());
    let hash = hash.finish();
    hex(&hash[..8])
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    (hex.len() == 128 && hex.is_ascii()).then_some(())?;
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn generation(id: u32, created: i64) -> GenerationInfo {
        GenerationInfo {
            id: GenerationId(id),
            created,
            note: "inventory".into(),
            inventory: Digest::of(b"inventory"),
            pruned: None,
        }
    }

    #[test]
    fn a_record_holds_for_its_host_its_vault_and_its_generation() {
        let (own, other) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let all = [generation(1, 100), generation(2, 200)];
        let line = own.host_record("mort", &all[1]).unwrap();
        let judged =
            |line: &str, host: &str, all: &[GenerationInfo]| carried(Some(line), host, own.id(), all);
        assert_eq!(judged(&line, "mort", &all), Carried::Own(GenerationId(2)));
        assert_eq!(judged(&line, "mort", &all[..1]), Carried::Ahead(GenerationId(2)));
        assert_eq!(judged(&line, "mort", &[]), Carried::Ahead(GenerationId(2)));
        let went_on = [generation(1, 100), generation(2, 999)];
        assert_eq!(
            judged(&line, "mort", &went_on),
            Carried::Diverged(GenerationId(2))
        );
        assert_eq!(carried(None, "mort", own.id(), &all), Carried::Nothing);
        assert_eq!(
            judged(&other.host_record("mort", &all[1]).unwrap(), "mort", &all),
            Carried::Other(other.id())
        );
        // What a host could try: another host's record, a later generation, another's name on it, nonsense.
        assert_eq!(judged(&line, "bud", &all), Carried::Forged);
        let renamed = line.replace(&own.id().hex(), &other.id().hex());
        for forged in [
            line.replacen(" 2 ", " 3 ", 1),
            renamed,
            format!("{line}0"),
            line[..line.len() - 2].to_owned(),
            String::new(),
            "1".into(),
            "2 a b c d".into(),
            format!("{line} {line}"),
            line.replace(' ', "\t"),
            "1 x 4294967296 y z".into(),
        ] {
            assert_eq!(judged(&forged, "mort", &all), Carried::Forged, "{forged}");
        }
    }
}
