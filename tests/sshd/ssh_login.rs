//! Ways to log in, over real sshd: agents, identity files, certificates, jumps, and host keys that are not what they were.

use crate::common::world::{KEYS, World, here, limits, over_ssh_with};
use crate::common::{Lab, run};
use keytrail::apply::{Outcome, Phase};
use keytrail::remote::{Cause, SshOptions, Unreachable};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const CAT: &str = "main() {\n    cat\n}\nmain\n";

#[track_caller]
fn done(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn keygen(path: &Path, passphrase: &str) {
    done(
        Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-C", "test", "-N", passphrase, "-f"])
            .arg(path),
    );
}

/// An ssh-agent as long as this lives.
struct Agent {
    agent: Child,
    socket: PathBuf,
}

impl Agent {
    fn new(dir: &Path) -> Self {
        let socket = dir.join("agent");
        let agent = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent is part of openssh-client");
        while !socket.exists() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Self { agent, socket }
    }

    fn add(&self, key: &Path) {
        done(
            Command::new("ssh-add")
                .arg("-q")
                .arg(key)
                .env("SSH_AUTH_SOCK", &self.socket),
        );
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

/// The laboratory's ssh_config with a line of one's own in place of each that begins so.
fn config(lab: &Lab, lines: &[(&str, String)]) -> PathBuf {
    let mut text = String::new();
    for line in fs::read_to_string(lab.servers.config()).unwrap().lines() {
        let ours = lines
            .iter()
            .find(|(begin, _)| line.trim_start().starts_with(begin));
        text += ours.map_or(line, |(_, ours)| ours);
        text += "\n";
    }
    let path = lab.dir.path().join("our_config");
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn keys_come_from_an_agent_and_passphrases_from_nobody() {
    let lab = Lab::with_host(&[]);
    let client_key = lab.dir.path().join("client_key");
    let locked = lab.dir.path().join("locked");
    fs::copy(&client_key, &locked).unwrap();
    done(
        Command::new("ssh-keygen")
            .args(["-q", "-p", "-P", "", "-N", "a passphrase", "-f"])
            .arg(&locked),
    );
    let agent = Agent::new(lab.dir.path());
    let mut options = lab.options("one");
    options.config = Some(config(
        &lab,
        &[
            (
                "IdentityAgent",
                format!("IdentityAgent {}", agent.socket.display()),
            ),
            ("IdentityFile", String::new()),
        ],
    ));
    options.identity_file = Some(locked);
    // The key alone: its passphrase would have to be asked for.
    let refused = run(&lab.with_options(options.clone()), CAT, b"")
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, Unreachable::Refused { cause: Cause::Login, said } if said.contains("Permission denied (publickey)")),
        "{refused:?}"
    );
    assert!(refused.help().contains("ssh-agent"));
    agent.add(&client_key);
    let output = run(&lab.with_options(options), CAT, b"by agent").await.unwrap();
    assert_eq!(output.stdout.expose(), b"by agent");
}

#[tokio::test]
async fn user_certificates_log_in() {
    let mut lab = Lab::new();
    let path = |name: &str| lab.dir.path().join(name);
    keygen(&path("authority"), "");
    keygen(&path("user"), "");
    let user = done(Command::new("id").arg("-un"));
    done(
        Command::new("ssh-keygen")
            .args(["-q", "-I", "somebody", "-n", user.trim(), "-s"])
            .arg(path("authority"))
            .arg(path("user.pub")),
    );
    let trust = format!("TrustedUserCAKeys {}", path("authority.pub").display());
    let identity = path("user");
    lab.start("one", &["AuthorizedKeysFile none", &trust]);
    let mut options = lab.options("one");
    // user-cert.pub beside it is found by ssh itself.
    options.identity_file = Some(identity.clone());
    let output = run(&lab.with_options(options.clone()), CAT, b"certified")
        .await
        .unwrap();
    assert_eq!(output.stdout.expose(), b"certified");
    assert!(lab.servers.hosts()[0].log().contains("ID somebody"));
    fs::remove_file(identity.with_file_name("user-cert.pub")).unwrap();
    assert!(
        run(&lab.with_options(options), CAT, b"").await.is_err(),
        "the key alone is nobody's"
    );
}

#[tokio::test]
async fn a_certified_host_key_needs_no_line_of_its_own() {
    let mut lab = Lab::new();
    let path = |name: &str| lab.dir.path().join(name);
    keygen(&path("authority"), "");
    keygen(&path("host"), "");
    done(
        Command::new("ssh-keygen")
            .args(["-q", "-h", "-I", "host", "-n", "one", "-s"])
            .arg(path("authority"))
            .arg(path("host.pub")),
    );
    let lines = [
        format!("HostKey {}", path("host").display()),
        format!("HostCertificate {}", path("host-cert.pub").display()),
    ];
    let authority = fs::read_to_string(path("authority.pub")).unwrap();
    lab.start("one", &[&lines[0], &lines[1]]);
    fs::write(
        lab.servers.known_hosts(),
        format!("@cert-authority one {authority}"),
    )
    .unwrap();
    let output = run(&lab.host("one"), CAT, b"sure").await.unwrap();
    assert_eq!(output.stdout.expose(), b"sure");
    // Certified for another name.
    fs::write(
        lab.servers.known_hosts(),
        format!("@cert-authority other {authority}"),
    )
    .unwrap();
    let refused = run(&lab.host("one"), CAT, b"").await.unwrap_err();
    assert!(matches!(&refused, Unreachable::HostKey(_)), "{refused:?}");
}

#[tokio::test]
async fn an_ssh_config_leads_anywhere() {
    // An alias whose ProxyCommand and port stand in ssh_config, and two jumps given by the inventory.
    let mut lab = Lab::with_host(&[]);
    lab.start("gate", &[]);
    lab.start("inner", &[]);
    let far = format!(
        "Host far\n  HostKeyAlias one\n  ProxyCommand ssh -F {} -W 127.0.0.1:{} gate\nHost one",
        lab.servers.config().display(),
        lab.servers.hosts()[0].port
    );
    let config = config(&lab, &[("Host one", far)]);
    let mut options = SshOptions::new("far");
    options.config = Some(config);
    let output = run(&lab.with_options(options.clone()), CAT, b"by proxy")
        .await
        .unwrap();
    assert_eq!(output.stdout.expose(), b"by proxy");
    options.host = "one".into();
    options.proxy_jump = Some("gate,inner".into());
    let output = run(&lab.with_options(options), CAT, b"two jumps").await.unwrap();
    assert_eq!(output.stdout.expose(), b"two jumps");
    for gate in &lab.servers.hosts()[1..] {
        assert!(
            gate.log().contains("Accepted publickey"),
            "{} was gone through",
            gate.name
        );
    }
}

#[tokio::test]
async fn a_jump_host_that_is_not_known_is_named() {
    let mut lab = Lab::with_host(&[]);
    lab.start("gate", &[]);
    let known = fs::read_to_string(lab.servers.known_hosts()).unwrap();
    let one = known.lines().next().unwrap();
    fs::write(lab.servers.known_hosts(), format!("{one}\n")).unwrap();
    let mut options = lab.options("one");
    options.proxy_jump = Some("gate".into());
    // Taking new keys for the host is not taking them for the way there.
    options.accept_new = true;
    let refused = run(&lab.with_options(options), CAT, b"").await.unwrap_err();
    assert!(
        matches!(&refused, Unreachable::Refused { cause: Cause::Way, said } if said.contains("verification failed")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_changed_host_key_stops_that_host_and_no_other() {
    let mut lab = Lab::with_host(&[]);
    lab.start("two", &[]);
    let mut world = World::new(lab.dir.path());
    for host in ["one", "two"] {
        world.add(host, 0);
    }
    let known = fs::read_to_string(lab.servers.known_hosts()).unwrap();
    let two = known.lines().last().unwrap();
    let key = two.split_once(' ').unwrap().1;
    let mut terms = limits();
    terms.skip_unreachable = true;
    let fleet = over_ssh_with(&lab, terms, |_| {});
    let work = world.work(&world.observe(&here()).await);
    fs::write(lab.servers.known_hosts(), format!("one {key}\n{two}\n")).unwrap();
    let report = world.run(&fleet, work).await;
    assert!(!report.is_good(), "{report:?}");
    let Outcome::Unreachable { phase, message, help } = &report.hosts["one"] else {
        panic!("{report:?}")
    };
    assert_eq!(*phase, Phase::Stage);
    assert!(
        message.contains("host key has changed")
            && help.contains("console")
            && help.contains("ssh-keygen -R"),
        "{message}: {help}"
    );
    assert!(!world.path("one", KEYS).exists(), "nothing was sent there");
    assert!(
        matches!(report.hosts["two"], Outcome::Changed { .. }),
        "{report:?}"
    );
}
