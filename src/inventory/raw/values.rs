//! Values with more than one spelling.

use crate::secret::Secret;
use keytrail_vocabulary::{parse_date, parse_days, parse_span};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, IntoDeserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;
use time::Date;

/// A list, or a single item without the brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
                T::deserialize(text.into_deserializer()).map(|item| vec![item])
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|item| vec![item])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
                let mut items = Vec::with_capacity(list.size_hint().unwrap_or(0).min(64));
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(items)
            }
        }
        deserializer.deserialize_any(Items(PhantomData)).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// Where a password or key value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawPassword {
    /// Written down.
    Literal(Secret),
    /// Kept elsewhere.
    From(RawPasswordSource),
}

/// Where a password is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename = "PasswordSource", deny_unknown_fields)]
pub struct RawPasswordSource {
    /// An environment variable of keytrail.
    pub env: Option<Box<str>>,
    /// A file whose first line it is, relative to this file.
    pub file: Option<PathBuf>,
    /// A command that prints it: program and arguments, no shell.
    pub command: Option<Vec<Box<str>>>,
}

impl<'de> Deserialize<'de> for RawPassword {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawPassword;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`{ env: NAME }`, `{ file: PATH }` or `{ command: [PROGRAM, ARGUMENT …] }`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawPassword, E> {
                Ok(RawPassword::Literal(Secret::from(text)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawPassword, A::Error> {
                let mut source = RawPasswordSource::default();
                // By hand: serde's own message for an unknown field would quote what may be a password.
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "env" => source.env = Some(map.next_value()?),
                        "file" => source.file = Some(map.next_value()?),
                        "command" => source.command = Some(map.next_value()?),
                        _ => {
                            return Err(de::Error::custom(
                                "a password comes from `env`, `file` or `command`",
                            ));
                        }
                    }
                }
                let given = [
                    source.env.is_some(),
                    source.file.is_some(),
                    source.command.is_some(),
                ];
                if given.into_iter().filter(|given| *given).count() != 1 {
                    return Err(de::Error::custom(
                        "give exactly one of `env`, `file` and `command`",
                    ));
                }
                if source.command.as_ref().is_some_and(Vec::is_empty) {
                    return Err(de::Error::custom("the command is empty"));
                }
                Ok(RawPassword::From(source))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for RawPassword {
    fn schema_name() -> Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where a password comes from. A literal is allowed, and a finding.",
            "anyOf": [generator.subschema_for::<RawPasswordSource>(), { "type": ["string", "number"] }],
        })
    }
}

/// How long certificates are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawLifetime {
    /// Days.
    Days(u32),
    /// Last day.
    Until(Date),
}

impl<'de> Deserialize<'de> for RawLifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        if let Some(days @ 1..) = parse_days(&text) {
            return Ok(Self::Days(days));
        }
        parse_date(&text).map(Self::Until).ok_or_else(|| {
            de::Error::custom(format!(
                "expected days (`365d`) or a last day (`2027-06-30`), found `{}`",
                crate::inventory::yaml::clip(&text)
            ))
        })
    }
}

impl JsonSchema for RawLifetime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Lifetime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "string", "pattern": "^([1-9][0-9]*d?|[0-9]{4}-[0-9]{2}-[0-9]{2})$" },
            ],
        })
    }
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawSpan(pub Duration);

impl<'de> Deserialize<'de> for RawSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        parse_span(&text).map(Self).ok_or_else(|| {
            de::Error::custom(format!(
                "expected a time (`30s`, `5m`, `1h`, or seconds), found `{}`",
                crate::inventory::yaml::clip(&text)
            ))
        })
    }
}

impl JsonSchema for RawSpan {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 86_400 },
                { "type": "string", "pattern": "^[1-9][0-9]*[smh]?$" },
            ],
        })
    }
}

/// How the daemon is restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawRestart {
    /// By this shell command.
    Command(Box<str>),
    /// Not at all.
    Never,
}

impl<'de> Deserialize<'de> for RawRestart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        match &*text {
            "false" => Ok(Self::Never),
            // With or without quotes: whether there were any is not seen here.
            "true" | "" => Err(de::Error::custom(
                "expected a shell command, or `false` for none (one that does nothing is `:`)",
            )),
            command => Ok(Self::Command(command.into())),
        }
    }
}

impl JsonSchema for RawRestart {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Restart".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string", "minLength": 1 }, { "const": false }] })
    }
}

/// A reference clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawClock {
    /// Its lines.
    Lines(Vec<String>),
    /// It is in the configuration already.
    Present,
    /// There is none.
    Absent,
}

impl<'de> Deserialize<'de> for RawClock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let OneOrMany(lines) = OneOrMany::<String>::deserialize(deserializer)?;
        match lines.as_slice() {
            [word] if word == "true" => Ok(Self::Present),
            [word] if word == "false" => Ok(Self::Absent),
            [] => Err(de::Error::custom("expected the lines of the clock, or `true`")),
            _ => Ok(Self::Lines(lines)),
        }
    }
}

impl JsonSchema for RawClock {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ReferenceClock".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "boolean" },
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ],
        })
    }
}
