//! The formats for CI systems, held against their own definitions: SARIF logs against the OASIS schema, JUnit
//! reports by reading them back; and paths as a CI system needs them.

use keytrail::finding::{Finding, Severity};
use keytrail::inventory::{LoadFailure, Source, load};
use keytrail::report::{Checked, Roots, junit, sarif};
use keytrail::trail::{self, failure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Inventories of every rule, all that cannot be read, and the sample.
fn inventories() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("inventories/red-green-blue.yaml")];
    for directory in ["tests/findings", "tests/inventories/invalid"] {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension == "yaml") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 80, "{} inventories", found.len());
    found
}

/// The files and findings of an inventory, and whether it can be read.
fn check(path: &Path) -> (Vec<Source>, Vec<Finding>, bool) {
    let today = time::macros::date!(2026 - 01 - 01);
    match load(&[path.to_owned()]) {
        Ok(inventory) => {
            let analysis = trail::analyse(&inventory, today);
            let what_if = failure::single(&inventory, &analysis.graph, &analysis.proof);
            let mut findings = analysis.findings.clone();
            findings.extend(trail::what_if_findings(&inventory, &analysis, &what_if, 1, today));
            (inventory.sources, findings, true)
        }
        Err(LoadFailure::Invalid { sources, findings }) => (sources, findings, false),
        Err(error) => panic!("{error}"),
    }
}

fn with_checked<T>(path: &Path, fail_on: Severity, then: impl FnOnce(&Checked<'_>) -> T) -> T {
    let (sources, findings, readable) = check(path);
    let here = std::env::current_dir().unwrap();
    then(&Checked {
        sources: &sources,
        findings: &findings,
        readable,
        what_if: true,
        fail_on,
        roots: Roots {
            here: &here,
            root: &here,
        },
    })
}

/// The OASIS schema of SARIF 2.1.0, from the package that carries it.
fn schema() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "serde-sarif")
        .expect("serde-sarif is in Cargo.toml");
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let text = std::fs::read_to_string(manifest.with_file_name("src").join("schema.json")).unwrap();
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    let id = schema["$id"].as_str().unwrap();
    assert!(id.ends_with("/sarif-schema-2.1.0.json"), "{id}");
    // Their pattern of languages has a bracket too many, which only lenient readers take. We write no language.
    for owner in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][owner]["properties"]["language"];
        let pattern = language.as_object_mut().unwrap().remove("pattern");
        assert!(pattern.is_some(), "{owner} has the pattern");
    }
    schema
}

#[test]
fn every_sarif_log_is_valid() {
    let schema = schema();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let mut results = 0;
    for path in inventories() {
        let log: Value = serde_json::from_str(&with_checked(&path, Severity::Error, sarif)).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&log).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        for result in run["results"].as_array().unwrap() {
            results += 1;
            let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[at]["id"], result["ruleId"], "{}", path.display());
            let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            let file = uri.as_str().unwrap_or("inventories/");
            assert!(Path::new(file).exists(), "{file} is relative to the root");
        }
        let unreadable = path.starts_with("tests/inventories/invalid");
        assert_eq!(run["invocations"][0]["executionSuccessful"], !unreadable);
    }
    assert!(results > 100, "{results}");
}

#[test]
fn the_schema_refuses_what_is_no_sarif() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let path = Path::new("tests/findings/trail-cycle.fail.yaml");
    let good: Value = serde_json::from_str(&with_checked(path, Severity::Error, sarif)).unwrap();
    assert!(validator.is_valid(&good));
    for (pointer, wrong) in [
        ("/version", Value::from("2.0.0")),
        ("/runs/0/results/0/message", Value::from("text")),
        ("/runs/0/results/0/level", Value::from("fatal")),
        (
            "/runs/0/results/0/locations/0/physicalLocation/region/startLine",
            Value::from(0),
        ),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect(pointer) = wrong;
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
}

#[test]
fn fingerprints_are_unique_and_outlive_new_lines() {
    let fingerprints = |path: &Path| -> Vec<String> {
        let log: Value = serde_json::from_str(&with_checked(path, Severity::Error, sarif)).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let of = |result: &Value| {
            result["partialFingerprints"]["keytrail/v1"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        results.iter().map(of).collect()
    };
    let dir = tempfile::tempdir().unwrap();
    let moved = dir.path().join("moved.yaml");
    let mut compared = 0;
    for path in inventories() {
        if !path.is_file() || path.starts_with("tests/inventories/invalid") {
            continue;
        }
        let before = fingerprints(&path);
        let mut once = before.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), before.len(), "{}", path.display());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(
            &moved,
            format!("# one\n\n# two\n{}", text.replace("\nhosts:\n", "\nhosts:\n\n")),
        )
        .unwrap();
        assert_eq!(fingerprints(&moved), before, "{}", path.display());
        compared += before.len();
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn junit_fails_exactly_what_the_exit_status_fails() {
    for path in inventories() {
        for fail_on in [Severity::Error, Severity::Warning, Severity::Note] {
            let (_, findings, readable) = check(&path);
            let text = with_checked(&path, fail_on, junit);
            let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
            let serious = findings.iter().filter(|finding| finding.severity >= fail_on);
            let mut codes: Vec<_> = serious.map(|finding| finding.code).collect();
            codes.sort_unstable();
            codes.dedup();
            let (failures, errors) = if readable {
                (codes.len(), 0)
            } else {
                (0, codes.len())
            };
            assert_eq!(
                (report.failures, report.errors),
                (failures, errors),
                "{}",
                path.display()
            );
        }
    }
}

/// Runs `check` in a directory of a checkout and answers what it printed.
fn in_checkout(variable: &str, format: &str) -> String {
    let root = std::fs::canonicalize(env!("CARGO_MANIFEST_DIR")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_keytrail"))
        .args(["check", "--format", format, "./trail-cycle.fail.yaml"])
        .current_dir(root.join("tests/findings"))
        .env_remove("GITHUB_WORKSPACE")
        .env_remove("CI_PROJECT_DIR")
        .env(variable, &root)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn paths_start_at_the_root_of_the_checkout() {
    let file = "tests/findings/trail-cycle.fail.yaml";
    assert!(in_checkout("GITHUB_WORKSPACE", "github").contains(&format!("file={file},")));
    assert!(in_checkout("CI_PROJECT_DIR", "junit").contains(&format!("file=\"{file}\"")));
    assert!(in_checkout("GITHUB_WORKSPACE", "sarif").contains(&format!("\"uri\": \"{file}\"")));
    assert!(in_checkout("UNRELATED", "github").contains("file=trail-cycle.fail.yaml,"));
}
