//! Makes one call of `drctl.append` out of the appends of many callers. Pure: checks each against what is
//! known of the streams, chains the records, and never talks to the database.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::json;

use super::ends::{End, Ends};
use super::lease::signed;
use crate::journal::record::{Hash, NO_HASH, Tip};
use crate::journal::rules::{self, Facts, Placed, run_of};
use crate::model::run::Intent;
use crate::model::time::Timestamp;
use crate::ports::{Head, JournalError, RunSummary};

/// What one caller wants appended, all or nothing.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) facts: Vec<Facts>,
    /// Runs whose bodies are dropped with it.
    pub(super) pruned: Vec<String>,
    pub(super) simulated: bool,
}

/// What became of a submission.
#[derive(Debug, PartialEq)]
pub(super) enum Added {
    /// It is in the batch; where its streams will end.
    In(Vec<Head>),
    /// It is refused.
    Refused(JournalError),
    /// The database must be asked for these streams first.
    Ask(BTreeSet<String>),
    /// It cannot be in the same batch as one before it.
    Later,
}

/// The streams of a batch.
#[derive(Debug, Clone, Default)]
struct Streams(BTreeMap<String, Stream>);

#[derive(Debug, Clone)]
struct Stream {
    from: Head,
    end: End,
    /// It exists after the batch, also without a record.
    make: bool,
}

/// The arguments of one call.
#[derive(Debug)]
pub(super) struct Batch {
    streams: Streams,
    pub(super) events: Events,
    pub(super) blobs: (Vec<String>, Vec<Vec<u8>>),
    pub(super) answers: (Vec<String>, Vec<String>),
    pub(super) checkpoints: BTreeMap<String, (i64, i32, Vec<u8>)>,
    summaries: BTreeMap<String, (usize, RunSummary)>,
    pub(super) pruned: Vec<String>,
    pub(super) simulated: bool,
    submissions: usize,
}

/// The events of a batch, as columns; `streams` by name until the call is made.
#[derive(Debug, Default)]
pub(super) struct Events {
    streams: Vec<String>,
    pub(super) sequences: Vec<i64>,
    pub(super) tokens: Vec<i64>,
    pub(super) times: Vec<i64>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) versions: Vec<i32>,
    pub(super) bodies: Vec<String>,
    pub(super) hashes: Vec<Hash>,
}

/// The streams of a batch, as columns.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) names: Vec<String>,
    pub(super) sequences: Vec<i64>,
    pub(super) hashes: Vec<Vec<u8>>,
    pub(super) tokens: Vec<Option<i64>>,
    pub(super) last: Vec<i64>,
    pub(super) chains: Vec<Vec<u8>>,
    pub(super) times: Vec<i64>,
    pub(super) make: Vec<bool>,
    /// Stream of each event, counted from 1.
    pub(super) of_events: Vec<i32>,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            streams: Streams::default(),
            events: Events::default(),
            blobs: Default::default(),
            answers: Default::default(),
            checkpoints: BTreeMap::new(),
            summaries: BTreeMap::new(),
            pruned: Vec::new(),
            simulated: true,
            submissions: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.submissions == 0
    }

    /// Adds a submission, if what is known allows it. `fresh`: streams the database was just asked for; only
    /// what it said refuses.
    pub(super) fn add(&mut self, submission: &Submission, ends: &Ends, fresh: &HashSet<String>) -> Added {
        if self.collides(submission) {
            return Added::Later;
        }
        let mut streams = self.streams.clone_of(submission);
        let mut heads = Vec::with_capacity(submission.facts.len());
        let mut placed = Vec::with_capacity(submission.facts.len());
        let mut news: Vec<(&RunSummary, bool)> = Vec::new();
        for facts in &submission.facts {
            let name = facts.stream.as_str();
            let stream = streams.entry(facts, ends);
            let fits = check(facts, stream).and_then(|()| match &facts.summary {
                Some(summary) => admit(summary, stream.from.sequence > 0, &mut news),
                None => Ok(()),
            });
            if let Err(error) = fits {
                return self.refuse(submission, error, fresh);
            }
            if facts.expected.is_none() && !fresh.contains(name) && ends.get(name).is_none() {
                return Added::Ask(BTreeSet::from([name.to_owned()]));
            }
            let mut tip = Tip { position: 0, chain: NO_HASH, recorded_at: ends.latest };
            let rows = rules::place(facts, &mut stream.end.head, &mut tip);
            stream.make |= !rows.is_empty() || !facts.blobs.is_empty() || run_of(&facts.stream).is_some();
            heads.push(stream.end.head.clone());
            placed.push(rows);
        }
        self.streams.0.extend(streams.0);
        self.take(submission, placed);
        Added::In(heads)
    }

    /// Only what the database itself has just said refuses: what this process knows may be out of date.
    fn refuse(&self, submission: &Submission, error: JournalError, fresh: &HashSet<String>) -> Added {
        let names = submission.facts.iter().map(|facts| facts.stream.as_str());
        let ask: BTreeSet<_> = names.filter(|name| !fresh.contains(*name)).map(str::to_owned).collect();
        if ask.is_empty() {
            Added::Refused(error)
        } else if ask.iter().any(|name| self.streams.0.contains_key(name)) {
            Added::Later
        } else {
            Added::Ask(ask)
        }
    }

    /// Whether the database could not tell the order of this and an earlier submission.
    fn collides(&self, submission: &Submission) -> bool {
        submission.facts.iter().any(|facts| {
            let token = self.streams.0.get(facts.stream.as_str()).map(|stream| stream.end.token);
            let other_token = run_of(&facts.stream).is_some()
                && token.is_some_and(|token| token != facts.token.unwrap_or(0));
            let same_place = |other: &RunSummary, new: &RunSummary| {
                other.run != new.run
                    && (other.service == new.service
                        || (other.idempotency_key.is_some() && other.idempotency_key == new.idempotency_key))
            };
            let beside = |new: &RunSummary| self.summaries.values().any(|(_, other)| same_place(other, new));
            other_token || facts.summary.as_ref().is_some_and(beside)
        })
    }

    fn take(&mut self, submission: &Submission, placed: Vec<Vec<Placed>>) {
        for (facts, rows) in submission.facts.iter().zip(placed) {
            self.events.take(facts, rows);
            for (name, body) in &facts.blobs {
                if !self.blobs.0.contains(name) {
                    self.blobs.0.push(name.clone());
                    self.blobs.1.push(body.to_vec());
                }
            }
            let Some(run) = run_of(&facts.stream) else { continue };
            for id in &facts.answers {
                self.answers.0.push(run.to_owned());
                self.answers.1.push(id.clone());
            }
            if let Some(checkpoint) = &facts.checkpoint {
                let engine = i32::try_from(checkpoint.engine).unwrap_or(i32::MAX);
                let kept = (signed(checkpoint.sequence), engine, checkpoint.body.to_vec());
                self.checkpoints.insert(run.to_owned(), kept);
            }
            if let Some(summary) = &facts.summary {
                self.summaries.insert(run.to_owned(), (self.submissions, summary.clone()));
            }
        }
        self.pruned.extend(submission.pruned.iter().cloned());
        self.simulated &= submission.simulated;
        self.submissions += 1;
    }

    /// Which submission would write the line of a run; counted among those that were added.
    pub(super) fn submission_of(&self, run: &str) -> Option<usize> {
        self.summaries.get(run).map(|(submission, _)| *submission)
    }

    /// Where its streams end, once it is written.
    pub(super) fn ends(&self) -> impl Iterator<Item = (&str, &End)> {
        self.streams
            .0
            .iter()
            .filter(|(_, stream)| stream.make)
            .map(|(name, stream)| (name.as_str(), &stream.end))
    }

    /// Names of its streams.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.streams.0.keys()
    }

    /// Its streams as columns.
    pub(super) fn columns(&self) -> Columns {
        let mut columns = Columns::default();
        let mut numbers = BTreeMap::new();
        for (name, Stream { from, end, make }) in &self.streams.0 {
            columns.names.push(name.clone());
            columns.sequences.push(signed(from.sequence));
            columns.hashes.push(from.hash.to_vec());
            columns.tokens.push(name.starts_with("run/").then(|| signed(end.token)));
            columns.last.push(signed(end.head.sequence));
            columns.chains.push(end.head.hash.to_vec());
            columns.times.push(end.head.recorded_at.as_millis());
            columns.make.push(*make);
            numbers.insert(name, i32::try_from(columns.names.len()).unwrap_or(i32::MAX));
        }
        let number = |name| numbers.get(name).copied().unwrap_or(0);
        columns.of_events = self.events.streams.iter().map(number).collect();
        columns
    }

    /// Lines of the list of runs, as the database takes them.
    pub(super) fn runs(&self) -> Result<Option<String>, serde_json::Error> {
        if self.summaries.is_empty() {
            return Ok(None);
        }
        let rows =
            self.summaries.values().map(|(_, summary)| line(summary)).collect::<Result<Vec<_>, _>>()?;
        serde_json::to_string(&rows).map(Some)
    }
}

/// A line of the list of runs.
pub(super) fn line(summary: &RunSummary) -> Result<serde_json::Value, serde_json::Error> {
    Ok(json!({
        "id": summary.run,
        "service": summary.service,
        "simulated": summary.intent == Intent::Simulate,
        "terminal": summary.status.is_terminal(),
        "drill": summary.intent == Intent::Drill,
        "locking": rules::locks(summary),
        "keeps_out": rules::keeps_drills_out(summary),
        "created": summary.created_at.as_millis(),
        "ended": summary.ended_at.map(Timestamp::as_millis),
        "key": summary.idempotency_key,
        "parent": summary.parent,
        "summary": serde_json::to_string(summary)?,
    }))
}

impl Streams {
    /// Those that a submission goes to.
    fn clone_of(&self, submission: &Submission) -> Self {
        let names = submission.facts.iter().map(|facts| facts.stream.as_str());
        let known = names.filter_map(|name| Some((name.to_owned(), self.0.get(name)?.clone())));
        Self(known.collect())
    }

    /// The stream of some facts. One that nothing is known of is taken for new; the database knows better.
    fn entry(&mut self, facts: &Facts, ends: &Ends) -> &mut Stream {
        let name = facts.stream.as_str();
        self.0.entry(name.to_owned()).or_insert_with(|| {
            let end = ends.get(name).cloned();
            let end = end.unwrap_or_else(|| End::unknown(facts.token.unwrap_or(0)));
            Stream { from: end.head.clone(), end, make: false }
        })
    }
}

impl Events {
    /// Where the journal ends with them, if it ended there before.
    pub(super) fn follow(&self, tip: &mut Tip) {
        for (hash, at) in self.hashes.iter().zip(&self.times) {
            tip.extend(hash, Timestamp::from_millis(*at));
        }
    }

    fn take(&mut self, facts: &Facts, rows: Vec<Placed>) {
        for (fact, row) in facts.records.iter().zip(rows) {
            self.streams.push(facts.stream.as_str().to_owned());
            self.sequences.push(signed(row.sequence));
            self.tokens.push(signed(facts.token.unwrap_or(0)));
            self.times.push(row.recorded_at.as_millis());
            self.kinds.push(fact.kind);
            self.versions.push(i32::try_from(fact.version).unwrap_or(i32::MAX));
            self.bodies.push(fact.body.clone());
            self.hashes.push(row.hash);
        }
    }
}

/// Checks an append against the end of its stream.
fn check(facts: &Facts, stream: &Stream) -> Result<(), JournalError> {
    if let Some(had) = stream.end.lost {
        let has = stream.end.head.sequence;
        return Err(JournalError::Damaged(format!(
            "{}: the database had acknowledged record {had} and ends at {has} now; it was taken over by a \
             standby that had not received the rest",
            facts.stream
        )));
    }
    rules::fence(facts, stream.end.token)?;
    if run_of(&facts.stream).is_some() && !stream.end.held {
        return Err(JournalError::Lapsed { stream: facts.stream.clone(), token: stream.end.token });
    }
    rules::expect(facts, stream.end.head.sequence)
}

/// Checks a line of the list of runs against those that the same submission has written before it.
fn admit<'s>(
    new: &'s RunSummary,
    existed: bool,
    news: &mut Vec<(&'s RunSummary, bool)>,
) -> Result<(), JournalError> {
    let known = existed || news.iter().any(|(other, _)| other.run == new.run);
    let others = news.iter().map(|(other, _)| *other).filter(|other| other.run != new.run);
    rules::admit(new, known, &others)?;
    news.retain(|(other, _)| other.run != new.run);
    news.push((new, known));
    Ok(())
}
