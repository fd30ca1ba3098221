//! How long is waited for what.

use super::super::{Level, Pace, Verification, verify, verify_at};
use super::{red, seen, what};
use crate::apply::PhaseError;
use crate::apply::verify::ask::Seen;
use crate::remote::{Answer, Output, Remote, Script, Unreachable};
use crate::secret::Secret;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

const PACE: Pace = Pace {
    start: Duration::from_millis(50),
    settle: Duration::ZERO,
    again: Duration::from_millis(1),
};

/// A host that answers with one look after the other, and then with the last for ever.
struct Answers(Mutex<Vec<Seen>>);

impl Answers {
    fn new(looks: impl IntoIterator<Item = Seen>) -> Self {
        let mut looks: Vec<Seen> = looks.into_iter().collect();
        looks.reverse();
        Self(Mutex::new(looks))
    }
}

impl Remote for Answers {
    async fn talk(&self, _: Script, _: Option<Answer<'_>>) -> Result<Output, Unreachable> {
        let mut looks = self.0.lock().unwrap();
        let look = match looks.len() {
            1 => looks[0].clone(),
            _ => looks.pop().expect("a look"),
        };
        Ok(Output {
            status: 0,
            stdout: Secret::from(reply(&look)),
            stderr: String::new(),
        })
    }
}

/// A look as the script prints it.
fn reply(seen: &Seen) -> String {
    let mut text = format!("keytrail-reply 1\nclock {}\nzone +0000\n", seen.clock);
    for process in &seen.processes {
        let age = process.age.map_or("-".to_owned(), |age| age.to_string());
        let _ = writeln!(text, "process {} {} {age}", process.name, process.pid);
    }
    for (name, part) in &seen.parts {
        let _ = writeln!(text, "part {name} {}\n{part}", part.len());
    }
    text.push_str("end\n");
    text
}

fn mid() -> Verification {
    let mut what = what(&red("iff"), "mid");
    // The tests' own patience.
    what.limit = Duration::ZERO;
    what
}

fn process(seen: &mut Seen, pid: u32, age: i64) {
    seen.processes[0].pid = pid;
    seen.processes[0].age = Some(age);
}

fn message(error: &PhaseError) -> (String, String) {
    (error.to_string(), error.help().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_daemon_that_stays_up_has_started() {
    let host = Answers::new([seen("nobody-home"), seen("err-114")]);
    let verified = verify_at(PACE, &host, &mid(), Level::Start, None).await.unwrap();
    assert!(verified.daemon.running);
    let (told, help) = message(
        &verify_at(PACE, &host, &mid(), Level::Auth, None)
            .await
            .unwrap_err(),
    );
    assert!(
        told.contains("not authenticated within 0 s: th: error 114"),
        "{told}"
    );
    assert!(help.contains("group"), "{help}");
    let none = verify(&Answers::new([]), &mid(), Level::None, None)
        .await
        .unwrap();
    assert!(none.associations.is_empty());
}

#[tokio::test]
async fn one_that_ends_within_the_settle_time_has_not() {
    let (up, mut again) = (seen("ok-iff"), seen("ok-iff"));
    let host = Answers::new([up.clone(), seen("start-wrong-password")]);
    let (told, _) = message(
        &verify_at(PACE, &host, &mid(), Level::Start, None)
            .await
            .unwrap_err(),
    );
    assert!(
        told.contains("the password does not open a private key"),
        "{told}"
    );
    // Started anew by something.
    process(&mut again, 43, 1);
    let host = Answers::new([up.clone(), again.clone()]);
    let (told, help) = message(
        &verify_at(PACE, &host, &mid(), Level::Start, None)
            .await
            .unwrap_err(),
    );
    assert!(
        told.contains("came up and has ended since") && help.contains("again and again"),
        "{told}"
    );
    // Only gone into the background.
    process(&mut again, 43, 100);
    let host = Answers::new([up, again]);
    assert!(verify_at(PACE, &host, &mid(), Level::Start, None).await.is_ok());
}

#[tokio::test]
async fn the_settle_time_is_the_hosts_own() {
    let pace = Pace {
        settle: Duration::from_secs(1),
        ..PACE
    };
    let look = |age: i64, after: i64| {
        let mut look = seen("ok-iff");
        process(&mut look, 42, age);
        look.clock += after;
        look
    };
    let start = Some(look(0, 0).clock - 1);
    // More time passed here than the daemon was given.
    let host = Answers::new([look(0, 0), look(0, 0), look(0, 0), look(1, 1)]);
    let verified = verify_at(pace, &host, &mid(), Level::Start, start).await.unwrap();
    assert_eq!(verified.daemon.started, Some(look(1, 1).clock - 1));
    assert_eq!(host.0.lock().unwrap().len(), 1, "it was looked at to the end");
    // One that nobody sees as a process counts from the first look.
    let unseen = |after: i64| {
        let mut look = look(0, after);
        look.processes.clear();
        look
    };
    let host = Answers::new([unseen(0), unseen(0), unseen(1)]);
    assert!(verify_at(pace, &host, &mid(), Level::Start, None).await.is_ok());
    assert_eq!(host.0.lock().unwrap().len(), 1);
    let (told, help) = message(
        &verify_at(pace, &Answers::new([unseen(0)]), &mid(), Level::Start, None)
            .await
            .unwrap_err(),
    );
    assert!(
        told.contains("0 s by the host's clock") && help.contains("busy"),
        "{told}: {help}"
    );
}

#[tokio::test]
async fn what_is_under_way_is_waited_for() {
    let mut what = mid();
    what.limit = Duration::from_secs(60);
    what.poll = Duration::ZERO;
    let mut before = seen("progress-vrfy");
    before.parts.remove("log");
    let host = Answers::new([before.clone(), before, seen("ok-iff")]);
    let verified = verify_at(PACE, &host, &what, Level::Auth, None).await.unwrap();
    assert_eq!(verified.count(), (1, 1));
}

#[tokio::test]
async fn a_daemon_older_than_its_restart_was_not_restarted() {
    let mut old = seen("ok-iff");
    process(&mut old, 42, 5000);
    let since = Some(old.clock - 10);
    let host = Answers::new([old]);
    let (told, help) = message(
        &verify_at(PACE, &host, &mid(), Level::Start, since)
            .await
            .unwrap_err(),
    );
    assert!(
        told.contains("did not restart ntpd") && help.contains("SIGHUP"),
        "{told}: {help}"
    );
}

#[tokio::test]
async fn another_that_could_not_start_beside_the_old_one_is_told() {
    let mut beside = seen("ok-iff");
    let log = "20 Nov 16:41:40 ntpd[77]: unable to bind to wildcard address 0.0.0.0 - another process may be running - EXITING\n";
    beside.parts.insert("log".into(), log.into());
    let since = Some(beside.clock - 100);
    let host = Answers::new([beside]);
    let (told, _) = message(
        &verify_at(PACE, &host, &mid(), Level::Start, since)
            .await
            .unwrap_err(),
    );
    assert!(told.contains("could not start: the NTP port is taken"), "{told}");
}
