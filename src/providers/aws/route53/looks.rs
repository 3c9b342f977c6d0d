//! Looks at the records of a zone: those who ask at the same time share the answers, and one page serves
//! everybody whose names are on it. Must never answer from a page that was asked for before the question.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_route53::Client;
use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsOutput;
use aws_sdk_route53::types::RrType;
use tokio::sync::oneshot;

use super::desk::{Account, Zone};
use super::names;
use super::record::{Key, Record};
use crate::providers::aws::failure::{Asked, Error};
use crate::providers::aws::transport::NoAnswer;

/// Most records of a page.
const PAGE: i32 = 300;

/// Record sets by what tells them apart.
pub(super) type Records = BTreeMap<Key, Record>;

/// What one attempt wants to know.
pub(super) struct Look {
    /// Names in normal form.
    names: BTreeSet<String>,
    client: Client,
    asked: Asked,
    answer: oneshot::Sender<Result<Arc<Records>, Error>>,
}

/// All records with the names, and perhaps others.
pub(super) async fn look(
    account: &Arc<Account>,
    zone: &Arc<Zone>,
    client: &Client,
    asked: &Asked,
    names: BTreeSet<String>,
) -> Result<Arc<Records>, Error> {
    let (answer, answered) = oneshot::channel();
    let look = Look { names, client: client.clone(), asked: asked.clone(), answer };
    if zone.looks.join(look) {
        tokio::spawn(work_off(Arc::clone(account), Arc::clone(zone)));
    }
    let lost = || Err(Error::Unanswered(NoAnswer::Lost("this process stopped asking".to_owned())));
    answered.await.unwrap_or_else(|_| lost())
}

async fn work_off(account: Arc<Account>, zone: Arc<Zone>) {
    loop {
        // Others who are ready to ask at this moment come along.
        tokio::task::yield_now().await;
        let looks = zone.looks.take(|waiting| {
            waiting.retain(|look| !look.answer.is_closed());
            (0..waiting.len()).collect()
        });
        if let Some(first) = looks.first() {
            let names: BTreeSet<String> = looks.iter().flat_map(|look| look.names.clone()).collect();
            let result = walk(&account, &zone.id, &first.client, &first.asked, names).await.map(Arc::new);
            for look in looks {
                let _ = look.answer.send(result.clone());
            }
        }
        if !zone.looks.goes_on() {
            return;
        }
    }
}

/// Where a page begins.
struct From {
    name: String,
    kind: Option<RrType>,
    set: Option<String>,
}

impl From {
    fn name(name: &str) -> Self {
        Self { name: name.to_owned(), kind: None, set: None }
    }
}

/// Asks for pages, each beginning at the first name that no page has covered yet.
async fn walk(
    account: &Account,
    zone: &str,
    client: &Client,
    asked: &Asked,
    names: BTreeSet<String>,
) -> Result<Records, Error> {
    let mut wanted: Vec<String> = names.into_iter().collect();
    wanted.sort_by(|one, other| names::order(one, other));
    let (mut records, mut at) = (Records::new(), 0);
    let mut from = wanted.first().map(|name| From::name(name));
    while let Some(begin) = from.take() {
        let page = account.ask(asked, || page(zone, client, &begin)).await?;
        let next = page.is_truncated().then(|| page.next_record_name().unwrap_or_default());
        let next = next.map(names::normal);
        let rest = wanted.get(at..).unwrap_or_default();
        let name = rest.first().map_or("", String::as_str);
        let (covered, is_cut) = match next.as_deref() {
            None => (rest.len(), false),
            Some(next) if next == name => (0, true),
            Some(next) if in_order(&page, name, next) => {
                (rest.iter().take_while(|name| names::order(name, next).is_lt()).count(), false)
            }
            // Listed in another order than the documented one: only the name asked for is certain.
            Some(_) => (1, false),
        };
        for found in page.resource_record_sets() {
            let record = Record::from(found);
            records.insert(record.key(), record);
        }
        at += covered;
        from = if is_cut {
            // The records of one name go on with the next page.
            let kind = page.next_record_type().cloned();
            let set = page.next_record_identifier().map(str::to_owned);
            let goes_on = kind != begin.kind || set != begin.set;
            goes_on.then(|| From { name: name.to_owned(), kind, set })
        } else {
            wanted.get(at).map(|name| From::name(name))
        };
    }
    Ok(records)
}

async fn page(zone: &str, client: &Client, from: &From) -> Result<ListResourceRecordSetsOutput, Error> {
    // A record type is asked for only together with its name, and an identifier only with both.
    let sent = client
        .list_resource_record_sets()
        .hosted_zone_id(zone)
        .start_record_name(&from.name)
        .set_start_record_type(from.kind.clone())
        .set_start_record_identifier(from.set.clone())
        .max_items(PAGE)
        .send()
        .await;
    sent.map_err(Error::from)
}

/// Whether a page that begins at `from` and ends before `next` is in the documented order.
fn in_order(page: &ListResourceRecordSetsOutput, from: &str, next: &str) -> bool {
    let listed = page.resource_record_sets().iter().map(|record| names::normal(record.name()));
    let all: Vec<String> =
        std::iter::once(from.to_owned()).chain(listed).chain(std::iter::once(next.to_owned())).collect();
    all.is_sorted_by(|one, other| names::order(one, other).is_le())
}
