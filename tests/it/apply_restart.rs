//! Restart commands: one that fails is made up for, and a daemon neither inherits nor holds what is ours.

use crate::common::world::{World, changed, failed, here};
use keytrail::apply::Phase;
use keytrail::plan::Observed;
use std::fs;

#[tokio::test]
async fn a_failed_restart_is_told_and_made_up_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    let good = world.desired["one"].restart.clone();
    let broken = "echo 'ntpd: bad decrypt' >&2; exit 3".to_owned();
    world.desired.get_mut("one").unwrap().restart = Some(broken);
    let before = world.tree("one");
    let report = world.apply(&here()).await;
    let (phase, message, help, stderr) = failed(&report.hosts["one"]);
    assert_eq!(
        (phase, message),
        (
            Phase::Activate,
            "the restart command failed with exit status 3; all files are as they were before, but the restart command \
             fails with them too (exit status 3)"
        )
    );
    assert_eq!(stderr, "ntpd: bad decrypt");
    assert!(help.contains("look at the host now"), "{help}");
    let after = world.tree("one");
    assert_eq!(after["etc/ntp.conf"], before["etc/ntp.conf"]);
    assert!(!after.values().any(|value| value.starts_with("->")), "{after:?}");

    // The files are right, yet the daemon has not read them: that is not forgotten.
    let observed = world.observe(&here()).await;
    assert!(matches!(
        &observed["one"],
        Ok(Observed {
            restart_pending: true,
            ..
        })
    ));
    world.desired.get_mut("one").unwrap().restart = good;
    let report = world.apply(&here()).await;
    assert_eq!(changed(&report.hosts["one"]), (4, Some("restarted\n")));
    assert!(world.apply(&here()).await.is_unchanged());
}

#[tokio::test]
async fn a_restart_neither_inherits_nor_holds_our_streams() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    // A daemon that stays, with our streams if it gets them; and what it was given.
    let command = "umask; grep SigIgn /proc/self/status; pwd; sleep 20 &";
    world.desired.get_mut("one").unwrap().restart = Some(command.into());
    let began = std::time::Instant::now();
    let report = world.apply(&here()).await;
    assert!(began.elapsed().as_secs() < 15, "waited for the daemon");
    let (_, said) = changed(&report.hosts["one"]);
    let said = said.expect("it was restarted");
    let mut lines = said.lines();
    assert_ne!(lines.next(), Some("0077"));
    let ignored = |line: &str| {
        let digits = line.split_whitespace().nth(1).unwrap();
        u64::from_str_radix(digits, 16).unwrap()
    };
    let its = ignored(lines.next().unwrap());
    // What was ignored before we began no shell can take back: of a test run in the background, SIGINT.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ours = ignored(status.lines().find(|line| line.starts_with("SigIgn")).unwrap());
    assert_eq!(
        its & !ours & 0b11,
        0,
        "SIGHUP and SIGINT: {its:b}, ours: {ours:b}"
    );
    assert_eq!(lines.next(), Some("/"));
}
