//! A running chronyd or NTPsec ntpd with the files keytrail made for it, and what it says of its server.

use crate::common::{executable, unpacked};
use crate::fleet::World;
use crate::namespace::{Network, Running, SERVER};
use keytrail::ntpq::{
    Association, Evidence, Selection, Server, System, Verdict, Wait, associations, chrony, judge,
};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Whose daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Chrony,
    Ntpsec,
}

impl Kind {
    /// As inventories name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Chrony => "chrony",
            Self::Ntpsec => "ntpsec",
        }
    }

    /// Its daemon.
    pub fn program(self) -> &'static str {
        match self {
            Self::Chrony => "chronyd",
            Self::Ntpsec => "ntpd",
        }
    }

    /// The name of its query program, and lines of sh that are it; chronyc asks at that socket.
    pub fn query(self, socket: &Path) -> (&'static str, String) {
        let root = unpacked::root(self.word());
        let root = root.display();
        let (name, run) = match self {
            Self::Chrony => (
                "chronyc",
                format!("{root}/usr/bin/chronyc -h {}", socket.display()),
            ),
            Self::Ntpsec => ("ntpq", format!("python3 {root}/usr/bin/ntpq")),
        };
        let text = format!(
            "export LD_LIBRARY_PATH={} PYTHONPATH={root}/usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1\n\
             exec {run} \"$@\"\n",
            unpacked::libraries(self.word())
        );
        (name, text)
    }

    /// The line a server takes its time from: this machine's clock, as it is and at once.
    pub fn clock(self) -> &'static str {
        match self {
            Self::Chrony => "local stratum 5",
            Self::Ntpsec => "tos orphan 5 orphanwait 1",
        }
    }
}

/// What the daemon of a client says of its server.
#[derive(Debug)]
pub struct State {
    pub verdict: Verdict,
    /// Its time is taken from it.
    pub selected: bool,
    /// All that was read, for whoever must find out what went wrong.
    pub said: String,
}

/// The order of fields is the order of dropping: daemon before files.
pub struct Daemon<'n> {
    running: Running,
    kind: Kind,
    network: &'n Network,
    /// What its configuration held before keytrail.
    before: String,
    dir: TempDir,
}

impl<'n> Daemon<'n> {
    /// Writes the files of `host` and starts its daemon.
    pub fn start(kind: Kind, host: &str, world: &World, network: &'n Network) -> Self {
        let dir = TempDir::with_prefix("keytrail-").expect("a directory");
        // chronyd makes no socket where others may look.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).expect("ours");
        let path = dir.path().display();
        let (program, libraries) = unpacked::daemon(kind.word(), kind.program());
        let mut command = Command::new(program);
        let before = match kind {
            Kind::Chrony => {
                // -x: never the clock. -u: chrony's own user need not exist here.
                command.args(["-n", "-x", "-u", "root", "-l"]);
                command.arg(dir.path().join("log")).arg("-f");
                command.arg(dir.path().join("etc/chrony/chrony.conf"));
                // What a distribution's own file would say, for a place of our own.
                format!("pidfile {path}/pid\nbindcmdaddress {path}/socket\ncmdport 0\ndumpdir {path}\n")
            }
            Kind::Ntpsec => {
                command.arg("-n").arg("-l").arg(dir.path().join("log"));
                command.arg("-c").arg(dir.path().join("etc/ntpsec/ntp.conf"));
                // Without it NTPsec answers no ntpq.
                "restrict 127.0.0.1\n".to_owned()
            }
        };
        unpacked::write(&world.files(host, &before), dir.path());
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).expect("a directory");
        let (name, query) = kind.query(&dir.path().join("socket"));
        executable(&bin.join(name), &format!("#!/bin/sh\n{query}"));
        command.env("LD_LIBRARY_PATH", libraries);
        Self {
            running: network.start(&command),
            kind,
            network,
            before,
            dir,
        }
    }

    /// Gives a running daemon another key file, as an operator does who cannot have it restarted.
    pub fn reread(&mut self, host: &str, world: &World) {
        unpacked::write(&world.files(host, &self.before), self.dir.path());
        let said = match self.kind {
            Kind::Chrony => self.chronyc("rekey"),
            Kind::Ntpsec => {
                let conf = self.dir.path().join("etc/ntpsec/ntp.conf");
                let conf = std::fs::read_to_string(conf).expect("written");
                let line = |word: &str| {
                    let line = conf.lines().find(|line| line.starts_with(word));
                    line.unwrap_or_else(|| panic!("no {word} in:\n{conf}"))
                };
                let value = |word: &str| line(word)[word.len()..].trim().to_owned();
                let ask = |question: &str| {
                    self.ntpq_with(&["-k", &value("keys "), "-a", &value("controlkey ")], question)
                };
                ask(&format!(":config {}", line("keys "))) + &ask(&format!(":config {}", line("trustedkey ")))
            }
        };
        // chrony says "200 OK" or, with -c, nothing.
        assert!(
            self.kind == Kind::Chrony || said.matches("Config Succeeded").count() == 2,
            "{said}"
        );
    }

    /// Where its files are, in the place of the root.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where it runs.
    pub fn network(&self) -> &Network {
        self.network
    }

    /// Ends it without a word; its files stay.
    pub fn end(&mut self) {
        self.running.end();
    }

    /// Panics when the daemon is gone: nothing is proven by one that does not run.
    pub fn must_run(&mut self) {
        assert!(
            !self.running.ended(),
            "{:?} has ended by itself:\n{}",
            self.kind,
            self.log()
        );
    }

    /// Its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Where its query program is.
    pub fn bin(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    fn chronyc(&self, question: &str) -> String {
        let mut command = self.network.command();
        command
            .arg(self.bin().join("chronyc"))
            .args(["-n", "-c", question]);
        said(&mut command)
    }

    fn ntpq(&self, question: &str) -> String {
        self.ntpq_with(&[], question)
    }

    fn ntpq_with(&self, options: &[&str], question: &str) -> String {
        let mut command = self.network.command();
        command
            .arg(self.bin().join("ntpq"))
            .args(options)
            .args(["-n", "-c", question, "127.0.0.1"]);
        said(&mut command)
    }

    /// Whether it has a time to give; what it says, where it has none.
    pub fn serves(&self) -> Result<(), String> {
        let (said, serves) = match self.kind {
            Kind::Chrony => {
                let said = self.chronyc("tracking");
                let serves = chrony::tracking(&said).is_ok_and(|own| own.stratum != 0);
                (said, serves)
            }
            Kind::Ntpsec => {
                let said = self.ntpq("rv 0");
                let serves = System::read(&said).is_ok_and(|own| own.synchronised());
                (said, serves)
            }
        };
        if serves { Ok(()) } else { Err(said) }
    }

    /// What it says of its server, which is up and serves.
    pub fn state(&self) -> State {
        let read = match self.kind {
            Kind::Chrony => self.chrony_state(),
            Kind::Ntpsec => self.ntpsec_state(),
        };
        // It takes a moment until it answers.
        read.unwrap_or_else(|said| State {
            verdict: Verdict::InProgress(Wait::FirstAnswer),
            selected: false,
            said,
        })
    }

    fn chrony_state(&self) -> Result<State, String> {
        let texts = ["sources", "authdata", "ntpdata"].map(|question| self.chronyc(question));
        let said = texts.join("\n");
        let sources = chrony::join(
            chrony::sources(&texts[0]).map_err(|error| format!("{error}\n{said}"))?,
            &chrony::authdata(&texts[1]).map_err(|error| format!("{error}\n{said}"))?,
            &chrony::ntpdata(&texts[2]).map_err(|error| format!("{error}\n{said}"))?,
        );
        let Some(source) = sources.iter().find(|source| source.row.name == SERVER) else {
            return Err(format!("no source {SERVER}:\n{said}"));
        };
        Ok(State {
            verdict: source.verdict(true),
            selected: source.row.state == '*',
            said,
        })
    }

    fn ntpsec_state(&self) -> Result<State, String> {
        let table = self.ntpq("as");
        let rows = associations(&table).map_err(|error| format!("{error}\n{table}"))?;
        for row in rows {
            let text = self.ntpq(&format!("rv {}", row.associd));
            let said = format!("{table}\n{text}");
            let association =
                Association::read(&text, Some(row.status)).map_err(|error| format!("{error}\n{said}"))?;
            if association.srcadr != SERVER {
                continue;
            }
            let judgement = judge(&Evidence {
                association: &association,
                stats: None,
                now: None,
                since: None,
                server: Server::Up,
            });
            return Ok(State {
                verdict: judgement.verdict,
                selected: row.status.selection() == Selection::SystemPeer,
                said,
            });
        }
        Err(format!("no association with {SERVER}:\n{table}"))
    }
}

/// Output and complaints of a command.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("nsenter is there");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
