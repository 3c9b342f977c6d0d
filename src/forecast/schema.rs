//! JSON Schema of a forecast, as `drctl simulate --output json` prints it. Follows from the types.

use serde_json::Value;

use super::fleet::FleetReport;
use super::report::Report;

/// The schema.
#[must_use]
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Report).to_value();
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("title".to_owned(), Value::from("drctl forecast"));
    }
    schema
}

/// The schema of the forecast of a fleet.
#[must_use]
pub fn fleet_schema() -> Value {
    let mut schema = schemars::schema_for!(FleetReport).to_value();
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("title".to_owned(), Value::from("drctl forecast of a fleet"));
    }
    schema
}
