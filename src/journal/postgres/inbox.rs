//! Requests to runs: put into the inbox of one, and looked for only where there may be some. Never answers a
//! request.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::lease::signed;
use super::link::Link;
use crate::engine::input::Request;
use crate::model::id::RunId;
use crate::model::limits;
use crate::ports::JournalError;

/// An inbox that was empty is looked into again after this long, whether the server has told of a request or
/// not.
const SWEEP: Duration = Duration::from_secs(2);

/// Which inboxes were empty when they were last looked into, and of which nothing was heard since. A driver
/// looks ten times a second; hundreds of them must not keep the database busy with that.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Whether the server tells of requests.
    told: bool,
    /// Rises with everything that is heard.
    heard: u64,
    empty: HashMap<RunId, Instant>,
}

impl Quiet {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the server tells, or does not.
    pub(super) fn listens(&self, told: bool) {
        let mut known = self.known();
        (known.told, known.heard) = (told, known.heard.wrapping_add(1));
        known.empty.clear();
    }

    /// There may be a request for a run.
    pub(super) fn heard(&self, run: &str) {
        let mut known = self.known();
        known.heard = known.heard.wrapping_add(1);
        known.empty.retain(|quiet, _| quiet.as_str() != run);
    }

    /// Whether there is nothing to look for.
    pub(super) fn is_quiet(&self, run: &RunId) -> bool {
        self.known().empty.get(run).is_some_and(|since| since.elapsed() < SWEEP)
    }

    /// To be asked before a look, and handed to [`Quiet::was_empty`] after it.
    pub(super) fn mark(&self) -> u64 {
        self.known().heard
    }

    /// Notes that an inbox was empty, unless something was heard while it was looked into.
    pub(super) fn was_empty(&self, run: &RunId, mark: u64) {
        let mut known = self.known();
        if known.told && known.heard == mark {
            known.empty.insert(run.clone(), Instant::now());
        }
    }
}

/// Puts a request into the inbox of a run. A known id, answered or not, changes nothing.
pub(super) async fn submit(link: &Link, run: &RunId, request: &Request) -> Result<(), JournalError> {
    const SUBMIT: &str = "select drctl.submit($1, $2, $3, $4) as answer";
    let body = &serde_json::to_string(request)
        .map_err(|error| JournalError::Unavailable(format!("a request cannot be written ({error})")))?;
    let most = signed(limits::INBOX as u64);
    let answer: String = link
        .retry(PATIENCE, |session| {
            Box::pin(async move {
                session.get(&session.one(SUBMIT, &[&run.as_str(), &request.id, body, &most]).await?, "answer")
            })
        })
        .await?;
    match answer.as_str() {
        "unknown" => Err(JournalError::UnknownRun(run.to_string())),
        "full" => Err(JournalError::InboxFull(run.clone())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inbox_is_quiet_only_while_the_server_tells() {
        let (quiet, run) = (Quiet::default(), RunId::new("shop-1").unwrap());
        quiet.was_empty(&run, quiet.mark());
        assert!(!quiet.is_quiet(&run), "nobody would tell of a request");
        quiet.listens(true);
        quiet.was_empty(&run, quiet.mark());
        assert!(quiet.is_quiet(&run));
        quiet.heard("shop-1");
        assert!(!quiet.is_quiet(&run));
        let mark = quiet.mark();
        quiet.heard("shop-1");
        quiet.was_empty(&run, mark);
        assert!(!quiet.is_quiet(&run), "it came while the inbox was looked into");
        quiet.was_empty(&run, quiet.mark());
        quiet.listens(false);
        assert!(!quiet.is_quiet(&run));
    }
}
