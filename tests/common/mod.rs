//! Throw-away hosts for tests: real sshd, a directory each.

// Every test binary compiles this for itself and uses a part of it.
#![allow(dead_code)]

pub mod asked;
pub mod conf_fleet;
pub mod exported;
pub mod generations;
pub mod held;
pub mod hosts;
pub mod inspected;
pub mod keygen_dir;
pub mod managed;
pub mod media_files;
pub mod network;
pub mod ran;
pub mod rotation;
pub mod site;
pub mod stamps;
pub mod unpacked;
pub mod vaulted;
pub mod world;

use keytrail::demo::sshd::{Sshd, SshdLab};
use keytrail::remote::{ControlDir, Facts, Output, Remote, Script, SshHost, SshOptions, Unreachable};
use keytrail::secret::Secret;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A laboratory in a temporary directory. The order of fields is the order of dropping: servers before files.
pub struct Lab {
    pub servers: SshdLab,
    pub control: Arc<ControlDir>,
    pub dir: TempDir,
}

impl Lab {
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("keytrail-test-").expect("a temporary directory");
        // Fails loudly, with the line to install, where sshd is missing.
        let servers = SshdLab::new(dir.path()).unwrap_or_else(|err| panic!("{err}"));
        let control = Arc::new(ControlDir::new(Path::new("/tmp")).expect("a control directory"));
        Self {
            servers,
            control,
            dir,
        }
    }

    /// A laboratory with one running host `one`.
    pub fn with_host(extra: &[&str]) -> Self {
        let mut lab = Self::new();
        lab.start("one", extra);
        lab
    }

    pub fn start(&mut self, name: &str, extra: &[&str]) -> &Sshd {
        self.servers
            .start(name, extra)
            .unwrap_or_else(|err| panic!("{err}"))
    }

    /// The directory that is a host's root where an inventory has the lines of [`Lab::way`].
    pub fn root(&self, host: &str) -> PathBuf {
        self.dir.path().join("hosts").join(host)
    }

    /// A host that has nothing in its root directory but this ntp.conf.
    pub fn start_bare(&mut self, name: &str, extra: &[&str], ntp_conf: &str) -> PathBuf {
        self.start(name, extra);
        let root = self.root(name);
        std::fs::create_dir_all(root.join("etc")).expect("a root directory");
        std::fs::write(root.join("etc/ntp.conf"), ntp_conf).expect("ntp.conf");
        root
    }

    /// Lines for the `defaults` of an inventory: the way to every host.
    pub fn way(&self) -> String {
        format!(
            "  ssh: {{ host: \"{{host}}\", config: {} }}\n  root: \"{}\"\n",
            self.servers.config().display(),
            self.root("{host}").display()
        )
    }

    pub fn options(&self, name: &str) -> SshOptions {
        let mut options = SshOptions::new(name);
        options.config = Some(self.servers.config());
        options
    }

    pub fn host(&self, name: &str) -> SshHost {
        self.with_options(self.options(name))
    }

    pub fn with_options(&self, options: SshOptions) -> SshHost {
        SshHost::new(options, Arc::clone(&self.control))
    }

    /// A file for tests, executable, below `bin`.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join("bin").join(name);
        std::fs::create_dir_all(path.parent().expect("in bin")).expect("a directory");
        executable(&path, text);
        path
    }

    /// A line for `sshd_config` that puts [`Lab::program`]s first in the path.
    pub fn path_line(&self) -> String {
        format!(
            "SetEnv PATH={}:/usr/bin:/bin",
            self.dir.path().join("bin").display()
        )
    }
}

/// Writes a program. Another process has the file open for writing, never this one: what a test beside this one starts at
/// that moment would inherit the descriptor, and the kernel runs no file that somebody may write (ETXTBSY).
pub fn executable(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut child = std::process::Command::new("sh")
        .args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("sh");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(text.as_bytes()).expect("written");
    drop(input);
    assert!(child.wait().expect("it ends").success(), "{}", path.display());
}

pub fn script(text: &'static str, input: &[u8]) -> Script {
    Script {
        text,
        facts: Facts::default(),
        input: Secret::new(input),
        limit: Duration::from_secs(30),
    }
}

pub async fn run(host: &impl Remote, text: &'static str, input: &[u8]) -> Result<Output, Unreachable> {
    host.run(script(text, input)).await
}

/// How a verb of the program ended, and all it said.
#[track_caller]
pub fn ended(command: &mut std::process::Command) -> (i32, String) {
    let output = command.output().expect("keytrail runs");
    let text = [&*output.stdout, &*output.stderr].concat();
    (
        output.status.code().expect("an exit status"),
        String::from_utf8(text).expect("text"),
    )
}

/// The program, with everything of its own below a directory.
pub fn keytrail(dir: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(snapbox::cmd::cargo_bin!("keytrail"));
    command
        .env("XDG_CONFIG_HOME", dir.join("config"))
        .env_remove("KEYTRAIL_IDENTITY");
    command
}
