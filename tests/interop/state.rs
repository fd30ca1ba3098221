//! What the daemons of a fleet say of their associations, held against what the inventory promises.

use crate::fleet::{Fleet, LINES, Line, SCHEMES, address};
use keytrail::inventory::IdentityScheme;
use keytrail::ntpq::{
    Association, Cryptostats, Evidence, Expected, Outcome, Promise, Server, Standing, System, Timestamp,
    associations, judge,
};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// How long the fleet may take: two hops at 8 s a poll, measured at 75 s when all are started together.
const LIMIT: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_secs(4);

/// Waits until an association is as `done` says.
pub fn wait(
    fleet: &Fleet,
    group: &str,
    line: Line,
    since: Timestamp,
    done: impl Fn(&Outcome) -> bool,
) -> Outcome {
    let start = Instant::now();
    loop {
        let outcome = outcome(fleet, group, line, since);
        if done(&outcome) {
            return outcome;
        }
        assert!(
            start.elapsed() < LIMIT,
            "after {:?} still {outcome:?}\n{}",
            start.elapsed(),
            fleet.evidence()
        );
        std::thread::sleep(POLL);
    }
}

/// Waits until every association is what the inventory promises, shown since `since`.
pub fn settle(fleet: &Fleet, since: Timestamp) -> String {
    settle_groups(fleet, &SCHEMES.map(|(group, _)| group), since)
}

/// The same of some groups.
pub fn settle_groups(fleet: &Fleet, groups: &[&str], since: Timestamp) -> String {
    let start = Instant::now();
    loop {
        let outcomes = all(fleet, groups, since);
        let open = outcomes
            .iter()
            .filter(|(_, outcome)| outcome.standing != Standing::Met);
        let open: Vec<_> = open.collect();
        if open.is_empty() {
            return table(&outcomes);
        }
        assert!(
            start.elapsed() < LIMIT,
            "after {:?} not as promised:\n{}\n{}",
            start.elapsed(),
            table(&outcomes),
            fleet.evidence()
        );
        std::thread::sleep(POLL);
    }
}

fn all(fleet: &Fleet, groups: &[&str], since: Timestamp) -> Vec<(String, Outcome)> {
    groups
        .iter()
        .flat_map(|group| LINES.map(|line| (*group, line)))
        .map(|(group, line)| {
            let client = format!("{group}-{}", line.client);
            (client, outcome(fleet, group, line, since))
        })
        .collect()
}

fn table(outcomes: &[(String, Outcome)]) -> String {
    outcomes
        .iter()
        .fold(String::new(), |mut text, (client, outcome)| {
            let _ = writeln!(
                text,
                "  {client} <- {}: {:?}: {}",
                outcome.server, outcome.standing, outcome.sentence
            );
            text
        })
}

/// One association, as our own code judges it.
pub fn outcome(fleet: &Fleet, group: &str, line: Line, since: Timestamp) -> Outcome {
    let number = SCHEMES
        .iter()
        .position(|(name, _)| *name == group)
        .expect("a group");
    let scheme = SCHEMES[number].1;
    let proven = matches!(
        scheme,
        IdentityScheme::Iff | IdentityScheme::Gq | IdentityScheme::Mv
    );
    let expected = Expected {
        server: format!("{group}-{}", line.server),
        addresses: vec![address(number, usize::from(line.server != "th"))],
        certificate: None,
        promise: Promise::Autokey {
            scheme,
            group: proven.then(|| group.to_owned()),
            stamp: proven.then(|| fleet.generation(group)),
            serves: line.client == "mid",
        },
    };
    let host = fleet.host(group, line.client);
    let ask = |question: &str| host.sh(&format!("ntpq -n -c '{question}' 127.0.0.1"));
    // Where the daemon does not answer yet there is no association.
    let rows = associations(&ask("as")).unwrap_or_default();
    let now = System::read(&ask("rv 0")).ok().and_then(|system| system.clock);
    let stats = Cryptostats::read(&host.read("stats/cryptostats")).lines;
    let judgement = rows.iter().find_map(|row| {
        let text = ask(&format!("rv {}", row.associd));
        let association = Association::read(&text, Some(row.status)).ok()?;
        expected.matches(&association).then(|| {
            judge(&Evidence {
                association: &association,
                stats: Some(&stats),
                now,
                since: Some(since),
                server: Server::Up,
            })
        })
    });
    expected.compare(judgement.as_ref())
}
