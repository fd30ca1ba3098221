//! A policy: the name of a set of demands, or a threshold.

use crate::inventory::model::Policy;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// A policy as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawPolicy {
    /// A set of demands by its name.
    Named(Policy),
    /// What findings go by.
    Thresholds(RawThresholds),
}

/// What findings go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Thresholds")]
#[serde(deny_unknown_fields)]
pub struct RawThresholds {
    /// Certificates that end within so many days are a finding of `check` and trouble in `status`, unless their
    /// `--expiring` says otherwise. Default: `30d`.
    pub expiring: RawDays,
}

/// A number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawDays(pub u16);

impl RawDays {
    /// At most a hundred years.
    pub fn parse(text: &str) -> Option<Self> {
        let days = keytrail_vocabulary::parse_days(text)?.try_into().ok()?;
        (days <= 36_500).then_some(Self(days))
    }
}

impl<'de> Deserialize<'de> for RawDays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "expected days (`30d`), found `{}`",
                crate::inventory::yaml::clip(&text)
            ))
        })
    }
}

impl JsonSchema for RawDays {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Days".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": 36_500 },
                { "type": "string", "pattern": "^[0-9]{1,5}d?$" },
            ],
        })
    }
}

impl<'de> Deserialize<'de> for RawPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawPolicy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`modern`, `fips`, `strict` or `{ expiring: DAYS }`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<RawPolicy, E> {
                Policy::deserialize(name.into_deserializer()).map(RawPolicy::Named)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawPolicy, A::Error> {
                RawThresholds::deserialize(MapAccessDeserializer::new(map)).map(RawPolicy::Thresholds)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for RawPolicy {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PolicyItem".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                generator.subschema_for::<Policy>(),
                generator.subschema_for::<RawThresholds>(),
            ],
        })
    }
}
