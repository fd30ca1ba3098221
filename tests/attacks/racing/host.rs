//! A host with a file system of its own, an sshd whose logins land there, and a user of the daemon who attacks.

use super::attacker::{ATTACK, MADE};
use crate::common::held::{Held, must_have};
use crate::common::{Lab, ended, keytrail};
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The daemon's user, and the one who logs in where that is not root.
const DAEMON: &str = "777";
/// Planted in a file that only root may read: no attacker gets it, and no report shows it.
pub const SECRET: &str = "ROOT-ALONE-0x5eed";

/// What the hosts are made with, and the ways to become root, with the Debian package of each.
const PROGRAMS: [(&str, &str); 5] = [
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("sudo", "sudo"),
    ("doas", "opendoas"),
];

/// How the login becomes root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    Root,
    Sudo,
    Doas,
}

/// Where on the host things are, and what the attacker has of it.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Also the name of the attack.
    pub name: &'static str,
    /// Lines of the inventory's `defaults`.
    pub settings: &'static str,
    /// sh, before the first apply.
    pub before: &'static str,
    /// sh, when the host has its first states: from here on the attacker is there.
    pub after: &'static str,
    /// What every verb says, where it is to refuse.
    pub refusal: Option<&'static str>,
}

/// The order of fields is the order of dropping: servers before what their logins land in.
pub struct Target {
    pub layout: Layout,
    lab: Lab,
    held: Held,
    inventory: PathBuf,
    /// What the host's root had before the attack, by path.
    victims: BTreeMap<PathBuf, String>,
}

/// Mounts that only this host sees: `/etc` is a copy, what daemons write to is empty. `$1` is the test's own program.
const MOUNTS: &str = r#"
mount --make-rprivate /
mount -t tmpfs -o mode=0755,size=128m tmpfs /mnt
mkdir /mnt/etc /mnt/lib /mnt/log
cp -a /etc/. /mnt/etc/
touch /mnt/attacker
mount --bind "$1" /mnt/attacker
mount --bind /mnt/etc /etc
mount --bind /mnt/lib /var/lib
mount --bind /mnt/log /var/log
rm -rf /etc/ntp* /etc/sudoers.d
mkdir -p /etc/ntp/crypto /etc/victim /var/lib/ntp /var/log/ntpsec/st /etc/sudoers.d
echo 'ntp:x:777:777::/var/lib/ntp:/bin/sh' >>/etc/passwd
echo 'ntp:x:777:' >>/etc/group
echo 'operator2:x:778:778::/:/bin/sh' >>/etc/passwd
echo 'operator2:x:778:' >>/etc/group
echo 'operator2:*:20000:0:99999:7:::' >>/etc/shadow
echo 'ntp:*:20000:0:99999:7:::' >>/etc/shadow
echo 'operator2 ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/operator2
chmod 0440 /etc/sudoers.d/operator2
echo 'permit nopass operator2' >/etc/doas.conf
chmod 0400 /etc/doas.conf
chown 777:777 /var/log/ntpsec /var/log/ntpsec/st
printf 'driftfile /var/lib/ntp/drift\nstatsdir /var/log/ntpsec/st/\n' >/etc/ntp.conf
"#;

impl Target {
    /// A host in its second state: two generations, two records.
    pub fn new(layout: Layout, login: Login) -> Self {
        must_have(&PROGRAMS);
        let mut lab = Lab::new();
        let victims = format!(
            "echo {SECRET} >/etc/victim/secret\nchmod 600 /etc/victim/secret\necho 'dead 5 others' >/etc/victim/lock"
        );
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-ec"])
            .arg(format!("{MOUNTS}\n{victims}\n{}\nexec cat", layout.before))
            .arg("sh")
            .arg(std::env::current_exe().expect("this program"));
        let held = Held::start(command);
        let user = match login {
            Login::Root => "",
            _ => "setpriv --reuid 778 --regid 778 --clear-groups ",
        };
        let enter = format!(
            "ForceCommand exec nsenter --target {} --mount -- {user}sh -c \"$SSH_ORIGINAL_COMMAND\"",
            held.id()
        );
        lab.start("one", &[&enter]);
        let elevate = match login {
            Login::Root => "",
            Login::Sudo => ", become: sudo",
            Login::Doas => ", become: doas",
        };
        let inventory = lab.dir.path().join("fleet.yaml");
        let text = format!(
            "version: 1\n\
             defaults:\n  \
               ssh: {{ host: \"{{host}}\", config: {}{elevate} }}\n  \
               restart: echo restarted >>/mnt/restarts\n  verify: start\n  \
               host_key: {{ bits: 1024 }}\n{}\
             groups:\n  green: {{ identity: iff, trusted: [one] }}\n\
             hosts:\n  one: {{ group: green, reference_clock: true }}\n  \
               two: {{ group: green, servers: [one], connection: export }}\n",
            lab.servers.config().display(),
            layout.settings,
        );
        fs::write(&inventory, text).expect("the inventory");
        let mut target = Self {
            layout,
            lab,
            held,
            inventory,
            victims: BTreeMap::new(),
        };
        for words in [&["apply"][..], &["rotate", "password", "--on", "one"]] {
            let (status, said) = target.keytrail(words);
            assert_eq!(status, 0, "{}: {words:?}: {said}", layout.name);
        }
        target.inside(layout.after);
        target.victims = target.victims();
        target
    }

    /// Runs a verb: `verify` as it is, the others without looking at a daemon, which there is none of.
    pub fn keytrail(&self, words: &[&str]) -> (i32, String) {
        let mut command = keytrail(self.lab.dir.path());
        command.args(words).arg(&self.inventory).stdin(Stdio::null());
        if matches!(words[0], "apply" | "rotate" | "rollback") {
            command.args(["--verify", "none"]);
        }
        ended(&mut command)
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.held.id().to_string(), "--mount", "--"]);
        command
    }

    /// Runs sh on the host as root.
    pub fn inside(&self, script: &str) {
        let mut command = self.enter();
        command.args(["sh", "-ec", script]);
        crate::common::held::must(command);
    }

    /// The host's `/`.
    fn seen(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.held.id()))
    }

    /// Starts the attack; it goes on until the value is asked how it went, or is gone.
    pub fn attack(&self) -> Attack {
        let mut command = self.enter();
        let mut child = command
            .args([
                "setpriv",
                "--reuid",
                DAEMON,
                "--regid",
                DAEMON,
                "--clear-groups",
                "--no-new-privs",
            ])
            .args(["/mnt/attacker", "--exact", "racing::the_attacker", "--nocapture"])
            .env(ATTACK, self.layout.name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("nsenter");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("attacking") {
            line.clear();
            let read = output.read_line(&mut line).expect("the attacker speaks");
            assert!(read > 0, "the attacker could not start");
        }
        Attack { child, output }
    }

    /// Puts a directory back that the attacker has exchanged.
    pub fn restore(&self) {
        self.inside(
            "cd /var/lib/ntp\n\
             if [ -d evil ] && [ \"$(stat -c %u evil)\" = 0 ]; then rm -rf keys; mv evil keys; fi\n\
             rm -rf evil keys/.keytrail-stage-*",
        );
    }

    fn victims(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        for dir in ["/etc/victim", "/etc/shadow", "/etc/passwd", "/etc/sudoers.d"] {
            files(&self.seen(dir), &mut |path, meta, content| {
                let text = String::from_utf8_lossy(content).into_owned();
                found.insert(
                    path.to_owned(),
                    format!("{:o} {} {text}", meta.mode(), meta.uid()),
                );
            });
        }
        found
    }

    /// Panics where the attacker has gained anything: a command run, a file of root's with the attacker's content or of root's
    /// rights, a secret that is readable, a victim that is not as it was.
    #[track_caller]
    pub fn nothing_gained(&self, what: &str) {
        let what = format!("{}: {what}", self.layout.name);
        for trophy in ["/mnt/pwned", "/mnt/rootsh"] {
            assert!(!self.seen(trophy).exists(), "{what}: {trophy} is there");
        }
        assert_eq!(self.victims(), self.victims, "{what}: a victim was touched");
        for dir in ["/etc/ntp", "/etc/victim", "/var/lib", "/var/log", "/mnt/sticky"] {
            files(&self.seen(dir), &mut |path, meta, content| {
                let text = String::from_utf8_lossy(content);
                let rooted = meta.uid() == 0;
                assert!(
                    !rooted || meta.mode() & 0o6000 == 0,
                    "{what}: {} runs as root",
                    path.display()
                );
                assert!(
                    !rooted || !text.contains(MADE),
                    "{what}: root has a file of the attacker's: {}",
                    path.display()
                );
                let own = self.layout.name == "owned" && path.starts_with(self.seen("/etc/ntp"));
                let secret =
                    text.contains("crypto pw") || text.contains("PRIVATE KEY") || text.contains(SECRET);
                let readable = meta.mode() & 0o004 != 0 || meta.uid().to_string() == DAEMON;
                assert!(
                    own || !(secret && readable),
                    "{what}: {} can be read",
                    path.display()
                );
            });
        }
    }
}

/// Calls with every file below a path, or with the one there; links are not followed, and nothing is waited for.
fn files(path: &Path, found: &mut dyn FnMut(&Path, &fs::Metadata, &[u8])) {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            files(&entry.path(), found);
        }
        return;
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    // What the attacker takes away meanwhile is not there.
    let Ok(mut file) = opened else {
        return;
    };
    let Ok(meta) = file.metadata() else {
        return;
    };
    if meta.is_file() {
        let mut content = Vec::new();
        let _ = file.read_to_end(&mut content);
        found(path, &meta, &content);
    }
}

/// An attack that is going on.
pub struct Attack {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Attack {
    /// Ends it: how many swaps it made, how many of them in answer to what root did, how many secrets it read.
    pub fn end(mut self) -> [usize; 3] {
        drop(self.child.stdin.take());
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("text");
        let _ = self.child.wait();
        let line = said.lines().find_map(|line| line.strip_prefix("score "));
        let numbers: Vec<usize> = line
            .unwrap_or_else(|| panic!("the attacker has not said how it went: {said}"))
            .split(' ')
            .map(|number| number.parse().expect("a number"))
            .collect();
        numbers.try_into().expect("three numbers")
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
