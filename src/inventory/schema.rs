//! The JSON Schema of inventories, for editors and for those who generate inventories. Made from the types that
//! read them, so the two cannot differ.

use super::raw::{OneOrMany, RawFindingRule, RawGroup, RawHost, RawPolicy, RawSettings, RawSymmetricKey};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// The JSON Schema (draft 2020-12) of an inventory file.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let settings = generator.subschema_for::<RawSettings>();
    let group = both::<RawGroup, RawSettings>(&mut generator);
    let host = both::<RawHost, RawSettings>(&mut generator);
    let key = generator.subschema_for::<RawSymmetricKey>();
    let rule = generator.subschema_for::<RawFindingRule>();
    let policies = generator.subschema_for::<OneOrMany<RawPolicy>>();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "keytrail inventory",
        "description": "NTP secure groups, their trusted hosts and clients, as keytrail provisions them.",
        "type": "object",
        "properties": {
            "version": { "const": 1, "description": "Version of this format. At least one file of an inventory says it." },
            "defaults": described(&settings, "What all hosts have unless their group or they themselves say otherwise."),
            "groups": table(&group, "Secure groups by name."),
            "hosts": table(&host, "Hosts by name. A range (`\"leaf[001-250]\"`) is many hosts that are alike."),
            "symmetric_keys": table(&Value::from(key), "Symmetric keys by id."),
            "findings": {
                "description": "Other severities for findings, and waivers.",
                "type": "array",
                "items": rule,
            },
            "policy": described(&policies, "What the inventory demands of itself."),
        },
        "patternProperties": { "^x-": { "description": "Free: a place for anchors." } },
        "additionalProperties": false,
        "$defs": generator.take_definitions(true),
    });
    any_scalar_is_text(&mut schema);
    schema
}

/// The names of all fields, wherever they stand.
pub fn field_names() -> HashSet<String> {
    fn collect(value: &Value, names: &mut HashSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::Object(properties)) = fields.get("properties") {
                    names.extend(properties.keys().cloned());
                }
                fields.values().for_each(|value| collect(value, names));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
            _ => {}
        }
    }
    let mut names = HashSet::new();
    collect(&schema(), &mut names);
    names
}

/// A mapping with names as keys.
fn table(values: &Value, description: &str) -> Value {
    json!({
        "description": description,
        "type": ["object", "null"],
        "additionalProperties": { "anyOf": [values, { "type": "null" }] },
    })
}

fn described(schema: &Schema, description: &str) -> Value {
    json!({ "description": description, "anyOf": [schema, { "type": "null" }] })
}

/// A mapping that may have the fields of both types.
fn both<A: JsonSchema, B: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    let mut first = Value::from(A::json_schema(generator));
    let mut second = Value::from(B::json_schema(generator));
    let fields = |schema: &mut Value| match schema.get_mut("properties").map(Value::take) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let mut properties = fields(&mut first);
    properties.append(&mut fields(&mut second));
    first["properties"] = Value::Object(properties);
    first
}

/// A field that takes text takes every scalar: `address: 1.10` needs no quotes, and `tags: [2026]` neither. What
/// has a pattern or a list of words keeps it.
fn any_scalar_is_text(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let bare = !["enum", "const", "pattern", "format"]
                .iter()
                .any(|keyword| object.contains_key(*keyword));
            if let Some(types) = object.get_mut("type").filter(|_| bare) {
                match types {
                    Value::String(text) if text == "string" => {
                        *types = json!(["string", "number", "boolean"]);
                    }
                    Value::Array(all) if all.contains(&json!("string")) => {
                        let new = ["number", "boolean"].map(Value::from);
                        all.extend(
                            new.into_iter()
                                .filter(|new| !all.contains(new))
                                .collect::<Vec<_>>(),
                        );
                    }
                    _ => {}
                }
            }
            object.values_mut().for_each(any_scalar_is_text);
        }
        Value::Array(items) => items.iter_mut().for_each(any_scalar_is_text),
        _ => {}
    }
}
