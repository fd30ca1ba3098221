//! The remote layer over real sshd on loopback.

use crate::common::{Lab, run, script};
use keytrail::remote::{Cause, Elevate, Facts, Output, Remote, Unreachable, bootstrap};
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

const CAT: &str = "main() {\n    cat\n    echo said >&2\n    exit 7\n}\nmain\n";

fn answered(output: &Output) -> (&[u8], &str, i32) {
    (output.stdout.expose(), output.stderr.as_str(), output.status)
}

#[tokio::test]
async fn bytes_go_there_and_back_over_one_connection() {
    let lab = Lab::with_host(&[]);
    let host = lab.host("one");
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend(std::iter::repeat_n(b'x', 300_000));
    for _ in 0..3 {
        let output = run(&host, CAT, &bytes).await.unwrap();
        assert_eq!(answered(&output), (&bytes[..], "said\n", 7));
    }
    let log = lab.servers.hosts()[0].log();
    assert_eq!(
        log.matches("Accepted publickey").count(),
        1,
        "one connection for all:\n{log}"
    );
    host.disconnect().await;
    run(&host, CAT, b"again").await.unwrap();
    assert_eq!(
        lab.servers.hosts()[0].log().matches("Accepted publickey").count(),
        2
    );
}

#[tokio::test]
async fn a_master_that_went_idle_is_replaced() {
    let lab = Lab::with_host(&[]);
    let mut options = lab.options("one");
    options.idle = Duration::from_secs(1);
    let host = lab.with_options(options);
    run(&host, CAT, b"").await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(run(&host, CAT, b"x").await.unwrap().stdout.expose(), b"x");
    assert_eq!(
        lab.servers.hosts()[0].log().matches("Accepted publickey").count(),
        2,
        "the first ended by itself"
    );
}

#[tokio::test]
async fn any_login_shell_will_do() {
    // What sshd does with a login shell is `SHELL -c COMMAND`.
    let shells = ["csh", "fish", "bash", "dash", "busybox sh"];
    let mut lab = Lab::new();
    for shell in shells {
        let program = shell.split(' ').next().unwrap();
        let there = ["/bin", "/usr/bin"]
            .iter()
            .any(|dir| fs::exists(format!("{dir}/{program}")).unwrap());
        assert!(
            there,
            "{program} is missing: apt-get install csh fish bash dash busybox"
        );
        let name = shell.replace(' ', "-");
        lab.start(
            &name,
            &[&format!(
                r#"ForceCommand exec {shell} -c "$SSH_ORIGINAL_COMMAND""#
            )],
        );
        let output = run(&lab.host(&name), CAT, b"$HOME `id` 'x' !! \\ \n")
            .await
            .unwrap();
        assert_eq!(
            answered(&output),
            (&b"$HOME `id` 'x' !! \\ \n"[..], "said\n", 7),
            "{shell}"
        );
    }
}

#[tokio::test]
async fn an_unknown_host_key_is_refused_unless_asked_for() {
    let lab = Lab::with_host(&[]);
    fs::write(lab.servers.known_hosts(), "").unwrap();
    let refused = run(&lab.host("one"), CAT, b"").await.unwrap_err();
    assert!(
        matches!(&refused, Unreachable::HostKey(why) if why.contains("host key is known for one")),
        "{refused:?}"
    );
    assert!(refused.help().contains("accept-new"));
    assert_eq!(
        fs::read_to_string(lab.servers.known_hosts()).unwrap(),
        "",
        "strict adds nothing"
    );

    let mut options = lab.options("one");
    options.accept_new = true;
    run(&lab.with_options(options), CAT, b"").await.unwrap();
    assert!(
        fs::read_to_string(lab.servers.known_hosts())
            .unwrap()
            .starts_with("one ssh-ed25519 ")
    );
    run(&lab.host("one"), CAT, b"").await.unwrap();
}

#[tokio::test]
async fn a_changed_host_key_stops_also_where_new_ones_are_accepted() {
    let mut lab = Lab::with_host(&[]);
    lab.start("two", &[]);
    let known = fs::read_to_string(lab.servers.known_hosts()).unwrap();
    let mut keys = known.lines().map(|line| line.split_once(' ').unwrap().1);
    let (first, second) = (keys.next().unwrap(), keys.next().unwrap());
    fs::write(lab.servers.known_hosts(), format!("one {second}\ntwo {first}\n")).unwrap();
    let mut options = lab.options("one");
    options.accept_new = true;
    for host in [lab.host("one"), lab.with_options(options)] {
        let refused = run(&host, "echo reached\n", b"").await.unwrap_err();
        assert!(
            matches!(&refused, Unreachable::HostKeyChanged { why, .. } if why.contains("has another one")),
            "{refused:?}"
        );
        assert!(refused.help().contains("somebody may be in between"));
    }
    assert!(!lab.servers.hosts()[0].log().contains("Accepted"));
}

#[tokio::test]
async fn failures_to_connect_say_why() {
    let lab = Lab::with_host(&["MaxAuthTries 2"]);
    let mut options = lab.options("one");
    options.port = Some(
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port(),
    );
    let refused = run(&lab.with_options(options), CAT, b"").await.unwrap_err();
    assert!(
        matches!(&refused, Unreachable::Refused { cause: Cause::Closed, said } if said.contains("Connection refused")),
        "{refused:?}"
    );

    let mut options = lab.options("one");
    options.identity_file = Some(lab.dir.path().join("one/host_key"));
    let config = fs::read_to_string(lab.servers.config()).unwrap();
    let without_key = lab.dir.path().join("other_config");
    fs::write(&without_key, config.replace("client_key", "no_such_key")).unwrap();
    options.config = Some(without_key);
    let refused = run(&lab.with_options(options), CAT, b"").await.unwrap_err();
    assert!(
        matches!(&refused, Unreachable::Refused { cause: Cause::Login, said } if said.contains("Permission denied (publickey)")),
        "{refused:?}"
    );
    assert!(refused.help().contains("ssh-agent"));

    let mut options = lab.options("one");
    options.proxy_jump = Some("nobody@127.0.0.1:1".into());
    let refused = run(&lab.with_options(options), CAT, b"").await.unwrap_err();
    assert!(
        matches!(
            &refused,
            Unreachable::Refused {
                cause: Cause::Way,
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(refused.help().contains("jump host"), "{refused:?}");
}

#[tokio::test]
async fn through_a_jump_host() {
    let mut lab = Lab::with_host(&[]);
    lab.start("bastion", &[]);
    let mut options = lab.options("one");
    options.proxy_jump = Some("bastion".into());
    let output = run(&lab.with_options(options), CAT, b"far").await.unwrap();
    assert_eq!(output.stdout.expose(), b"far");
    assert!(
        lab.servers.hosts()[1].log().contains("Accepted publickey"),
        "by way of the bastion"
    );
}

#[tokio::test]
async fn a_host_that_hangs_is_given_up_in_time() {
    let lab = Lab::with_host(&[]);
    // Listens and never greets.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = lab.options("one");
    options.port = Some(mute.local_addr().unwrap().port());
    options.connect_timeout = Duration::from_secs(1);
    let began = Instant::now();
    let refused = run(&lab.with_options(options), CAT, b"").await.unwrap_err();
    assert!(
        matches!(&refused, Unreachable::Refused { cause: Cause::NoKey, said } if said.contains("timed out")),
        "{refused:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(5));

    let mut hangs = script("sleep 60\n", b"");
    hangs.limit = Duration::from_millis(500);
    let host = lab.host("one");
    let gone = host.run(hangs).await.unwrap_err();
    assert_eq!(gone, Unreachable::TimedOut(Duration::from_millis(500)));
    run(&host, CAT, b"").await.expect("a new connection for the next");
}

#[tokio::test]
async fn a_lost_connection_is_not_a_failed_script() {
    let lab = Lab::with_host(&[]);
    let host = lab.host("one");
    // Ends the sshd process that serves this connection.
    let lost = run(&host, "kill -9 $PPID; sleep 5\n", b"").await.unwrap_err();
    assert!(matches!(lost, Unreachable::Lost(_)), "{lost:?}");
    let killed = run(&host, "kill -9 $$; sleep 5\n", b"").await.unwrap();
    assert_ne!(killed.status, 0, "the script was killed, the host is there");
}

#[tokio::test]
async fn becoming_root_asks_for_no_password() {
    let mut lab = Lab::new();
    let seen = lab.dir.path().join("seen");
    lab.program(
        "sudo",
        &format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >{}\nshift\nexec \"$@\"\n",
            seen.display()
        ),
    );
    lab.program(
        "doas",
        "#!/bin/sh\necho 'doas: Authentication required' >&2\nexit 1\n",
    );
    let path = lab.path_line();
    lab.start(
        "one",
        &[&path.replace("PATH=", &format!("HOME={} PATH=", lab.dir.path().display()))],
    );
    let mut options = lab.options("one");
    options.elevate = Some(Elevate::Sudo);
    let output = run(&lab.with_options(options.clone()), CAT, b"root")
        .await
        .unwrap();
    assert_eq!(answered(&output), (&b"root"[..], "said\n", 7));
    let words = fs::read_to_string(seen).unwrap();
    assert!(words.starts_with("-n\nsh\n-c\nexec 3<&0;"), "{words}");
    options.elevate = Some(Elevate::Doas);
    let output = run(&lab.with_options(options), CAT, b"root").await.unwrap();
    assert_eq!(
        (output.status, output.stderr.trim()),
        (1, "doas: Authentication required")
    );
}

#[tokio::test]
async fn a_script_cut_short_does_nothing() {
    let lab = Lab::with_host(&[]);
    let host = lab.host("one");
    let mark = lab.dir.path().join("mark");
    // The bootstrap as sshd gets it, with less on standard input than it was told to expect.
    let text = format!("main() {{\ntouch {}\n}}\nmain\n", mark.display());
    let sent = bootstrap::call(&Facts::default(), &text, b"").bytes;
    for cut in [
        0,
        1,
        30,
        sent.len() - text.len() / 2,
        sent.len() - 6,
        sent.len() - 2,
    ] {
        let status = std::process::Command::new("sh")
            .args(["-c", &bootstrap::command(None)])
            .stdin({
                use std::io::{Seek, Write};
                let mut file = tempfile::tempfile().unwrap();
                file.write_all(&sent[..cut]).unwrap();
                file.rewind().unwrap();
                file
            })
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(!mark.exists(), "cut at {cut}: {status}");
    }
    run(&host, CAT, b"").await.unwrap();
}

#[tokio::test]
async fn servers_end_with_their_keeper() {
    let mut lab = Lab::with_host(&[]);
    let port = lab.servers.hosts()[0].port;
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let _ = lab.start("two", &[]);
    drop(lab);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
