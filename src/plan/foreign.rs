//! Files that have the name of one of ours and are not ours.
//!
//! A name with a stamp is written once, so another content under it is damage to our file, or somebody else's file. What is
//! damaged may be repaired; what may be somebody's only copy of a key is never overwritten. A file counts as ours if keytrail is
//! known to have put one of that name there: by the vault's record of what the host was brought to, or by the host's own. An empty
//! file is what a full disk or a power failure leaves, and nobody's key.

use super::{Action, HostPlan, Observed};
use crate::digest::Digest;

/// The paths at which the plan would put a file over one that is not known to be keytrail's.
///
/// `since`: the generation that a file name came to this host with; `brought`: the latest generation that the vault knows the host
/// to have been brought to.
pub fn foreign<'p>(
    plan: &'p HostPlan,
    observed: &Observed,
    since: &dyn Fn(&str) -> Option<u64>,
    brought: Option<u64>,
) -> Vec<&'p str> {
    let records = observed.records.iter().filter_map(|record| record.after);
    let latest = records.chain(observed.generation).chain(brought).max();
    let ours = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        observed.kept.contains(name)
            || since(name).is_some_and(|since| latest.is_some_and(|latest| since <= latest))
    };
    let over = plan.actions.iter().filter_map(|action| match action {
        Action::PutFile {
            path,
            replaces: Some(found),
            ..
        } => Some((path.as_str(), found)),
        _ => None,
    });
    over.filter(|(path, found)| **found != Digest::of(b"") && !ours(path))
        .map(|(path, _)| path)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FileSpec, SwitchRecord};

    #[test]
    fn only_what_is_known_as_ours_is_repaired() {
        let put = |name: &str, found: Option<&str>| Action::PutFile {
            path: format!("/etc/ntp/crypto/{name}"),
            file: FileSpec {
                digest: Digest::of(b"ours"),
                size: 4,
                mode: 0o600,
                secret: true,
            },
            replaces: found.map(|found| Digest::of(found.as_bytes())),
        };
        let plan = HostPlan {
            host: "mort".into(),
            range: None,
            wave: 0,
            actions: vec![
                put("old.1", Some("x")),
                put("new.2", Some("x")),
                put("empty.2", Some("")),
                put("absent.2", None),
            ],
            warnings: Vec::new(),
        };
        let since = |name: &str| name.rsplit_once('.').and_then(|(_, since)| since.parse().ok());
        let both = ["/etc/ntp/crypto/old.1", "/etc/ntp/crypto/new.2"];
        let mut seen = Observed::default();
        assert_eq!(foreign(&plan, &seen, &since, None), both);
        assert_eq!(foreign(&plan, &seen, &since, Some(1)), both[1..]);
        assert!(foreign(&plan, &seen, &since, Some(2)).is_empty());
        // The vault was lost, or put back from before: the host remembers.
        seen.generation = Some(1);
        assert_eq!(foreign(&plan, &seen, &since, None), both[1..]);
        seen.kept.insert("new.2".into());
        assert!(foreign(&plan, &seen, &since, None).is_empty());
        let record = SwitchRecord {
            run: "7".into(),
            before: Some(1),
            after: Some(3),
            at: 0,
        };
        let taken_back = Observed {
            generation: Some(1),
            records: vec![record],
            ..Observed::default()
        };
        assert!(foreign(&plan, &taken_back, &since, None).is_empty());
    }
}
