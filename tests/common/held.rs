//! Namespaces that are there as long as a value lives, and no longer than the test does.

// Every test binary compiles this for itself and uses a part of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Programs that namespaces are made with, with the Debian package of each.
pub const PROGRAMS: [(&str, &str); 4] = [
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("ip", "iproute2"),
];

/// Panics with all that is missing, before anything fails for want of it in a way nobody understands.
pub fn must_have<'a>(programs: impl IntoIterator<Item = &'a (&'a str, &'a str)>) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).exists());
    let missing: Vec<String> = programs
        .into_iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(program, package)| format!("{program} (package {package})"))
        .collect();
    assert!(
        missing.is_empty(),
        "not found in PATH: {}\n  = help: scripts/setup.sh test installs what the tests need",
        missing.join(", ")
    );
}

/// A process that holds namespaces. It waits in a `cat`, whose input ends when the test is gone, however that ended.
pub struct Held(Child);

impl Held {
    /// Starts a command that makes namespaces and becomes, or waits for, a `cat`.
    pub fn start(mut command: Command) -> Self {
        let mut holder = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare and nsenter are there");
        // What comes back comes from `cat`: then the namespaces are there.
        let sent = holder.stdin.as_mut().expect("a pipe").write_all(b"ready\n");
        let mut line = String::new();
        let output = holder.stdout.as_mut().expect("a pipe");
        let read = BufReader::new(output).read_line(&mut line);
        assert!(
            sent.is_ok() && read.is_ok() && line == "ready\n",
            "unshare cannot make the namespaces (its reason is above)\n  = help: run the tests as root, or permit user \
             namespaces: sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 \
             user.max_user_namespaces=1000"
        );
        Self(holder)
    }

    /// A file system of its own for one host: `mounts` is sh, run as root of a namespace that nobody else sees, with the
    /// host's root directory as `$1`. And the line of its sshd_config with which logins land there.
    pub fn mounted(mounts: &str, root: &Path) -> (Self, String) {
        must_have(&[("unshare", "util-linux"), ("nsenter", "util-linux")]);
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-ec"])
            .arg(format!("{mounts}\nexec cat"))
            .arg("sh")
            .arg(root);
        let held = Self::start(command);
        let line = format!(
            "ForceCommand exec nsenter --target {} --user --mount --preserve-credentials -- sh -c \"$SSH_ORIGINAL_COMMAND\"",
            held.id()
        );
        (held, line)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// Both fail where it has ended already, which is as well.
pub fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Runs a command that must succeed.
pub fn must(mut command: Command) {
    let output = command.output().expect("nsenter is there");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
