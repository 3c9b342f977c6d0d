//! Record protections: names and types that Route 53 refuses to change. Must never keep a change from
//! being tried because the question could not be answered: Route 53 itself refuses what is protected.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::names;
use super::record::Key;
use super::session::Session;
use crate::model::run::Failure;
use crate::model::time::{Duration, Timestamp};
use crate::providers::aws::call::Call;
use crate::providers::aws::failure::Error;
use crate::providers::aws::place::partition_of;
use crate::providers::aws::xml;

/// How old an answer may be.
const FRESH: Duration = Duration::from_secs(30);
/// Pages that are read at most, of 300 protections each.
const PAGES: usize = 20;

/// Name in normal form, and type.
type Protected = BTreeSet<(String, String)>;

/// What is known of the protections of a zone.
#[derive(Debug, Default)]
pub(super) struct Protections(tokio::sync::Mutex<Option<(Timestamp, Arc<Protected>)>>);

/// The first of some records that is protected.
pub(super) async fn protected<'a>(
    session: &Session<'_>,
    keys: impl Iterator<Item = &'a Key>,
) -> Result<Option<&'a Key>, Failure> {
    let all = of_zone(session).await;
    let mut keys = keys;
    Ok(keys.find(|key| all.contains(&(key.name.clone(), key.kind.clone()))))
}

/// Why it cannot be told whether records are protected, where it cannot.
pub(super) async fn unreadable(session: &Session<'_>) -> Option<String> {
    let error = list(session).await.err()?;
    let why = session.read("ListResourceRecordSetProtections").failure(error).message;
    Some(format!("whether records are protected could not be looked at: {why}"))
}

async fn of_zone(session: &Session<'_>) -> Arc<Protected> {
    let mut known = session.zone.protections.0.lock().await;
    let now = session.account.budget.now();
    if let Some((at, all)) = known.as_ref().filter(|(at, _)| *at <= now && now.since(*at) < FRESH) {
        let _ = at;
        return Arc::clone(all);
    }
    // Not permitted, or not there in this partition: Route 53 still refuses what is protected.
    let all = Arc::new(list(session).await.unwrap_or_default());
    *known = Some((now, Arc::clone(&all)));
    all
}

async fn list(session: &Session<'_>) -> Result<Protected, Error> {
    let asked = session.read("ListResourceRecordSetProtections");
    let path = format!("/2013-04-01/hostedzone/{}/rrsetprotection", session.zone.id);
    let (mut all, mut token) = (Protected::new(), None::<String>);
    for _ in 0..PAGES {
        let host = partition_of(&session.place.region).route53;
        let mut call = Call::rest("route53", http::Method::GET, &path).host(host);
        if let Some(token) = &token {
            call = call.parameter("nexttoken", token);
        }
        let ask = || async {
            let sent = session.aws.try_call(&call, &session.place, session.context).await;
            sent.unwrap_or_else(|failure| Err(Error::Unreadable(failure.message)))
        };
        let answer = session.account.ask(&asked, ask).await?;
        let document = xml::parse(answer.text()?)?;
        let root = document.root_element();
        let list = xml::at(root, "ResourceRecordSetProtections").into_iter().flat_map(|list| list.children());
        for one in list {
            if let (Some(name), Some(kind)) = (xml::text(one, "RecordName"), xml::text(one, "RecordType")) {
                all.insert((names::normal(name), kind.to_owned()));
            }
        }
        token = xml::text(root, "NextToken").filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    Ok(all)
}
