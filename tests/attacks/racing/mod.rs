//! The daemon's user races root. Every verb that works on a host as root runs while a process of that user exchanges
//! directories, plants links, FIFOs and hard links, and reads and writes whatever it can reach, timed by inotify and in a
//! busy loop. It must gain nothing: not root, no secret, no file of somebody else.
//!
//! `KEYTRAIL_TORTURE` is the number of rounds, as in the torture tests; each has one apply, rotation, rollback, unlock and
//! verify.

// How hard it was raced is worth knowing when nothing was gained, too.
#![allow(clippy::print_stdout)]

mod attacker;
mod host;

use host::{Layout, Login, SECRET, Target};

/// Rounds in every test run where root logs in, and where another login becomes root: each layout once.
const SHORT: usize = 10;
const SHORT_ELEVATED: usize = LAYOUTS.len();

const OPEN: &str = "others than root can write to /var/lib/ntp";

const LAYOUTS: [Layout; 6] = [
    // The keys directory is root's own, below one of the daemon's user, and reached through a link.
    Layout {
        name: "exchanged",
        settings: "  keysdir: /etc/ntp/lk\n",
        before: "mkdir /var/lib/ntp/keys; ln -s /var/lib/ntp/keys /etc/ntp/lk",
        after: "chown 777:777 /var/lib/ntp",
        refusal: Some(OPEN),
    },
    // Files are the daemon's user's, in a directory that is not; it writes the log and the statistics.
    Layout {
        name: "owned",
        settings: "  owner: ntp\n  log: /var/log/ntpsec/ntp.log\n",
        before: "",
        after: "",
        refusal: None,
    },
    // One configuration file is where the daemon's user can rename.
    Layout {
        name: "conf",
        settings: "  include_file: /var/lib/ntp/kt.conf\n",
        before: "",
        after: "chown 777:777 /var/lib/ntp",
        refusal: Some(OPEN),
    },
    // Below a directory like /tmp.
    Layout {
        name: "sticky",
        settings: "  keysdir: /mnt/sticky/keys\n  log: /var/log/ntpsec/ntp.log\n",
        before: "mkdir -m 1777 /mnt/sticky; chmod 1777 /mnt/sticky; mkdir -m 755 /mnt/sticky/keys",
        after: "",
        refusal: None,
    },
    // A link to a victim, planted where keytrail keeps its own, while the directory still was the daemon's user's.
    Layout {
        name: "planted",
        settings: "",
        before: "",
        after: "rm -rf /etc/ntp/crypto/.keytrail; ln -s /etc/victim /etc/ntp/crypto/.keytrail; \
                chown -h 777:777 /etc/ntp/crypto/.keytrail",
        refusal: Some("/etc/ntp/crypto/.keytrail"),
    },
    // What the keys directory's name leads to changes all the time.
    Layout {
        name: "flicker",
        settings: "  keysdir: /etc/ntp/lk/keys\n",
        before: "mkdir -p /var/lib/ntp/turn/keys; ln -s /var/lib/ntp/turn /etc/ntp/lk",
        after: "mv /var/lib/ntp/turn /var/lib/ntp/mine; chown 777:777 /var/lib/ntp",
        refusal: Some(OPEN),
    },
];

#[test]
fn the_daemons_user_gains_nothing_where_root_logs_in() {
    race(Login::Root);
}

#[test]
fn the_daemons_user_gains_nothing_where_the_login_becomes_root_by_sudo() {
    race(Login::Sudo);
}

#[test]
fn the_daemons_user_gains_nothing_where_the_login_becomes_root_by_doas() {
    race(Login::Doas);
}

/// What the tests run as the daemon's user; nothing where no test asked for it.
#[test]
fn the_attacker() {
    if let Ok(attack) = std::env::var(attacker::ATTACK) {
        attacker::main(&attack);
    }
}

fn race(login: Login) {
    if !rustix::process::geteuid().is_root() {
        // Two users are needed, and files of both.
        println!("not raced: only root can make hosts with a user of the daemon");
        return;
    }
    let short = if login == Login::Root {
        SHORT
    } else {
        SHORT_ELEVATED
    };
    let rounds =
        std::env::var("KEYTRAIL_TORTURE").map_or(short, |rounds| rounds.parse().expect("a number of rounds"));
    let mut targets: Vec<Option<Target>> = LAYOUTS.iter().map(|_| None).collect();
    let mut scores = [[0; 3]; LAYOUTS.len()];
    for round in 0..rounds {
        let which = round % LAYOUTS.len();
        let target = targets[which].get_or_insert_with(|| Target::new(LAYOUTS[which], login));
        let score = one_round(target, round);
        for (sum, number) in scores[which].iter_mut().zip(score) {
            *sum += number;
        }
    }
    println!("{login:?}: {rounds} applies, rotations, rollbacks, unlocks and verifications under attack");
    for (layout, [swaps, timed, _]) in LAYOUTS.iter().zip(scores) {
        println!(
            "  {:<10} {swaps} swaps, {timed} in answer to what root made",
            layout.name
        );
    }
}

/// Every verb once, against one attack.
fn one_round(target: &Target, round: usize) -> [usize; 3] {
    let attack = target.attack();
    for words in [
        &["rotate", "password", "--on", "one"][..],
        &["rollback"],
        &["apply"],
        &["unlock"],
        &["verify"],
    ] {
        let (status, said) = target.keytrail(words);
        let what = format!("{}, round {round}: {words:?}: {said}", target.layout.name);
        assert!(!said.contains(SECRET), "root's secret is shown: {what}");
        assert!(!said.contains(":0:99999:7:"), "/etc/shadow is shown: {what}");
        assert!(!said.contains("crypto pw"), "a configuration is shown: {what}");
        target.nothing_gained(&what);
        match target.layout.refusal {
            _ if words[0] == "verify" => assert!(said.contains("no ntpd runs"), "{what}"),
            // A lock is in the keys directory, which is root's there.
            Some(_) if words[0] == "unlock" && target.layout.name == "conf" => {
                assert_eq!(status, 0, "{what}");
            }
            Some(refusal) => assert!(status != 0 && said.contains(refusal), "{what}"),
            None => assert_eq!(status, 0, "{what}"),
        }
    }
    let [swaps, timed, stolen] = attack.end();
    // A race that was not run proves nothing.
    assert!(
        swaps > 100,
        "{}: the attacker hardly raced: {swaps} swaps",
        target.layout.name
    );
    assert_eq!(
        stolen, 0,
        "{}: the attacker has read a secret",
        target.layout.name
    );
    if target.layout.refusal.is_none() {
        assert!(
            timed > 0,
            "{}: the attacker has not seen root work",
            target.layout.name
        );
    }
    target.restore();
    [swaps, timed, stolen]
}
