//! Sends to one target, in the order of the journal: claims a notice, tries, records what came of it. Must
//! never go on to the next notice before the last one is settled.

use std::collections::VecDeque;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::backoff;
use super::cursor::{Cursor, OutboxEvent};
use super::message::Notice;
use super::outbox::Observer;
use super::send::Answer;
use super::target::Target;
use crate::model::time::{Duration, Timestamp};
use crate::ports::{CancelSignal, Clock, Journal, JournalError, Record};
use crate::tail::{self, Fact, Tail};

/// Notices kept in memory; the others wait in the journal.
const BUFFER: usize = 256;
/// Records read at once.
const PAGE: usize = 500;
/// Pause between two looks at a journal in which nothing is new.
const POLL: std::time::Duration = std::time::Duration::from_millis(300);
/// How long a notice is left to the process that is about to send it. Longer than a try takes.
const CLAIM: Duration = Duration::from_secs(30);
/// A claim with less time left is made anew before a try.
const LEFT: Duration = Duration::from_secs(15);
/// So many records without a notice are worth a record of their own, so that a restart need not read them.
const PASSED: u64 = 1_000;

/// Sends to one target.
pub(super) struct Worker {
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    holder: String,
    begin: Option<u64>,
    observer: Arc<dyn Observer>,
    target: Target,
    ended: CancelSignal,
    cursor: Cursor,
    tail: Option<Tail>,
    /// What came of the last notice, while that is not recorded yet.
    unsettled: Option<(u64, OutboxEvent)>,
    /// Notices with the position of their record.
    waiting: VecDeque<(u64, Notice)>,
    /// What is in the way of the journal, for how many turns.
    broken: u32,
}

/// What is to be done next.
enum Next {
    /// Something may be there already.
    GoOn,
    /// Nothing is new.
    Rest,
    /// The notice is tried again then.
    RetryAt(Timestamp),
    /// It was told to end, and nothing is left that it could do.
    End,
}

impl Worker {
    pub(super) fn new(
        (journal, clock): (Arc<dyn Journal>, Arc<dyn Clock>),
        (holder, begin): (String, Option<u64>),
        observer: Arc<dyn Observer>,
        target: Target,
        ended: CancelSignal,
    ) -> Self {
        Self {
            journal,
            clock,
            holder,
            begin,
            observer,
            target,
            ended,
            cursor: Cursor::default(),
            tail: None,
            unsettled: None,
            waiting: VecDeque::new(),
            broken: 0,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let next = match self.turn().await {
                Ok(next) => {
                    self.broken = 0;
                    next
                }
                Err(error) => self.hindered(&error),
            };
            let pause = async {
                match next {
                    Next::GoOn | Next::End => {}
                    Next::Rest => tokio::time::sleep(POLL).await,
                    Next::RetryAt(at) => self.clock.sleep_until(at).await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = self.ended.cancelled() => {}
            }
            if matches!(next, Next::End) {
                return;
            }
        }
    }

    /// The journal cannot be used: it is tried again later.
    fn hindered(&mut self, error: &JournalError) -> Next {
        self.broken += 1;
        tracing::warn!("notifications to {} wait for the journal: {error}", self.target.name());
        if self.ended.is_cancelled() {
            return Next::End;
        }
        Next::RetryAt(self.clock.now().plus(backoff::delay(self.broken, u32::MAX, None)))
    }

    async fn turn(&mut self) -> Result<Next, JournalError> {
        self.cursor.refresh(self.journal.as_ref(), self.target.name()).await?;
        if !self.cursor.began {
            let position = match self.begin {
                Some(position) => position,
                None => tail::end(self.journal.as_ref()).await?,
            };
            self.record(&OutboxEvent::Began { position }).await?;
            return Ok(Next::GoOn);
        }
        if let Some(open) = self.settle().await? {
            return Ok(open);
        }
        let at_end = self.fill().await?;
        if let Some((position, notice)) = self.waiting.front().cloned() {
            return self.deliver(position, &notice).await;
        }
        self.pass().await?;
        Ok(match (at_end, self.ended.is_cancelled()) {
            (false, _) => Next::GoOn,
            (true, true) => Next::End,
            (true, false) => Next::Rest,
        })
    }

    /// Reads on as far as there is room. Says whether the end of the journal was reached.
    async fn fill(&mut self) -> Result<bool, JournalError> {
        let Self { tail, waiting, target, cursor, .. } = self;
        let tail = tail.get_or_insert_with(|| Tail::after(Arc::clone(&self.journal), cursor.position));
        waiting.retain(|(position, _)| *position > cursor.position);
        let mut at_end = false;
        while waiting.len() < BUFFER && !at_end {
            let mut take = |record: &Record, fact: Fact<'_>| {
                let notice = target.notice(record, &fact).filter(|_| record.position > cursor.position);
                waiting.extend(notice.map(|notice| (record.position, notice)));
            };
            at_end = tail.advance(PAGE, &mut take).await? == 0;
        }
        self.observer.waiting(self.target.name(), self.waiting.len());
        Ok(at_end)
    }

    /// Records what came of the last notice, as often as it takes: it must not be sent again because the
    /// journal was away, or because another process has recorded something meanwhile.
    async fn settle(&mut self) -> Result<Option<Next>, JournalError> {
        let Some((position, event)) = self.unsettled.clone() else { return Ok(None) };
        if position > self.cursor.position && !self.record(&event).await? {
            return Ok(Some(Next::GoOn));
        }
        self.unsettled = None;
        Ok(None)
    }

    /// Notes that many records held nothing for the target.
    async fn pass(&mut self) -> Result<(), JournalError> {
        let position = self.tail.as_ref().map_or(0, Tail::position);
        if position >= self.cursor.position + PASSED {
            self.record(&OutboxEvent::Passed { position }).await?;
        }
        Ok(())
    }

    async fn deliver(&mut self, position: u64, notice: &Notice) -> Result<Next, JournalError> {
        let now = self.clock.now();
        let (ours, left) = match &self.cursor.claim {
            Some((by, until)) => (*by == self.holder, until.since(now)),
            None => (false, Duration::ZERO),
        };
        if !ours && left > Duration::ZERO {
            return Ok(if self.ended.is_cancelled() { Next::End } else { Next::Rest });
        }
        let tries = self.cursor.tries(position);
        if now.since(notice.at) > self.target.give_up_after() {
            return self.give_up(position, notice, tries, "it was too old to be sent").await;
        }
        if !ours || left < LEFT {
            let until = now.plus(CLAIM);
            let claim = OutboxEvent::Claimed { position, by: self.holder.clone(), until, tries, why: None };
            let claimed = self.record(&claim).await?;
            // A claim that took long to record may be over already: it is looked at anew.
            if !claimed || self.clock.now().since(now) > LEFT {
                return Ok(Next::GoOn);
            }
        }
        match self.target.sender().send(notice, now).await {
            Answer::Taken(said) => {
                tracing::info!("{} took {} ({}): {said}", self.target.name(), notice.id, notice.kind);
                let (notice, kind) = (notice.id.clone(), notice.kind);
                let sent = OutboxEvent::Sent { position, notice, kind, tries: tries + 1 };
                self.unsettled = Some((position, sent));
                Ok(self.settle().await?.unwrap_or(Next::GoOn))
            }
            Answer::Refused(why) => {
                self.observer.failed(self.target.name());
                self.give_up(position, notice, tries + 1, &why).await
            }
            Answer::Later { why, after } => {
                self.observer.failed(self.target.name());
                self.again(position, notice, tries + 1, (why, after)).await
            }
        }
    }

    /// A try has failed: another follows, unless it would come too late.
    async fn again(
        &mut self,
        position: u64,
        notice: &Notice,
        tries: u32,
        (why, after): (String, Option<Duration>),
    ) -> Result<Next, JournalError> {
        let name = self.target.name();
        tracing::warn!("{name} did not take {} ({}), try {tries}: {why}", notice.id, notice.kind);
        let by = self.holder.clone();
        if self.ended.is_cancelled() {
            self.record(&OutboxEvent::Released { position, by, tries }).await?;
            return Ok(Next::End);
        }
        let at = self.clock.now().plus(backoff::delay(tries, self.chance(position, tries), after));
        if at.since(notice.at) > self.target.give_up_after() {
            return self.give_up(position, notice, tries, &why).await;
        }
        let until = at.plus(CLAIM);
        let claim = OutboxEvent::Claimed { position, by, until, tries, why: Some(why) };
        Ok(if self.record(&claim).await? { Next::RetryAt(at) } else { Next::GoOn })
    }

    async fn give_up(
        &mut self,
        position: u64,
        notice: &Notice,
        tries: u32,
        why: &str,
    ) -> Result<Next, JournalError> {
        let name = self.target.name();
        tracing::error!("{name} is not told {} ({}) after {tries} tries: {why}", notice.id, notice.kind);
        let (notice, kind) = (notice.id.clone(), notice.kind);
        let given_up = OutboxEvent::GivenUp { position, notice, kind, tries, why: why.to_owned() };
        self.unsettled = Some((position, given_up));
        Ok(self.settle().await?.unwrap_or(Next::GoOn))
    }

    /// Records a fact about the target; `false`: another process was quicker.
    async fn record(&mut self, event: &OutboxEvent) -> Result<bool, JournalError> {
        let now = self.clock.now();
        self.cursor.record(self.journal.as_ref(), self.target.name(), event, now).await
    }

    /// A number that differs between processes, notices and tries.
    fn chance(&self, position: u64, tries: u32) -> u32 {
        let digest = Sha256::digest(format!("{}/{position}/{tries}", self.holder).as_bytes());
        digest.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
    }
}
