//! An association: a bare name, or a mapping.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// An association as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAssociation {
    /// Whom it names.
    pub target: RawTarget,
    /// What a mapping says beyond that.
    pub more: Option<Box<RawAssociationFields>>,
}

/// Whom an association names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawTarget {
    /// A host or external server, or a range of them.
    Host(Box<str>),
    /// An address outside the inventory.
    Address(Box<str>),
}

/// An association in full.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "AssociationFields")]
#[serde(deny_unknown_fields)]
pub struct RawAssociationFields {
    /// A host of this inventory, a server of an external group, or a range of hosts (`core[1-4]`).
    pub host: Option<Box<str>>,
    /// In place of `host`: an address outside the inventory, or a broadcast address.
    pub address: Option<Box<str>>,
    /// `iburst`: a volley of packets at the beginning.
    pub iburst: Option<bool>,
    /// Shortest poll interval, log2 seconds (3–17).
    pub minpoll: Option<u8>,
    /// Longest poll interval, log2 seconds (3–17).
    pub maxpoll: Option<u8>,
    /// `prefer`.
    pub prefer: Option<bool>,
    /// `ident`, where it cannot follow from the server's group: for `address`.
    pub ident: Option<Box<str>>,
    /// Symmetric key id in place of Autokey.
    pub key: Option<u32>,
    /// `none`: not authenticated. `autokey`: by Autokey, whatever `association` says.
    pub auth: Option<RawAuth>,
    /// Further words for the line, as the daemon knows them.
    pub options: Option<super::OneOrMany<Box<str>>>,
}

/// Authentication by word; a key is given by `key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Auth")]
#[serde(rename_all = "lowercase")]
pub enum RawAuth {
    /// By Autokey.
    Autokey,
    /// Not at all.
    None,
}

impl<'de> Deserialize<'de> for RawAssociation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawAssociation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a host, or a mapping with `host` or `address`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<RawAssociation, E> {
                Ok(RawAssociation {
                    target: RawTarget::Host(name.into()),
                    more: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawAssociation, A::Error> {
                let mut fields = RawAssociationFields::deserialize(MapAccessDeserializer::new(map))?;
                let target = match (fields.host.take(), fields.address.take()) {
                    (Some(host), None) => RawTarget::Host(host),
                    (None, Some(address)) => RawTarget::Address(address),
                    (None, None) => return Err(de::Error::missing_field("host")),
                    (Some(_), Some(_)) => {
                        return Err(de::Error::custom("give either `host` or `address`, not both"));
                    }
                };
                if fields.key.is_some() && fields.auth.is_some() {
                    return Err(de::Error::custom("give either `key` or `auth`, not both"));
                }
                Ok(RawAssociation {
                    target,
                    more: Some(Box::new(fields)),
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for RawAssociation {
    fn schema_name() -> Cow<'static, str> {
        "Association".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An association: the name of a host (or a range of hosts), or a mapping.",
            "anyOf": [
                { "type": ["string", "number", "boolean"] },
                generator.subschema_for::<RawAssociationFields>(),
            ],
        })
    }
}
