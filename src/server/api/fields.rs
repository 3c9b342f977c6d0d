//! Fields that several requests have, each read and described in one place.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::model::id::NodeAddress;
use crate::model::limits::REASON_CHARS;

/// Longest address of a node, in characters.
const NODE_CHARS: usize = 500;

/// Reads an object, and nothing else: by itself a list of its values would do as well.
///
/// # Errors
/// When it is none, or not the one that is wanted.
pub(super) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<T, D::Error> {
    let fields = Map::<String, Value>::deserialize(from)?;
    serde_json::from_value(Value::Object(fields)).map_err(D::Error::custom)
}

/// As [`object`], where there may be none.
///
/// # Errors
/// As [`object`].
pub(super) fn optional<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let Some(fields) = Option::<Map<String, Value>>::deserialize(from)? else { return Ok(None) };
    serde_json::from_value(Value::Object(fields)).map(Some).map_err(D::Error::custom)
}

/// Why somebody asks for something: says something, and is not too long.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Reason(String);

impl Reason {
    /// The text.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.trim() {
            "" => Err("a reason says something; it stands in the journal"),
            reason if reason.chars().count() > REASON_CHARS => {
                Err("the reason is longer than 1,000 characters")
            }
            reason => Ok(Self(reason.to_owned())),
        }
    }
}

impl JsonSchema for Reason {
    fn schema_name() -> Cow<'static, str> {
        "Reason".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": REASON_CHARS, "pattern": "\\S"})
    }
}

/// A node of a run, such as `promote` or `scale[web]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Node(NodeAddress);

impl Node {
    /// Its address.
    pub(super) fn into_address(self) -> NodeAddress {
        self.0
    }
}

impl TryFrom<String> for Node {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.trim().is_empty() || text.chars().count() > NODE_CHARS {
            return Err("node is empty or too long");
        }
        Ok(Self(NodeAddress::typed(&text)))
    }
}

impl JsonSchema for Node {
    fn schema_name() -> Cow<'static, str> {
        "Node".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": NODE_CHARS, "pattern": "\\S"})
    }
}
