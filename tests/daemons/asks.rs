//! `verify` on a host with a real daemon: its own script, run where the daemon runs, with the daemon's own query program.

use crate::daemon::{Daemon, Kind};
use crate::fleet::World;
use crate::namespace;
use crate::{KEY, LIMIT, inventory, serving};
use keytrail::apply::PhaseError;
use keytrail::apply::verify::{Level, Verified, verify};
use keytrail::ntpq::Standing;
use keytrail::remote::{Answer, Output, Remote, Script, Unreachable};
use keytrail::secret::Secret;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The host of a daemon: its network, its files, and no sight of the processes of other tests.
struct Host<'a>(&'a Daemon<'a>);

impl Host<'_> {
    fn run(&self, script: &Script) -> std::io::Result<Output> {
        let file = self.0.dir().join("script");
        std::fs::write(&file, [script.facts.text(), script.text].concat())?;
        let mut command: Command = self.0.network().command();
        command
            .args(["unshare", "--mount", "sh", "-c"])
            .arg("mount -t tmpfs tmpfs /proc && exec sh \"$0\"")
            .arg(&file)
            .env(
                "PATH",
                format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.0.bin().display()),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(script.input.expose())?;
        let output = child.wait_with_output()?;
        Ok(Output {
            status: output.status.code().unwrap_or(255),
            stdout: Secret::new(output.stdout),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

impl Remote for Host<'_> {
    async fn talk(&self, script: Script, answer: Option<Answer<'_>>) -> Result<Output, Unreachable> {
        assert!(answer.is_none(), "verify asks nothing back");
        self.run(&script)
            .map_err(|error| Unreachable::Connect(error.to_string()))
    }
}

fn look(daemon: &Daemon<'_>, world: &World, level: Level) -> Result<Verified, PhaseError> {
    let mut what = world.verification("reader", daemon.dir());
    what.log = Some("/log".into());
    what.limit = LIMIT;
    // The servers of these fleets run and have the time.
    what.servers_up.insert("clock".into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .expect("a runtime")
        .block_on(verify(&Host(daemon), &what, level, None))
}

fn asked(server_kind: Kind, client_kind: Kind) {
    let inventory = inventory(server_kind, client_kind, "AES-128-CMAC");
    let [world, other] = [World::mint(&inventory), World::mint(&inventory)];
    let (left, right) = namespace::pair();
    let mut server = Daemon::start(server_kind, "clock", &world, &left);
    serving(&mut server);

    let mut client = Daemon::start(client_kind, "reader", &world, &right);
    let found =
        look(&client, &world, Level::Auth).unwrap_or_else(|error| panic!("{error}\n{}", client.log()));
    let outcome = &found.associations[0].outcome;
    assert_eq!(outcome.standing, Standing::Met, "{found:?}");
    assert_eq!(outcome.sentence, format!("authenticated by symmetric key {KEY}"));
    assert!(
        found.daemon.running && found.daemon.answers && found.synchronised.is_some(),
        "{found:?}"
    );

    client.end();
    let error = look(&client, &world, Level::Start)
        .expect_err("it is dead")
        .to_string();
    let name = client_kind.program();
    assert!(
        error.starts_with(&format!("no {name} runs on the host")) || error.contains("has ended"),
        "{error}"
    );
    drop(client);

    let mut client = Daemon::start(client_kind, "reader", &other, &right);
    look(&client, &other, Level::Start).unwrap_or_else(|error| panic!("it runs: {error}"));
    let error = look(&client, &other, Level::Auth)
        .expect_err("another key")
        .to_string();
    assert!(
        error.contains(&format!("clock: symmetric key {KEY} differs on the server")),
        "{error}"
    );
    client.must_run();
    server.must_run();
}

#[test]
fn verify_asks_ntpsec() {
    asked(Kind::Chrony, Kind::Ntpsec);
}

#[test]
fn verify_asks_chrony() {
    asked(Kind::Ntpsec, Kind::Chrony);
}
