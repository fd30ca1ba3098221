//! Findings as SARIF 2.1.0 (OASIS), for code scanning: one run with every rule of the catalogue and every finding.
//!
//! `partialFingerprints` has `keytrail/v1`, which stays the same when lines move. Paths are relative to the root
//! of the checkout. Of an inventory that cannot be read the run says so (`executionSuccessful`).

use super::arrange::{Located, arrange};
use super::checked::{Checked, Fingerprints, printable};
use crate::finding::Severity;
use crate::inventory::Spot;
use crate::trail::catalogue;
use crate::trail::rules::{RULES, Rule};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Uploaders take this for the root of the repository.
const ROOT: &str = "%SRCROOT%";

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    invocations: [Invocation; 1],
    /// Columns count characters, not UTF-16 units.
    column_kind: &'static str,
    results: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    #[serde(flatten)]
    words: Option<Words>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Words {
    short_description: Message<'static>,
    full_description: Message<'static>,
    help: Help,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Configuration {
    level: Level,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'a> {
    rule_id: &'static str,
    rule_index: usize,
    level: Level,
    message: Message<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'a>>,
    partial_fingerprints: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Message<'a> {
    text: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    #[serde(rename = "physicalLocation")]
    place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    /// The column after the last, as SARIF counts.
    end_column: u32,
}

/// SARIF has the same three levels under the same names.
struct Level(Severity);

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// All findings as one SARIF log.
pub fn sarif(checked: &Checked<'_>) -> String {
    let located = arrange(checked.sources, checked.findings);
    let mut rules: Vec<Descriptor> = RULES.iter().map(descriptor).collect();
    let mut fingerprints = Fingerprints::new(checked.sources);
    let results = located
        .iter()
        .map(|located| {
            let rule_index = index(&mut rules, located.finding.code);
            result(checked, located, rule_index, fingerprints.next(located))
        })
        .collect();
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "keytrail",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules,
                },
            },
            invocations: [Invocation {
                execution_successful: checked.readable,
            }],
            column_kind: "unicodeCodePoints",
            results,
        }],
    };
    let mut text = serde_json::to_string_pretty(&log).expect("strings and numbers always serialize");
    text.push('\n');
    crate::foreign::json(&text).into_owned()
}

fn descriptor(rule: &Rule) -> Descriptor {
    Descriptor {
        id: rule.code,
        words: Some(Words {
            short_description: Message {
                text: rule.title.into(),
            },
            full_description: Message {
                text: rule.why.into(),
            },
            help: Help {
                text: format!("{}\n\nSource: {}.", rule.why, rule.source),
                markdown: catalogue::explain(rule),
            },
            default_configuration: Configuration {
                level: Level(rule.severity),
            },
        }),
    }
}

/// The place of a code among the rules; what is found while reading has no rule and is added by its code.
fn index(rules: &mut Vec<Descriptor>, code: &'static str) -> usize {
    rules.iter().position(|rule| rule.id == code).unwrap_or_else(|| {
        rules.push(Descriptor {
            id: code,
            words: None,
        });
        rules.len() - 1
    })
}

fn result<'a>(
    checked: &Checked<'_>,
    located: &Located<'a>,
    rule_index: usize,
    fingerprint: String,
) -> Found<'a> {
    let finding = located.finding;
    let mut text = printable(&finding.message).into_owned();
    for help in &finding.help {
        text.push_str("\nhelp: ");
        text.push_str(&printable(help));
    }
    let labels = finding.labels.iter().zip(&located.spots).enumerate();
    let mut locations: Vec<_> = labels
        .map(|(at, (label, &spot))| Location {
            id: (at > 0).then_some(at),
            place: physical(checked, spot),
            message: (!label.text.is_empty()).then(|| Message {
                text: printable(&label.text),
            }),
        })
        .collect();
    let related_locations = locations.split_off(locations.len().min(1));
    Found {
        rule_id: finding.code,
        rule_index,
        level: Level(finding.severity),
        message: Message { text: text.into() },
        locations,
        related_locations,
        partial_fingerprints: BTreeMap::from([("keytrail/v1", fingerprint)]),
    }
}

fn physical(checked: &Checked<'_>, spot: Spot) -> Place {
    let file = checked.file(spot);
    Place {
        artifact_location: ArtifactLocation {
            uri: uri(&file),
            uri_base_id: file.is_relative().then_some(ROOT),
        },
        region: Region {
            start_line: spot.line,
            start_column: spot.column,
            end_column: spot.column + spot.len,
        },
    }
}

/// A path as a URI reference (RFC 3986): what is not unreserved is percent-encoded, UTF-8 byte by byte.
fn uri(path: &Path) -> String {
    let mut uri = String::from(if path.is_absolute() { "file://" } else { "" });
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;
    use std::path::Path;

    #[test]
    fn paths_are_percent_encoded() {
        assert_eq!(
            uri(Path::new("sites/a b/grün:1.yaml")),
            "sites/a%20b/gr%C3%BCn%3A1.yaml"
        );
        assert_eq!(uri(Path::new("/etc/fleet.yaml")), "file:///etc/fleet.yaml");
    }
}
