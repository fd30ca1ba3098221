//! A fleet as the program makes it: inventory, minted keys, the files of each host.

use keytrail::apply::Site;
use keytrail::apply::verify::{Verification, verification};
use keytrail::digest::Digest;
use keytrail::inventory::{Inventory, load_str};
use keytrail::mint::{Given, Request, State, mint, reconcile};
use keytrail::ntpconf::{ConfContext, Templates};
use keytrail::plan::{DesiredHost, HostInput, Observed, ObservedFile, desired, key_file};
use keytrail::secret::Secret;
use keytrail::trail::{Analysis, analyse};
use keytrail::vault::{KeySource, Vault, create_identity};
use std::collections::HashSet;
use std::path::Path;

const NOW: i64 = 1_795_226_400;

/// An inventory and the keys minted for it.
pub struct World {
    inventory: Inventory,
    analysis: Analysis,
    state: State,
}

impl World {
    /// Mints: twice the same inventory gives twice the same files with other keys.
    pub fn mint(inventory: &str) -> Self {
        let [world] = Self::states([inventory]);
        world
    }

    /// What one fleet goes through, with one vault: what an inventory has in common with the one before stays.
    pub fn states<const N: usize>(inventories: [&str; N]) -> [Self; N] {
        let dir = tempfile::tempdir().expect("a directory");
        let identity = dir.path().join("identity");
        create_identity(&identity).expect("made");
        let mut vault =
            Vault::create(&dir.path().join("vault"), &KeySource::File(identity), &[]).expect("made");
        inventories.map(|inventory| Self::next(&mut vault, inventory))
    }

    fn next(vault: &mut Vault, inventory: &str) -> Self {
        let inventory = load_str(inventory).unwrap_or_else(|error| panic!("{error}"));
        let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 21));
        let request = Request {
            inventory: &inventory,
            needs: &|host| analysis.needs(host),
            given: &Given::default(),
            now: NOW,
            renew_until: NOW,
            renewing: None,
            anew: &HashSet::new(),
        };
        let work = reconcile(&request, &State::read(vault).expect("read")).expect("possible");
        mint(vault, &work, "test", Digest::of(b""), &()).expect("minted");
        Self {
            state: State::read(vault).expect("read"),
            inventory,
            analysis,
        }
    }

    /// What a host should show whose root is that directory.
    pub fn verification(&self, name: &str, root: &Path) -> Verification {
        let host = self.inventory.find(name).expect("in the fleet");
        let site = Site {
            root: Some(root.display().to_string()),
            keysdir: self.inventory.entry(host).settings.keysdir.to_string(),
            ..Site::default()
        };
        verification(&self.inventory, &self.analysis, &self.state, host, site)
    }

    /// The files of a host whose configuration was `before`.
    pub fn files(&self, name: &str, before: &str) -> DesiredHost {
        let host = self.inventory.find(name).expect("in the fleet");
        let needs = self.analysis.needs(host);
        let look_up = |owner: &str| self.state.symmetric.get(owner);
        let keys = key_file(&self.inventory, host, needs, &look_up).expect("every key is there");
        let input = HostInput {
            inventory: &self.inventory,
            host,
            needs,
            depth: self.analysis.depth(host),
            fleet: &ConfContext::new(&self.inventory),
            media: &[],
            password: None,
            key_file: keys.as_ref(),
        };
        let path = self.inventory.entry(host).settings.conf.to_string();
        let file = ObservedFile {
            digest: Digest::of(before.as_bytes()),
            mode: 0o644,
            owner: "root".into(),
            group: "root".into(),
        };
        let observed = Observed {
            files: [(path.clone(), file)].into(),
            conf: [(path, Secret::from(before))].into(),
            ..Observed::default()
        };
        desired(&input, &Templates::embedded(), &observed).unwrap_or_else(|errors| panic!("{errors:?}"))
    }
}
