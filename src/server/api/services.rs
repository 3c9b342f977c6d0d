//! Services: where they run by the journal's records.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::services;
use crate::engine::service::ServiceRecord;
use crate::model::id::ServiceName;
use crate::runtime;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Caller, Path};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = Endpoint::new;
    vec![
        endpoint(Method::GET, "/api/v1/services", "list_services", "Lists services.", get(list))
            .right(Right::View)
            .answers::<Vec<Service>>(StatusCode::OK, "Those that have a record or a run."),
        endpoint(
            Method::GET,
            "/api/v1/services/{service}",
            "show_service",
            "Shows where a service runs.",
            get(show),
        )
        .right(Right::View)
        .answers::<Service>(StatusCode::OK, "Where it runs."),
    ]
}

/// A service and where it is.
#[derive(Debug, Serialize, JsonSchema)]
struct Service {
    service: ServiceName,
    record: ServiceRecord,
}

async fn list(caller: Caller) -> Result<Json<Vec<Service>>, Problem> {
    let (session, _) = caller.session();
    let mut list = Vec::new();
    for service in services::names(session.journal.as_ref()).await? {
        let record = runtime::service_record(session.journal.as_ref(), &service).await?;
        list.push(Service { service, record });
    }
    Ok(Json(list))
}

async fn show(caller: Caller, Path(name): Path<String>) -> Result<Json<Service>, Problem> {
    let unknown = |what: String| Problem::new(StatusCode::NOT_FOUND, "unknown_service", what);
    let service = ServiceName::new(name).map_err(|error| unknown(error.to_string()))?;
    let (session, _) = caller.session();
    let journal = session.journal.as_ref();
    if !services::names(journal).await?.contains(&service) {
        return Err(unknown(format!("{service} has neither a record nor a run")));
    }
    let record = runtime::service_record(journal, &service).await?;
    Ok(Json(Service { service, record }))
}
