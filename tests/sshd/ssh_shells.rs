//! What a login runs, over real sshd: shells that talk, logins that run nothing, becoming root.

use crate::common::Lab;
use crate::common::world::{World, limits, over_ssh_with};
use keytrail::apply::PhaseError;
use keytrail::remote::{Elevate, SshOptions};
use std::fs;

/// A fleet of one host, whose login is `sshd_config` lines and options.
async fn observed(
    lines: &[&str],
    change: impl Fn(&mut SshOptions) + Send + Sync + 'static,
) -> Result<(), PhaseError> {
    let lab = Lab::with_host(lines);
    let mut world = World::new(lab.dir.path());
    world.add("one", 0);
    let mut seen = world.observe(&over_ssh_with(&lab, limits(), change)).await;
    seen.remove("one").unwrap().map(drop)
}

#[tokio::test]
async fn logins_that_talk_before_they_listen_are_listened_to() {
    let noise = r#"ForceCommand echo 'Welcome to keytrail-reply 1!'; echo stty: not a typewriter >&2; exec sh -c "$SSH_ORIGINAL_COMMAND""#;
    observed(&["Banner /etc/hostname", noise], |_| {}).await.unwrap();
}

#[tokio::test]
async fn logins_that_run_nothing_say_so() {
    let nologin = ["/usr/sbin/nologin", "/sbin/nologin"]
        .into_iter()
        .find(|path| fs::exists(path).unwrap())
        .expect("nologin is part of the login package");
    for (line, sign) in [
        (format!("ForceCommand {nologin}"), "not available"),
        ("ForceCommand internal-sftp".to_owned(), ""),
        ("ForceCommand false".to_owned(), ""),
    ] {
        let error = observed(&[&line], |_| {}).await.unwrap_err();
        let PhaseError::Failed {
            message,
            help,
            stderr,
        } = &error
        else {
            panic!("{line}: {error:?}")
        };
        assert!(message.contains("the host ran no command"), "{line}: {message}");
        assert!(
            help.as_deref().unwrap().contains("forced command"),
            "{line}: {help:?}"
        );
        assert!(stderr.contains(sign), "{line}: {stderr}");
    }
}

#[tokio::test]
async fn becoming_root_fails_in_words() {
    // The real sudo, asked by nobody. Only root can become nobody; for anybody else sudo may be set up in any way.
    if rustix::process::geteuid().is_root() {
        let nobody = r#"ForceCommand exec setpriv --reuid=65534 --regid=65534 --clear-groups -- sh -c "$SSH_ORIGINAL_COMMAND""#;
        let error = observed(&[nobody], |options| options.elevate = Some(Elevate::Sudo))
            .await
            .unwrap_err();
        let PhaseError::Failed { message, help, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(
            message, "sudo or doas asks for a password",
            "apt-get install sudo, if it is not there: {error:?}"
        );
        assert!(help.as_deref().unwrap().contains("NOPASSWD"));
    }
    // What they say where they are set up otherwise.
    for (says, message, sign) in [
        (
            "sudo: sorry, you must have a tty to run sudo",
            "sudo demands a terminal",
            "requiretty",
        ),
        (
            "ops is not in the sudoers file.",
            "this login may not become root",
            "sudoers",
        ),
        (
            "doas: Operation not permitted",
            "this login may not become root",
            "doas.conf",
        ),
        (
            "doas: Authentication required",
            "sudo or doas asks for a password",
            "permit nopass",
        ),
    ] {
        let line = format!("ForceCommand echo '{says}' >&2; exit 1");
        let error = observed(&[&line], |options| options.elevate = Some(Elevate::Doas))
            .await
            .unwrap_err();
        let PhaseError::Failed {
            message: said,
            help,
            stderr,
        } = &error
        else {
            panic!("{says}: {error:?}")
        };
        assert_eq!(said, message);
        assert!(help.as_deref().unwrap().contains(sign), "{help:?}");
        assert!(stderr.contains(says), "the host's own words: {stderr}");
    }
    let none = observed(&["SetEnv PATH=/nonexistent"], |options| {
        options.elevate = Some(Elevate::Doas);
    })
    .await;
    let Err(PhaseError::Failed { message, help, .. }) = &none else {
        panic!("{none:?}")
    };
    assert!(
        message.contains("not found") && help.as_deref().unwrap().contains("ssh.become"),
        "{none:?}"
    );
}
