//! What a component of a kind looks like in a runbook.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::ComponentKind;
use crate::model::id::StepId;

impl ComponentKind {
    /// JSON Schema of a component of this kind as it stands in a runbook, with its definitions inside.
    #[must_use]
    pub fn schema(self) -> Value {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let mut schema = self.properties(&mut generator);
        let id = generator.subschema_for::<StepId>().to_value();
        let needs = generator.subschema_for::<Vec<StepId>>().to_value();
        let definitions = generator.take_definitions(true);
        let Value::Object(fields) = &mut schema else { return schema };
        fields.insert("$defs".to_owned(), Value::Object(definitions));
        fields.insert("description".to_owned(), self.summary().into());
        if let Some(Value::Object(properties)) = fields.get_mut("properties") {
            properties.insert("id".to_owned(), id);
            properties.insert("kind".to_owned(), json!({"type": "string", "const": self.as_str()}));
            properties.insert("needs".to_owned(), needs);
        }
        let own = fields.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let required = ["id", "kind"].into_iter().map(Value::from).chain(own).collect();
        fields.insert("required".to_owned(), Value::Array(required));
        schema
    }

    /// Names of the fields that differ by site.
    #[must_use]
    pub const fn fields_by_site(self) -> &'static [&'static str] {
        match self {
            Self::PostgresServer => &["connection", "stop", "start", "rewind", "data_directory"],
            Self::ReadReplica => &["instance", "quarantine_security_groups"],
            Self::GlobalCluster => &["cluster", "cluster_arn"],
            Self::BackupResource => &["vault", "resource_arn", "metadata"],
            Self::EcsService => &["cluster", "service"],
            Self::AutoscalingGroup => &["group"],
            Self::EventSource => &["mapping_id"],
            Self::RoutingControls => &["controls"],
            Self::WeightedRecords => &["weights"],
            Self::HttpEndpoint => &["url"],
            Self::GlobalTable => &[],
        }
    }
}
