//! `(desired, observed) -> HostPlan`: pure.

use super::{Action, Desired, HostPlan, Observed, ObservedFile, conf_diff};
use crate::digest::Digest;
use crate::ntpconf::{self, Line};
use std::collections::BTreeMap;

/// Redacted lines of configuration files by path, for showing what changes in them. A file without lines here is secret throughout.
pub type ConfLines = BTreeMap<String, Vec<Line>>;

/// What has to be done on a host.
///
/// Order of the actions: files nothing uses yet, then modes, then links and configuration, then the restart; a
/// run that ends anywhere leaves links that name complete files.
pub fn diff(desired: &Desired, observed: &Observed, lines: &ConfLines) -> HostPlan {
    let mut actions = Vec::new();
    let mut warnings = Vec::new();
    // Files that are right already do not mean that the daemon has read them.
    let mut restart = observed.restart_pending;
    for (path, file) in &desired.media {
        match observed.files.get(path) {
            Some(found) if found.digest == file.digest => fix(desired, path, file.mode, found, &mut actions),
            found => {
                let replaces = found.map(|found| found.digest);
                // A damaged file that is in use: the daemon has read the damage or will not start again.
                restart |= replaces.is_some();
                actions.push(Action::PutFile {
                    path: path.clone(),
                    file: file.clone(),
                    replaces,
                });
            }
        }
    }
    for (path, file) in &desired.conf {
        if let Some(found) = observed
            .files
            .get(path)
            .filter(|found| found.digest == file.digest)
        {
            fix(desired, path, file.mode, found, &mut actions);
        }
    }
    for (path, target) in &desired.links {
        let found = observed.links.get(path);
        if found != Some(target) {
            if observed.files.contains_key(path) {
                warnings.push(format!(
                    "{path} is a file, not a link: it will be replaced by a link to {target}; keep a copy if its content is needed"
                ));
            }
            restart |= !desired.unread.contains(path);
            actions.push(Action::SwitchLink {
                path: path.clone(),
                from: found.cloned(),
                to: target.clone(),
            });
        }
    }
    for path in &desired.absent {
        if let Some(target) = observed.links.get(path) {
            restart = true;
            actions.push(Action::RemoveLink {
                path: path.clone(),
                from: target.clone(),
            });
        } else if observed.files.contains_key(path) {
            warnings.push(format!(
                "{path} is a file the daemon reads but this host should not have; keytrail did not put it there: remove it by hand"
            ));
        }
    }
    for path in &desired.former_links {
        let wanted = desired.links.contains_key(path) || desired.absent.contains(path);
        let target = observed
            .links
            .get(path)
            .filter(|target| !wanted && is_former(desired, path, target));
        if let Some(target) = target {
            // No line of ours names what it leads to.
            actions.push(Action::RemoveLink {
                path: path.clone(),
                from: target.clone(),
            });
        }
    }
    for (path, file) in &desired.conf {
        let found = observed.files.get(path);
        if found.is_some_and(|found| found.digest == file.digest) {
            continue;
        }
        restart = true;
        actions.push(Action::ReplaceConf {
            path: path.clone(),
            from: found.map(|found| found.digest),
            file: file.clone(),
            diff: conf_lines(path, observed, lines),
        });
    }
    if let Some(command) = desired.restart.as_ref().filter(|_| restart) {
        actions.push(Action::Restart {
            command: command.clone(),
            because: None,
        });
    }
    // Only where something changes anyway: what is left over for a while does no harm.
    if !actions.is_empty() {
        retire(desired, observed, &mut actions);
    }
    HostPlan {
        host: desired.host.clone(),
        range: None,
        wave: desired.wave,
        actions,
        warnings,
    }
}

/// Whether a link leads to a file the host held once and holds no more.
fn is_former(desired: &Desired, link: &str, target: &str) -> bool {
    let directory = link.rfind('/').map_or("", |slash| &link[..=slash]);
    desired.former.contains_key(&format!("{directory}{target}"))
}

/// Old media, unless a link or a way back needs them: the links of now become a way back with this change.
fn retire(desired: &Desired, observed: &Observed, actions: &mut Vec<Action>) {
    for (path, digest) in &desired.former {
        let name = path.rsplit('/').next().unwrap_or(path);
        let used = observed.kept.contains(name) || observed.links.values().any(|target| target == name);
        let there = observed
            .files
            .get(path)
            .is_some_and(|found| found.digest == *digest);
        if there && !used {
            actions.push(Action::Retire {
                path: path.clone(),
                digest: *digest,
            });
        }
    }
}

fn conf_lines(path: &str, observed: &Observed, lines: &ConfLines) -> Vec<super::DiffLine> {
    let Some(new) = lines.get(path) else {
        return Vec::new();
    };
    let content = observed.conf.get(path);
    if content.is_some_and(|content| ntpconf::is_too_long(content.expose())) {
        return vec![super::DiffLine {
            op: super::DiffOp::Skip,
            text: "too many lines to compare: the file is replaced".to_owned(),
        }];
    }
    let old = content
        .map(|content| ntpconf::foreign_lines(content.expose()))
        .unwrap_or_default();
    conf_diff::diff(&old, new)
}

/// Mode and owner of a file whose content is right. Neither needs a restart: what the daemon has read it has.
fn fix(desired: &Desired, path: &str, mode: u32, found: &ObservedFile, actions: &mut Vec<Action>) {
    if found.mode & 0o7777 != mode {
        actions.push(Action::FixMode {
            path: path.to_owned(),
            from: found.mode & 0o7777,
            to: mode,
        });
    }
    let differs =
        |wanted: &Option<String>, found: &str| wanted.as_deref().is_some_and(|wanted| wanted != found);
    if differs(&desired.owner, &found.owner) || differs(&desired.group, &found.group) {
        let part = |wanted: &Option<String>| wanted.clone().unwrap_or_default();
        actions.push(Action::FixOwner {
            path: path.to_owned(),
            from: format!("{}:{}", found.owner, found.group),
            to: format!("{}:{}", part(&desired.owner), part(&desired.group)),
        });
    }
}

/// The state a host is in once its desired state is reached; `contents`: its configuration files.
pub fn reached(desired: &Desired, contents: &BTreeMap<String, crate::secret::Secret>) -> Observed {
    let file = |digest: Digest, mode: u32| ObservedFile {
        digest,
        mode,
        owner: desired.owner.clone().unwrap_or_else(|| "root".into()),
        group: desired.group.clone().unwrap_or_else(|| "root".into()),
    };
    Observed {
        files: desired
            .media
            .iter()
            .chain(&desired.conf)
            .map(|(path, spec)| (path.clone(), file(spec.digest, spec.mode)))
            .collect(),
        links: desired.links.clone(),
        conf: contents.clone(),
        ..Observed::default()
    }
}
