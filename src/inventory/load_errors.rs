//! The errors that keep an inventory from being read, by code. The rules over readable inventories are
//! [`crate::trail`]'s.

/// Code and meaning of what reading can find.
pub static LOAD_ERRORS: &[(&str, &str)] = &[
    (
        "alias-bomb",
        "Anchors and aliases multiply each other to far more than the file holds. Write the list out, or use a \
         range of hosts.",
    ),
    (
        "duplicate-defaults",
        "Two files of one inventory have a `defaults` section. Hosts and groups of all files are put together, \
         but defaults can only be said once.",
    ),
    (
        "duplicate-group",
        "Two groups have one name. Groups of all files of an inventory are put together.",
    ),
    (
        "duplicate-host",
        "Two hosts have one name. It is written twice, in one file or two, or ranges overlap.",
    ),
    (
        "duplicate-key",
        "A mapping has a key twice. YAML parsers silently take one of the two; keytrail does not guess which \
         was meant.",
    ),
    ("missing-field", "A field is missing that has no default."),
    (
        "range-invalid",
        "A range of hosts is not of the form `leaf[001-250]`. Both ends are numbers, the first not above \
         the last; two ranges in one name need a letter, dot or dash between them.",
    ),
    (
        "range-too-large",
        "Ranges stand for too many hosts. A million in all is the most, and a thousand in a range of servers.",
    ),
    (
        "unknown-field",
        "There is no field of this name here. Fields of other tools and slips of the pen would otherwise be \
         ignored without a word; keys that begin with `x-` at the top are left to you, for anchors.",
    ),
    (
        "unknown-group",
        "A host or association names a group that is not under `groups`.",
    ),
    (
        "unknown-host",
        "A group, association or key names a host that is not under `hosts`.",
    ),
    (
        "value-invalid",
        "A value has the right type, but is not one of those that can be meant.",
    ),
    (
        "version-unsupported",
        "`version` is the version of the format, not of your inventory. This keytrail reads version 1.",
    ),
    (
        "wrong-type",
        "A value has another type than its field. A list stands where a word belongs, a word where a number belongs; \
         `yes`, `no`, `on` and `off` are words.",
    ),
    (
        "yaml-syntax",
        "The file is not YAML. The place is where the parser lost its way; the slip is often on the line before. \
         Tabs cannot indent; text with `: ` or ` #` in it needs quotes; the file is UTF-8.",
    ),
    (
        "yaml-too-deep",
        "Mappings and lists are nested deeper than any inventory is.",
    ),
];

#[cfg(test)]
mod tests {
    use super::LOAD_ERRORS;
    use crate::inventory::{LoadFailure, load};
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    #[test]
    fn every_error_of_the_invalid_inventories_is_listed_and_the_list_is_sorted() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/inventories/invalid");
        let mut seen = BTreeSet::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "expected") {
                continue;
            }
            match load(&[path]) {
                Err(LoadFailure::Invalid { findings, .. }) => {
                    seen.extend(findings.iter().map(|finding| finding.code));
                }
                other => panic!("{other:?}"),
            }
        }
        let listed: BTreeSet<&str> = LOAD_ERRORS.iter().map(|(code, _)| *code).collect();
        assert!(LOAD_ERRORS.is_sorted_by_key(|(code, _)| *code));
        assert!(seen.len() > 10, "{seen:?}");
        assert_eq!(seen.difference(&listed).collect::<Vec<_>>(), Vec::<&&str>::new());
    }
}
