//! Five hosts over real SSH, each a directory of this machine, and what is looked at on them.

use crate::common::held::Held;
use crate::common::{Lab, ended, keytrail};
use crate::{entries, name};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const HOSTS: [&str; 5] = ["th", "mid", "leaf1", "leaf2", "leaf3"];

/// What a daemon on a host would read: its links by name, its configuration by file.
pub type InUse = BTreeMap<String, String>;
/// The same of every host.
pub type States = BTreeMap<&'static str, InUse>;

/// How the hosts stood before the command was given again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stood {
    pub old: usize,
    pub new: usize,
}

/// The order of fields is the order of dropping: servers before what their logins land in.
pub struct Fleet {
    pub lab: Lab,
    /// Where leaf2's file system is another one than this machine's: who holds its namespace.
    disk: Option<Held>,
    inventory: PathBuf,
    /// Counts the states the inventory has asked for.
    state: u32,
}

impl Fleet {
    /// Nothing on the hosts yet; `extra` are further lines of a host's sshd.
    pub fn new(extra: impl Fn(&Lab, &str) -> Vec<String>) -> Self {
        let mut lab = Lab::new();
        let dir = lab.dir.path().to_owned();
        for host in HOSTS {
            let lines = extra(&lab, host);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            lab.start(host, &lines);
            fs::create_dir_all(lab.root(host).join("etc")).expect("a root directory");
        }
        let fleet = Self {
            inventory: dir.join("fleet.yaml"),
            disk: None,
            lab,
            state: 0,
        };
        fleet.write("");
        fleet
    }

    pub fn dir(&self) -> &Path {
        self.lab.dir.path()
    }

    /// The inventory of the present state, which differs from the one before in every host's certificate and
    /// configuration; `more` are settings of leaf2.
    pub fn write(&self, more: &str) {
        let dir = self.dir().display();
        let text = format!(
            "version: 1\n\
             defaults:\n  \
               conf: /etc/ntp.conf\n  keysdir: /etc/ntp/crypto\n  \
               restart: \"sleep 0.1; echo restarted >> {dir}/restarts\"\n  verify: none\n  \
               host_key: {{ bits: 1024 }}\n\
             {way}  \
               certificate: {{ lifetime: {days}d }}\n  \
               association: {{ minpoll: {minpoll} }}\n\
             groups:\n  green: {{ identity: iff, trusted: [th] }}\n\
             hosts:\n  \
               th: {{ group: green, reference_clock: true }}\n  \
               mid: {{ group: green, servers: [th] }}\n  \
               leaf1: {{ group: green, servers: [mid] }}\n  \
               leaf2: {{ group: green, servers: [mid]{more} }}\n  \
               leaf3: {{ group: green, servers: [mid, th] }}\n",
            way = self.lab.way(),
            days = 100 + self.state,
            minpoll = 4 + self.state % 3,
        );
        fs::write(&self.inventory, text).expect("the inventory");
    }

    /// Asks for another state of every host.
    pub fn next_state(&mut self, more: &str) {
        self.state += 1;
        self.write(more);
    }

    fn command(&self, verb: &str, more: &[&str]) -> Command {
        let mut command = keytrail(self.dir());
        command
            .arg(verb)
            .arg(&self.inventory)
            .args(more)
            .env("TMPDIR", self.tmp())
            .stdin(Stdio::null());
        fs::create_dir_all(self.tmp()).expect("a directory");
        command
    }

    /// Where the controller's connections have their sockets, by which they are told from others.
    pub fn tmp(&self) -> PathBuf {
        self.dir().join("tmp")
    }

    pub fn keytrail(&self, verb: &str, more: &[&str]) -> (i32, String) {
        ended(&mut self.command(verb, more))
    }

    /// Starts an apply that says what it does in the file `said`.
    pub fn start(&self) -> Child {
        let said = fs::File::create(self.dir().join("said")).expect("a file");
        self.command("apply", &["--retries", "0"])
            .stdout(said.try_clone().expect("a file"))
            .stderr(said)
            .spawn()
            .expect("keytrail runs")
    }

    /// All that an apply that was started has said.
    pub fn said(&self) -> String {
        fs::read_to_string(self.dir().join("said")).expect("a file")
    }

    /// What an apply that was started is at: the last phase it named.
    pub fn phase(&self) -> String {
        let said = self.said();
        let phases = said.lines().filter_map(|line| line.split_once(": "));
        let last = phases.rev().find(|(_, rest)| rest.ends_with(" to do"));
        last.map_or("reading", |(phase, _)| phase).to_owned()
    }

    /// Gives leaf2 a server whose logins do as these lines of its `sshd_config` say.
    pub fn relead(&mut self, lines: &[String]) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.lab.servers.restart("leaf2", &lines).expect("a server");
    }

    /// Puts a file system of its own under leaf2. `mounts` is sh, run as root of a namespace that nobody else sees,
    /// with the root directory as `$1`. Lines for its sshd: logins land there.
    pub fn mount(&mut self, mounts: &str) -> Vec<String> {
        let (held, enter) = Held::mounted(mounts, &self.root("leaf2"));
        self.disk = Some(held);
        vec![enter]
    }

    /// Runs sh in leaf2's file system.
    #[track_caller]
    pub fn inside(&self, script: &str) {
        let holder = self.disk.as_ref().expect("a file system").id().to_string();
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &holder, "--user", "--mount", "--preserve-credentials"])
            .args(["--", "sh", "-ec", script, "sh"])
            .arg(self.dir().join("hosts/leaf2"));
        crate::common::held::must(command);
    }

    /// leaf2 has this machine's file system again.
    pub fn unmount(&mut self) {
        self.disk = None;
    }

    fn root(&self, host: &str) -> PathBuf {
        let root = self.lab.root(host);
        match &self.disk {
            Some(held) if host == "leaf2" => {
                let seen = PathBuf::from(format!("/proc/{}/root", held.id()));
                seen.join(root.strip_prefix("/").expect("absolute"))
            }
            _ => root,
        }
    }

    pub fn conf(&self, host: &str) -> String {
        fs::read_to_string(self.root(host).join("etc/ntp/keytrail.conf")).expect("a configuration")
    }

    /// What a daemon on the host would read.
    pub fn in_use(&self, host: &str) -> InUse {
        let mut found = InUse::new();
        let etc = self.root(host).join("etc");
        for file in ["ntp.conf", "ntp/keytrail.conf"] {
            if let Ok(text) = fs::read_to_string(etc.join(file)) {
                found.insert(file.to_owned(), text);
            }
        }
        for path in entries(&etc.join("ntp/crypto")) {
            if let Ok(target) = fs::read_link(&path) {
                assert!(path.exists(), "{host}: {} leads to nothing", path.display());
                found.insert(name(&path), target.to_string_lossy().into_owned());
            }
        }
        found
    }

    pub fn states(&self) -> States {
        HOSTS.iter().map(|host| (*host, self.in_use(host))).collect()
    }

    /// Waits until no script of ours runs on any host: what has begun ends by itself.
    pub fn settle(&self) {
        let root = self.dir().join("hosts");
        let end = Instant::now() + Duration::from_secs(90);
        while busy(&root) {
            assert!(Instant::now() < end, "a script is still running on a host");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Modes of everything, and that nothing is left that should have gone.
    pub fn tidy(&self) {
        for host in HOSTS {
            for path in entries(&self.root(host).join("etc/ntp/crypto")) {
                let name = name(&path);
                assert!(
                    name == ".keytrail" || !name.starts_with('.'),
                    "{host}: {name} was left behind"
                );
                let secret = name.contains("host_") || name.contains("iffkey_");
                let (kind, right) = match name.as_str() {
                    ".keytrail" => ("directory", 0o700),
                    _ if path.is_symlink() => continue,
                    _ if secret => ("secret", 0o600),
                    _ => ("public", 0o644),
                };
                let mode = path.metadata().expect("metadata").permissions().mode() & 0o7777;
                assert_eq!(mode, right, "{host}: {kind} {name}");
            }
            for left in ["pending", "lock"] {
                let path = self.root(host).join("etc/ntp/crypto/.keytrail").join(left);
                assert!(!path.exists(), "{host}: {left} was left behind");
            }
            for dir in ["etc", "etc/ntp"] {
                for path in entries(&self.root(host).join(dir)) {
                    assert!(
                        !name(&path).starts_with(".keytrail"),
                        "{host}: {}",
                        path.display()
                    );
                }
            }
        }
    }

    /// Every host in its state of before or of after, after whatever happened; and the same command finishes.
    pub fn converges(&self, before: &States, what: &str) -> Stood {
        self.settle();
        let found = self.states();
        let (status, said) = self.keytrail("apply", &[]);
        assert_eq!(status, 0, "{what}: {said}");
        let after = self.states();
        let mut stood = Stood::default();
        for host in HOSTS {
            assert_ne!(before[host], after[host], "{what}: {host} was to change");
            if found[host] == before[host] {
                stood.old += 1;
            } else if found[host] == after[host] {
                stood.new += 1;
            } else {
                panic!(
                    "{what}: {host} stood between two states:\n{:#?}\nbefore: {:#?}\nafter: {:#?}",
                    found[host], before[host], after[host]
                );
            }
        }
        self.tidy();
        let (status, said) = self.keytrail("plan", &["--exit-code"]);
        assert_eq!(status, 0, "{what}: {said}");
        stood
    }
}

/// Whether a process works below a directory.
fn busy(root: &Path) -> bool {
    entries(Path::new("/proc")).iter().any(|process| {
        fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(root))
            || fs::read(process.join("cmdline")).is_ok_and(|line| {
                let root = root.to_string_lossy();
                String::from_utf8_lossy(&line).contains(&*root)
            })
    })
}
