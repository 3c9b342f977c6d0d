//! `http.check`: looks at an endpoint, once, over every given address. Must change nothing and call nothing
//! healthy that it has not seen.

use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::body::Body;
use super::client::{self, Shared};
use super::{permanent, status};
use crate::model::action::http::Check;
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;
use crate::providers::excerpt;

/// Most addresses of one check.
const ADDRESSES: usize = 64;
/// Characters shown of a value that is not the expected one.
const SHOWN: usize = 100;

/// What a look showed.
#[derive(Debug)]
pub(super) enum Health {
    /// All is as it should be; these are the outputs.
    Healthy(Map<String, Value>),
    /// The endpoint answered, and not as it should.
    Unhealthy(String),
    /// There was no complete answer.
    NoAnswer(Failure),
}

/// One healthy answer.
struct Answer {
    status: u16,
    latency: Duration,
    json: Option<Value>,
}

/// Looks at the endpoint; all addresses at once.
///
/// # Errors
/// Permanent, when the check itself is wrong; timed out, when it was given up.
pub(super) async fn look(
    shared: &Shared,
    check: &Check,
    context: &AttemptContext,
) -> Result<Health, Failure> {
    let url = client::address(&check.url)?;
    let place = client::shown(&url, context.sensitive);
    let mut looks = JoinSet::new();
    for (client, place) in clients(shared, check, &url, place)? {
        let (check, url, sensitive) = (check.clone(), url.clone(), context.sensitive);
        looks.spawn(async move { once(&client, &check, url, &place, sensitive).await });
    }
    tokio::select! {
        health = gather(looks, context.sensitive) => health,
        () = context.cancelled.cancelled() => {
            Err(Failure::new(FailureClass::TimedOut, "the check was given up before the answer came"))
        }
    }
}

/// A client for each address, with the place to name in messages.
fn clients(
    shared: &Shared,
    check: &Check,
    url: &Url,
    place: String,
) -> Result<Vec<(Client, String)>, Failure> {
    if check.addresses.is_empty() {
        return Ok(vec![(shared.get()?, place)]);
    }
    if check.addresses.len() > ADDRESSES {
        return Err(permanent(&format!("at most {ADDRESSES} `addresses` can be checked")));
    }
    let Some(host) = url.domain() else {
        return Err(permanent("`addresses` needs a host name in `url`, not an IP address"));
    };
    check
        .addresses
        .iter()
        .map(|address| {
            Ok((client::pinned(host, address)?, format!("{place} at {}", excerpt::head(address, 60))))
        })
        .collect()
}

/// Waits for all looks; the worst one counts.
async fn gather(mut looks: JoinSet<Result<Answer, Health>>, sensitive: bool) -> Result<Health, Failure> {
    let mut worst: Option<Answer> = None;
    let mut unhealthy = Vec::new();
    let mut no_answer = None;
    while let Some(look) = looks.join_next().await {
        match look {
            Ok(Ok(answer)) if worst.as_ref().is_none_or(|worst| worst.latency < answer.latency) => {
                worst = Some(answer);
            }
            Ok(Ok(_) | Err(Health::Healthy(_))) => {}
            Ok(Err(Health::Unhealthy(why))) => unhealthy.push(why),
            Ok(Err(Health::NoAnswer(failure))) => no_answer = Some(failure),
            Err(error) => {
                let message = format!("the check broke off: {error}");
                no_answer = Some(Failure::new(FailureClass::Transient, message));
            }
        }
    }
    if let Some(failure) = no_answer {
        return Ok(Health::NoAnswer(failure));
    }
    unhealthy.sort();
    let Some(answer) = worst.filter(|_| unhealthy.is_empty()) else {
        return Ok(Health::Unhealthy(excerpt::message(&unhealthy.join("; "))));
    };
    let mut outputs = Map::new();
    outputs.insert("status".to_owned(), json!(answer.status));
    outputs.insert(
        "latency_ms".to_owned(),
        json!(u64::try_from(answer.latency.as_millis()).unwrap_or(u64::MAX)),
    );
    if let Some(json) = answer.json.filter(|_| !sensitive) {
        outputs.insert("json".to_owned(), json);
    }
    Ok(Health::Healthy(outputs))
}

async fn once(
    client: &Client,
    check: &Check,
    url: Url,
    place: &str,
    sensitive: bool,
) -> Result<Answer, Health> {
    let headers = client::headers(&check.headers).map_err(Health::NoAnswer)?;
    let begun = Instant::now();
    let exchange = async {
        let mut response = client.get(url).headers(headers).send().await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>((status, Body::read(&mut response).await?))
    };
    let (status, body) = match check.max_latency {
        None => exchange.await,
        Some(limit) => match tokio::time::timeout(limit.to_std(), exchange).await {
            Ok(answer) => answer,
            Err(_) => return Err(Health::Unhealthy(format!("{place}: no complete answer within {limit}"))),
        },
    }
    .map_err(|error| Health::NoAnswer(client::failure(error, place, false)))?;
    let latency = begun.elapsed();
    if !status::is_expected(status, &check.expect) {
        let expected = status::expected(&check.expect);
        return Err(Health::Unhealthy(format!("{place}: status {status}, expected {expected}")));
    }
    let json = body.json();
    compare(check, json.as_ref(), sensitive).map_err(|why| Health::Unhealthy(format!("{place}: {why}")))?;
    Ok(Answer { status, latency, json })
}

/// Compares the fields that were asked for.
fn compare(check: &Check, json: Option<&Value>, sensitive: bool) -> Result<(), String> {
    for (pointer, wanted) in &check.json {
        let Some(json) = json else { return Err("the body is not JSON".to_owned()) };
        match json.pointer(pointer) {
            Some(seen) if seen == wanted => {}
            Some(_) if sensitive => return Err(format!("`{pointer}` is not what it should be")),
            Some(seen) => {
                let seen = excerpt::head(&seen.to_string(), SHOWN);
                return Err(format!(
                    "`{pointer}` is {seen}, expected {}",
                    excerpt::head(&wanted.to_string(), SHOWN)
                ));
            }
            None => return Err(format!("`{pointer}` is not there")),
        }
    }
    Ok(())
}
