//! What the program says of the daemons of a fleet when it is asked to verify.

use crate::fleet::{Fleet, Line};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long the fleet may take: two hops at 8 s a poll, measured at 75 s when all are started together.
const LIMIT: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_secs(4);

/// Every host of the selection stands as inventory and vault promise: the program's own table.
pub fn settle(fleet: &Fleet, selection: &[&str]) -> String {
    let limit = LIMIT.as_secs().to_string();
    let mut arguments = vec!["verify", "--quiet", "--wait-for", &limit];
    arguments.extend(selection.iter().flat_map(|on| ["--on", on]));
    let (status, said) = fleet.keytrail(&arguments);
    assert_eq!(status, 0, "{said}\n{}", fleet.evidence());
    said
}

/// One association, as the program found it.
#[derive(Debug)]
pub struct Found {
    /// `met`, `waiting`, `stale` or `unmet`.
    pub standing: String,
    pub sentence: String,
    pub help: String,
}

/// Waits until the association of a line is as `done` says.
pub fn wait(fleet: &Fleet, group: &str, line: Line, done: impl Fn(&Found) -> bool) -> Found {
    let start = Instant::now();
    loop {
        let found = found(fleet, group, line);
        if done(&found) {
            return found;
        }
        assert!(
            start.elapsed() < LIMIT,
            "after {:?} still {found:?}\n{}",
            start.elapsed(),
            fleet.evidence()
        );
        std::thread::sleep(POLL);
    }
}

/// The whole group is looked at: a silent refusal is told from a server that is down by the server's own word.
fn found(fleet: &Fleet, group: &str, line: Line) -> Found {
    let (client, server) = (
        format!("{group}-{}", line.client),
        format!("{group}-{}", line.server),
    );
    let on = format!("group:{group}");
    let json = fleet.answer(&["verify", "--quiet", "--format", "json", "--on", &on]);
    let all: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let hosts = list(&all["hosts"]);
    let host = hosts
        .iter()
        .find(|host| host["host"] == *client)
        .expect("the client");
    let association = list(&host["found"]["associations"])
        .into_iter()
        .find(|found| found["server"] == *server)
        // Where the daemon does not answer yet there is none.
        .unwrap_or_default();
    let text = |key: &str| association[key].as_str().unwrap_or_default().to_owned();
    Found {
        standing: text("standing"),
        sentence: text("sentence"),
        help: association["help"].to_string(),
    }
}
