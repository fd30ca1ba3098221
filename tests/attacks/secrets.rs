//! Secrets in motion: while the program works on real sshd hosts, every process and every file is watched, and what is
//! secret must be seen nowhere but where it belongs.

use crate::common::Lab;
use snapbox::cmd::{Command, cargo_bin};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const HOSTS: [&str; 3] = ["howland", "yellow", "leaf"];

/// Everything that was seen of processes and files while the watch ran.
#[derive(Default)]
struct Seen {
    /// What was in a file of `/proc`, and whose it was.
    processes: BTreeMap<Vec<u8>, String>,
    /// Contents by path; one path may have had several.
    files: BTreeSet<(PathBuf, u32, Vec<u8>)>,
    /// The state in which a file was read, so that it is not read again.
    known: BTreeSet<(PathBuf, u64, i64, i64, u64)>,
}

impl Seen {
    /// Arguments, environment and title of every process but this one.
    fn processes(&mut self) {
        for entry in fs::read_dir("/proc").expect("/proc").flatten() {
            let name = entry.file_name();
            let is_process = name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
            if !is_process || name == *std::process::id().to_string() {
                continue;
            }
            for what in ["cmdline", "environ", "comm"] {
                let Ok(bytes) = fs::read(entry.path().join(what)) else {
                    continue;
                };
                self.processes.entry(bytes).or_insert_with(|| {
                    let program = fs::read_link(entry.path().join("exe")).unwrap_or_default();
                    format!("{what} of {}", program.display())
                });
            }
        }
    }

    /// Every file below a directory, with the mode it had when it was open.
    fn files(&mut self, dir: &Path) {
        // What is watched may be gone again before it is read.
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(metadata) = path.symlink_metadata() else {
                continue;
            };
            if metadata.is_dir() {
                self.files(&path);
            } else if metadata.is_file() {
                let state = (
                    path.clone(),
                    metadata.ino(),
                    metadata.ctime(),
                    metadata.ctime_nsec(),
                    metadata.size(),
                );
                if !self.known.insert(state) {
                    continue;
                }
                let Ok(mut file) = File::open(&path) else {
                    continue;
                };
                let mode = file
                    .metadata()
                    .map_or(0, |metadata| metadata.permissions().mode());
                let mut content = Vec::new();
                if file.read_to_end(&mut content).is_ok() {
                    self.files.insert((path, mode & 0o7777, content));
                }
            } else {
                // The name of a link, socket or pipe counts, and where a link leads.
                let target = fs::read_link(&path).unwrap_or_default();
                let target = target.as_os_str().as_encoded_bytes().to_owned();
                self.files.insert((path, 0o777, target));
            }
        }
    }
}

/// Looks again and again until it is stopped.
struct Watch {
    stop: Arc<AtomicBool>,
    threads: [JoinHandle<Seen>; 2],
}

impl Watch {
    fn start(dir: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let look = |mut once: Box<dyn FnMut(&mut Seen) + Send>| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut seen = Seen::default();
                while !stop.load(Ordering::Relaxed) {
                    once(&mut seen);
                    // A moment for those who are watched.
                    std::thread::sleep(Duration::from_millis(2));
                }
                once(&mut seen);
                seen
            })
        };
        let dir = dir.to_owned();
        let threads = [
            look(Box::new(Seen::processes)),
            look(Box::new(move |seen| seen.files(&dir))),
        ];
        Self { stop, threads }
    }

    fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let [processes, files] = self.threads.map(|thread| thread.join().expect("the watch runs"));
        Seen {
            processes: processes.processes,
            ..files
        }
    }
}

struct Site {
    lab: Lab,
    /// What must not be seen, by what it is.
    secrets: BTreeMap<String, String>,
}

impl Site {
    /// Three hosts with a talkative sshd; four planted secrets, one for each way of giving one.
    fn new() -> Self {
        let mut lab = Lab::new();
        let dir = lab.dir.path().to_owned();
        // No other run has these words. A symmetric key of up to 20 characters is text.
        let name = dir.file_name().expect("a name").to_string_lossy();
        let run = name.rsplit('-').next().unwrap_or_default();
        let plant = |what: &str| format!("PLANTED{what}{run}");
        for part in ["tmp", "given", "home", "tools"] {
            fs::create_dir_all(dir.join(part)).expect("a directory");
        }
        // However briefly a tool on a host runs: what its process shows to others is written down.
        for tool in ["tar", "sha256sum", "cat", "ln", "mv"] {
            lab.program(
                tool,
                &format!(
                    "#!/bin/sh\nPATH=/usr/bin:/bin\ncat /proc/$$/cmdline /proc/$$/environ >{}/tools/{tool}.$$\n\
                     exec {tool} \"$@\"\n",
                    dir.display()
                ),
            );
        }
        let line = lab.path_line().replace(
            "PATH=",
            &format!("HOME={0}/home TMPDIR={0}/tmp PATH=", dir.display()),
        );
        let mut secrets = BTreeMap::new();
        for host in HOSTS {
            lab.start(host, &[&line, "LogLevel VERBOSE"]);
            fs::create_dir_all(lab.root(host).join("etc")).expect("a directory");
            secrets.insert(format!("the password of {host}"), plant(host));
        }
        secrets.insert("symmetric key 7".into(), plant("key"));
        let given = |name: &str, what: &str| {
            let path = dir.join("given").join(name);
            fs::write(&path, format!("{}\n", secrets[what])).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
            path.display().to_string()
        };
        let inventory = format!(
            "version: 1
defaults:
{way}  restart: sleep 0.05
groups:
  green: {{ identity: gq, trusted: [howland] }}
symmetric_keys:
  7: {{ type: SHA1, value: {{ file: {key} }} }}
hosts:
  howland:
    group: green
    address: 192.0.2.1
    reference_clock: true
    password: {{ env: HOWLAND_PW }}
    keys: {{ trusted: [7] }}
  yellow: {{ group: green, address: 192.0.2.2, servers: [howland], password: {{ file: {file} }} }}
  leaf:
    group: green
    address: 192.0.2.3
    servers: [yellow, {{ host: howland, key: 7 }}]
    password: {{ command: [cat, {command}] }}
",
            way = lab.way(),
            key = given("key", "symmetric key 7"),
            file = given("yellow", "the password of yellow"),
            command = given("leaf", "the password of leaf"),
        );
        fs::write(dir.join("fleet.yaml"), inventory).expect("written");
        Self { lab, secrets }
    }

    fn dir(&self) -> &Path {
        self.lab.dir.path()
    }

    /// Runs a verb at the highest verbosity: exit status, and what it printed.
    fn keytrail(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(cargo_bin!("keytrail"))
            .args(arguments)
            .arg(self.dir().join("fleet.yaml"))
            .arg("-vvv")
            .env("HOME", self.dir().join("home"))
            .env("XDG_CONFIG_HOME", self.dir().join("config"))
            .env("TMPDIR", self.dir().join("tmp"))
            .env("HOWLAND_PW", &self.secrets["the password of howland"])
            .env("RUST_BACKTRACE", "1")
            .env_remove("KEYTRAIL_IDENTITY")
            .env_remove("XDG_RUNTIME_DIR")
            .output()
            .expect("keytrail runs");
        let text = [&*output.stdout, &*output.stderr].concat();
        (
            output.status.code().expect("an exit status"),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// What the program made up by itself: the vault's key, and every private key file on the hosts.
    fn generated(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut seen = Seen::default();
        seen.files(&self.dir().join("config"));
        seen.files(&self.dir().join("hosts"));
        for (path, _, content) in &seen.files {
            let text = String::from_utf8_lossy(content);
            let name = path.file_name().expect("a name").to_string_lossy();
            let line = if name.ends_with("agekey") {
                text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-"))
            } else if text.contains("PRIVATE KEY-----") && !name.contains("par_") {
                // The third line of a PEM body is no header and all its own.
                text.lines()
                    .skip_while(|line| !line.starts_with("-----BEGIN"))
                    .nth(3)
            } else {
                None
            };
            if let Some(line) = line {
                found.insert(format!("{}", path.display()), line.to_owned());
            }
        }
        found
    }
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn nothing_secret_is_seen_in_motion() {
    let site = Site::new();
    let watch = Watch::start(site.dir());
    let plan = site.dir().join("plan.json").display().to_string();
    let mut printed = Vec::new();
    for (arguments, expected) in [
        (vec!["check"], 0),
        (vec!["plan", "-o", &plan], 0),
        (vec!["plan", "--format", "json"], 0),
        (vec!["apply"], 0),
        (vec!["apply", "--format", "json"], 0),
        (vec!["rollback", "--dry-run"], 0),
        (vec!["rollback"], 0),
        (vec!["apply", "--serial", "1"], 0),
        (vec!["unlock"], 0),
        (vec!["rotate", "identity", "--group", "green"], 0),
        (vec!["rotate", "host-key", "--host", "leaf"], 0),
        (vec!["renew", "--all", "--format", "json"], 0),
        (vec!["history"], 0),
        (vec!["trail", "leaf"], 0),
    ] {
        let (status, said) = site.keytrail(&arguments);
        assert_eq!(status, expected, "keytrail {arguments:?}: {said}");
        printed.push((arguments.join(" "), said));
    }
    let seen = watch.stop();

    // The watch was awake: it saw the commands on the hosts and the tools they ran, and each secret in its place.
    for sign in ["eval \"$c\"", "HOWLAND_PW="] {
        let there = seen.processes.keys().any(|bytes| has(bytes, sign));
        assert!(there, "{sign} was never seen");
    }
    for tool in ["tar", "sha256sum", "cat", "ln", "mv"] {
        let start = site.dir().join("tools").join(format!("{tool}."));
        let start = start.to_str().expect("text");
        let there = seen
            .files
            .iter()
            .any(|(path, _, _)| path.to_string_lossy().starts_with(start));
        assert!(there, "{tool} never ran on a host");
    }
    let generated = site.generated();
    assert!(
        generated.len() > 1 + 3 + 2,
        "vault key, host keys, server keys, and what rotations made of them: {generated:?}"
    );

    let mut leaks = Vec::new();
    let all: Vec<(&String, &String)> = site.secrets.iter().chain(&generated).collect();
    for (what, secret) in &all {
        let (mut found, stem) = (false, site.dir().join("hosts"));
        for (path, mode, content) in &seen.files {
            if has(path.as_os_str().as_encoded_bytes(), secret) {
                leaks.push(format!("{what} is in the name {}", path.display()));
            }
            if !has(content, secret) {
                continue;
            }
            let private = mode.trailing_zeros() >= 6;
            // The vault's key is written aside and then renamed, in its own directory.
            let key = site.dir().join("config/keytrail");
            let at_home = path.starts_with(&stem) || path.starts_with(&key);
            let belongs = at_home || path.starts_with(site.dir().join("given"));
            found |= at_home;
            if !private || !belongs {
                leaks.push(format!("{what} is in {} (mode {mode:04o})", path.display()));
            }
        }
        assert!(found, "{what} is nowhere: the watch looks in the wrong place");
        for (bytes, whose) in &seen.processes {
            // A variable that somebody gave the program is in the program's own environment.
            let given = what.as_str() == "the password of howland"
                && *whose == format!("environ of {}", cargo_bin!("keytrail").display());
            if has(bytes, secret) && !given {
                leaks.push(format!("{what} is in {whose}"));
            }
        }
        for (arguments, said) in &printed {
            if said.contains(secret.as_str()) {
                leaks.push(format!("{what} was printed by keytrail {arguments}"));
            }
        }
    }
    leaks.dedup();
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}
