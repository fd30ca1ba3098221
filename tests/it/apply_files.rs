//! What an apply does to files of a host that are not as they should be: links, modes, owners, digests.

use crate::common::world::{CONF, KEYS, World, changed, failed, here};
use keytrail::apply::{HostWork, Site};
use keytrail::plan::{Action, HostPlan};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

#[tokio::test]
async fn links_files_and_modes_that_are_wrong_are_put_right() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    world.apply(&here()).await;
    let keys = world.path("one", KEYS);
    let record = world.record("one");
    fs::set_permissions(
        keys.join("ntpkey_RSAhost_one.4004178806"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let report = world.apply(&here()).await;
    assert_eq!(changed(&report.hosts["one"]), (1, None));
    assert_eq!(
        fs::metadata(keys.join("ntpkey_RSAhost_one.4004178806"))
            .unwrap()
            .mode()
            & 0o7777,
        0o600
    );
    assert_eq!(world.record("one"), record, "nothing to undo was added");

    // A link that must not be there, and a key where a link should be.
    symlink("ntpkey_RSAhost_one.4004178806", keys.join("ntpkey_sign_one")).unwrap();
    fs::remove_file(keys.join("ntpkey_host_one")).unwrap();
    fs::write(keys.join("ntpkey_host_one"), "an old key").unwrap();
    let report = world.apply(&here()).await;
    assert_eq!(changed(&report.hosts["one"]), (2, Some("restarted\nrestarted\n")));
    assert!(!keys.join("ntpkey_sign_one").is_symlink());
    assert!(keys.join("ntpkey_host_one").is_symlink());
    let record = world.record("one");
    let list = fs::read_to_string(record.join("list")).unwrap();
    let line = list
        .lines()
        .find(|line| line.ends_with("ntpkey_host_one"))
        .unwrap();
    let copy = line.split(' ').nth(1).unwrap();
    assert_eq!(
        fs::read_to_string(record.join(copy)).unwrap(),
        "an old key",
        "the replaced key is kept"
    );
}

#[tokio::test]
async fn an_ntp_conf_that_is_a_link_stays_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    fs::create_dir(world.path("one", "etc/real")).unwrap();
    fs::rename(world.path("one", CONF), world.path("one", "etc/real/ntp.conf")).unwrap();
    // Absolute, as seen from inside the host's own root.
    symlink("/etc/real/ntp.conf", world.path("one", CONF)).unwrap();
    assert!(world.apply(&here()).await.is_good());
    assert!(world.path("one", CONF).is_symlink());
    assert!(world.read("one", "etc/real/ntp.conf").contains("4004178806"));
    assert!(world.apply(&here()).await.is_unchanged());
}

#[tokio::test]
async fn owner_and_group_are_set_before_anything_is_seen() {
    // Only root may give files away; as anybody else the answer must say so.
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    let root = rustix::process::geteuid().is_root();
    let desired = world.desired.get_mut("one").unwrap();
    desired.owner = Some("1".into());
    desired.group = Some("2".into());
    let report = world.apply(&here()).await;
    if !root {
        let (_, message, help, _) = failed(&report.hosts["one"]);
        assert!(
            message.contains("Operation not permitted") && help.contains("root"),
            "{message}"
        );
        return;
    }
    assert!(report.is_good(), "{report:?}");
    let keys = world.path("one", KEYS);
    for file in [
        &keys.join("ntpkey_RSAhost_one.4004178806"),
        &world.path("one", CONF),
    ] {
        let meta = fs::metadata(file).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (1, 2), "{file:?}");
    }
    // The directory is only entered by the owner: who has it could put something else in our files' place.
    let meta = fs::metadata(&keys).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (0, 2));
    assert_eq!(
        fs::metadata(&keys).unwrap().mode() & 0o7777,
        0o750,
        "open to the group it was made for"
    );
    assert!(
        world.apply(&here()).await.is_unchanged(),
        "numbers are compared with numbers"
    );

    let desired = world.desired.get_mut("one").unwrap();
    (desired.owner, desired.group) = (Some("root".into()), Some("root".into()));
    let report = world.apply(&here()).await;
    assert_eq!(changed(&report.hosts["one"]).1, None);
    let meta = fs::metadata(world.path("one", CONF)).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (0, 0));
    assert!(world.apply(&here()).await.is_unchanged());

    // Left open: a replaced file keeps the owner it had.
    std::os::unix::fs::chown(world.path("one", CONF), Some(3), Some(4)).unwrap();
    world.renew("one", 0, 4_004_200_000);
    assert!(world.apply(&here()).await.is_good());
    let meta = fs::metadata(world.path("one", CONF)).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (3, 4));

    world.desired.get_mut("one").unwrap().owner = Some("nobody-of-this-name".into());
    world.renew_owner("one");
    let report = world.apply(&here()).await;
    let (_, message, help, _) = failed(&report.hosts["one"]);
    assert!(
        message.contains("invalid user") && help.contains("exists on the host"),
        "{message}"
    );
}

/// Whoever can rename in the keys directory can put his own in the place of what root makes there for a moment, such as
/// the restart command.
#[tokio::test]
async fn root_works_in_no_directory_that_others_can_write_to() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let above = dir.path().join("a 1 ").join("ntp");
    let keys = above.join("crypto");
    let path = keys.join("ntpkey_RSAhost_one.4004178806");
    let world = World::new(dir.path());
    let file = world.contents.add("a key", 0o600);
    let apply = async || {
        let put = Action::PutFile {
            path: path.display().to_string(),
            file: file.clone(),
            replaces: None,
        };
        let work = HostWork {
            plan: HostPlan {
                host: "one".into(),
                range: None,
                wave: 0,
                actions: vec![put],
                warnings: Vec::new(),
            },
            site: Site {
                keysdir: keys.display().to_string(),
                ..Site::default()
            },
            record: String::new(),
        };
        world.run(&here(), vec![work]).await
    };
    fs::create_dir_all(&keys).unwrap();
    for (place, owner, mode) in [
        (&keys, 1, 0o755),
        (&keys, 0, 0o775),
        (&keys, 0, 0o757),
        (&keys, 0, 0o1777),
        (&above, 1, 0o755),
        (&above, 0, 0o777),
    ] {
        std::os::unix::fs::chown(place, Some(owner), None).unwrap();
        fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
        let report = apply().await;
        let (_, message, help, _) = failed(&report.hosts["one"]);
        assert!(
            message.contains("others than root can write to") && help.contains("chown"),
            "{mode:o}: {message}"
        );
        assert_eq!(fs::read_dir(&keys).unwrap().count(), 0, "nothing was begun");
        std::os::unix::fs::chown(place, Some(0), None).unwrap();
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // As in /tmp.
    fs::set_permissions(&above, fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(apply().await.is_good());
    assert!(fs::exists(&path).unwrap());
}

impl World {
    /// A new generation for the owner set before.
    fn renew_owner(&mut self, host: &str) {
        let owner = self.desired[host].owner.clone();
        self.renew(host, 0, 4_004_300_000);
        self.desired.get_mut(host).unwrap().owner = owner;
    }
}

#[test]
fn any_tool_for_digests_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a file");
    fs::write(&file, "content").unwrap();
    let digest = keytrail::digest::Digest::of(b"content").to_string();
    // The functions every script begins with, on a host that has but one of the tools.
    let common = concat!(
        include_str!("../../src/remote/scripts/guard.sh"),
        include_str!("../../src/apply/scripts/common.sh")
    );
    for tool in ["sha256sum", "shasum", "openssl"] {
        let text =
            format!("{common}\ncommand() {{ [ \"$2\" = {tool} ]; }}\ncheck \"$1\" && holds {digest} \"$1\"");
        let output = std::process::Command::new("sh")
            .args(["-c", &text, "sh"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{tool}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = format!("{common}\ncommand() {{ false; }}\ncheck x");
    let output = std::process::Command::new("sh")
        .args(["-c", &text])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("none of the programs"));
}

#[test]
fn of_two_who_find_an_old_lock_one_gets_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let (state, lock) = (dir.path().join(".keytrail"), dir.path().join(".keytrail/lock"));
    fs::create_dir_all(&state).unwrap();
    let parts = [
        include_str!("../../src/remote/scripts/guard.sh"),
        include_str!("../../src/apply/scripts/common.sh"),
        include_str!("../../src/apply/scripts/receive.sh"),
    ];
    let take = |meanwhile: &str| {
        // Functions stand in for the programs they are called as.
        let text = format!(
            "{}\nmv() {{ {meanwhile}\ncommand mv \"$@\"; }}\nkeysdir=$1 root= lock='mine 900 me'\n\
             stage=$(mktemp -d \"$1/XXXXXX\")\n\
             prelude\ntake_lock\necho $locked",
            parts.concat()
        );
        let sh = std::process::Command::new("sh")
            .args(["-c", &text, "sh"])
            .arg(dir.path())
            .output();
        let output = sh.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said, fs::read_to_string(&lock).unwrap())
    };
    // Another one has taken it over since it was looked at.
    let other = "other 99999999999 them\n";
    fs::write(&lock, "dead 5 nobody\n").unwrap();
    let (status, said, left) = take(&format!("echo '{}' >\"$state/lock\"", other.trim()));
    assert_eq!((status, &*left), (Some(7), other), "{said}");
    assert!(said.contains("locked by them"), "{said}");
    // Nobody else.
    fs::write(&lock, "dead 5 nobody\n").unwrap();
    let (status, said, left) = take(":");
    assert!(status == Some(0) && left.starts_with("mine "), "{said} {left}");
    // One's own of before.
    fs::write(&lock, "mine 5 me\n").unwrap();
    let (status, said, left) = take(":");
    assert!(
        status == Some(0) && left.starts_with("mine ") && left != "mine 5 me\n",
        "{said} {left}"
    );
    // What a power failure leaves.
    for left in ["", "mine\n"] {
        fs::write(&lock, left).unwrap();
        let (status, said, now) = take(":");
        assert!(
            status == Some(0) && now.starts_with("mine "),
            "{left:?}: {said} {now}"
        );
    }
}
