//! Brings appends to the database: one task takes everything that waits and sends it as one call. Never
//! delays a call to gather more, and never lets one be written twice.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;

use super::batch::{Added, Batch, Submission};
use super::call::{Answer, Call};
use super::ends::{End, Ends};
use super::lease::{Own, unsigned};
use super::link::{Link, Pauses, Session};
use super::place::{Fault, Place};
use super::{PATIENCE, READS};
use crate::journal::changes::Changes;
use crate::journal::record::{Hash, Tip};
use crate::journal::rules::empty_head;
use crate::model::time::Timestamp;
use crate::ports::{Head, JournalError};

/// Most submissions in one call.
const BATCH: usize = 1_024;
/// How often a call is made again because others have appended meanwhile.
const ROUNDS: usize = 200;

/// Sets what the functions run with. A commit that is acknowledged is durable, on the standby too where there
/// is a synchronous one; a wait for a lock ends before a lease has passed. Each statement sees what was
/// committed before it, whatever the database sets: behind a lock that is what the last holder has written.
/// Plans are made once: they are the same for every batch, and never read a whole table.
pub(super) const SETUP: &str = "\
    select set_config('synchronous_commit', 'on', false) \
    where current_setting('synchronous_commit') in ('off', 'local', 'remote_write'); \
    set default_transaction_isolation = 'read committed'; set standard_conforming_strings = on; \
    set statement_timeout = 0; set lock_timeout = '5s'; set idle_in_transaction_session_timeout = '10s'; \
    set jit = off; set plan_cache_mode = force_generic_plan; set enable_seqscan = off; \
    set enable_hashjoin = off; set enable_mergejoin = off; set client_min_messages = warning";

/// A submission, and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) submission: Submission,
    pub(super) reply: oneshot::Sender<Result<Vec<Head>, JournalError>>,
    pub(super) permit: OwnedSemaphorePermit,
}

/// Why a batch has no answer.
enum Failed {
    /// The database refuses it; perhaps because of one of its submissions.
    Refused(JournalError),
    /// The database is away, and was waited for: it is for all of its submissions.
    Away(JournalError),
}

/// The task that writes.
pub(super) struct Writer {
    link: Arc<Link>,
    place: Arc<Place>,
    own: Arc<Own>,
    changes: Arc<Changes>,
    ends: Ends,
    /// Where the journal ended when this process last heard of it.
    tip: Tip,
    id: String,
    /// Number of the batch that was sent last.
    number: i64,
}

impl Writer {
    pub(super) fn new(
        link: Arc<Link>,
        place: Arc<Place>,
        own: Arc<Own>,
        changes: Arc<Changes>,
        id: String,
    ) -> Self {
        Self { link, place, own, changes, ends: Ends::new(), tip: Tip::empty(), id, number: 0 }
    }

    /// Writes until nobody can queue any more and nothing waits.
    pub(super) async fn serve(mut self, mut queue: mpsc::UnboundedReceiver<Waiting>) {
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let Some(first) = queue.recv().await else { return };
                waiting.push_back(first);
            }
            while let Ok(next) = queue.try_recv() {
                waiting.push_back(next);
            }
            self.batch(&mut waiting).await;
        }
    }

    /// Writes some of what waits, from the front, and answers it.
    async fn batch(&mut self, waiting: &mut VecDeque<Waiting>) {
        let mut fresh = HashSet::new();
        for _ in 0..ROUNDS {
            let (batch, heads, ask) = self.gather(waiting, &fresh);
            if !ask.is_empty() {
                match self.ask(&ask).await {
                    Ok(()) => fresh.extend(ask),
                    Err(error) => return give_up(waiting, heads.len(), &error),
                }
                continue;
            }
            if batch.is_empty() {
                return;
            }
            match self.send(&batch).await {
                Ok(Answer::Done(_)) => return self.done(&batch, heads, waiting),
                Ok(Answer::Stale) => match self.ask(&batch.names().cloned().collect()).await {
                    Ok(()) => fresh = batch.names().cloned().collect(),
                    Err(error) => return give_up(waiting, heads.len(), &error),
                },
                Ok(Answer::Refused(run, error)) => {
                    let at = batch.submission_of(&run).unwrap_or(0);
                    answer(waiting.remove(at), Err(error));
                }
                // Nobody shall fail for another's work: each once more, alone.
                Err(Failed::Refused(_)) if heads.len() > 1 => {
                    let rest = waiting.split_off(heads.len());
                    for alone in std::mem::replace(waiting, rest) {
                        Box::pin(self.batch(&mut VecDeque::from([alone]))).await;
                    }
                    return;
                }
                Err(Failed::Refused(error) | Failed::Away(error)) => {
                    return give_up(waiting, heads.len(), &error);
                }
            }
        }
        let error = self.place.unavailable("other processes kept an append waiting; nothing was written");
        give_up(waiting, 1, &error);
    }

    /// Makes a batch of what waits, answers what is refused, and says for which streams the database must be
    /// asked before. What is in the batch is at the front of those who wait.
    fn gather(
        &self,
        waiting: &mut VecDeque<Waiting>,
        fresh: &HashSet<String>,
    ) -> (Batch, Vec<Vec<Head>>, BTreeSet<String>) {
        let (mut batch, mut heads, mut ask) = (Batch::new(), Vec::new(), BTreeSet::new());
        while let Some(next) = waiting.get(heads.len()).filter(|_| heads.len() < BATCH) {
            match batch.add(&next.submission, &self.ends, fresh) {
                Added::In(ends) => heads.push(ends),
                Added::Refused(error) => answer(waiting.remove(heads.len()), Err(error)),
                Added::Ask(streams) => {
                    ask.extend(streams);
                    // It is in no batch before the database has answered; those behind it ask with it.
                    heads.push(Vec::new());
                }
                Added::Later => break,
            }
        }
        (batch, heads, ask)
    }

    fn done(&mut self, batch: &Batch, heads: Vec<Vec<Head>>, waiting: &mut VecDeque<Waiting>) {
        for (name, end) in batch.ends() {
            self.ends.note(name, end.clone());
        }
        self.changes.bump();
        for heads in heads {
            answer(waiting.pop_front(), Ok(heads));
        }
    }

    /// Asks the database where streams end, and which tokens are in force.
    async fn ask(&mut self, names: &BTreeSet<String>) -> Result<(), JournalError> {
        const ENDS: &str = "\
            select q.name, h.sequence, h.hash, h.recorded_at, l.token, t.recorded_at as latest, \
            coalesce(l.holder = $2 and o.expires_at > clock_timestamp(), false) as held \
            from unnest($1::text[]) as q(name) cross join drctl.tip t \
            left join drctl.stream h on h.name = q.name \
            left join drctl.lease l on l.run = substr(q.name, 5) and q.name like 'run/%' \
            left join drctl.holder o on o.id = l.holder";
        let (asked, holder) = &(names.iter().collect::<Vec<&String>>(), self.own.id());
        let ends: Vec<(String, End, Timestamp)> = self
            .link
            .retry(PATIENCE, |session| {
                Box::pin(async move {
                    let rows = session.query(ENDS, &[asked, holder]).await?;
                    rows.iter().map(|row| end(&session, row)).collect()
                })
            })
            .await?;
        for (name, end, latest) in ends {
            self.ends.latest = self.ends.latest.max(latest);
            self.ends.told(&name, end);
        }
        Ok(())
    }

    /// Sends a batch until it is answered. It has a number of its own: one whose answer was lost is not
    /// written again.
    async fn send(&mut self, batch: &Batch) -> Result<Answer, Failed> {
        self.number += 1;
        let end = Instant::now() + PATIENCE;
        let (mut pauses, mut again, mut tip) = (Pauses::new(), false, self.tip.clone());
        batch.events.follow(&mut tip);
        loop {
            let lost = match self.link.session().await {
                Err(Fault::Lost(why)) => why,
                Err(Fault::Refused(error)) if !again => return Err(Failed::Refused(error)),
                Err(fault) => return Err(self.open_end(fault)),
                Ok(session) => {
                    let holder = self.own.id();
                    let Self { id, number, .. } = self;
                    let call =
                        Call { writer: id, number: *number, holder: &holder, from: &self.tip, to: &tip };
                    let call = call.make(&session, batch);
                    // The lease of the runs bounds how long it is waited for on one session.
                    let answered = tokio::time::timeout(READS.max(self.place.lease), call).await;
                    match answered {
                        Ok(Err(Fault::Lost(why))) => {
                            again = true;
                            self.link.drop_session(&session).await;
                            why
                        }
                        Err(_) => {
                            again = true;
                            self.link.drop_session(&session).await;
                            "no answer".to_owned()
                        }
                        Ok(Err(Fault::Refused(error))) => return Err(Failed::Refused(error)),
                        Ok(Ok(answer)) => {
                            if let Answer::Done(end) = &answer {
                                self.tip = end.clone().unwrap_or(tip);
                            }
                            return Ok(answer);
                        }
                    }
                }
            };
            if Instant::now() >= end {
                let fault = Fault::Lost(lost);
                let away = |fault| Failed::Away(self.place.explain(fault));
                return Err(if again { self.open_end(fault) } else { away(fault) });
            }
            tracing::debug!(%lost, "the journal is out of reach, its answer is asked for again");
            pauses.wait(end).await;
        }
    }

    /// Nobody knows whether the last batch was written.
    fn open_end(&mut self, fault: Fault) -> Failed {
        let why = self.place.explain(fault);
        self.ends = Ends::new();
        Failed::Away(JournalError::Unavailable(format!(
            "{why}; the connection was lost and did not come back within {} s: whether the last facts are stored \
             shows when the journal can be reached again",
            PATIENCE.as_secs()
        )))
    }
}

/// Answers the first of those who wait with an error.
fn give_up(waiting: &mut VecDeque<Waiting>, count: usize, error: &JournalError) {
    for _ in 0..count.max(1) {
        answer(waiting.pop_front(), Err(error.clone()));
    }
}

fn answer(waiting: Option<Waiting>, answer: Result<Vec<Head>, JournalError>) {
    let Some(Waiting { reply, permit, .. }) = waiting else { return };
    drop(permit);
    // Nobody waits any more: the caller has given up, the work is done all the same.
    let _ = reply.send(answer);
}

/// Reads where a stream ends.
fn end(session: &Session, row: &tokio_postgres::Row) -> Result<(String, End, Timestamp), Fault> {
    let (sequence, hash): (Option<i64>, Option<Vec<u8>>) =
        (session.get(row, "sequence")?, session.get(row, "hash")?);
    let at: Option<i64> = session.get(row, "recorded_at")?;
    let token = session.get::<Option<i64>>(row, "token")?.map_or(0, unsigned);
    let name: String = session.get(row, "name")?;
    let head = match (sequence, hash, at) {
        (Some(sequence), Some(hash), Some(at)) => {
            let broken = |_| session.place().damaged(&format!("the head of {name} is no SHA-256"));
            let hash: Hash = hash.try_into().map_err(broken)?;
            Head { sequence: unsigned(sequence), hash, recorded_at: Timestamp::from_millis(at) }
        }
        _ => empty_head(),
    };
    let mine = session.get(row, "held")?;
    let latest = Timestamp::from_millis(session.get(row, "latest")?);
    Ok((name, End { head, token, held: mine, lost: None }, latest))
}
