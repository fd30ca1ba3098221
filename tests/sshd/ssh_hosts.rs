//! Hosts with awkward file systems, over real sshd: each has mounts of its own, in a namespace that nobody else sees.

use crate::common::held::Held;
use crate::common::world::{CONF, KEYS, World, failed, here, limits, over_ssh, over_ssh_with};
use crate::common::{Lab, run};
use keytrail::apply::{Limits, Outcome, Phase, PhaseError};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A host `one` whose logins land in a mount namespace. The order of fields is the order of dropping.
struct Odd {
    lab: Lab,
    world: World,
    held: Held,
}

impl Odd {
    /// `mounts` is sh, run as root of the namespace with the host's root directory as `$1`.
    fn new(mounts: &str, sshd: impl Fn(&Lab) -> Vec<String>) -> Self {
        let mut lab = Lab::new();
        let mut world = World::new(lab.dir.path());
        world.add("one", 0);
        let (held, enter) = Held::mounted(mounts, &world.root("one"));
        let mut lines = sshd(&lab);
        lines.push(enter);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        lab.start("one", &lines);
        Self { lab, world, held }
    }

    /// Runs sh in the namespace, with the host's root directory as `$1`. What it said.
    #[track_caller]
    fn inside(&self, script: &str) -> String {
        let output = Command::new("nsenter")
            .args(["--target", &self.held.id().to_string()])
            .args([
                "--user",
                "--mount",
                "--preserve-credentials",
                "--",
                "sh",
                "-ec",
                script,
                "sh",
            ])
            .arg(self.world.root("one"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{script}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Applies and holds that all went well and that a second run finds nothing to do.
    async fn converges(&self) {
        let fleet = over_ssh(&self.lab);
        let report = self.world.apply(&fleet).await;
        assert!(report.is_good(), "{report:#?}");
        let again = self.world.apply(&fleet).await;
        assert!(again.is_unchanged(), "{again:#?}");
        let links = self.inside("ls -l \"$1/etc/ntp/crypto\"; cat \"$1/etc/ntp.conf\"");
        assert!(
            links.contains("ntpkey_host_one -> ntpkey_RSAhost_one.") && links.contains("keysdir"),
            "{links}"
        );
    }
}

/// An `/etc` with an ntp.conf on a file system of its own, mounted with these options.
fn own_disk(options: &str) -> String {
    format!(
        "mount -t tmpfs -o {options} tmpfs \"$1\"\nmkdir \"$1/etc\"\necho 'driftfile /var/lib/ntp/drift' >\"$1/etc/ntp.conf\"\n"
    )
}

#[tokio::test]
async fn neither_tmp_nor_a_place_to_execute_from_is_needed() {
    let mounts = format!(
        "mount --rbind /tmp /tmp\n{}mount -o remount,bind,ro /tmp\n",
        own_disk("noexec,nosuid,nodev")
    );
    let host = Odd::new(&mounts, |_| Vec::new());
    // They are as awkward as they should be.
    let tried = "touch /tmp/x 2>&1 || true; echo 'echo ran' >\"$1/x\"; chmod 755 \"$1/x\"; \"$1/x\" 2>&1 || true; rm \"$1/x\"";
    let tried = host.inside(tried);
    assert!(
        tried.contains("Read-only file system") && tried.contains("Permission denied"),
        "{tried}"
    );
    host.converges().await;
}

#[tokio::test]
async fn a_read_only_disk_is_named_and_nothing_changes() {
    let host = Odd::new(&own_disk("mode=755"), |_| Vec::new());
    let remount = |how: &str| host.inside(&format!("mount -o remount,{how} \"$1\""));
    remount("ro");
    let report = host.world.apply(&over_ssh(&host.lab)).await;
    let (phase, message, help, stderr) = failed(&report.hosts["one"]);
    assert_eq!(phase, Phase::Stage);
    assert!(
        message.contains("/etc/ntp") && message.contains("Read-only file system"),
        "{message}"
    );
    assert!(help.contains("remount it read-write"), "{help}");
    assert!(stderr.contains("mkdir"), "the tool's own words: {stderr}");
    remount("rw");
    host.converges().await;

    // Remounted between the phases, as a failing disk does it: the switch has not begun.
    let mut host = host;
    host.world.renew("one", 0, 4_004_200_000);
    let before = host.inside("ls -lR \"$1\"; cat \"$1/etc/ntp.conf\"");
    let work = host.world.work(&host.world.observe(&over_ssh(&host.lab)).await);
    host.inside("mount -o remount,ro \"$1\"");
    let report = host.world.run(&over_ssh(&host.lab), work).await;
    assert!(
        failed(&report.hosts["one"]).1.contains("Read-only file system"),
        "{report:?}"
    );
    host.inside("mount -o remount,rw \"$1\"");
    assert_eq!(host.inside("ls -lR \"$1\"; cat \"$1/etc/ntp.conf\""), before);
    host.converges().await;
}

#[tokio::test]
async fn a_full_disk_is_named_and_nothing_changes() {
    let host = Odd::new(&own_disk("size=256k"), |_| Vec::new());
    // All but less than what is to come, so that it ends in the midst of it.
    for left in [0, 4, 12] {
        host.inside(&format!(
            "dd if=/dev/zero of=\"$1/ballast\" bs=1k 2>/dev/null || true; truncate -s -{left}K \"$1/ballast\"; sync"
        ));
        let report = host.world.apply(&over_ssh(&host.lab)).await;
        let (_, message, help, _) = failed(&report.hosts["one"]);
        assert!(
            message.contains("No space left on device") || message.contains("I/O error"),
            "{left} kB left: {message}"
        );
        assert!(help.contains("free some space"), "{help}");
        let seen = host.inside("rm \"$1/ballast\"; find \"$1\" -type l; find \"$1\" -name '.keytrail-*'; cat \"$1/etc/ntp.conf\"");
        assert_eq!(seen, "driftfile /var/lib/ntp/drift\n", "{left} kB left");
    }
    host.converges().await;
}

#[tokio::test]
async fn a_replaced_file_keeps_its_selinux_label() {
    // No kernel with SELinux is needed to see whether the label is asked for: where /sys says that it rules, `chcon` is.
    let mounts = "mount -t tmpfs tmpfs /sys/fs\nmkdir /sys/fs/selinux\necho 1 >/sys/fs/selinux/enforce\n";
    let host = Odd::new(mounts, |lab| {
        let log = lab.dir.path().join("chcon.log");
        lab.program("chcon", &format!("#!/bin/sh\necho \"$@\" >>{}\n", log.display()));
        vec![
            lab.path_line()
                .replace("PATH=", &format!("HOME={} PATH=", lab.dir.path().display())),
        ]
    });
    host.converges().await;
    let log = fs::read_to_string(host.lab.dir.path().join("chcon.log")).unwrap();
    let conf = host.world.path("one", CONF);
    assert_eq!(
        log.lines().count(),
        1,
        "what was there before, and nothing else: {log}"
    );
    assert!(
        log.starts_with(&format!("--reference={} ", conf.display())),
        "{log}"
    );
    assert!(
        log.contains("/etc/.keytrail-new-"),
        "before it gets its name: {log}"
    );

    // A file system that knows no labels.
    host.lab.program(
        "chcon",
        "#!/bin/sh\necho 'chcon: Operation not supported' >&2\nexit 1\n",
    );
    let mut host = host;
    let before = host.world.read("one", CONF);
    host.world.renew("one", 0, 4_004_200_000);
    let report = host.world.apply(&over_ssh(&host.lab)).await;
    let (phase, message, ..) = failed(&report.hosts["one"]);
    assert_eq!(phase, Phase::Activate);
    assert!(
        message.contains("cannot set the SELinux label of /etc/ntp.conf"),
        "{message}"
    );
    assert_eq!(host.world.read("one", CONF), before);
}

#[tokio::test]
async fn directories_that_are_missing_are_made_and_those_of_others_named() {
    let mut lab = Lab::new();
    lab.start("one", &[]);
    let mut world = World::new(lab.dir.path());
    world.add("one", 0);
    fs::remove_dir_all(world.path("one", "etc")).unwrap();
    let report = world.apply(&over_ssh(&lab)).await;
    assert!(report.is_good(), "{report:#?}");
    assert!(world.read("one", CONF).contains("keysdir"));

    // A keys directory that another user has, for a login that is not root.
    if rustix::process::geteuid().is_root() {
        let nobody = "ForceCommand exec setpriv --reuid=65534 --regid=65534 --clear-groups -- sh -c \"$SSH_ORIGINAL_COMMAND\"";
        lab.start("two", &[nobody]);
        world.add("two", 0);
        fs::set_permissions(lab.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(world.path("two", KEYS)).unwrap();
        fs::set_permissions(world.path("two", KEYS), fs::Permissions::from_mode(0o700)).unwrap();
        let seen = world.observe(&over_ssh(&lab)).await;
        let Err(PhaseError::Failed { message, help, .. }) = &seen["two"] else {
            panic!("{seen:?}")
        };
        assert_eq!(message, "cannot look into /etc/ntp/crypto: Permission denied");
        assert!(help.as_deref().unwrap().contains("ssh.become"), "{help:?}");
        assert!(seen["one"].is_ok());
    }
}

#[tokio::test]
async fn hosts_that_hang_anywhere_hold_nobody_up() {
    // One takes the connection and says nothing, one hangs while it unpacks, one in its restart command; one is well.
    let mut lab = Lab::new();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    lab.program("tar", "#!/bin/sh\nexec sleep 20\n");
    let slow = lab
        .path_line()
        .replace("PATH=", &format!("HOME={} PATH=", lab.dir.path().display()));
    let mut world = World::new(lab.dir.path());
    for (host, lines) in [
        ("mute", None),
        ("unpacks", Some(&*slow)),
        ("restarts", None),
        ("well", None),
    ] {
        lab.start(host, lines.as_slice());
        world.add(host, 0);
    }
    let config = lab.dir.path().join("our_config");
    let text = fs::read_to_string(lab.servers.config()).unwrap();
    let port = |port: u16| format!("Port {port}\n");
    let real = port(lab.servers.hosts()[0].port);
    fs::write(
        &config,
        text.replace(&real, &port(mute.local_addr().unwrap().port())),
    )
    .unwrap();
    world.desired.get_mut("restarts").unwrap().restart = Some("sleep 20".into());

    let work = world.work(&world.observe(&here()).await);
    let terms = Limits {
        skip_unreachable: true,
        ..limits().within(Some(Duration::from_secs(4)))
    };
    // On the port of `mute` there is no server of the laboratory.
    let fleet = over_ssh_with(&lab, terms, move |options| {
        options.config = Some(config.clone());
        options.connect_timeout = Duration::from_secs(1);
    });
    let report = world.run(&fleet, work).await;
    assert!(!report.is_good(), "{report:#?}");
    let unreachable = |host: &str| match &report.hosts[host] {
        Outcome::Unreachable { phase, message, help } => (*phase, message.as_str(), help.as_str()),
        other => panic!("{host}: {other:?}"),
    };
    let (phase, message, _) = unreachable("mute");
    assert_eq!(phase, Phase::Stage);
    assert!(message.contains("timed out"), "{message}");
    let (phase, message, help) = unreachable("unpacks");
    assert_eq!((phase, message), (Phase::Stage, "no answer within 4s"));
    assert!(help.contains("--timeout"), "{help}");
    assert!(
        !matches!(
            report.hosts["restarts"],
            Outcome::Changed { .. } | Outcome::Unchanged
        ),
        "{report:#?}"
    );
    assert!(
        matches!(report.hosts["well"], Outcome::Changed { .. }),
        "{report:#?}"
    );
    // Whoever hung is asked again as if nothing had been.
    run(&lab.host("unpacks"), "true\n", b"").await.unwrap();
}
