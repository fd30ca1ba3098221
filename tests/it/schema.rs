//! The JSON Schema is the one in docs/, and says of the sample inventories what the loader says.

use std::path::{Path, PathBuf};

fn yaml_files(directory: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect()
}

/// A YAML file as JSON, read by a library that is not the one under test.
fn as_json(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap();
    let mut value: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    value.apply_merge().unwrap();
    let serde_yaml::Value::Mapping(map) = value else {
        panic!("{} is no mapping", path.display())
    };
    serde_json::Value::Object(
        map.into_iter()
            .map(|(key, value)| (scalar(&key), json(value)))
            .collect(),
    )
}

/// Keys of JSON are text; YAML has numbers, too.
fn json(value: serde_yaml::Value) -> serde_json::Value {
    match value {
        serde_yaml::Value::Mapping(map) => serde_json::Value::Object(
            map.into_iter()
                .map(|(key, value)| (scalar(&key), json(value)))
                .collect(),
        ),
        serde_yaml::Value::Sequence(items) => items.into_iter().map(json).collect(),
        other => serde_json::to_value(other).unwrap(),
    }
}

fn scalar(key: &serde_yaml::Value) -> String {
    serde_yaml::to_string(key)
        .unwrap()
        .trim()
        .trim_matches('\'')
        .to_owned()
}

#[test]
fn is_the_one_in_docs() {
    let schema = serde_json::to_string_pretty(&keytrail::inventory::schema()).unwrap() + "\n";
    let docs = snapbox::Data::read_from(
        Path::new("docs/inventory.schema.json"),
        Some(snapbox::data::DataFormat::Text),
    );
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .eq(schema, docs.raw());
}

#[test]
fn valid_inventories_conform() {
    let validator = jsonschema::validator_for(&keytrail::inventory::schema()).unwrap();
    let mut files = yaml_files("tests/inventories/valid");
    files.extend(yaml_files("inventories"));
    files.push("src/inventory/starter.yaml".into());
    assert!(files.len() > 6);
    for file in files {
        let errors: Vec<_> = validator
            .iter_errors(&as_json(&file))
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", file.display());
    }
}

#[test]
fn invalid_inventories_do_not() {
    let validator = jsonschema::validator_for(&keytrail::inventory::schema()).unwrap();
    for name in [
        "unknown-fields",
        "wrong-types",
        "values",
        "version-two",
        "secrets",
    ] {
        let json = as_json(
            &Path::new("tests/inventories/invalid")
                .join(name)
                .with_extension("yaml"),
        );
        assert!(!validator.is_valid(&json), "{name}");
    }
}
