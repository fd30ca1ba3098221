//! Two hosts on one cable: network namespaces inside a user namespace of their own.
//!
//! A process in there has no right over anything outside, not even as root: the kernel refuses it this machine's
//! clock and networks. So the daemons need no trust, and the tests no root where user namespaces are permitted.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

/// Programs these tests run, with the Debian package of each.
const PROGRAMS: [(&str, &str); 5] = [
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("ip", "iproute2"),
    ("python3", "python3"),
];

/// Panics with all that is missing, before anything fails for want of it in a way nobody understands.
fn must_have_programs() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).exists());
    let missing: Vec<String> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(program, package)| format!("{program} (package {package})"))
        .collect();
    assert!(
        missing.is_empty(),
        "not found in PATH: {}\n  = help: scripts/setup.sh test installs what the tests need",
        missing.join(", ")
    );
}

/// A network as long as this lives. A `cat` holds it, which ends by itself when the test is gone.
pub struct Network {
    holder: Child,
}

impl Network {
    /// The first one, and the user namespace that owns all.
    fn first() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "cat"]);
        Self::hold(command)
    }

    /// Another one of the same owner.
    fn beside(&self) -> Self {
        let mut command = self.enter(&["--user"]);
        command.args(["unshare", "--net", "cat"]);
        Self::hold(command)
    }

    fn hold(mut command: Command) -> Self {
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
            "unshare cannot make a network namespace (its reason is above)\n  = help: run the tests as root, or permit \
             user namespaces: sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 \
             user.max_user_namespaces=1000"
        );
        Self { holder }
    }

    fn enter(&self, namespaces: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg("--target")
            .arg(self.holder.id().to_string())
            .args(namespaces)
            .args(["--preserve-credentials", "--"]);
        command
    }

    /// A command in this network; its program comes as the first argument.
    pub fn command(&self) -> Command {
        self.enter(&["--user", "--net"])
    }

    fn ip(&self, arguments: &str) {
        let mut command = self.command();
        command.arg("ip").args(arguments.split(' '));
        let output = command.output().expect("nsenter is there");
        assert!(
            output.status.success(),
            "ip {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Starts a daemon that ends with the thread that asked for it, whatever happens to that.
    pub fn start(&self, daemon: &Command) -> Running {
        let mut command = self.command();
        command
            .args(["setpriv", "--pdeathsig", "KILL", "--bounding-set", "-sys_time"])
            .arg(daemon.get_program())
            .args(daemon.get_args())
            .envs(daemon.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Running(command.spawn().expect("nsenter is there"))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        end(&mut self.holder);
    }
}

/// A daemon, ended when this goes.
pub struct Running(Child);

impl Running {
    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// Both fail where it has ended already, which is as well.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Addresses of the two hosts, as the inventories have them.
pub const SERVER: &str = "10.77.0.1";
/// The other.
pub const CLIENT: &str = "10.77.0.2";

/// Server and client, connected.
pub fn pair() -> (Network, Network) {
    must_have_programs();
    let server = Network::first();
    let client = server.beside();
    server.ip(&format!(
        "link add eth0 type veth peer name eth0 netns {}",
        client.holder.id()
    ));
    for (network, address) in [(&server, SERVER), (&client, CLIENT)] {
        network.ip(&format!("addr add {address}/24 dev eth0"));
        network.ip("link set lo up");
        network.ip("link set eth0 up");
    }
    (server, client)
}
