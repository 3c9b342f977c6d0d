//! One call of `drctl.append`, and what it answers. Never makes it twice.

use super::batch::Batch;
use super::lease::signed;
use super::link::Session;
use super::place::Fault;
use crate::journal::record::{Tip, unhex};
use crate::model::id::{RunId, ServiceName};
use crate::model::time::Timestamp;
use crate::ports::JournalError;

/// How the database has answered a call.
pub(super) enum Answer {
    /// It is written; with where the journal ends, where that is not what the call said.
    Done(Option<Tip>),
    Stale,
    /// This run may not begin.
    Refused(String, JournalError),
}

/// Who calls, and with what.
pub(super) struct Call<'c> {
    /// The process, and the number of its batch.
    pub(super) writer: &'c str,
    pub(super) number: i64,
    /// Under which id it holds leases.
    pub(super) holder: &'c str,
    /// Where it believes that the journal ends, and where that leads to. The server computes it itself where
    /// others have appended.
    pub(super) from: &'c Tip,
    pub(super) to: &'c Tip,
}

impl Call<'_> {
    pub(super) async fn make(&self, session: &Session, batch: &Batch) -> Result<Answer, Fault> {
        const APPEND: &str = "\
            select drctl.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
            $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, \
            $35, $36, $37) \
            as answer";
        let columns = batch.columns();
        let runs = batch.runs().map_err(|error| {
            Fault::Refused(JournalError::Unavailable(format!("a summary cannot be written ({error})")))
        })?;
        let checkpointed: Vec<&String> = batch.checkpoints.keys().collect();
        let kept = || batch.checkpoints.values();
        let (sequences, engines): (Vec<i64>, Vec<i32>) = kept().map(|(at, engine, _)| (*at, *engine)).unzip();
        let states: Vec<&[u8]> = kept().map(|(.., body)| body.as_slice()).collect();
        let events = &batch.events;
        let hashes: Vec<&[u8]> = events.hashes.iter().map(<[u8; 32]>::as_slice).collect();
        let more = runs.is_some()
            || !(batch.blobs.0.is_empty()
                && batch.answers.0.is_empty()
                && checkpointed.is_empty()
                && batch.pruned.is_empty());
        let row = session
            .one(
                APPEND,
                &[
                    &self.writer,
                    &self.number,
                    &self.holder,
                    &batch.simulated,
                    &events.times.iter().copied().max().unwrap_or(0),
                    &signed(self.from.position),
                    &self.from.chain.as_slice(),
                    &self.from.recorded_at.as_millis(),
                    &self.to.chain.as_slice(),
                    &more,
                    &columns.tokens.iter().any(Option::is_some),
                    &columns.names,
                    &columns.sequences,
                    &columns.hashes,
                    &columns.tokens,
                    &columns.last,
                    &columns.chains,
                    &columns.times,
                    &columns.make,
                    &columns.of_events,
                    &events.sequences,
                    &events.tokens,
                    &events.times,
                    &events.kinds,
                    &events.versions,
                    &events.bodies,
                    &hashes,
                    &batch.blobs.0,
                    &batch.blobs.1,
                    &batch.answers.0,
                    &batch.answers.1,
                    &checkpointed,
                    &sequences,
                    &engines,
                    &states,
                    &runs,
                    &batch.pruned,
                ],
            )
            .await?;
        read_answer(session, &session.get::<String>(&row, "answer")?)
    }
}

fn read_answer(session: &Session, text: &str) -> Result<Answer, Fault> {
    #[derive(serde::Deserialize)]
    struct Refusal {
        run: String,
        duplicate: Option<RunId>,
        service: Option<ServiceName>,
        locked: Option<RunId>,
    }
    match text {
        "done" => return Ok(Answer::Done(None)),
        "stale" => return Ok(Answer::Stale),
        _ => {}
    }
    let unreadable = || session.place().damaged("the server gave an answer that cannot be read");
    if let Some(end) = text.strip_prefix("done ") {
        return Ok(Answer::Done(Some(read_tip(end).ok_or_else(unreadable)?)));
    }
    let refusal: Refusal = serde_json::from_str(text).map_err(|_| unreadable())?;
    let error = match refusal {
        Refusal { duplicate: Some(run), .. } => JournalError::DuplicateStart { run },
        Refusal { service: Some(service), locked: Some(run), .. } => {
            JournalError::ServiceLocked { service, run }
        }
        _ => unreadable(),
    };
    Ok(Answer::Refused(refusal.run, error))
}

/// Reads a position, a hash in hex and a time.
fn read_tip(text: &str) -> Option<Tip> {
    let (position, rest) = text.split_once(' ')?;
    let (chain, at) = rest.split_once(' ')?;
    let recorded_at = Timestamp::from_millis(at.parse().ok()?);
    Some(Tip { position: position.parse().ok()?, chain: unhex(chain)?, recorded_at })
}
