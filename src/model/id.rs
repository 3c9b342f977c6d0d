//! Names with a checked shape: a value of these types is valid wherever it came from.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::limits;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid name: use 1 to {max} of a-z, 0-9 and `-`, starting with a letter or digit", max = limits::ID_CHARS)]
pub struct InvalidId {
    text: String,
}

/// Says whether a text has the shape of an identifier: `[a-z0-9][a-z0-9-]*`, at most 64 characters.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let shape = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !text.is_empty() && text.len() <= limits::ID_CHARS && text.bytes().all(shape) && !text.starts_with('-')
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks a text and takes it as a name.
            ///
            /// # Errors
            /// When the text is not `[a-z0-9][a-z0-9-]*` of at most 64 characters.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                if is_identifier(&text) { Ok(Self(text)) } else { Err(InvalidId { text }) }
            }

            /// Returns the text of the name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 64})
            }
        }
    };
}

identifier!(
    /// Name of a service, the `metadata.name` of its runbook.
    ServiceName
);
identifier!(
    /// Name of a site, a key of `sites`.
    SiteName
);
identifier!(
    /// Id of a step, unique in its workflow.
    StepId
);
identifier!(
    /// Id of a run: the service's name and eight random characters.
    RunId
);

/// Address of a plan node, stable between plans of one runbook: `promote`, `scale[web]`, `promote/verify-1`,
/// `gate/point-of-no-return`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct NodeAddress(String);

impl NodeAddress {
    /// The gate before the point of no return.
    pub const GATE: &'static str = "gate/point-of-no-return";

    /// Address of a step's own node.
    #[must_use]
    pub fn step(id: &StepId) -> Self {
        Self(id.as_str().to_owned())
    }

    /// Address of one item of a fanned-out step.
    #[must_use]
    pub fn item(id: &StepId, item: &str) -> Self {
        Self(format!("{id}[{item}]"))
    }

    /// Address of the gate.
    #[must_use]
    pub fn gate() -> Self {
        Self(Self::GATE.to_owned())
    }

    /// Address of a node that belongs to this one, such as `verify-1`.
    #[must_use]
    pub fn part(&self, part: &str) -> Self {
        Self(format!("{}/{part}", self.0))
    }

    /// Address of a recovery point reading, such as `rpo/before-fence`.
    #[must_use]
    pub fn reading(name: &str) -> Self {
        Self(format!("rpo/{name}"))
    }

    /// Takes an address as typed by a person or found in a journal; it names nothing until a plan is asked.
    #[must_use]
    pub fn typed(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text of the address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
