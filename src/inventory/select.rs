//! `--on`: which hosts a command is about.

use super::model::{HostId, Inventory};
use super::range::Pattern;
use super::suggest::closest;
use globset::Glob;
use std::ops::RangeInclusive;

/// A selector that selects nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SelectError {
    /// What is wrong with it.
    message: String,
    /// What to do, a sentence.
    pub help: String,
}

/// The hosts that any of `selectors` selects, in the order of the inventory, each once. A selector is a name
/// (`mort`), a range (`leaf[01-20]`), a glob (`leaf*`), `group:NAME`, `tag:WORD`, or `depth:N`, `depth:N-M` by the
/// hops from the trusted hosts that `depth` knows; several may stand in one, with commas between them. No selectors
/// at all: all hosts.
///
/// # Errors
/// A selector that selects no host.
pub fn select<S: AsRef<str>>(
    inventory: &Inventory,
    selectors: &[S],
    depth: impl Fn(HostId) -> u32,
) -> Result<Vec<HostId>, SelectError> {
    if selectors.is_empty() {
        return Ok(inventory.host_ids().collect());
    }
    let mut selected = Vec::new();
    let parts = selectors.iter().flat_map(|selector| selector.as_ref().split(','));
    for selector in parts.map(str::trim).filter(|selector| !selector.is_empty()) {
        let before = selected.len();
        match selector.split_once(':') {
            Some(("group", name)) => by_group(inventory, name, &mut selected)?,
            Some(("tag", word)) => by_tag(inventory, word, &mut selected)?,
            Some(("depth", hops)) => {
                let hops = depths(hops)?;
                selected.extend(inventory.host_ids().filter(|&id| hops.contains(&depth(id))));
            }
            _ => by_name(inventory, selector, &mut selected)?,
        }
        if selected.len() == before {
            return Err(SelectError {
                message: format!("'{selector}' selects no host"),
                help: "see `keytrail check` for what the inventory holds".into(),
            });
        }
    }
    selected.sort_unstable();
    selected.dedup();
    Ok(selected)
}

fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> SelectError {
    let known: Vec<_> = known.collect();
    SelectError {
        message: format!("there is no {what} '{name}'"),
        help: match closest(name, known.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => "write a host, a range or glob of hosts, group:NAME, tag:WORD or depth:N".into(),
        },
    }
}

/// The hosts of entry number `at`.
fn hosts_of(inventory: &Inventory, at: usize) -> impl Iterator<Item = HostId> + use<> {
    inventory.entries[at].hosts()
}

fn by_group(inventory: &Inventory, name: &str, selected: &mut Vec<HostId>) -> Result<(), SelectError> {
    let names = || inventory.groups.iter().map(|group| &*group.name);
    let group = names()
        .position(|group| group == name)
        .ok_or_else(|| unknown("group", name, names()))?;
    for (at, entry) in inventory.entries.iter().enumerate() {
        if entry.group.is_some_and(|of| of.0 as usize == group) {
            selected.extend(hosts_of(inventory, at));
        }
    }
    Ok(())
}

fn by_tag(inventory: &Inventory, word: &str, selected: &mut Vec<HostId>) -> Result<(), SelectError> {
    let before = selected.len();
    for (at, entry) in inventory.entries.iter().enumerate() {
        if entry.tags.iter().any(|tag| &**tag == word) {
            selected.extend(hosts_of(inventory, at));
        }
    }
    if selected.len() == before {
        let tags = inventory
            .entries
            .iter()
            .flat_map(|entry| &entry.tags)
            .map(|tag| &**tag);
        return Err(unknown("tag", word, tags));
    }
    Ok(())
}

/// `2`, `1-3` or `2-`.
fn depths(text: &str) -> Result<RangeInclusive<u32>, SelectError> {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let range = match text.split_once('-') {
        None => number(text).map(|only| only..=only),
        Some((from, "")) => number(from).map(|from| from..=u32::MAX),
        Some((from, to)) => number(from).zip(number(to)).map(|(from, to)| from..=to),
    };
    range.ok_or_else(|| SelectError {
        message: format!("'{text}' is no depth"),
        help: "write hops from the trusted hosts: depth:0 is those, depth:1-3, depth:2- all from there on"
            .into(),
    })
}

fn by_name(inventory: &Inventory, selector: &str, selected: &mut Vec<HostId>) -> Result<(), SelectError> {
    if let Some(host) = inventory.find(selector) {
        selected.push(host);
        return Ok(());
    }
    // `leaf[01-20]` is a range here, though a glob would read it as a class of characters.
    let wild = selector.contains(['*', '?', '{']);
    if let Ok(pattern) = Pattern::parse(selector)
        && !wild
    {
        if pattern.count() > inventory.hosts.len() as u64 {
            return Err(SelectError {
                message: format!("'{selector}' is more hosts than the inventory has"),
                help: "narrow the range".into(),
            });
        }
        let mut missing = None;
        pattern.for_each(|name| match inventory.find(name) {
            Some(host) => selected.push(host),
            None => {
                missing.get_or_insert_with(|| name.to_owned());
            }
        });
        let names = inventory.hosts.iter().map(|host| &*host.name);
        return missing.map_or(Ok(()), |name| Err(unknown("host", &name, names)));
    }
    let glob = Glob::new(selector).map_err(|error| SelectError {
        message: format!("'{selector}' is no glob: {}", error.kind()),
        help: "`*` stands for anything, `?` for one character, `[ab]` for one of these".into(),
    })?;
    let glob = glob.compile_matcher();
    let matching = inventory
        .host_ids()
        .filter(|&id| glob.is_match(&*inventory.host(id).name));
    selected.extend(matching);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(selectors: &[&str]) -> Result<Vec<String>, String> {
        let inventory = super::super::load_str(
            "
version: 1
groups: { red: { trusted: [mort] }, blue: { trusted: [macabre] }, empty: {} }
hosts:
  mort: { group: red, tags: [primary] }
  macabre: { group: blue, tags: [primary] }
  'leaf[08-12]': { group: red, tags: [leaf] }
",
        )
        .unwrap();
        // As the inventory has it: trusted hosts first, leaves two hops further.
        let depth = |host: HostId| if host.0 < 2 { 0 } else { 2 };
        match select(&inventory, selectors, depth) {
            Ok(hosts) => Ok(hosts
                .iter()
                .map(|&host| inventory.host(host).name.to_string())
                .collect()),
            Err(error) => Err(format!("{error}; {}", error.help)),
        }
    }

    #[test]
    fn by_everything() {
        let ok = |selectors: &[&str]| selected(selectors).unwrap().join(" ");
        assert_eq!(ok(&[]), "mort macabre leaf08 leaf09 leaf10 leaf11 leaf12");
        assert_eq!(ok(&["leaf09", "mort,mort"]), "mort leaf09");
        assert_eq!(ok(&["leaf[08-09]"]), "leaf08 leaf09");
        assert_eq!(ok(&["leaf1*", "m?rt"]), "mort leaf10 leaf11 leaf12");
        assert_eq!(ok(&["*[89]"]), "leaf08 leaf09");
        assert_eq!(ok(&["group:blue"]), "macabre");
        assert_eq!(ok(&["tag:primary, leaf12"]), "mort macabre leaf12");
        assert_eq!(ok(&["depth:0"]), "mort macabre");
        assert_eq!(ok(&["depth:1-"]), "leaf08 leaf09 leaf10 leaf11 leaf12");
        assert_eq!(ok(&["depth:0-1", "leaf08"]), "mort macabre leaf08");
    }

    #[test]
    fn what_selects_nothing_is_an_error() {
        let error = |selector: &str| selected(&[selector]).unwrap_err();
        assert_eq!(error("mrot"), "there is no host 'mrot'; did you mean 'mort'?");
        assert_eq!(
            error("leaf[11-13]"),
            "there is no host 'leaf13'; did you mean 'leaf12'?"
        );
        assert_eq!(
            error("group:bleu"),
            "there is no group 'bleu'; did you mean 'blue'?"
        );
        assert_eq!(
            error("tag:leafs"),
            "there is no tag 'leafs'; did you mean 'leaf'?"
        );
        assert!(error("group:empty").starts_with("'group:empty' selects no host"));
        assert!(error("depth:1").starts_with("'depth:1' selects no host"));
        assert!(error("depth:deep").starts_with("'deep' is no depth"));
        assert!(error("x*").starts_with("'x*' selects no host"));
        assert!(error("{").starts_with("'{' is no glob"));
        assert!(error("leaf[1-99999]").starts_with("'leaf[1-99999]' is more hosts"));
    }
}
