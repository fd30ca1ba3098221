//! From a host's name to a way to reach it.

use crate::inventory::{Become, Connection, HostId, Inventory, Ssh};
use crate::remote::{ControlDir, Elevate, LocalHost, Remote, SshHost, SshOptions, Target};
use std::sync::Arc;

/// Knows how to reach hosts.
pub trait Connect: Send + Sync + 'static {
    /// What a host is reached by.
    type Remote: Remote + 'static;

    /// A way to reach `host`; nothing is connected yet. `Err`: why there is none.
    fn connect(&self, host: &str) -> Result<Self::Remote, String>;
}

/// Reaches hosts as an inventory says.
#[derive(Debug)]
pub struct InventoryConnect {
    inventory: Arc<Inventory>,
    control: Arc<ControlDir>,
    withheld: Arc<[Box<str>]>,
}

impl InventoryConnect {
    /// Hosts of `inventory`; control sockets live in `control`.
    pub fn new(inventory: Arc<Inventory>, control: Arc<ControlDir>) -> Self {
        Self {
            withheld: inventory.secret_variables(),
            inventory,
            control,
        }
    }

    /// A host's name.
    pub(super) fn name(&self, id: HostId) -> String {
        self.inventory.host(id).name.to_string()
    }

    /// Where control sockets live.
    pub(super) fn control(&self) -> &Arc<ControlDir> {
        &self.control
    }

    /// The SSH options of a host that is reached over SSH.
    pub(super) fn ssh_options(&self, id: HostId) -> Option<SshOptions> {
        match &self.inventory.entry(id).settings.connection {
            Connection::Ssh(ssh) => Some(self.options(id, ssh)),
            Connection::Local | Connection::Export => None,
        }
    }

    /// The SSH options of a host.
    fn options(&self, id: HostId, ssh: &Ssh) -> SshOptions {
        let inventory = &self.inventory;
        let name = match &ssh.host {
            Some(pattern) => inventory.fill(id, pattern),
            None => inventory.address(id),
        };
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        SshOptions {
            user: text(&ssh.user),
            port: ssh.port,
            identity_file: ssh.identity_file.clone(),
            proxy_jump: text(&ssh.proxy_jump),
            config: ssh.config.clone(),
            accept_new: ssh.accept_new,
            elevate: ssh.become_root.map(|how| match how {
                Become::Sudo => Elevate::Sudo,
                Become::Doas => Elevate::Doas,
            }),
            connect_timeout: ssh.connect_timeout.unwrap_or(SshOptions::CONNECT_TIMEOUT),
            withheld: Arc::clone(&self.withheld),
            ..SshOptions::new(name)
        }
    }
}

impl Connect for InventoryConnect {
    type Remote = Target;

    fn connect(&self, host: &str) -> Result<Target, String> {
        let id = self
            .inventory
            .find(host)
            .ok_or_else(|| format!("no host '{host}' in the inventory"))?;
        match &self.inventory.entry(id).settings.connection {
            Connection::Ssh(ssh) => {
                let options = self.options(id, ssh);
                Ok(Target::Ssh(Box::new(SshHost::new(
                    options,
                    Arc::clone(&self.control),
                ))))
            }
            Connection::Local => Ok(Target::Local(LocalHost {
                withheld: Arc::clone(&self.withheld),
            })),
            Connection::Export => {
                Err("its connection is 'export': it gets its files by `keytrail export`".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn options_come_from_the_inventory() {
        let inventory = crate::inventory::load_str(
            "version: 1\n\
             defaults:\n  ssh: { user: ops, port: 2222, connect_timeout: 2m, become: sudo, proxy_jump: gate }\n\
             groups:\n  red: { identity: iff, trusted: [mort] }\n\
             hosts:\n  mort: { group: red, reference_clock: true, connection: local }\n  \
             paper: { group: red, servers: [mort], connection: export }\n  \
             'leaf[01-20]': { group: red, servers: [mort], address: 'leaf{}.example' }\n",
        )
        .unwrap();
        let control = Arc::new(ControlDir::new(Path::new("/tmp")).unwrap());
        let connect = InventoryConnect::new(Arc::new(inventory), control);
        let id = connect.inventory.find("leaf07").unwrap();
        let Connection::Ssh(ssh) = &connect.inventory.entry(id).settings.connection else {
            panic!("not ssh")
        };
        let options = connect.options(id, ssh);
        assert_eq!(options.host, "leaf07.example");
        assert_eq!(
            (
                options.user.as_deref(),
                options.port,
                options.proxy_jump.as_deref()
            ),
            (Some("ops"), Some(2222), Some("gate"))
        );
        assert_eq!(options.connect_timeout, std::time::Duration::from_secs(120));
        assert_eq!(options.elevate, Some(Elevate::Sudo));
        assert!(!options.accept_new);
        assert!(matches!(connect.connect("mort"), Ok(Target::Local(_))));
        assert!(connect.connect("paper").unwrap_err().contains("export"));
        assert!(connect.connect("nobody").is_err());
    }
}
