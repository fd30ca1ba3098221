//! A small fleet for tests of `apply`: what each host should hold, made up, and where it really lands.

use super::Lab;
use keytrail::apply::{
    Cancel, Connect, ConnectionPool, ContentSource, Event, HostWork, Job, Limits, Look, Outcome, Phase,
    PhaseError, Progress, Report, Rollout, RunInfo, Silent, Site, Trusting, apply,
};
use keytrail::digest::Digest;
use keytrail::plan::{self, Desired, FileSpec, Observed};
use keytrail::remote::fake::{FakeHost, Fault};
use keytrail::remote::{ControlDir, LocalHost, SshHost, SshOptions};
use keytrail::secret::Secret;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub const KEYS: &str = "/etc/ntp/crypto";
pub const CONF: &str = "/etc/ntp.conf";

/// Planted in every private file and password: must be seen nowhere.
pub const MARKER: &str = "PLANTED-SECRET-0xfeedface";

/// Contents by digest.
#[derive(Default)]
pub struct Contents(Mutex<HashMap<Digest, Vec<u8>>>);

impl Contents {
    pub fn add(&self, content: impl Into<Vec<u8>>, mode: u32) -> FileSpec {
        let content = content.into();
        let digest = Digest::of(&content);
        let size = content.len() as u64;
        self.0.lock().unwrap().insert(digest, content);
        FileSpec {
            digest,
            size,
            mode,
            secret: mode.trailing_zeros() >= 6,
        }
    }
}

impl ContentSource for Contents {
    fn content(&self, _: &str, _: &str, digest: &Digest) -> Result<Secret, String> {
        let contents = self.0.lock().unwrap();
        contents
            .get(digest)
            .cloned()
            .map(Secret::new)
            .ok_or_else(|| "nobody has it".into())
    }
}

/// A fleet of made-up hosts below one directory.
pub struct World {
    pub dir: PathBuf,
    pub contents: Arc<Contents>,
    pub desired: BTreeMap<String, Desired>,
}

impl World {
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            contents: Arc::default(),
            desired: BTreeMap::new(),
        }
    }

    /// The directory that is `/` for a host.
    pub fn root(&self, host: &str) -> PathBuf {
        self.dir.join("hosts").join(host)
    }

    pub fn path(&self, host: &str, path: &str) -> PathBuf {
        self.root(host).join(path.trim_start_matches('/'))
    }

    pub fn read(&self, host: &str, path: &str) -> String {
        fs::read_to_string(self.path(host, path)).unwrap_or_else(|err| panic!("{host}:{path}: {err}"))
    }

    /// A host with an ntp.conf of its own and nothing else yet.
    pub fn add(&mut self, host: &str, wave: u32) {
        fs::create_dir_all(self.path(host, "etc")).unwrap();
        fs::write(self.path(host, CONF), "driftfile /var/lib/ntp/drift\n").unwrap();
        fs::set_permissions(self.path(host, CONF), fs::Permissions::from_mode(0o644)).unwrap();
        self.renew(host, wave, 4_004_178_806);
    }

    /// What the host should hold with this filestamp.
    pub fn renew(&mut self, host: &str, wave: u32, stamp: u64) {
        let key = self
            .contents
            .add(format!("# key of {host}\n{MARKER}{stamp}\0\u{ff}"), 0o600);
        let cert = self.contents.add(format!("certificate of {host} {stamp}"), 0o644);
        let conf = self
            .contents
            .add(format!("driftfile /d\nkeysdir {KEYS}\n# {stamp}\n"), 0o644);
        let include = self.contents.add(format!("crypto pw {MARKER}{stamp}\n"), 0o600);
        let name = |kind: &str| format!("ntpkey_{kind}_{host}.{stamp}");
        let in_keys = |name: String| format!("{KEYS}/{name}");
        let log = self.path(host, "restarts");
        let desired = Desired {
            host: host.into(),
            keysdir: KEYS.into(),
            media: [
                (in_keys(name("RSAhost")), key),
                (in_keys(name("RSA-SHA256cert")), cert),
            ]
            .into(),
            links: [
                (in_keys(format!("ntpkey_host_{host}")), name("RSAhost")),
                (in_keys(format!("ntpkey_cert_{host}")), name("RSA-SHA256cert")),
            ]
            .into(),
            unread: BTreeSet::new(),
            former: BTreeMap::new(),
            former_links: BTreeSet::new(),
            absent: [in_keys(format!("ntpkey_sign_{host}"))].into(),
            conf: [
                (CONF.to_owned(), conf),
                ("/etc/ntp/keytrail.conf".to_owned(), include),
            ]
            .into(),
            owner: None,
            group: None,
            restart: Some(format!(
                "echo restarted >>{}; cat {}",
                log.display(),
                log.display()
            )),
            wave,
        };
        self.desired.insert(host.into(), desired);
    }

    pub fn site(&self, host: &str) -> Site {
        let desired = &self.desired[host];
        Site {
            root: Some(self.root(host).display().to_string()),
            keysdir: desired.keysdir.clone(),
            owner: desired.owner.clone(),
            group: desired.group.clone(),
        }
    }

    pub fn look(&self, host: &str) -> Look {
        Look {
            site: self.site(host),
            show: self.desired[host].conf.keys().cloned().collect(),
        }
    }

    pub async fn observe<C: Connect>(
        &self,
        fleet: &Arc<ConnectionPool<C>>,
    ) -> HashMap<String, Result<Observed, PhaseError>> {
        let looks = self.desired.keys().map(|host| (host.clone(), self.look(host)));
        let silent: Arc<dyn Progress> = Arc::new(Silent);
        fleet.observe(looks.collect(), &silent, &Cancel::default()).await
    }

    pub fn work(&self, observed: &HashMap<String, Result<Observed, PhaseError>>) -> Vec<HostWork> {
        let hosts = self.desired.iter();
        hosts
            .map(|(host, desired)| HostWork {
                plan: plan::diff(desired, observed[host].as_ref().unwrap(), &BTreeMap::new()),
                site: self.site(host),
                record: String::new(),
            })
            .collect()
    }

    /// Observe, plan, apply.
    pub async fn apply<C: Connect>(&self, fleet: &Arc<ConnectionPool<C>>) -> Report {
        let work = self.work(&self.observe(fleet).await);
        self.run(fleet, work).await
    }

    pub async fn run<C: Connect>(&self, fleet: &Arc<ConnectionPool<C>>, work: Vec<HostWork>) -> Report {
        apply(fleet, self.job(work), Arc::new(Silent), &Cancel::default()).await
    }

    /// A job of that work, on a host's own word.
    pub fn job<R: keytrail::remote::Remote>(&self, work: Vec<HostWork>) -> Job<R> {
        Job {
            work,
            contents: Arc::clone(&self.contents) as _,
            run_info: RunInfo::default(),
            rollout: Rollout::default(),
            judge: Arc::new(Trusting),
        }
    }

    /// Every file and link of a host, with mode, content or target; the record of the last switch left out.
    pub fn tree(&self, host: &str) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        walk(&self.root(host), &self.root(host), &mut tree);
        tree
    }

    /// The record that the last switch of a host has left: a directory.
    pub fn record(&self, host: &str) -> PathBuf {
        let state = self.path(host, KEYS).join(".keytrail");
        let last = fs::read_to_string(state.join("undo")).unwrap();
        state.join(last.trim())
    }

    pub fn restarts(&self, host: &str) -> usize {
        let log = fs::read_to_string(self.path(host, "restarts")).unwrap_or_default();
        log.lines().count()
    }
}

fn walk(root: &Path, dir: &Path, tree: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() && name.ends_with(".keytrail") {
            continue;
        }
        if meta.is_dir() {
            tree.insert(name + "/", format!("{:04o}", meta.permissions().mode() & 0o7777));
            walk(root, &path, tree);
        } else if meta.is_symlink() {
            tree.insert(name, format!("-> {}", fs::read_link(&path).unwrap().display()));
        } else if name != "restarts" {
            let content = fs::read(&path).unwrap();
            let mode = meta.permissions().mode() & 0o7777;
            tree.insert(name, format!("{mode:04o} {}", String::from_utf8_lossy(&content)));
        }
    }
}

/// Remembers the order of events.
#[derive(Default)]
pub struct Recorder(pub Mutex<Vec<String>>);

impl Progress for Recorder {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Began { phase, wave, hosts } => {
                format!(
                    "{phase}{} {hosts}",
                    wave.map(|wave| format!(" {wave}")).unwrap_or_default()
                )
            }
            Event::Ended { host, phase, error } => {
                format!(
                    "{host} {phase} {}",
                    if error.is_some() { "failed" } else { "done" }
                )
            }
            Event::Started { .. } | Event::Settled { .. } => return,
            Event::Stopped { hosts, why } => format!("stopped {hosts}: {why}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

/// A closure that makes hosts.
pub struct By<F>(pub F);

impl<R, F> Connect for By<F>
where
    R: keytrail::remote::Remote + 'static,
    F: Fn(&str) -> R + Send + Sync + 'static,
{
    type Remote = R;

    fn connect(&self, host: &str) -> Result<R, String> {
        Ok((self.0)(host))
    }
}

pub fn limits() -> Limits {
    Limits {
        jobs: 4,
        retries: 0,
        ..Limits::default()
    }
}

/// A fleet over the sshd of a laboratory.
pub fn over_ssh(lab: &Lab) -> Arc<ConnectionPool<impl Connect>> {
    over_ssh_with(lab, limits(), |_| {})
}

/// The same, with limits and SSH options of one's own.
pub fn over_ssh_with(
    lab: &Lab,
    limits: Limits,
    change: impl Fn(&mut SshOptions) + Send + Sync + 'static,
) -> Arc<ConnectionPool<impl Connect>> {
    let (config, control) = (lab.servers.config(), Arc::clone(&lab.control));
    ConnectionPool::new(
        By(move |name: &str| {
            let mut options = SshOptions::new(name);
            options.config = Some(config.clone());
            change(&mut options);
            SshHost::new(options, Arc::<ControlDir>::clone(&control))
        }),
        limits,
    )
}

/// This machine.
pub fn here() -> Arc<ConnectionPool<impl Connect>> {
    ConnectionPool::new(By(|_: &str| LocalHost::default()), limits())
}

/// This machine, with faults before the first calls to the hosts named `bad`.
pub fn with_faults(faults: Vec<Fault>) -> Arc<ConnectionPool<impl Connect>> {
    ConnectionPool::new(
        By(move |name: &str| {
            let faults = if name.starts_with("bad") {
                faults.clone()
            } else {
                Vec::new()
            };
            FakeHost::new(LocalHost::default(), faults)
        }),
        limits(),
    )
}

/// What became of a host that was changed: how many changes, and what its restart said.
#[track_caller]
pub fn changed(outcome: &Outcome) -> (usize, Option<&str>) {
    match outcome {
        Outcome::Changed {
            changes,
            restart,
            untold: None,
        } => (*changes, restart.as_deref()),
        other => panic!("{other:?}"),
    }
}

/// The parts of a failure: phase, message, help, what the tools said.
#[track_caller]
pub fn failed(outcome: &Outcome) -> (Phase, &str, &str, &str) {
    match outcome {
        Outcome::Failed {
            phase,
            message,
            help,
            stderr,
        } => (*phase, message, help.as_deref().unwrap_or_default(), stderr),
        other => panic!("{other:?}"),
    }
}
