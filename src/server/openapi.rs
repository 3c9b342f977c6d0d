//! One registration of an endpoint makes its route and its part of the document of the API, so that the two
//! cannot drift apart.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::routing::MethodRouter;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::auth::{Need, Right};
use super::problem::Problem;
use super::state::Server;

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// An endpoint: where it is, what it does, who may ask it, and what asks and answers look like.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) need: Option<Need>,
    pub(super) route: MethodRouter<Arc<Server>>,
    id: &'static str,
    summary: &'static str,
    query: Option<SchemaOf>,
    body: Option<SchemaOf>,
    answers: Vec<Answer>,
    key: bool,
}

struct Answer {
    status: StatusCode,
    what: &'static str,
    content: &'static str,
    schema: Option<SchemaOf>,
}

impl Endpoint {
    /// An endpoint that anybody may ask.
    pub(super) fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        route: MethodRouter<Arc<Server>>,
    ) -> Self {
        let (query, body, answers) = (None, None, Vec::new());
        Self { method, path, need: None, route, id, summary, query, body, answers, key: false }
    }

    /// Who may ask: those who have a right for all services.
    pub(super) fn right(mut self, right: Right) -> Self {
        self.need = Some(Need { right, somewhere: false });
        self
    }

    /// Who may ask: those who have a right for the service it is about. The endpoint demands that itself, by
    /// `Caller::acting`.
    pub(super) fn right_for_service(mut self, right: Right) -> Self {
        self.need = Some(Need { right, somewhere: true });
        self
    }

    pub(super) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(T::json_schema);
        self
    }

    pub(super) fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// A JSON answer.
    pub(super) fn answers<T: JsonSchema>(self, status: StatusCode, what: &'static str) -> Self {
        self.answer(status, what, "application/json", Some(SchemaGenerator::subschema_for::<T>))
    }

    /// An answer that is no JSON.
    pub(super) fn text(self, what: &'static str, content: &'static str) -> Self {
        self.answer(StatusCode::OK, what, content, None)
    }

    /// The same `Idempotency-Key` starts something once.
    pub(super) fn keyed(mut self) -> Self {
        self.key = true;
        self
    }

    fn answer(
        mut self,
        status: StatusCode,
        what: &'static str,
        content: &'static str,
        schema: Option<SchemaOf>,
    ) -> Self {
        self.answers.push(Answer { status, what, content, schema });
        self
    }

    fn document(&self, Schemas { asks, answers }: &mut Schemas) -> Value {
        let mut parameters: Vec<Value> = in_path(self.path).collect();
        if let Some(query) = self.query {
            parameters.extend(in_query(&query(asks)));
        }
        if self.key {
            parameters.push(json!({
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "The same key starts something once, however often it is sent.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 200},
            }));
        }
        let mut responses = Map::new();
        for answer in &self.answers {
            let schema = answer.schema.map_or(json!({"type": "string"}), |schema| schema(answers).to_value());
            let code = answer.status.as_u16().to_string();
            let entry =
                responses.entry(code).or_insert_with(|| json!({"description": answer.what, "content": {}}));
            entry["content"][answer.content] = json!({"schema": schema});
        }
        let problem = answers.subschema_for::<Problem>().to_value();
        responses.insert(
            "default".to_owned(),
            json!({
                "description": "What went wrong.",
                "content": {"application/problem+json": {"schema": problem}},
            }),
        );
        let mut document = json!({
            "operationId": self.id, "summary": self.summary, "tags": [tag(self.path)],
            "parameters": parameters, "responses": responses,
        });
        if let Some(body) = self.body {
            let schema = body(asks).to_value();
            document["requestBody"] =
                json!({"required": true, "content": {"application/json": {"schema": schema}}});
        }
        match self.need {
            Some(Need { right, somewhere }) => {
                let of = if somewhere { " for the service" } else { "" };
                document["security"] = json!([{"token": []}]);
                document["description"] = format!("Needs the role `{}`{of}.", right.role()).into();
            }
            None => document["security"] = json!([]),
        }
        document
    }
}

/// What is asked and what is answered are described apart: a field that may be left out of a request can be
/// there in every answer, and the other way round.
struct Schemas {
    asks: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .with(|settings| settings.definitions_path = "/components/schemas".into());
        let answers = settings.clone().for_serialize().into_generator();
        Self { asks: settings.into_generator(), answers }
    }

    /// All definitions. A name stands for the same in both, which a test sees to.
    fn definitions(mut self) -> Map<String, Value> {
        let mut all = self.asks.take_definitions(true);
        all.extend(self.answers.take_definitions(true));
        all
    }
}

/// The parameters that stand in braces.
fn in_path(path: &'static str) -> impl Iterator<Item = Value> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}})
    })
}

/// The properties of a query, each a parameter.
fn in_query(schema: &Schema) -> Vec<Value> {
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let one = |(name, mut schema): (String, Value)| {
        let description = schema.as_object_mut().and_then(|fields| fields.remove("description"));
        let what = description.unwrap_or_default();
        json!({"name": name, "in": "query", "required": false, "schema": schema, "description": what})
    };
    properties.into_iter().map(one).collect()
}

fn tag(path: &str) -> &str {
    path.trim_start_matches("/api/v1/").split('/').find(|part| !part.is_empty()).unwrap_or("server")
}

/// The document of all endpoints.
pub(super) fn document(endpoints: &[Endpoint]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for endpoint in endpoints {
        let operation = endpoint.document(&mut schemas);
        let path = paths.entry(endpoint.path.to_owned()).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "drctl", "version": env!("CARGO_PKG_VERSION"),
            "description": "Disaster recovery, orchestrated: runbooks compiled into durable failovers.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas.definitions(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn what_is_asked_and_answered_under_one_name_is_the_same() {
        let mut schemas = super::Schemas::new();
        for endpoint in crate::server::api::endpoints() {
            endpoint.document(&mut schemas);
        }
        let (asks, answers) = (schemas.asks.definitions(), schemas.answers.definitions());
        for (name, asked) in asks {
            let answered = answers.get(name).unwrap_or(asked);
            assert_eq!(asked, answered, "{name} must be two types, or all its fields be there always");
        }
    }

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let endpoints = crate::server::api::endpoints();
        let ids: BTreeSet<_> = endpoints.iter().map(|endpoint| endpoint.id).collect();
        assert_eq!(ids.len(), endpoints.len());
        assert!(
            endpoints.iter().all(|endpoint| endpoint.path.starts_with("/api/v1/") == endpoint.need.is_some())
        );
    }
}
