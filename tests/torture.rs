//! What an apply promises to survive, over real SSH servers: a controller that is killed or cut off at any moment,
//! hosts that break in every way there is. After each, every host stands in its old or its new state, never between,
//! and running the same command again finishes the work.
//!
//! `make torture` runs the long form: KEYTRAIL_TORTURE is the number of kills, KEYTRAIL_TORTURE_SEED repeats a run.

// What a torture was like is worth knowing when it went well, too.
#![allow(clippy::print_stdout)]

mod common;

use common::{Lab, ended, keytrail};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Kills in the short form, which every test run has.
const SHORT: u32 = 12;
const HOSTS: [&str; 5] = ["th", "mid", "leaf1", "leaf2", "leaf3"];

struct Fleet {
    lab: Lab,
    inventory: PathBuf,
    /// Counts the states the inventory has asked for.
    state: u32,
}

impl Fleet {
    /// Five hosts, nothing on them yet; `extra` are further lines of a host's sshd.
    fn new(extra: impl Fn(&Lab, &str) -> Vec<String>) -> Self {
        let mut lab = Lab::new();
        let dir = lab.dir.path().to_owned();
        for host in HOSTS {
            let lines = extra(&lab, host);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            lab.start(host, &lines);
            fs::create_dir_all(dir.join("hosts").join(host).join("etc")).expect("a root directory");
        }
        let fleet = Self {
            inventory: dir.join("fleet.yaml"),
            lab,
            state: 0,
        };
        fleet.write("");
        fleet
    }

    fn dir(&self) -> &Path {
        self.lab.dir.path()
    }

    /// The inventory of the present state, which differs from the one before in every host's certificate and
    /// configuration; `more` are settings of leaf2.
    fn write(&self, more: &str) {
        let dir = self.dir().display();
        let text = format!(
            "version: 1\n\
             defaults:\n  \
               conf: /etc/ntp.conf\n  keysdir: /etc/ntp/crypto\n  \
               restart: \"sleep 0.1; echo restarted >> {dir}/restarts\"\n  verify: none\n  \
               host_key: {{ bits: 1024 }}\n  \
               ssh: {{ host: \"{{host}}\", config: {config} }}\n  root: \"{dir}/hosts/{{host}}\"\n  \
               certificate: {{ lifetime: {days}d }}\n  \
               association: {{ minpoll: {minpoll} }}\n\
             groups:\n  green: {{ identity: iff, trusted: [th] }}\n\
             hosts:\n  \
               th: {{ group: green, reference_clock: true }}\n  \
               mid: {{ group: green, servers: [th] }}\n  \
               leaf1: {{ group: green, servers: [mid] }}\n  \
               leaf2: {{ group: green, servers: [mid]{more} }}\n  \
               leaf3: {{ group: green, servers: [mid, th] }}\n",
            config = self.lab.servers.config().display(),
            days = 100 + self.state,
            minpoll = 4 + self.state % 3,
        );
        fs::write(&self.inventory, text).expect("the inventory");
    }

    fn next_state(&mut self) {
        self.state += 1;
        self.write("");
    }

    fn command(&self, verb: &str, more: &[&str]) -> Command {
        let mut command = keytrail(self.dir());
        command
            .arg(verb)
            .arg(&self.inventory)
            .args(more)
            .env("TMPDIR", self.dir().join("tmp"))
            .stdin(Stdio::null());
        fs::create_dir_all(self.dir().join("tmp")).expect("a directory");
        command
    }

    fn keytrail(&self, verb: &str, more: &[&str]) -> (i32, String) {
        ended(&mut self.command(verb, more))
    }

    fn start(&self) -> Child {
        self.command("apply", &["--retries", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("keytrail runs")
    }

    fn root(&self, host: &str) -> PathBuf {
        self.dir().join("hosts").join(host)
    }

    /// What a daemon on the host would read: its links, and its configuration.
    fn in_use(&self, host: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
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

    fn states(&self) -> BTreeMap<&'static str, BTreeMap<String, String>> {
        HOSTS.iter().map(|host| (*host, self.in_use(host))).collect()
    }

    /// Waits until no script of ours runs on any host: what has begun ends by itself.
    fn settle(&self) {
        let root = self.dir().join("hosts");
        let end = Instant::now() + Duration::from_secs(60);
        while busy(&root) {
            assert!(Instant::now() < end, "a script is still running on a host");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Modes of everything, and that nothing is left that should have gone.
    fn tidy(&self) {
        for host in HOSTS {
            for path in entries(&self.root(host).join("etc/ntp/crypto")) {
                let name = name(&path);
                assert!(
                    name == ".keytrail" || !name.starts_with('.'),
                    "{host}: {name} was left behind"
                );
                if path.is_file() && !path.is_symlink() {
                    let secret = name.contains("host_") || name.contains("iffkey_");
                    let mode = path.metadata().expect("metadata").permissions().mode() & 0o7777;
                    assert_eq!(mode, if secret { 0o600 } else { 0o644 }, "{host}: {name}");
                }
            }
            for path in entries(&self.root(host).join("etc")) {
                assert!(
                    !name(&path).starts_with(".keytrail"),
                    "{host}: {}",
                    path.display()
                );
            }
        }
    }

    /// Every host in its state of before or of after, after whatever happened; and the same command finishes.
    fn converges(&self, before: &BTreeMap<&str, BTreeMap<String, String>>, what: &str) {
        self.settle();
        let found = self.states();
        let (status, said) = self.keytrail("apply", &[]);
        assert_eq!(status, 0, "{what}: {said}");
        let after = self.states();
        for host in HOSTS {
            assert!(
                found[host] == before[host] || found[host] == after[host],
                "{what}: {host} stood between two states:\n{:#?}\nbefore: {:#?}\nafter: {:#?}",
                found[host],
                before[host],
                after[host]
            );
        }
        self.tidy();
        let (status, said) = self.keytrail("plan", &["--exit-code"]);
        assert_eq!(status, 0, "{what}: {said}");
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
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

/// Small, seeded, good enough to choose moments.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1)
    }
}

fn signal(pid: u32, signal: &str) {
    let _ = Command::new("kill")
        .args([signal, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// Ends processes whose command line speaks of a directory.
fn kill_of(dir: &Path, program: &str) {
    for process in entries(Path::new("/proc")) {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        if line.starts_with(program) && line.contains(&*dir.to_string_lossy()) {
            signal(name(&process).parse().unwrap_or(u32::MAX), "-KILL");
        }
    }
}

#[test]
fn a_controller_that_dies_at_any_moment_leaves_no_host_between() {
    let kills =
        std::env::var("KEYTRAIL_TORTURE").map_or(SHORT, |kills| kills.parse().expect("a number of kills"));
    let seed = std::env::var("KEYTRAIL_TORTURE_SEED").map_or_else(
        |_| u64::from(std::process::id()) << 20 | u64::from(Instant::now().elapsed().subsec_nanos()) | 1,
        |seed| seed.parse().expect("a seed"),
    );
    let mut dice = Dice(seed);
    let mut fleet = Fleet::new(|_, _| Vec::new());
    assert_eq!(fleet.keytrail("apply", &[]).0, 0);
    fleet.next_state();
    let began = Instant::now();
    assert_eq!(fleet.keytrail("apply", &[]).0, 0);
    let whole = u64::try_from(began.elapsed().as_millis()).expect("short");
    let mut ended = [0_u32; 2];
    for kill in 0..kills {
        let before = fleet.states();
        fleet.next_state();
        let mut controller = fleet.start();
        let moment = dice.below(whole + whole / 10);
        std::thread::sleep(Duration::from_millis(moment));
        let how = dice.below(4);
        let what = match how {
            0 => "kill -9",
            1 => "kill -9 of the controller and its connections",
            2 => "connections cut, the controller lives",
            _ => "SIGTERM",
        };
        let running = controller.try_wait().expect("a child").is_none();
        ended[usize::from(running)] += 1;
        match how {
            0 => signal(controller.id(), "-KILL"),
            1 => {
                signal(controller.id(), "-KILL");
                kill_of(&fleet.dir().join("tmp"), "ssh");
            }
            2 => kill_of(&fleet.dir().join("tmp"), "ssh"),
            _ => signal(controller.id(), "-TERM"),
        }
        controller.wait().expect("it ended");
        let what = format!("kill {kill} (seed {seed}): {what} after {moment} of {whole} ms");
        fleet.converges(&before, &what);
    }
    println!(
        "torture: {kills} kills over {whole} ms, {} while it ran, {} after its end; seed {seed}",
        ended[1], ended[0]
    );
    assert!(ended[1] > 0, "no kill came while the controller ran");
}

/// One way to break leaf2, and how it is told.
struct Breakage {
    what: &'static str,
    /// Lines of its sshd_config.
    sshd: fn(&Lab) -> Vec<String>,
    /// Settings in the inventory.
    settings: &'static str,
    /// What is said of it; all of it.
    said: &'static [&'static str],
}

const BREAKAGES: &[Breakage] = &[
    Breakage {
        what: "the connection drops in the middle of what is sent",
        sshd: |_| {
            vec!["ForceCommand dd bs=1 count=14000 2>/dev/null | sh -c \"$SSH_ORIGINAL_COMMAND\"".to_owned()]
        },
        settings: "",
        said: &["leaf2: stage failed"],
    },
    Breakage {
        what: "the restart command fails",
        sshd: |_| Vec::new(),
        settings: ", restart: 'echo no such unit >&2; false'",
        said: &[
            "leaf2: activate failed: the restart command failed with exit status 1",
            "no such unit",
        ],
    },
    Breakage {
        what: "sudo wants a password",
        sshd: |lab| {
            lab.program(
                "sudo",
                "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n",
            );
            vec![lab.path_line()]
        },
        settings: ", ssh: { become: sudo }",
        said: &[
            "leaf2: observe failed: sudo or doas asks for a password",
            "NOPASSWD",
        ],
    },
    Breakage {
        what: "the login shell is gone",
        sshd: |_| vec!["ForceCommand /bin/false".to_owned()],
        settings: "",
        said: &["leaf2: observe failed: the host ran no command (exit status 1)"],
    },
    Breakage {
        what: "no space is left",
        sshd: |lab| {
            lab.program(
                "mkdir",
                "#!/bin/sh\necho 'mkdir: cannot create directory: No space left on device' >&2\nexit 1\n",
            );
            vec![lab.path_line()]
        },
        settings: "",
        said: &["leaf2: stage failed", "No space left on device"],
    },
    Breakage {
        what: "the disk is full when files are switched",
        sshd: |lab| {
            lab.program(
                "cp",
                "#!/bin/sh\necho 'cp: error writing: No space left on device' >&2\nexit 1\n",
            );
            vec![lab.path_line()]
        },
        settings: "",
        said: &["leaf2: activate failed", "No space left on device"],
    },
    Breakage {
        what: "the daemon dies two seconds after its restart",
        sshd: |lab| {
            mortal_daemon(lab);
            vec![lab.path_line()]
        },
        settings: ", verify: start, restart: 'daemon 2'",
        said: &["leaf2: activate failed: no ntpd runs on the host"],
    },
    Breakage {
        what: "its clock is a year behind",
        sshd: |lab| {
            lab.program("date", "#!/bin/sh\nexec /bin/date -d '365 days ago' \"$@\"\n");
            vec![lab.path_line()]
        },
        settings: "",
        said: &[
            "leaf2: observe failed: its clock says",
            "before its certificate becomes valid",
        ],
    },
    Breakage {
        what: "a rename fails half way",
        sshd: |lab| {
            lab.program(
                "mv",
                "#!/bin/sh\nfor last; do :; done\nfor file; do\n  case $file in\n    ntpkey_*.[0-9]*) break ;;\n    \
                 ntpkey_iffpar*) echo 'mv: Input/output error' >&2; exit 1 ;;\n    ntpkey_*) /bin/mv -f \"$file\" \"$last\" ;;\n  \
                 esac\ndone\nexec /bin/mv \"$@\"\n",
            );
            vec![lab.path_line()]
        },
        settings: "",
        said: &["leaf2: activate failed", "everything is as it was before"],
    },
];

/// Programs `daemon SECONDS`, a daemon that lives so long, and `ntpq`, which asks it.
fn mortal_daemon(lab: &Lab) {
    let alive = lab.dir.path().join("alive").display().to_string();
    lab.program(
        "daemon",
        &format!("#!/bin/sh\ntouch {alive}\n(sleep $1; rm -f {alive}) >/dev/null 2>&1 &\n"),
    );
    lab.program(
        "ntpq",
        &format!(
            "#!/bin/sh\n[ -e {alive} ] || {{ echo 'ntpq: read: Connection refused'; exit 1; }}\n\
             case \"$*\" in *' as '*) echo \"No association ID's returned\" ;;\n\
             *) echo 'version=\"ntpd 4.2.8p15\", leap=00, stratum=3' ;; esac\n"
        ),
    );
}

/// A host that waits for word when its controller or its connection dies goes back within seconds, and never keeps what
/// nobody has found good.
#[test]
fn a_watched_host_goes_back_when_no_word_comes() {
    let mut fleet = Fleet::new(|lab, host| {
        if host != "leaf2" {
            return Vec::new();
        }
        mortal_daemon(lab);
        vec![lab.path_line()]
    });
    let watched = ", verify: start, restart: 'daemon 60'";
    fleet.write(watched);
    let (status, said) = fleet.keytrail("apply", &[]);
    assert_eq!(status, 0, "{said}");
    let conf = fleet.root("leaf2").join("etc/ntp/keytrail.conf");
    for what in ["kill -9", "kill -9 with its connections", "connections cut"] {
        let before = fleet.states();
        fleet.state += 1;
        fleet.write(watched);
        let mut controller = fleet.start();
        let end = Instant::now() + Duration::from_secs(60);
        while fs::read_to_string(&conf).expect("a configuration") == before["leaf2"]["ntp/keytrail.conf"] {
            assert!(Instant::now() < end, "{what}: leaf2 never changed");
            std::thread::sleep(Duration::from_millis(20));
        }
        if what.starts_with("kill") {
            signal(controller.id(), "-KILL");
        }
        // With "kill -9" alone the master outlives its controller, but the session of a script does not.
        if what != "kill -9" {
            kill_of(&fleet.dir().join("tmp"), "ssh");
        }
        controller.wait().expect("it ended");
        fleet.settle();
        assert_eq!(fleet.in_use("leaf2"), before["leaf2"], "{what}");
        let (status, said) = fleet.keytrail("apply", &[]);
        assert_eq!(status, 0, "{what}: {said}");
        fleet.tidy();
    }
}

#[test]
fn a_broken_host_is_named_and_harms_nobody() {
    for Breakage {
        what,
        sshd,
        settings,
        said: words,
    } in BREAKAGES
    {
        let mut fleet = Fleet::new(|lab, host| if host == "leaf2" { sshd(lab) } else { Vec::new() });
        fleet.write(settings);
        let before = fleet.states();
        let (status, said) = fleet.keytrail("apply", &["--retries", "0"]);
        assert_eq!(status, 1, "{what}: {said}");
        for word in *words {
            assert!(said.contains(word), "{what}: {word:?} is not said: {said}");
        }
        fleet.settle();
        let found = fleet.states();
        assert_eq!(found["leaf2"], before["leaf2"], "{what}");
        // Mended, with a server that does as it is told.
        fs::remove_dir_all(fleet.dir().join("bin")).ok();
        let lab = &mut fleet.lab;
        lab.servers.restart("leaf2", &[]).expect("a server");
        fleet.write("");
        fleet.converges(&before, what);
    }
}
