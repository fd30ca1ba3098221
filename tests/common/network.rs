//! Hosts with a network, a process table and a `/mnt` of their own, on one switch, reached over real SSH.
//!
//! Their sshd listens on this machine's loopback; what is logged in to is moved into the host's namespaces by
//! `ForceCommand`, without the right to set a clock. When the test goes, however it does, the first process of
//! each host ends, and with it the kernel ends all others there.

use super::Lab;
use super::held::{self, Held};
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The switch; nothing of it is seen on the machine itself.
pub struct Switch(Held);

impl Switch {
    pub fn new() -> Self {
        held::must_have(&held::PROGRAMS);
        let mut command = Command::new("unshare");
        command.args(["--net", "cat"]);
        let switch = Self(Held::start(command));
        switch.ip("link add br0 type bridge stp_state 0 forward_delay 0");
        switch.ip("link set br0 up");
        switch
    }

    fn ip(&self, arguments: &str) {
        ip(&self.0, arguments);
    }
}

/// A host: what stands in its `/mnt`, and the namespaces it lives in.
pub struct Host {
    pub name: String,
    /// Its `/mnt`, seen from outside.
    pub dir: PathBuf,
    namespaces: Held,
    path: String,
}

impl Host {
    /// Connects a new host to the switch and makes it known to SSH. `programs` come first in its `PATH`.
    pub fn start(switch: &Switch, lab: &mut Lab, name: &str, address: &str, programs: &str) -> Self {
        let dir = lab.root(name);
        // chronyd makes no socket where others may look.
        let private = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        private.expect("a directory");
        let mut command = Command::new("unshare");
        command
            .args([
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ])
            // The shell stays and sees off what the daemons leave behind; `exec` would leave zombies.
            .args(["sh", "-c", r#"mount --bind "$0" /mnt && cat; exit"#])
            .arg(&dir);
        let host = Self {
            name: name.to_owned(),
            dir,
            namespaces: Held::start(command),
            path: format!("{programs}:/usr/sbin:/usr/bin:/sbin:/bin"),
        };
        let pid = host.namespaces.id();
        switch.ip(&format!(
            "link add port{pid} type veth peer name eth0 netns {pid}"
        ));
        switch.ip(&format!("link set port{pid} master br0 up"));
        for arguments in [
            "link set lo up",
            &format!("addr add {address}/16 dev eth0"),
            "link set eth0 up",
        ] {
            ip(&host.namespaces, arguments);
        }
        let words = host.words().join(" ");
        lab.start(
            name,
            &[&format!(
                r#"ForceCommand exec {words} sh -c "$SSH_ORIGINAL_COMMAND""#
            )],
        );
        host
    }

    /// The words that put a command into the host.
    fn words(&self) -> Vec<String> {
        let pid = self.namespaces.id();
        [
            "nsenter --target {pid} --net --mount --pid=/proc/{pid}/ns/pid_for_children --",
            "setpriv --bounding-set -sys_time env PATH={path}",
        ]
        .iter()
        .flat_map(|words| words.split(' '))
        .map(|word| {
            word.replace("{pid}", &pid.to_string())
                .replace("{path}", &self.path)
        })
        .collect()
    }

    /// What a shell on the host says, and complains of.
    pub fn sh(&self, script: &str) -> String {
        let words = self.words();
        let output = Command::new(&words[0])
            .args(&words[1..])
            .args(["sh", "-c", script])
            .output()
            .expect("nsenter is there");
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// A file of its `/mnt`.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }

    /// The file that a generic name of its media stands for.
    pub fn link(&self, name: &str) -> String {
        let link = self.media(name);
        let target = fs::read_link(&link).unwrap_or_else(|error| panic!("{}: {error}", link.display()));
        target.to_str().expect("text").to_owned()
    }

    /// Makes a generic name stand for another file, as somebody with a backup would.
    pub fn relink(&self, name: &str, target: &str) {
        let link = self.media(name);
        fs::remove_file(&link).expect("a link");
        std::os::unix::fs::symlink(target, &link).expect("a link");
    }

    fn media(&self, name: &str) -> PathBuf {
        self.file("crypto").join(format!("ntpkey_{name}"))
    }

    /// The text of a file of its `/mnt`; nothing where it is not there.
    pub fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.file(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn ip(namespaces: &Held, arguments: &str) {
    let mut command = Command::new("nsenter");
    command
        .args(["--target", &namespaces.id().to_string(), "--net", "ip"])
        .args(arguments.split(' '));
    held::must(command);
}
