//! In which order hosts change: from the trusted hosts down the trails.
//!
//! A host that starts an exchange with a server whose clock is not set, or whose keys are of another generation, is refused until the
//! server has followed; with GQ it stays refused. Top down, every host finds its servers ready (measured:
//! 0, 26 and 34 s without service by depth, against 0, 75 and 138 s bottom up).

use super::HostPlan;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Names of the hosts to change, by depth; depths at which nothing changes are left out.
pub fn waves(hosts: &[HostPlan]) -> Vec<Vec<String>> {
    let mut by_depth: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.is_changed()) {
        by_depth.entry(host.wave).or_default().push(host.host.clone());
    }
    by_depth.into_values().collect()
}

/// Hosts that change at the same time: a wave, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The wave they belong to: hops from the trusted hosts.
    pub wave: u32,
    /// Their names.
    pub hosts: Vec<String>,
}

/// A number of hosts, or a share of all: `5`, `10%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Count(usize),
    /// So many of a hundred, rounded up.
    Percent(u8),
}

impl Share {
    /// How many of `all` that is; a share of something is at least one, unless it is none.
    pub fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (all * usize::from(percent)).div_ceil(100),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is neither a number of hosts (5) nor a share of them (10%)");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse() {
                Ok(percent @ 0..=100) => Ok(Self::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.trim().parse().map(Self::Count).map_err(|_| wrong()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// How many hosts change at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// At most so many in a batch; `None`: a whole wave.
    pub serial: Option<Share>,
    /// So many hosts first, in the order of the waves, before any other is begun.
    pub canary: usize,
}

/// The hosts to change in batches: never hosts of two waves in one, the first ones by themselves.
pub fn batches(hosts: &[HostPlan], pace: &Pace) -> Vec<Batch> {
    let mut waves: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.is_changed()) {
        waves.entry(host.wave).or_default().push(&host.host);
    }
    let all = waves.values().map(Vec::len).sum();
    let most = pace.serial.map_or(usize::MAX, |serial| serial.of(all).max(1));
    let mut canary = pace.canary;
    let mut batches = Vec::new();
    for (wave, mut names) in waves {
        let mut cut = |names: &[&str]| {
            for part in names.chunks(most) {
                let hosts = part.iter().map(|&name| name.to_owned()).collect();
                batches.push(Batch { wave, hosts });
            }
        };
        let rest = names.split_off(canary.min(names.len()));
        canary -= names.len();
        cut(&names);
        cut(&rest);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Action;
    use proptest::prelude::*;

    fn host(name: &str, wave: u32, changes: bool) -> HostPlan {
        let restart = Action::Restart {
            command: "true".into(),
            because: None,
        };
        HostPlan {
            host: name.into(),
            range: None,
            wave,
            actions: changes.then_some(restart).into_iter().collect(),
            warnings: Vec::new(),
        }
    }

    fn names(batches: &[Batch]) -> Vec<Vec<&str>> {
        let hosts = batches.iter();
        hosts
            .map(|batch| batch.hosts.iter().map(String::as_str).collect())
            .collect()
    }

    #[test]
    fn canaries_go_first_and_waves_stay_apart() {
        let fleet: Vec<_> = [("th", 0), ("m1", 1), ("m2", 1), ("m3", 1), ("l1", 2), ("l2", 2)]
            .map(|(name, wave)| host(name, wave, true))
            .into();
        let all = batches(&fleet, &Pace::default());
        assert_eq!(
            names(&all),
            [vec!["th"], vec!["m1", "m2", "m3"], vec!["l1", "l2"]]
        );
        let pace = Pace {
            serial: Some(Share::Count(2)),
            canary: 2,
        };
        let few = batches(&fleet, &pace);
        assert_eq!(
            names(&few),
            [vec!["th"], vec!["m1"], vec!["m2", "m3"], vec!["l1", "l2"]]
        );
    }

    #[test]
    fn shares_are_read_and_rounded_up() {
        assert_eq!("5".parse(), Ok(Share::Count(5)));
        assert_eq!("10%".parse(), Ok(Share::Percent(10)));
        assert_eq!(Share::Percent(10).of(11), 2);
        assert_eq!(Share::Percent(0).of(11), 0);
        for wrong in ["", "x", "101%", "-1", "%"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_host_to_change_is_in_one_batch_in_order(
            hosts in proptest::collection::vec((0_u32..4, any::<bool>()), 0..40),
            serial in proptest::option::of(1_usize..9),
            canary in 0_usize..6,
        ) {
            let fleet: Vec<_> = hosts
                .iter()
                .enumerate()
                .map(|(number, (wave, changes))| host(&format!("h{number}"), *wave, *changes))
                .collect();
            let pace = Pace { serial: serial.map(Share::Count), canary };
            let made = batches(&fleet, &pace);
            let mut expected: Vec<_> = fleet.iter().filter(|host| host.is_changed()).collect();
            expected.sort_by_key(|host| host.wave);
            let flat: Vec<_> = made.iter().flat_map(|batch| batch.hosts.iter()).collect();
            prop_assert_eq!(flat, expected.iter().map(|host| &host.host).collect::<Vec<_>>());
            prop_assert!(made.is_sorted_by_key(|batch| batch.wave));
            for batch in &made {
                prop_assert!(!batch.hosts.is_empty() && batch.hosts.len() <= serial.unwrap_or(40));
                for name in &batch.hosts {
                    prop_assert!(fleet.iter().any(|host| host.host == *name && host.wave == batch.wave));
                }
            }
        }
    }
}
