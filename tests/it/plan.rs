//! Plans as values: the difference of two states, its order, its text, its JSON, and what it must never hold.

use keytrail::digest::Digest;
use keytrail::ntpconf::foreign_lines;
use keytrail::plan::{self, Action, ConfLines, Desired, FileSpec, HostPlan, Observed, Plan};
use keytrail::secret::Secret;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const KEYS: &str = "/etc/ntp/crypto";

fn spec(content: &str, mode: u32) -> FileSpec {
    FileSpec {
        digest: Digest::of(content.as_bytes()),
        size: content.len() as u64,
        mode,
        secret: mode == 0o600,
    }
}

fn desired(host: &str, wave: u32, stamp: u64, conf: &str) -> Desired {
    let media = [("RSAhost", 0o600), ("RSA-SHA256cert", 0o644)].map(|(kind, mode)| {
        (
            format!("{KEYS}/ntpkey_{kind}_{host}.{stamp}"),
            spec(&format!("{kind}{host}"), mode),
        )
    });
    let links = [("host", "RSAhost"), ("cert", "RSA-SHA256cert")].map(|(link, kind)| {
        (
            format!("{KEYS}/ntpkey_{link}_{host}"),
            format!("ntpkey_{kind}_{host}.{stamp}"),
        )
    });
    Desired {
        host: host.into(),
        keysdir: KEYS.into(),
        media: media.into(),
        links: links.into(),
        unread: BTreeSet::new(),
        former: BTreeMap::new(),
        former_links: BTreeSet::new(),
        absent: [format!("{KEYS}/ntpkey_sign_{host}")].into(),
        conf: [("/etc/ntp.conf".to_owned(), spec(conf, 0o644))].into(),
        owner: None,
        group: None,
        restart: Some("systemctl restart ntp".into()),
        wave,
    }
}

fn lines(conf: &str) -> ConfLines {
    [("/etc/ntp.conf".to_owned(), foreign_lines(conf.as_bytes()))].into()
}

fn contents(conf: &str) -> BTreeMap<String, Secret> {
    [("/etc/ntp.conf".to_owned(), Secret::from(conf))].into()
}

#[test]
fn nothing_to_do_where_everything_is_there() {
    let conf = "driftfile /d\ncrypto pw hunter2\n";
    let want = desired("mort", 0, 4_004_178_806, conf);
    let plan = plan::diff(&want, &plan::reached(&want, &contents(conf)), &lines(conf));
    assert_eq!(plan.actions, []);
    assert!(!plan.restarts());
}

#[test]
fn a_file_nothing_uses_needs_no_restart() {
    let conf = "x\n";
    let want = desired("mort", 0, 4_004_178_806, conf);
    let mut seen = plan::reached(&want, &contents(conf));
    let mut staged = want.clone();
    staged.media.insert(
        format!("{KEYS}/ntpkey_RSAhost_mort.4004178999"),
        spec("new", 0o600),
    );
    assert_eq!(plan::diff(&staged, &seen, &lines(conf)).actions.len(), 1);
    // Nor does a mode.
    let key = format!("{KEYS}/ntpkey_RSAhost_mort.4004178806");
    seen.files.get_mut(&key).expect("placed").mode = 0o644;
    assert_eq!(
        plan::diff(&want, &seen, &lines(conf)).actions,
        [Action::FixMode {
            path: key,
            from: 0o644,
            to: 0o600
        }]
    );
}

#[test]
fn damage_links_and_stale_links_restart() {
    let conf = "x\n";
    let want = desired("mort", 0, 4_004_178_806, conf);
    let good = plan::reached(&want, &contents(conf));
    let key = format!("{KEYS}/ntpkey_RSAhost_mort.4004178806");
    let mut damaged = good.clone();
    damaged.files.get_mut(&key).expect("placed").digest = Digest::of(b"damaged");
    let mut stale = good.clone();
    stale
        .links
        .insert(format!("{KEYS}/ntpkey_sign_mort"), "ntpkey_RSAsign_mort.1".into());
    let mut other = good.clone();
    other
        .links
        .insert(format!("{KEYS}/ntpkey_host_mort"), "ntpkey_RSAhost_mort.1".into());
    for seen in [damaged, stale, other] {
        let plan = plan::diff(&want, &seen, &lines(conf));
        assert_eq!(plan.actions.len(), 2, "{:?}", plan.actions);
        assert!(plan.restarts());
    }
    let mut plain = good;
    let link = format!("{KEYS}/ntpkey_host_mort");
    plain.links.remove(&link);
    let file = plain.files[&key].clone();
    plain.files.insert(link, file);
    assert_eq!(plan::diff(&want, &plain, &lines(conf)).warnings.len(), 1);
}

#[test]
fn text_folds_a_range_and_counts() {
    let old = "driftfile /var/lib/ntp/drift\nstatsdir /s\nserver pool.example\n";
    let new = "driftfile /var/lib/ntp/drift\nstatsdir /s\nserver pool.example\nincludefile /etc/ntp.keytrail.conf\n";
    let plan_of = |host: &str, wave, range: Option<&str>, stamp| {
        let want = desired(host, wave, stamp, new);
        let seen = Observed {
            files: [(
                "/etc/ntp.conf".to_owned(),
                plan::ObservedFile {
                    digest: Digest::of(old.as_bytes()),
                    mode: 0o644,
                    owner: "root".into(),
                    group: "root".into(),
                },
            )]
            .into(),
            conf: contents(old),
            ..Observed::default()
        };
        HostPlan {
            range: range.map(str::to_owned),
            ..plan::diff(&want, &seen, &lines(new))
        }
    };
    let mort = plan_of("mort", 0, None, 4_004_178_806);
    let leaves = (1..=3).map(|n| plan_of(&format!("leaf0{n}"), 2, Some("leaf[01-04]"), 4_004_178_806 + n));
    let done = desired("leaf04", 2, 1, new);
    let done = plan::diff(&done, &plan::reached(&done, &contents(new)), &lines(new));
    let plan = Plan::new(7, std::iter::once(mort).chain(leaves).chain([done]).collect());
    snapbox::assert_data_eq!(
        plan::render::text(&plan),
        snapbox::file!["../golden/plan/folded.txt"]
    );
    assert_eq!(plan.waves.len(), 2);
    let json = serde_json::to_string_pretty(&plan).expect("serializes");
    assert_eq!(Plan::from_json(&json).as_ref(), Ok(&plan));
}

#[test]
fn secrets_of_both_sides_stay_out() {
    let old = "crypto pw OLD-hunter2\n#crypto pw OLDER-hunter2 x\n";
    let new = "crypto pw NEW-hunter2\n";
    let want = desired("mort", 0, 4_004_178_806, new);
    let mut seen = plan::reached(&want, &contents(old));
    seen.files.get_mut("/etc/ntp.conf").expect("there").digest = Digest::of(old.as_bytes());
    let plan = Plan::new(1, vec![plan::diff(&want, &seen, &lines(new))]);
    let shown = [
        plan::render::text(&plan),
        serde_json::to_string(&plan).expect("serializes"),
        format!("{plan:?}"),
        serde_json::to_string(&seen).expect("serializes"),
        format!("{seen:?}"),
    ];
    for text in &shown {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(shown[0].contains("- crypto pw [redacted]") && shown[0].contains("+ crypto pw [redacted]"));
}

#[test]
fn a_stored_plan_says_what_moved() {
    let conf = "x\n";
    let want = desired("mort", 0, 4_004_178_806, conf);
    let stored = Plan::new(1, vec![plan::diff(&want, &Observed::default(), &lines(conf))]);
    let same = Plan::new(2, stored.hosts.clone());
    assert_eq!(stored.same_as(&same), Ok(()));
    let half = Observed {
        links: [(
            format!("{KEYS}/ntpkey_host_mort"),
            "ntpkey_RSAhost_mort.1".to_owned(),
        )]
        .into(),
        ..Observed::default()
    };
    let mut now = Plan::new(1, vec![plan::diff(&want, &half, &lines(conf))]);
    now.hosts.push(HostPlan {
        host: "yellow".into(),
        range: None,
        wave: 1,
        actions: vec![Action::Restart {
            command: "true".into(),
            because: None,
        }],
        warnings: vec![],
    });
    let moved = stored.same_as(&now).expect_err("they differ");
    assert_eq!(
        moved.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "mort: switching the link /etc/ntp/crypto/ntpkey_host_mort would now be done otherwise",
            "yellow: it is not in the stored plan"
        ]
    );
}

#[test]
fn a_plan_that_cannot_be_trusted_is_refused() {
    let want = desired("mort", 0, 4_004_178_806, "x\n");
    let plan = Plan::new(1, vec![plan::diff(&want, &Observed::default(), &lines("x\n"))]);
    let json = serde_json::to_string(&plan).expect("serializes");
    let wrong = |text: &str| Plan::from_json(text).expect_err("refused");
    assert!(wrong("{").contains("no plan"));
    assert!(wrong("{}").contains("version"));
    assert!(wrong(&json.replace("\"version\":1", "\"version\":9")).contains("version 9"));
    assert!(wrong(&json.replace("\"changed\":1", "\"changed\":2")).contains("edited"));
    assert!(wrong(&json.replace("put-file", "run-command")).contains("damaged"));
}

fn names() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::btree_map("[a-z]{1,6}", "[ -~]{0,12}", 0..8).prop_map(|map| map.into_iter().collect())
}

/// A desired state of arbitrary files, links and configuration lines.
fn any_desired() -> impl Strategy<Value = (Desired, String)> {
    (names(), names(), "([ -~]{0,20}\n){0,6}", 0..4u32, any::<bool>()).prop_map(
        |(media, links, conf, wave, owned)| {
            let mut want = desired("h", wave, 4_004_178_806, &conf);
            want.media = media
                .into_iter()
                .map(|(name, content)| (format!("{KEYS}/file_{name}"), spec(&content, 0o600)))
                .collect();
            want.links = links
                .into_iter()
                .map(|(name, target)| (format!("{KEYS}/link_{name}"), target))
                .collect();
            want.owner = owned.then(|| "ntp".to_owned());
            (want, conf)
        },
    )
}

proptest! {
    #[test]
    fn a_reached_state_needs_nothing((want, conf) in any_desired()) {
        let plan = plan::diff(&want, &plan::reached(&want, &contents(&conf)), &lines(&conf));
        prop_assert!(plan.actions.is_empty() && plan.warnings.is_empty(), "{:?}", plan);
    }

    #[test]
    fn json_keeps_every_plan((want, conf) in any_desired(), (seen, old) in any_desired()) {
        let seen = plan::reached(&seen, &contents(&old));
        let plan = Plan::new(3, vec![plan::diff(&want, &seen, &lines(&conf))]);
        let json = serde_json::to_string(&plan).expect("serializes");
        prop_assert_eq!(&Plan::from_json(&json).expect("its own JSON"), &plan);
        prop_assert_eq!(plan.same_as(&plan), Ok(()));
    }
}
