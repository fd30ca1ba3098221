//! The lines every implementation gets, in every mode, against goldens. (tests/daemons/ntpconf.rs has real daemons read them.)

use crate::common::conf_fleet::*;
use keytrail::ntpconf::{ConfContext, Templates};
use keytrail::plan::{DesiredHost, HostInput, Observed, ObservedFile, desired};
use keytrail::secret::Secret;
use std::fmt::Write as _;

/// Every file of a host, with its mode, as it may be shown.
fn show(made: &DesiredHost) -> String {
    let mut text = String::new();
    for (path, spec) in &made.desired.conf {
        let _ = writeln!(text, "== {path} {:04o}", spec.mode);
        for line in &made.lines[path] {
            let _ = writeln!(text, "{}", line.shown);
        }
    }
    text
}

fn seen(path: &str, content: &str, mode: u32) -> Observed {
    Observed {
        files: [(
            path.to_owned(),
            ObservedFile {
                digest: keytrail::digest::Digest::of(content.as_bytes()),
                mode,
                owner: "root".into(),
                group: "root".into(),
            },
        )]
        .into(),
        conf: [(path.to_owned(), Secret::from(content))].into(),
        ..Observed::default()
    }
}

fn no_password_for_others(made: &DesiredHost) {
    for (path, content) in &made.contents {
        if content.expose_str().is_some_and(|text| text.contains(PASSWORD)) {
            let spec = &made.desired.conf[path];
            assert!(
                spec.secret && spec.mode.trailing_zeros() >= 3,
                "{path} {:o}",
                spec.mode
            );
        }
    }
}

macro_rules! golden {
    ($test:ident, $mode:literal, $host:literal, $file:literal) => {
        #[test]
        fn $test() {
            let fleet = fleet($mode);
            let made = make(&fleet, $host, &Observed::default());
            snapbox::assert_data_eq!(show(&made), snapbox::file![$file]);
            no_password_for_others(&made);
        }
    };
}

golden!(
    trusted_host_include,
    "include",
    "mort",
    "../golden/conf/mort.include.txt"
);
golden!(
    trusted_host_block,
    "block",
    "mort",
    "../golden/conf/mort.block.txt"
);
golden!(
    trusted_host_whole,
    "whole",
    "mort",
    "../golden/conf/mort.whole.txt"
);
golden!(
    server_include,
    "include",
    "yellow",
    "../golden/conf/yellow.include.txt"
);
golden!(
    client_include,
    "include",
    "leaf",
    "../golden/conf/leaf.include.txt"
);
golden!(
    plain_trail_include,
    "include",
    "tock",
    "../golden/conf/tock.include.txt"
);
golden!(ntpsec_include, "include", "sec", "../golden/conf/sec.include.txt");
golden!(ntpsec_block, "block", "sec", "../golden/conf/sec.block.txt");
golden!(ntpsec_whole, "whole", "sec", "../golden/conf/sec.whole.txt");
golden!(
    chrony_include,
    "include",
    "chro",
    "../golden/conf/chro.include.txt"
);
golden!(chrony_block, "block", "chro", "../golden/conf/chro.block.txt");
golden!(chrony_whole, "whole", "chro", "../golden/conf/chro.whole.txt");
golden!(
    openvms_include,
    "include",
    "vms",
    "../golden/conf/vms.include.txt"
);
golden!(openvms_block, "block", "vms", "../golden/conf/vms.block.txt");
golden!(openvms_whole, "whole", "vms", "../golden/conf/vms.whole.txt");

#[test]
fn hand_written_lines_that_say_the_same_are_named() {
    let fleet = fleet("include");
    let observed = seen(
        "/etc/ntp.conf",
        "driftfile /d\ncrypto pw hand-made-secret\nkeysdir /old\nserver yellow iburst\n",
        0o644,
    );
    let made = make(&fleet, "leaf", &observed);
    snapbox::assert_data_eq!(
        made.warnings.join("\n"),
        snapbox::file!["../golden/conf/warnings.txt"]
    );
    let text = keytrail::plan::render::text(&keytrail::plan::Plan::new(1, vec![made.plan(&observed)]));
    assert!(
        !text.contains("hand-made-secret") && !text.contains(PASSWORD),
        "{text}"
    );
}

#[test]
fn a_password_takes_the_others_permissions_away_and_nothing_else() {
    let fleet = fleet("block");
    for (mode, wanted) in [(0o644, 0o640), (0o640, 0o640), (0o600, 0o600), (0o664, 0o660)] {
        let made = make(&fleet, "leaf", &seen("/etc/ntp.conf", "driftfile /d\n", mode));
        assert_eq!(made.desired.conf["/etc/ntp.conf"].mode, wanted, "{mode:o}");
    }
    let made = make(
        &fleet,
        "chro",
        &seen("/etc/chrony/chrony.conf", "driftfile /d\n", 0o664),
    );
    assert_eq!(made.desired.conf["/etc/chrony/chrony.conf"].mode, 0o664);
}

#[test]
fn a_name_that_chrony_cannot_allow_is_said() {
    let fleet = fleet("block");
    let made = make(&fleet, "chro", &Observed::default());
    assert!(
        made.warnings[0].contains("named have no address"),
        "{:?}",
        made.warnings
    );
}

#[test]
fn damaged_markers_stop_the_host_and_name_the_line() {
    let fleet = fleet("include");
    let (inventory, analysis) = &fleet;
    let host = inventory.find("leaf").expect("in the fleet");
    let input = HostInput {
        inventory,
        host,
        needs: analysis.needs(host),
        depth: 0,
        fleet: &ConfContext::new(inventory),
        media: &[],
        password: None,
        key_file: None,
    };
    let observed = seen("/etc/ntp.conf", "a\n# <<< keytrail <<<\n", 0o644);
    let errors = desired(&input, &Templates::embedded(), &observed).expect_err("refused");
    let text = errors[0].to_string();
    assert!(
        text.contains("leaf") && text.contains("/etc/ntp.conf") && text.contains("line 2"),
        "{text}"
    );
}

#[test]
fn a_reached_host_needs_nothing_in_every_mode() {
    for mode in ["include", "block", "whole"] {
        let fleet = fleet(mode);
        for host in ["mort", "yellow", "leaf", "sec", "chro"] {
            let conf = fleet
                .0
                .entry(fleet.0.find(host).expect("there"))
                .settings
                .conf
                .to_string();
            let before = seen(&conf, "driftfile /d\r\nserver mine", 0o644);
            let made = make(&fleet, host, &before);
            assert!(made.plan(&before).is_changed());
            let after = keytrail::plan::reached(&made.desired, &made.contents);
            let again = make(&fleet, host, &after);
            assert_eq!(again.plan(&after).actions, [], "{host} {mode}");
        }
    }
}
