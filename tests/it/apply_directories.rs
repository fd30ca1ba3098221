//! Directories in which somebody else can rename: no phase works in them, whatever leads there, and each names them before it
//! writes anything. What legitimate layouts need goes on working.

use crate::common::generations::*;
use crate::common::world::{CONF, KEYS, World, changed, failed, here};
use keytrail::apply::{Cancel, LocksOf, Phase, Progress, Report, Rollout, Silent, Target, Trusting, unlock};
use keytrail::plan::Action;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The daemon's user.
const DAEMON: u32 = 1;

/// A way in which a host is made unsafe after its first apply, and what is named for it.
struct Spoiled {
    /// Before the first apply.
    before: fn(&World),
    after: fn(&World),
    named: &'static str,
}

fn give(world: &World, path: &str) {
    chown(world.path("one", path), Some(DAEMON), None).unwrap();
}

fn linked_keys(world: &World) {
    let at = world.path("one", "/var/lib/ntp/keys");
    fs::create_dir_all(at).unwrap();
    fs::create_dir_all(world.path("one", "/etc/ntp")).unwrap();
    // As seen from inside the host's own root.
    symlink("/var/lib/ntp/keys", world.path("one", KEYS)).unwrap();
}

fn linked_conf(world: &World) {
    fs::create_dir_all(world.path("one", "/srv/ntp")).unwrap();
    fs::rename(world.path("one", CONF), world.path("one", "/srv/ntp/ntp.conf")).unwrap();
    symlink("../srv/ntp/ntp.conf", world.path("one", CONF)).unwrap();
}

const SPOILED: [Spoiled; 9] = [
    Spoiled {
        before: |_| {},
        after: |world| give(world, KEYS),
        named: "others than root can write to /etc/ntp/crypto",
    },
    Spoiled {
        before: linked_keys,
        after: |world| give(world, "/var/lib/ntp"),
        named: "others than root can write to /var/lib/ntp (/etc/ntp/crypto leads to /var/lib/ntp/keys)",
    },
    Spoiled {
        before: linked_keys,
        after: |world| give(world, "/etc/ntp"),
        named: "others than root can write to /etc/ntp (/etc/ntp/crypto leads to /var/lib/ntp/keys)",
    },
    Spoiled {
        before: linked_conf,
        after: |world| give(world, "/srv/ntp"),
        named: "others than root can write to /srv/ntp (/etc/ntp.conf leads to /srv/ntp/ntp.conf)",
    },
    Spoiled {
        before: linked_conf,
        after: |world| {
            fs::set_permissions(world.path("one", "/srv"), fs::Permissions::from_mode(0o775)).unwrap();
        },
        named: "others than root can write to /srv (",
    },
    // Anybody can make names in it, as in /tmp.
    Spoiled {
        before: linked_conf,
        after: |world| {
            fs::set_permissions(world.path("one", "/srv/ntp"), fs::Permissions::from_mode(0o1777)).unwrap();
        },
        named: "others than root can write to /srv/ntp (",
    },
    Spoiled {
        before: |_| {},
        after: |world| {
            let state = world.path("one", KEYS).join(".keytrail");
            fs::rename(&state, world.path("one", "/etc/elsewhere")).unwrap();
            symlink("../../elsewhere", &state).unwrap();
            lchown(&state, Some(DAEMON), None).unwrap();
        },
        named: "/etc/ntp/crypto/.keytrail (which is no directory)",
    },
    Spoiled {
        before: |_| {},
        after: |world| give(world, "/etc/ntp/crypto/.keytrail"),
        named: "others than root can write to /etc/ntp/crypto/.keytrail",
    },
    // A link in a directory in which everybody can make links.
    Spoiled {
        before: |world| {
            let open = world.path("one", "/open");
            fs::create_dir(&open).unwrap();
            fs::create_dir_all(world.path("one", "/var/lib/ntp/keys")).unwrap();
            fs::create_dir(world.path("one", "/etc/ntp")).unwrap();
            symlink("/var/lib/ntp/keys", open.join("keys")).unwrap();
            symlink("/open/keys", world.path("one", KEYS)).unwrap();
        },
        after: |world| {
            fs::set_permissions(world.path("one", "/open"), fs::Permissions::from_mode(0o1777)).unwrap();
        },
        named: "others than root can write to /open (",
    },
];

#[tokio::test]
async fn no_phase_works_where_others_can_rename() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for Spoiled { before, after, named } in SPOILED {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::new(dir.path());
        world.add("one", 0);
        before(&world);
        brought(&world, 1).await;
        world.renew("one", 0, NEW);
        let work = world.work(&world.observe(&here()).await);
        after(&world);
        let found = everything(&world.root("one"));

        // A record has the names that the inventory's led to.
        let named_there = |phase| match phase {
            Phase::Rollback => named
                .split(" (/etc/ntp.conf")
                .next()
                .unwrap_or(named)
                .trim_end_matches(" ("),
            _ => named,
        };
        let refused = |report: &Report, expected: Phase| {
            let (phase, message, help, _) = failed(&report.hosts["one"]);
            assert!(
                phase == expected && message.contains(named_there(expected)) && help.contains("chown root"),
                "{phase}: {message}"
            );
        };
        let seen = world.observe(&here()).await;
        let why = seen["one"].as_ref().unwrap_err().to_string();
        assert!(why.contains(named), "{why}");
        // Staging and unlocking work in the keys directory alone.
        let keys = !named.contains("/srv");
        if keys {
            refused(&world.run(&here(), work.clone()).await, Phase::Stage);
        }
        let mut staged = work;
        staged[0]
            .plan
            .actions
            .retain(|action| !matches!(action, Action::PutFile { .. }));
        refused(&world.run(&here(), staged).await, Phase::Activate);
        for target in [Target::Last, Target::Run("run1".into())] {
            refused(&back(&world, &["one"], &target, true).await, Phase::Rollback);
        }
        if keys {
            let silent: Arc<dyn Progress> = Arc::new(Silent);
            let sites = vec![("one".to_owned(), world.site("one"))];
            let (report, owners) =
                unlock(&here(), sites, LocksOf::Anybody, &silent, &Cancel::default()).await;
            refused(&report, Phase::Unlock);
            assert!(owners.is_empty());
        }
        assert_eq!(
            everything(&world.root("one")),
            found,
            "{named}: something was written"
        );
    }
}

/// Every name below a directory, with its mode and content or target, ours included.
fn everything(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let what = if meta.is_dir() {
            found.append(&mut everything(&path));
            String::new()
        } else if meta.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else {
            String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
        };
        found.insert(path, format!("{:o} {what}", meta.permissions().mode()));
    }
    found
}

/// Links that only root can change are followed, below the root directory, and names stay those of the inventory.
#[tokio::test]
async fn links_of_roots_are_followed() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    linked_keys(&world);
    linked_conf(&world);
    assert!(world.apply(&here()).await.is_good());
    assert!(
        world
            .path("one", "/var/lib/ntp/keys/ntpkey_host_one")
            .is_symlink()
    );
    assert!(world.read("one", "/srv/ntp/ntp.conf").contains("4004178806"));
    assert!(world.apply(&here()).await.is_unchanged());
    world.renew("one", 0, NEW);
    let report = world.apply(&here()).await;
    assert_eq!(changed(&report.hosts["one"]).0, 6, "{report:?}");
    let report = back(&world, &["one"], &Target::Last, false).await;
    assert!(report.is_good(), "{report:?}");
    assert!(world.read("one", "/srv/ntp/ntp.conf").contains("4004178806"));
    assert!(world.path("one", KEYS).is_symlink() && world.path("one", CONF).is_symlink());
}

/// A record of an earlier build, which has the names of the inventory, not those they lead to; and one that names what no
/// switch ever touched.
#[tokio::test]
async fn records_are_followed_like_any_path() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    linked_keys(&world);
    brought(&world, 1).await;
    let list = linked_record(&world).join("list");
    let now = fs::read_to_string(&list).unwrap();
    assert!(now.contains(" /var/lib/ntp/keys/ntpkey_host_one\n"), "{now}");
    fs::write(&list, now.replace("/var/lib/ntp/keys/", "/etc/ntp/crypto/")).unwrap();
    world.renew("one", 0, NEW);
    brought(&world, 2).await;
    let report = back(&world, &["one"], &Target::Generation(0), false).await;
    assert!(report.is_good(), "{report:?}");
    assert!(
        !world
            .path("one", "/var/lib/ntp/keys/ntpkey_host_one")
            .is_symlink()
    );

    brought(&world, 3).await;
    let list = linked_record(&world).join("list");
    let victim = world.path("one", "/etc/victim");
    fs::write(&victim, "untouched").unwrap();
    fs::write(&list, "none - /etc/ntp/../victim\n").unwrap();
    let report = back(&world, &["one"], &Target::Last, true).await;
    assert!(
        failed(&report.hosts["one"]).1.contains("/etc/ntp/../victim"),
        "{report:?}"
    );
    assert_eq!(fs::read_to_string(victim).unwrap(), "untouched");
}

async fn brought(world: &World, generation: u64) {
    let report = run(world, &here(), generation, Rollout::default(), Arc::new(Trusting)).await;
    assert!(report.is_good(), "{report:?}");
}

/// The record of the last switch where the keys directory is reached through a link.
fn linked_record(world: &World) -> PathBuf {
    let state = world.path("one", "/var/lib/ntp/keys/.keytrail");
    let last = fs::read_to_string(state.join("undo")).unwrap();
    state.join(last.trim())
}
