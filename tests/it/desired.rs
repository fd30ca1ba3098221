//! From an inventory over minted media to a plan: what each host gets, what it must lose, and that nothing secret shows.

use keytrail::digest::Digest;
use keytrail::inventory::{Inventory, load_str};
use keytrail::mint::{Given, Request, State, mint, reconcile};
use keytrail::ntpconf::{ConfContext, Templates};
use keytrail::plan::{Action, DesiredHost, HostInput, Observed, Plan, desired, key_file, reached, render};
use keytrail::secret::Secret;
use keytrail::trail::{Analysis, analyse};
use keytrail::vault::{KeySource, Vault, create_identity};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

const NOW: i64 = 1_795_226_400;

const FLEET: &str = "
version: 1
defaults: { host_key: { bits: 1024 } }
groups:
  red: { identity: iff, trusted: [mort] }
symmetric_keys:
  5: { type: AES-128-CMAC }
hosts:
  mort: { group: red, reference_clock: true }
  mid: { group: red, servers: [mort] }
  'leaf[1-2]': { group: red, servers: [mid] }
  sec: { ntpd: ntpsec, servers: [{ host: mort, key: 5 }] }
";

struct World {
    inventory: Inventory,
    analysis: Analysis,
    vault: Vault,
    state: State,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let inventory = load_str(FLEET).unwrap_or_else(|error| panic!("{error}"));
        let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 21));
        let dir = tempfile::tempdir().expect("a directory");
        let identity = dir.path().join("identity");
        create_identity(&identity).expect("made");
        let mut vault =
            Vault::create(&dir.path().join("vault"), &KeySource::File(identity), &[]).expect("made");
        let needs = |host| analysis.needs(host);
        let request = Request {
            inventory: &inventory,
            needs: &needs,
            given: &Given::default(),
            now: NOW,
            renew_until: NOW,
            renewing: None,
            anew: &HashSet::new(),
        };
        let work = reconcile(&request, &State::read(&vault).expect("read")).expect("possible");
        mint(&mut vault, &work, "test", Digest::of(b""), &()).expect("minted");
        let state = State::read(&vault).expect("read");
        Self {
            inventory,
            analysis,
            vault,
            state,
            _dir: dir,
        }
    }

    fn make(&self, name: &str, observed: &Observed) -> DesiredHost {
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
            media: &self.state.snapshot.media(name),
            password: self.state.passwords.get(name),
            key_file: keys.as_ref(),
        };
        desired(&input, &Templates::embedded(), observed).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn plan(&self, seen: &BTreeMap<String, Observed>) -> Plan {
        let hosts = self.inventory.hosts.iter().map(|host| {
            let observed = seen.get(&*host.name).cloned().unwrap_or_default();
            self.make(&host.name, &observed).plan(&observed)
        });
        Plan::new(1, hosts.collect())
    }

    fn all_reached(&self) -> BTreeMap<String, Observed> {
        let state = |name: &str| {
            let made = self.make(name, &Observed::default());
            reached(&made.desired, &made.contents)
        };
        let hosts = self.inventory.hosts.iter();
        hosts
            .map(|host| (host.name.to_string(), state(&host.name)))
            .collect()
    }

    /// Everything secret there is: passwords, symmetric keys, and lines of private files.
    fn secrets(&self) -> Vec<Secret> {
        let mut secrets: Vec<Secret> = self.state.passwords.values().cloned().collect();
        for key in self.state.symmetric.values() {
            let mut hex = String::new();
            for byte in key.expose() {
                let _ = write!(hex, "{byte:02x}");
            }
            secrets.extend([key.clone(), hex.into()]);
        }
        for host in &self.inventory.hosts {
            for file in self
                .state
                .snapshot
                .media(&host.name)
                .iter()
                .filter(|file| file.secret)
            {
                let content = self.vault.content(file.artifact).expect("there");
                let lines = content.expose_str().expect("PEM").lines();
                secrets.extend(lines.filter(|line| line.len() == 64).map(Secret::from));
            }
        }
        secrets
    }
}

#[test]
fn a_plan_holds_nothing_secret_and_its_hosts_what_they_need() {
    let world = World::new();
    let plan = world.plan(&BTreeMap::new());
    let text = render::text(&plan);
    // Names carry the stamp of the run.
    let stamp = (NOW + 2_208_988_800).to_string();
    snapbox::assert_data_eq!(
        text.replace(&stamp, "STAMP"),
        snapbox::file!["../golden/plan/fleet.txt"]
    );
    let shown = [
        text,
        serde_json::to_string(&plan).expect("serializes"),
        format!("{plan:?}"),
        format!("{:?}", world.make("mort", &Observed::default())),
        format!("{:?}", world.make("sec", &Observed::default())),
    ];
    let secrets = world.secrets();
    assert!(secrets.len() > 20, "the search looks for something");
    for secret in &secrets {
        let secret = String::from_utf8_lossy(secret.expose()).into_owned();
        assert!(!shown.iter().any(|text| text.contains(&secret)), "a secret shows");
    }
    assert_eq!(Plan::from_json(&shown[1]).as_ref(), Ok(&plan));
}

#[test]
fn a_reached_fleet_needs_nothing() {
    let world = World::new();
    let plan = world.plan(&world.all_reached());
    assert!(plan.is_empty(), "{}", render::text(&plan));
    assert_eq!(plan.waves, Vec::<Vec<String>>::new());
    assert_eq!(render::text(&plan), "5 hosts: nothing to change\n");
}

#[test]
fn a_role_that_is_gone_takes_its_links_along() {
    let world = World::new();
    let mut seen = world.all_reached();
    let keysdir = world.make("leaf1", &Observed::default()).desired.keysdir;
    let leaf = seen.get_mut("leaf1").expect("in the fleet");
    // Once a server, with a sign key; and something of another owner that is none of our business.
    for (link, target) in [
        ("ntpkey_sign_leaf1", "ntpkey_RSAsign_leaf1.4000000000"),
        ("ntpkey_iffkey_leaf1", "ntpkey_iffkey_red.4000000000"),
        ("ntpkey_host_other", "ntpkey_RSAhost_other.4000000000"),
    ] {
        leaf.links.insert(format!("{keysdir}/{link}"), target.to_owned());
    }
    let plan = world.plan(&seen);
    let leaf = plan
        .hosts
        .iter()
        .find(|host| host.host == "leaf1")
        .expect("in the plan");
    let removed: Vec<_> = leaf
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::RemoveLink { path, .. } => path.rsplit('/').next(),
            _ => None,
        })
        .collect();
    assert_eq!(removed, ["ntpkey_iffkey_leaf1", "ntpkey_sign_leaf1"]);
    assert!(leaf.restarts());
    assert_eq!(plan.summary.changed, 1);
}

#[test]
fn a_changed_password_is_planned_and_not_shown() {
    let mut world = World::new();
    let seen = world.all_reached();
    let old = world
        .state
        .passwords
        .insert("mid".into(), Secret::from("another-password-1"));
    let plan = world.plan(&seen);
    assert_eq!(plan.summary.changed, 1);
    let text = render::text(&plan);
    assert!(text.contains("- crypto pw [redacted]\n"), "{text}");
    assert!(
        text.contains("+ crypto pw [redacted] host mid ident red\n"),
        "{text}"
    );
    assert!(!text.contains("another-password-1"));
    let old = old.expect("it had one");
    assert!(!text.contains(old.expose_str().expect("text")));
}

#[test]
fn a_key_the_vault_does_not_have_is_named() {
    let world = World::new();
    let host = world.inventory.find("sec").expect("in the fleet");
    let error = key_file(&world.inventory, host, world.analysis.needs(host), &|_| None).expect_err("refused");
    assert!(error.to_string().contains("host sec") && error.to_string().contains("key 5"));
}
