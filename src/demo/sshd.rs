//! Throw-away SSH servers on loopback: one `sshd` per host with a host key of its own, reachable with nothing
//! but the `ssh_config` written beside them. They accept one key made for the occasion, run as the current
//! user, and end with this value, also when the process is killed.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a server to listen.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Keeps `sshd` in the foreground of a shell that waits for the end of its own standard input: the pipe closes
/// when we drop it, and just as well when we are killed.
const KEEPER: &str = r#""$@" & child=$!; read -r _; kill "$child" 2>/dev/null; wait "$child""#;

/// Why a server could not be started, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum SshdError {
    /// A program is missing.
    #[error("{0} is not installed: apt-get install openssh-server openssh-client")]
    Missing(&'static str),
    /// A file or directory could not be made.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("{0}")]
    Failed(String),
}

/// Servers of one occasion, with the client's side of them.
#[derive(Debug)]
pub struct SshdLab {
    dir: PathBuf,
    sshd: PathBuf,
    user: String,
    hosts: Vec<Sshd>,
}

/// One server.
#[derive(Debug)]
pub struct Sshd {
    /// Its name in the `ssh_config`.
    pub name: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
    log: PathBuf,
    keeper: Child,
}

impl SshdLab {
    /// Prepares keys and configuration in `dir`, which must exist and be private. No server runs yet.
    pub fn new(dir: &Path) -> Result<Self, SshdError> {
        let sshd = find("sshd").ok_or(SshdError::Missing("sshd"))?;
        if find("ssh").is_none() {
            return Err(SshdError::Missing("ssh"));
        }
        if rustix::process::geteuid().is_root() {
            // sshd's own demand when it starts as root; the system's unit makes it at boot.
            make_dir(Path::new("/run/sshd"), 0o755)?;
        }
        let user = output(Command::new("id").arg("-un"))?.trim().to_owned();
        let lab = Self {
            dir: dir.to_owned(),
            sshd,
            user,
            hosts: Vec::new(),
        };
        keygen(&lab.client_key())?;
        make_dir(&lab.dir.join("home"), 0o700)?;
        lab.write_client_files()?;
        Ok(lab)
    }

    /// Starts a server; `extra` are further lines of its `sshd_config`.
    pub fn start(&mut self, name: &str, extra: &[&str]) -> Result<&Sshd, SshdError> {
        let dir = self.dir.join(name);
        make_dir(&dir, 0o700)?;
        let key = dir.join("host_key");
        keygen(&key)?;
        // Another process may take the port between looking and listening.
        let mut last = None;
        for _ in 0..3 {
            match self.launch(name, &dir, &key, extra) {
                Ok(host) => {
                    self.hosts.push(host);
                    self.write_client_files()?;
                    return Ok(&self.hosts[self.hosts.len() - 1]);
                }
                Err(err) => last = Some(err),
            }
        }
        Err(last.unwrap_or(SshdError::Missing("sshd")))
    }

    /// Ends the server of that name and starts another with its host key, as after a change of its configuration.
    pub fn restart(&mut self, name: &str, extra: &[&str]) -> Result<&Sshd, SshdError> {
        self.stop(name);
        self.start(name, extra)
    }

    /// Ends the server of that name; the client's files go on naming its port.
    pub fn stop(&mut self, name: &str) {
        self.hosts.retain(|host| host.name != name);
    }

    fn launch(&self, name: &str, dir: &Path, key: &Path, extra: &[&str]) -> Result<Sshd, SshdError> {
        let at = |source| SshdError::Io {
            path: dir.to_owned(),
            source,
        };
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(at)?
            .port();
        let mut config = String::new();
        // sshd takes the first line it meets for a keyword.
        for line in extra {
            let _ = writeln!(config, "{line}");
        }
        let _ = write!(
            config,
            "ListenAddress 127.0.0.1:{port}\nHostKey {key}\nPidFile none\nAuthorizedKeysFile {authorized}\n\
             AuthenticationMethods publickey\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nStrictModes no\nUsePAM no\nUseDNS no\nX11Forwarding no\n\
             PrintMotd no\nMaxStartups 1000\nMaxSessions 100\nSetEnv HOME={home}\n",
            key = key.display(),
            authorized = self.client_key().with_extension("pub").display(),
            home = self.dir.join("home").display(),
        );
        let config_file = dir.join("sshd_config");
        fs::write(&config_file, config).map_err(at)?;
        let log = dir.join("sshd.log");
        let errors = File::create(&log).map_err(at)?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(&self.sshd)
            .args(["-D", "-e", "-f"])
            .arg(&config_file)
            // Ctrl-C is for us to answer, not for every server.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .map_err(at)?;
        let host = Sshd {
            name: name.to_owned(),
            port,
            log,
            keeper,
        };
        host.wait_until_it_listens()?;
        Ok(host)
    }

    /// The `ssh_config` that reaches every server by its name, with nothing of the user's own.
    pub fn config(&self) -> PathBuf {
        self.dir.join("ssh_config")
    }

    /// The servers' host keys, one line each.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// The running servers, in the order started.
    pub fn hosts(&self) -> &[Sshd] {
        &self.hosts
    }

    fn client_key(&self) -> PathBuf {
        self.dir.join("client_key")
    }

    fn write_client_files(&self) -> Result<(), SshdError> {
        let mut known = String::new();
        let mut config = String::new();
        for host in &self.hosts {
            let key = self.dir.join(&host.name).join("host_key.pub");
            let key = fs::read_to_string(&key).map_err(|source| SshdError::Io { path: key, source })?;
            let _ = writeln!(known, "{} {}", host.name, key.trim());
            let _ = writeln!(
                config,
                "Host {}\n  Port {}\n  HostKeyAlias {0}",
                host.name, host.port
            );
        }
        let _ = write!(
            config,
            "Host *\n  HostName 127.0.0.1\n  User {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
             UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  UpdateHostKeys no\n",
            self.user,
            self.client_key().display(),
            self.known_hosts().display(),
        );
        for (path, text) in [(self.known_hosts(), known), (self.config(), config)] {
            let mut options = fs::OpenOptions::new();
            let file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path);
            file.and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
                .map_err(|source| SshdError::Io { path, source })?;
        }
        Ok(())
    }
}

impl Sshd {
    /// What the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Process id of the shell that keeps the server; its only child is the listening `sshd`.
    pub fn keeper_pid(&self) -> u32 {
        self.keeper.id()
    }

    fn wait_until_it_listens(&self) -> Result<(), SshdError> {
        let end = Instant::now() + START_LIMIT;
        loop {
            // Another program on the port would not greet like this.
            if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                let mut greeting = [0; 4];
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                if stream.read_exact(&mut greeting).is_ok()
                    && &greeting == b"SSH-"
                    && !self.log().contains("Bind to port")
                {
                    return Ok(());
                }
            }
            let log = self.log();
            let dead = [
                "Bind to port",
                "Cannot bind",
                "no hostkeys available",
                "Bad configuration",
                "fatal:",
            ];
            if dead.iter().any(|word| log.contains(word)) || Instant::now() > end {
                return Err(SshdError::Failed(format!("sshd did not start: {}", log.trim())));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // The keeper sees the end of its input, ends sshd, and ends.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Makes an ed25519 key pair without passphrase, unless it is there.
fn keygen(path: &Path) -> Result<(), SshdError> {
    if path.exists() {
        return Ok(());
    }
    output(
        Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "keytrail demo", "-f"])
            .arg(path),
    )
    .map(drop)
}

/// A program in the usual places; `sshd` demands to be called by its absolute path.
fn find(program: &str) -> Option<PathBuf> {
    [
        "/usr/sbin",
        "/usr/local/sbin",
        "/sbin",
        "/usr/bin",
        "/usr/local/bin",
        "/bin",
    ]
    .iter()
    .map(|dir| Path::new(dir).join(program))
    .find(|path| path.is_file())
}

/// Makes a directory; one that is there already (another laboratory may just have made it) will do.
fn make_dir(path: &Path, mode: u32) -> Result<(), SshdError> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(SshdError::Io {
            path: path.to_owned(),
            source: err,
        }),
        _ => Ok(()),
    }
}

fn output(command: &mut Command) -> Result<String, SshdError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|err| SshdError::Failed(format!("cannot run {program}: {err}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(SshdError::Failed(format!("{program} failed: {}", said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
