//! Services: where they run by the journal's records.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::routing::{get, put};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::Reason;
use crate::app::About;
use crate::app::services::{self, Said};
use crate::engine::service::ServiceRecord;
use crate::model::id::{ServiceName, SiteName};
use crate::runtime;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, Path};

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
        endpoint(
            Method::PUT,
            "/api/v1/services/{service}/record",
            "set_service",
            "Says where a service runs, or that a site was protected again by hand.",
            put(set),
        )
        .right_for_service(Right::Administer)
        .body::<Correction>()
        .answers::<Corrected>(StatusCode::OK, "Its record now."),
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
        return Err(unknown(format!("no service {service} has a record or a run")));
    }
    let record = runtime::service_record(journal, &service).await?;
    Ok(Json(Service { service, record }))
}

/// What is said about a service; exactly one of the sites.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Correction {
    /// The site it runs in.
    #[serde(default)]
    site: Option<SiteName>,
    /// This site was protected again by hand: replication runs towards it, its old data is gone.
    #[serde(default)]
    reprotected: Option<SiteName>,
    /// Why.
    reason: Reason,
}

/// A record that was corrected.
#[derive(Debug, Serialize, JsonSchema)]
struct Corrected {
    service: ServiceName,
    record: ServiceRecord,
    /// What matters beside it.
    notes: Vec<String>,
}

async fn set(
    caller: Caller,
    Path(name): Path<String>,
    Body(correction): Body<Correction>,
) -> Result<Json<Corrected>, Problem> {
    let invalid = |reason, what: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason, what);
    let service = ServiceName::new(name).map_err(|error| invalid("invalid_service", error.to_string()))?;
    let said = match (correction.site, correction.reprotected) {
        (Some(site), None) => Said::RunsIn(site),
        (None, Some(site)) => Said::Reprotected(site),
        (Some(_), Some(_)) | (None, None) => {
            return Err(invalid("invalid_body", "name either `site` or `reprotected`".to_owned()));
        }
    };
    let about = About::service(caller.server().session(), &service);
    let (session, told) = caller.acting(Right::Administer, &about)?;
    let reason = correction.reason.into_text();
    let record = services::set(&session, &service, &said, reason).await;
    let record = record.map_err(|error| Problem::from(error).notes(told.lines()))?;
    Ok(Json(Corrected { service, record, notes: told.lines() }))
}
