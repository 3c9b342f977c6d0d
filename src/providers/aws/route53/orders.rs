//! Changes of records on their way: those of one zone are put into batches, and a refused batch is taken
//! apart. Must never send anything again that may have been applied.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_sdk_route53::Client;
use aws_sdk_route53::error::SdkError;
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::types::{ChangeBatch, ChangeInfo};
use aws_smithy_runtime_api::http::Response;
use tokio::sync::oneshot;

use super::batch::{self, Change};
use super::changes::{Receipt, bare};
use super::desk::{Account, PATIENCE, Zone, throttled};
use crate::model::time::{Duration, Timestamp};
use crate::providers::aws::failure::{Asked, Error};
use crate::providers::aws::transport::NoAnswer;
use crate::providers::aws::xml;

/// Longest remark of a batch.
const REMARK: usize = 256;
/// First pause after another change of the zone was under way; it doubles with every further time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// How often it doubles.
const DOUBLINGS: u32 = 4;

/// What one attempt wants changed, all together or not at all.
pub(super) struct Order {
    changes: Vec<Change>,
    remark: String,
    client: Client,
    asked: Asked,
    patient_until: Timestamp,
    answer: oneshot::Sender<Result<Receipt, Error>>,
}

/// Has changes made, together with those of others. The answer is that to the batch they were in.
pub(super) async fn order(
    account: &Arc<Account>,
    zone: &Arc<Zone>,
    client: &Client,
    asked: &Asked,
    changes: Vec<Change>,
    remark: &str,
) -> Result<Receipt, Error> {
    let (answer, answered) = oneshot::channel();
    let order = Order {
        changes,
        remark: remark.to_owned(),
        client: client.clone(),
        asked: asked.clone(),
        patient_until: account.budget.now().plus(PATIENCE),
        answer,
    };
    if zone.orders.join(order) {
        // A task of its own: the one who came first may give up while the others still wait.
        tokio::spawn(work_off(Arc::clone(account), Arc::clone(zone)));
    }
    let lost = || Err(Error::Unanswered(NoAnswer::Lost("this process stopped sending".to_owned())));
    answered.await.unwrap_or_else(|_| lost())
}

async fn work_off(account: Arc<Account>, zone: Arc<Zone>) {
    let (mut apart, mut pauses) = (VecDeque::new(), 0);
    loop {
        // Others who are ready to order at this moment come along.
        tokio::task::yield_now().await;
        account.budget.turn().await;
        // Chosen only now: whoever came while this waited for its turn comes along.
        let batch = match apart.pop_front() {
            Some(part) => still_wanted(part),
            None => zone.orders.take(choose),
        };
        if batch.is_empty() {
            if apart.is_empty() && !zone.orders.goes_on() {
                return;
            }
            continue;
        }
        let result = send(&zone.id, &batch).await;
        let Some(first) = batch.first() else { continue };
        match throttled(&first.asked, &result) {
            None => {
                pauses = 0;
                account.budget.answered();
            }
            Some(_) if code(&result) == Some("PriorRequestNotComplete") => {
                let length = FIRST_PAUSE.as_millis() << pauses.min(DOUBLINGS);
                pauses += 1;
                account.budget.sleep(Duration::from_millis(length)).await;
            }
            Some(throttled) => account.budget.throttled(throttled.retry_after),
        }
        let is_throttled = throttled(&first.asked, &result).is_some();
        match result {
            Err(error) if is_throttled => {
                let (patient, others) =
                    batch.into_iter().partition(|order| account.budget.now() < order.patient_until);
                answer(others, &Err(error));
                // What was taken apart stays apart; what was not can gather more.
                if apart.is_empty() { zone.orders.put_back(patient) } else { apart.push_front(patient) }
            }
            Err(error) if batch.len() > 1 && is_somebodys_fault(&error) => {
                for part in taken_apart(batch, &error).into_iter().rev() {
                    apart.push_front(part);
                }
            }
            result => {
                if let Ok(receipt) = &result {
                    account.changes.sent(receipt, account.budget.now());
                }
                answer(batch, &result);
            }
        }
        if apart.is_empty() && !zone.orders.goes_on() {
            return;
        }
    }
}

/// The next batch out of those who wait; whoever has given up is dropped.
fn choose(waiting: &mut Vec<Order>) -> Vec<usize> {
    waiting.retain(|order| !order.answer.is_closed());
    batch::next(&waiting.iter().map(|order| order.changes.as_slice()).collect::<Vec<_>>())
}

fn still_wanted(part: Vec<Order>) -> Vec<Order> {
    part.into_iter().filter(|order| !order.answer.is_closed()).collect()
}

fn answer(batch: Vec<Order>, result: &Result<Receipt, Error>) {
    for order in batch {
        // Whoever has given up observes later what has become of it.
        let _ = order.answer.send(result.clone());
    }
}

fn code<T>(result: &Result<T, Error>) -> Option<&str> {
    result.as_ref().err().and_then(Error::code)
}

/// Refusals that may be about one record of a batch; permissions can be given by name of a record.
const ABOUT_A_RECORD: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "InvalidArgument",
    "InvalidChangeBatch",
    "InvalidInput",
    "NoSuchHealthCheck",
];

/// Whether a batch was refused for what one of its changes may say.
fn is_somebodys_fault(error: &Error) -> bool {
    error.code().is_some_and(|code| ABOUT_A_RECORD.contains(&code))
}

fn taken_apart(batch: Vec<Order>, error: &Error) -> Vec<Vec<Order>> {
    let changes: Vec<&[Change]> = batch.iter().map(|order| order.changes.as_slice()).collect();
    let parts = batch::parts(&changes, &error.to_string());
    let mut batch: Vec<Option<Order>> = batch.into_iter().map(Some).collect();
    let mut take = |at: usize| batch.get_mut(at).and_then(Option::take);
    parts.into_iter().map(|part| part.into_iter().filter_map(&mut take).collect()).collect()
}

/// Makes one try at a batch.
async fn send(zone: &str, batch: &[Order]) -> Result<Receipt, Error> {
    let unbuilt = |_| Error::Unanswered(NoAnswer::Unbuilt("a part of a change is missing".to_owned()));
    let mut changes = ChangeBatch::builder().comment(remark(batch));
    for change in batch.iter().flat_map(|order| &order.changes) {
        changes = changes.changes(change.to_sdk().map_err(unbuilt)?);
    }
    let changes = changes.build().map_err(unbuilt)?;
    let Some(client) = batch.first().map(|order| &order.client) else {
        return Err(Error::Unanswered(NoAnswer::Unbuilt("nothing is to be changed".to_owned())));
    };
    let sent = client.change_resource_record_sets().hosted_zone_id(zone).change_batch(changes).send().await;
    let info = sent.map_err(read_error)?.change_info;
    info.as_ref().map(receipt).ok_or_else(|| Error::Unreadable("no change id".to_owned()))
}

fn receipt(info: &ChangeInfo) -> Receipt {
    Receipt { id: bare(info.id()).to_owned(), status: info.status().clone() }
}

fn remark(batch: &[Order]) -> String {
    let mut remarks: Vec<&str> = batch.iter().map(|order| order.remark.as_str()).collect();
    remarks.dedup();
    let all = match batch.len() {
        1 => remarks.concat(),
        many => format!("{many} steps: {}", remarks.join("; ")),
    };
    all.chars().take(REMARK).collect()
}

/// Reads a refusal. Route 53 has a form of its own for this one operation, without a code and with several
/// messages.
fn read_error(error: SdkError<ChangeResourceRecordSetsError, Response>) -> Error {
    let own = match &error {
        SdkError::ServiceError(failure) => failure.raw().body().bytes().and_then(own_form),
        _ => None,
    };
    let status = error.raw_response().map_or(400, |raw| raw.status().as_u16());
    match own {
        Some(message) => {
            Error::Service { status, code: "InvalidChangeBatch".to_owned(), message, retry_after: None }
        }
        None => error.into(),
    }
}

fn own_form(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let document = xml::parse(text).ok()?;
    let root = document.root_element();
    if root.tag_name().name() != "InvalidChangeBatch" {
        return None;
    }
    let messages = root.descendants().filter(|node| node.tag_name().name() == "Message");
    let messages: Vec<&str> = messages.filter_map(|node| node.text()).map(str::trim).collect();
    Some(messages.join("; "))
}
