//! `http.request`: one request, one answer. Must never report a failure as harmless when the request may have
//! had its effect.

use reqwest::Response;
use serde_json::{Map, Value, json};

use super::body::Body;
use super::client::{self, Shared};
use super::permanent;
use super::status::{self, Stake};
use crate::model::action::http::{Method, Request};
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, trace};
use crate::providers::excerpt;

/// Characters of a body shown in a failure.
const SHOWN: usize = 300;

/// Sends the request and reads the answer.
///
/// # Errors
/// Unreachable when nothing was sent; in doubt when a request that changes something was sent and its outcome
/// is not known; otherwise by status.
pub(super) async fn send(
    client: &Shared,
    request: &Request,
    context: &AttemptContext,
) -> Result<Map<String, Value>, Failure> {
    let url = client::address(&request.url)?;
    let place = client::shown(&url, context.sensitive);
    let stake = stake_of(request);
    let built = build(client, request, url, context)?;
    let exchange = async {
        let response =
            built.send().await.map_err(|error| client::failure(error, &place, stake == Stake::Once))?;
        read(request, response, &place, stake, context.sensitive).await
    };
    tokio::select! {
        outcome = exchange => outcome,
        () = context.cancelled.cancelled() => {
            let class = if stake == Stake::Once { FailureClass::InDoubt } else { FailureClass::TimedOut };
            Err(Failure::new(class, format!("{place}: given up before the answer came")))
        }
    }
}

fn stake_of(request: &Request) -> Stake {
    match request.method {
        Method::Get | Method::Head => Stake::Read,
        _ if request.idempotent => Stake::Repeatable,
        Method::Post | Method::Put | Method::Patch | Method::Delete => Stake::Once,
    }
}

fn build(
    client: &Shared,
    request: &Request,
    url: reqwest::Url,
    context: &AttemptContext,
) -> Result<reqwest::RequestBuilder, Failure> {
    let method = reqwest::Method::from_bytes(request.method.as_str().as_bytes())
        .map_err(|_| permanent("`method` is not an HTTP method"))?;
    let mut built = client.get()?.request(method, url).headers(client::headers(&request.headers)?);
    built = match (&request.json, &request.body) {
        (Some(_), Some(_)) => return Err(permanent("give `json` or `body`, not both; nothing was sent")),
        (Some(json), None) => built.json(json),
        (None, Some(body)) => built.body(body.clone()),
        (None, None) => built,
    };
    // A step that goes on with a trace of its own says so.
    if !request.headers.keys().any(|name| name.eq_ignore_ascii_case("traceparent")) {
        let traceparent = trace::traceparent(&context.run, &context.node, context.direction);
        built = built.header("traceparent", traceparent);
    }
    Ok(built
        .header("Idempotency-Key", &context.idempotency_key)
        .header("X-Drctl-Run", context.run.as_str())
        .header("X-Drctl-Fencing-Token", context.fencing_token.to_string()))
}

async fn read(
    request: &Request,
    mut response: Response,
    place: &str,
    stake: Stake,
    sensitive: bool,
) -> Result<Map<String, Value>, Failure> {
    let status = response.status().as_u16();
    if !status::is_expected(status, &request.expect) {
        return Err(unexpected(request, response, place, stake, sensitive).await);
    }
    let mut outputs = Map::new();
    outputs.insert("status".to_owned(), json!(status));
    match Body::read(&mut response).await {
        Ok(body) if !sensitive => body.add_to(&mut outputs),
        Ok(_) => {}
        Err(error) if stake == Stake::Read => return Err(client::failure(error, place, false)),
        // The status says that the effect is there; a lost body does not take it back.
        Err(_) => {
            outputs.insert("drctl_note".to_owned(), json!("the connection ended before the body did"));
        }
    }
    Ok(outputs)
}

async fn unexpected(
    request: &Request,
    mut response: Response,
    place: &str,
    stake: Stake,
    sensitive: bool,
) -> Failure {
    let status = response.status().as_u16();
    let pause = status::retry_after(response.headers());
    let mut failure = Failure::new(status::class_of(status, stake, pause.is_some()), String::new());
    failure.retry_after = pause.filter(|_| failure.class == FailureClass::Throttled);
    let mut message = format!("{place}: status {status}, expected {}", status::expected(&request.expect));
    if (300..400).contains(&status) {
        message.push_str("; redirects are not followed");
    }
    if !sensitive {
        let body = Body::read(&mut response).await.unwrap_or_default();
        let said = excerpt::head(&body.text(), SHOWN);
        if !said.is_empty() {
            message = format!("{message}: {said}");
        }
    }
    failure.message = excerpt::message(&message);
    failure
}
