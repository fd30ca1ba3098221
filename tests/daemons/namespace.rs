//! Two hosts on one cable: network namespaces inside a user namespace of their own.
//!
//! A process in there has no right over anything outside, not even as root: the kernel refuses it this machine's
//! clock and networks. So the daemons need no trust, and the tests no root where user namespaces are permitted.

use crate::common::held::{self, Held};
use std::process::{Child, Command, Stdio};

/// A network as long as this lives.
pub struct Network {
    holder: Held,
}

impl Network {
    /// The first one, and the user namespace that owns all.
    fn first() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "cat"]);
        Self {
            holder: Held::start(command),
        }
    }

    /// Another one of the same owner.
    fn beside(&self) -> Self {
        let mut command = self.enter(&["--user"]);
        command.args(["unshare", "--net", "cat"]);
        Self {
            holder: Held::start(command),
        }
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
        held::must(command);
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

/// A daemon, ended when this goes.
pub struct Running(Child);

impl Running {
    /// Ends it.
    pub fn end(&mut self) {
        held::end(&mut self.0);
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        held::end(&mut self.0);
    }
}

/// Addresses of the two hosts, as the inventories have them.
pub const SERVER: &str = "10.77.0.1";
/// The other.
pub const CLIENT: &str = "10.77.0.2";

/// Server and client, connected.
pub fn pair() -> (Network, Network) {
    held::must_have(held::PROGRAMS.iter().chain(&[("python3", "python3")]));
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
