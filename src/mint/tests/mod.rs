//! Minting into real vaults, and reading what came out as the daemon would.

mod asked;
mod change;
mod decision;
mod media;

use super::*;
use crate::digest::Digest;
use crate::inventory::load_str;
use crate::media::certificate::Certificate;
use crate::media::private_key::PrivateKey;
use crate::media::{ReadFile, pkcs8};
use crate::trail::{Analysis, analyse};
use crate::vault::{ArtifactKind, GenerationId, KeySource, PlacedFile, create_identity};

pub(super) const NOW: i64 = 1_795_219_200;
pub(super) const DAY: i64 = 86_400;

/// Small keys: what is made of them is what counts here.
pub(super) const DEFAULTS: &str = "version: 1\ndefaults: { host_key: { bits: 512 }, connection: export }\n";
pub(super) const SMALL: &str = "identity_key: { iff: 512, gq: 512, mv: 512 }";

/// The manual's scenario.
pub(super) fn red_green_blue() -> String {
    format!(
        "{DEFAULTS}
groups:
  red: {{ identity: iff, trusted: [mort], {SMALL} }}
  blue: {{ identity: gq, trusted: [macabre], {SMALL} }}
  green: {{ identity: gq, trusted: [howland], {SMALL} }}
hosts:
  mort: {{ group: red, reference_clock: true, servers: [macabre] }}
  macabre: {{ group: blue, reference_clock: true, servers: [mort] }}
  howland: {{ group: green, servers: [mort, macabre] }}
  yellow: {{ group: green, servers: [howland] }}
  \"leaf[1-3]\": {{ group: green, servers: [yellow, howland] }}
"
    )
}

/// A vault, and the present.
pub(super) struct Fixture {
    _dir: tempfile::TempDir,
    pub(super) vault: Vault,
    pub(super) now: i64,
    pub(super) given: Given,
    pub(super) renew_until: Option<i64>,
    pub(super) renewing: Option<HashSet<Box<str>>>,
    pub(super) anew: HashSet<(SecretKind, Box<str>)>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let identity = dir.path().join("identity.agekey");
        create_identity(&identity).unwrap();
        let vault = Vault::create(&dir.path().join("x.vault"), &KeySource::File(identity), &[]).unwrap();
        Self {
            _dir: dir,
            vault,
            now: NOW,
            given: Given::default(),
            renew_until: None,
            renewing: None,
            anew: HashSet::new(),
        }
    }

    pub(super) fn wanted(&self, inventory: &str) -> Result<Work, Error> {
        let inventory = load_str(inventory).unwrap_or_else(|failure| panic!("{failure:?}"));
        let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 20));
        self.wanted_for(&inventory, &analysis)
    }

    pub(super) fn wanted_for(&self, inventory: &Inventory, analysis: &Analysis) -> Result<Work, Error> {
        let state = State::read(&self.vault).unwrap();
        let request = Request {
            inventory,
            needs: &|host| analysis.needs(host),
            given: &self.given,
            now: self.now,
            renew_until: self.renew_until.unwrap_or(self.now),
            renewing: self.renewing.as_ref(),
            anew: &self.anew,
        };
        reconcile(&request, &state)
    }

    /// Mints, and holds that nothing is left to do afterwards.
    pub(super) fn mint(&mut self, inventory: &str) -> Option<GenerationId> {
        let work = self.wanted(inventory).unwrap();
        let minted = mint(
            &mut self.vault,
            &work,
            "test",
            Digest::of(inventory.as_bytes()),
            &(),
        )
        .unwrap();
        assert_eq!(minted.is_none(), work.is_empty());
        self.anew.clear();
        self.renew_until = None;
        self.renewing = None;
        let again = self.wanted(inventory).unwrap();
        assert!(again.is_empty(), "the second run finds: {again:?}");
        let again = mint(&mut self.vault, &again, "test", Digest::of(b""), &()).unwrap();
        assert_eq!(again, None);
        minted
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.vault.snapshot().unwrap()
    }

    pub(super) fn file(&self, host: &str, kind: ArtifactKind) -> PlacedFile {
        let files = self.snapshot().media(host);
        let found = files.iter().find(|file| file.kind == kind);
        found
            .unwrap_or_else(|| panic!("{host} has no {kind:?}: {files:?}"))
            .clone()
    }

    pub(super) fn read(&self, file: &PlacedFile) -> ReadFile {
        let content = self.vault.content(file.artifact).unwrap();
        ReadFile::parse(content.expose()).unwrap()
    }

    /// The numbers in a file of a host, opened with that host's password where it is encrypted.
    pub(super) fn numbers(&self, host: &str, kind: ArtifactKind) -> PrivateKey {
        let file = self.read(&self.file(host, kind));
        let password = self.vault.password(host).unwrap();
        let read = pkcs8::read(&file.blocks[0].1, password.as_ref()).unwrap();
        let private = !matches!(kind, ArtifactKind::ClientParameters(_));
        assert_eq!(read.encryption.is_some(), private, "{host} {kind:?}");
        read.key
    }

    pub(super) fn certificate(&self, host: &str) -> Certificate {
        let file = self.read(&self.file(host, ArtifactKind::Certificate));
        Certificate::from_block(&file.blocks[0].1).unwrap()
    }

    /// Holds what must be true of whatever any host holds.
    pub(super) fn hold_invariants(&self) {
        let snapshot = self.snapshot();
        for host in snapshot.hosts() {
            let mut names = HashMap::new();
            for (placement, artifact) in snapshot.ever(host) {
                let before = names.insert(&*placement.name, artifact.digest);
                assert!(
                    before.is_none_or(|digest| digest == artifact.digest),
                    "{host}: two contents under the name {}",
                    placement.name
                );
            }
            let media = snapshot.media(host);
            let links: Vec<_> = media.iter().flat_map(|file| &file.links).collect();
            let distinct: HashSet<_> = links.iter().collect();
            assert_eq!(links.len(), distinct.len(), "{host}: {links:?}");
            for file in &media {
                assert_eq!(file.mode, if file.secret { 0o600 } else { 0o644 });
                let read = self.read(file);
                assert_eq!(read.stamp, file.filestamp);
                let title = &read.title;
                assert!(
                    file.name == *title || file.name.starts_with(&format!("{title}-g")),
                    "{} holds {title}",
                    file.name
                );
            }
        }
    }
}

pub(super) fn links(fixture: &Fixture, host: &str) -> Vec<String> {
    let files = fixture.snapshot().media(host);
    let mut links: Vec<_> = files.into_iter().flat_map(|file| file.links).collect();
    links.sort();
    links
}
