//! `[telemetry]` of `drctl.toml`: where traces go.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::notify::reference;
use crate::model::values::Secret;

/// Where traces go: OTLP over HTTP, as protobuf. Without an address none are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySection {
    /// Address that takes traces, such as `http://127.0.0.1:4318/v1/traces`; default:
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, else `OTEL_EXPORTER_OTLP_ENDPOINT` and `/v1/traces`.
    pub traces_url: Option<String>,
    /// Headers of each request; the values are references: `env:NAME` or `file:PATH`.
    pub headers: BTreeMap<String, String>,
    /// Attributes of the process that sends, beside `service.name`.
    pub resource: BTreeMap<String, String>,
}

impl TelemetrySection {
    /// The headers as secrets, by name.
    #[must_use]
    pub fn secrets(&self) -> BTreeMap<String, Secret> {
        let named = |(name, value): (&String, &String)| Some((name.clone(), reference(value)?));
        self.headers.iter().filter_map(named).collect()
    }

    /// Takes the address from the environment where the file names none.
    pub(super) fn complete(&mut self, environment: impl Fn(&str) -> Option<String>) {
        let base = || {
            let base = environment("OTEL_EXPORTER_OTLP_ENDPOINT")?;
            Some(format!("{}/v1/traces", base.trim_end_matches('/')))
        };
        let found = || environment("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(base);
        self.traces_url = self.traces_url.take().or_else(found);
    }

    /// What is wrong with it, for its author.
    ///
    /// # Errors
    /// What and where.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.headers.iter().find(|(_, value)| reference(value).is_none()) {
            Some((name, _)) => Err(format!(
                "[telemetry] header `{name}` is a secret: write where it is, `env:NAME` or `file:PATH`"
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_variables_stand_in_for_the_file() {
        let only =
            |known: &'static str| move |name: &str| (name == known).then(|| "http://c:4318/".to_owned());
        let mut section = TelemetrySection::default();
        section.complete(only("OTEL_EXPORTER_OTLP_ENDPOINT"));
        assert_eq!(section.traces_url.as_deref(), Some("http://c:4318/v1/traces"));
        section.complete(only("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"));
        assert_eq!(section.traces_url.as_deref(), Some("http://c:4318/v1/traces"), "the file is stronger");
    }

    #[test]
    fn a_header_is_a_reference() {
        let section = |value: &str| TelemetrySection {
            headers: BTreeMap::from([("authorization".to_owned(), value.to_owned())]),
            ..TelemetrySection::default()
        };
        let error = section("Bearer hunter2").check().unwrap_err();
        assert!(error.contains("`authorization`") && !error.contains("hunter2"), "{error}");
        assert_eq!(section("env:TOKEN").secrets()["authorization"].name.as_deref(), Some("TOKEN"));
    }
}
