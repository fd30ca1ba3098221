//! One host of every implementation, and the configuration that is made for it.

use keytrail::inventory::{Inventory, load_str};
use keytrail::ntpconf::{ConfContext, Templates};
use keytrail::plan::{DesiredHost, HostInput, Observed, desired};
use keytrail::secret::Secret;
use keytrail::trail::{Analysis, analyse};

pub const PASSWORD: &str = "planted-password-7";

/// One host of every implementation, and what each can be told.
pub const FLEET: &str = r#"
version: 1
defaults: { conf_mode: MODE }
groups:
  red: { identity: iff, trusted: [mort] }
  blue: { identity: gq, trusted: [macabre] }
  plain: { identity: tc, trusted: [tick] }
symmetric_keys:
  1: { type: AES-128-CMAC }
  2: { type: SHA256 }
  7: { type: SHA1 }
  8: { type: SHA1 }
  9: { type: SHA1 }
hosts:
  mort:
    group: red
    reference_clock: [server 127.127.20.0 prefer, fudge 127.127.20.0 flag1 1]
    servers: [macabre]
    crypto: { digest: SHA256, randfile: /dev/urandom }
    automax: 12
    revoke: 16
    cryptostats: true
    restrict_notrust: [192.0.2.0 mask 255.255.255.0]
    ntp_conf: ["tos orphan 5   # as written"]
    keys: { trusted: [7-9], control: 7, request: 8 }
  macabre: { group: blue, reference_clock: true, servers: [mort] }
  tick: { group: plain, reference_clock: true }
  yellow:
    group: red
    servers: [{ host: mort, iburst: true, minpoll: 4, maxpoll: 6, prefer: true, options: [xleave] }]
  leaf: { group: red, servers: [yellow, tick] }
  tock: { group: plain, servers: [tick] }
  sec:
    ntpd: ntpsec
    conf_mode: MODE
    servers: [{ host: mort, key: 1 }, { host: macabre, key: 2 }]
    keys: { control: 1 }
  chro:
    ntpd: chrony
    conf_mode: MODE
    servers: [{ host: mort, key: 1, iburst: true }, { host: sec, key: 2 }, { address: ntp.example.org }]
  asker: { ntpd: chrony, address: 192.0.2.77, servers: [{ host: chro, key: 1 }] }
  named: { ntpd: chrony, servers: [{ host: chro, key: 1 }] }
  vms: { ntpd: openvms, conf_mode: MODE, group: red, servers: [{ host: mort, minpoll: 4 }] }
"#;

pub fn fleet(mode: &str) -> (Inventory, Analysis) {
    let text = FLEET.replace("MODE", mode);
    let inventory = load_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 21));
    (inventory, analysis)
}

pub fn make(fleet: &(Inventory, Analysis), host: &str, observed: &Observed) -> DesiredHost {
    let (inventory, analysis) = fleet;
    let host = inventory.find(host).expect("in the fleet");
    let input = HostInput {
        inventory,
        host,
        needs: analysis.needs(host),
        depth: analysis.depth(host),
        fleet: &ConfContext::new(inventory),
        media: &[],
        password: Some(&Secret::from(PASSWORD)),
        key_file: None,
    };
    desired(&input, &Templates::embedded(), observed).unwrap_or_else(|errors| panic!("{errors:?}"))
}
