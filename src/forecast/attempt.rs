//! How one attempt goes: when it ends and how, and what follows. The rules are the engine's.

use super::chance::Purpose;
use super::conditions::{Hazard, Kind};
use super::shape::{FlatKind, NEVER};
use super::spread::Spread;
use super::world::{Outcome, Status, Why, World};
use crate::model::action::Doubt;
use crate::model::run::{FailureClass, Mode};
use crate::model::time::Duration;

/// How long it takes to see that nobody answers; half of all take longer, and one in twenty than the other.
const NO_ANSWER: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(6)];
/// Longest time of an answer that says no, in milliseconds.
const QUICK: u64 = 1_000;
/// Throttling without a deadline is bounded by this many timeouts.
const THROTTLE_TIMEOUTS: u64 = 20;
/// Sends of an idempotent action that got no answer, before a person is asked; its retries may allow more.
const SENDS_BEFORE_PERSON: u32 = 3;

impl World<'_> {
    /// Makes the next attempt, or the next look of a check.
    pub(super) fn try_once(&mut self, node: u32) {
        self.states[node as usize].attempts += 1;
        let (at, outcome) = self.attempt(node);
        self.states[node as usize].outcome = outcome;
        self.push(at, node);
    }

    fn attempt(&mut self, node: u32) -> (u64, Outcome) {
        let number = self.states[node as usize].attempts;
        if self.is_silent(node) {
            let [p50, p95] = NO_ANSWER;
            let takes = self.drawn(node, Spread::between(p50, p95), number);
            let at = (self.now + takes).min(self.limit(node));
            return (at, Outcome::Failed(FailureClass::Unreachable, 0));
        }
        let hazard = self.hazard(node, number);
        let told = hazard.and_then(|hazard| hazard.takes);
        let takes = self.drawn(node, told.unwrap_or(self.shape.nodes[node as usize].takes), number);
        let mutates = matches!(self.shape.nodes[node as usize].kind, FlatKind::Effect { mutates: true, .. });
        match hazard.map(|hazard| hazard.kind) {
            Some(Kind::Fail { class, retry_after }) => {
                let takes = if told.is_some() { takes } else { takes.min(QUICK) };
                let pause = retry_after.map_or(0, Duration::as_millis);
                ((self.now + takes).min(self.limit(node)), Outcome::Failed(class, pause))
            }
            Some(Kind::Hang { applied }) => self.hangs(node, takes, applied),
            Some(Kind::ReplyLost) if mutates => self.reply_lost(node, takes),
            Some(Kind::ReplyLost | Kind::Slow) | None => self.goes(node, takes),
        }
    }

    /// When the attempt runs out of time.
    fn limit(&self, node: u32) -> u64 {
        (self.now + self.shape.nodes[node as usize].timeout).min(self.last(node))
    }

    /// When the node runs out of time.
    fn last(&self, node: u32) -> u64 {
        let deadline = self.shape.nodes[node as usize].deadline;
        if deadline == NEVER { NEVER } else { self.states[node as usize].began + deadline }
    }

    /// Longest time in which an action is sent again and again.
    fn sends(&self, node: u32) -> u32 {
        self.shape.nodes[node as usize].attempts.max(SENDS_BEFORE_PERSON)
    }

    /// An attempt that is answered, though perhaps late.
    fn goes(&self, node: u32, takes: u64) -> (u64, Outcome) {
        let (end, limit, last) = (self.now + takes, self.limit(node), self.last(node));
        if end <= limit {
            return (end, Outcome::Applied);
        }
        let until = match self.shape.nodes[node as usize].kind {
            FlatKind::Effect { mutates: true, doubt, .. } => match doubt {
                Doubt::Ask => limit,
                // It is looked at, and goes on: followed as long as the deadline allows.
                Doubt::Observable => last,
                // Sent again under its key, it is the same.
                Doubt::Idempotent => {
                    let all = self.shape.nodes[node as usize].timeout.saturating_mul(self.sends(node).into());
                    self.now.saturating_add(all).min(last)
                }
            },
            _ => return (limit, Outcome::Failed(FailureClass::TimedOut, 0)),
        };
        if end <= until { (end, Outcome::Applied) } else { (until, Outcome::Person) }
    }

    fn reply_lost(&self, node: u32, takes: u64) -> (u64, Outcome) {
        let FlatKind::Effect { doubt, long, .. } = self.shape.nodes[node as usize].kind else {
            return self.goes(node, takes);
        };
        match doubt {
            Doubt::Ask => (self.now + if long { takes.min(QUICK) } else { takes }, Outcome::Person),
            Doubt::Idempotent if !long => (self.now + takes + QUICK, Outcome::Applied),
            Doubt::Idempotent | Doubt::Observable => (self.now + takes, Outcome::Applied),
        }
    }

    fn hangs(&self, node: u32, takes: u64, applied: bool) -> (u64, Outcome) {
        let limit = self.limit(node);
        let FlatKind::Effect { mutates: true, doubt, settle, .. } = self.shape.nodes[node as usize].kind
        else {
            return (limit, Outcome::Failed(FailureClass::TimedOut, 0));
        };
        let seen = limit.max(self.now + takes);
        match doubt {
            Doubt::Ask => (limit, Outcome::Person),
            Doubt::Observable if applied => (seen, Outcome::Applied),
            Doubt::Idempotent if applied => (seen + QUICK, Outcome::Applied),
            // That it was not applied is believed only after a while.
            Doubt::Observable => (limit + settle, Outcome::Failed(FailureClass::Transient, 0)),
            Doubt::Idempotent if self.states[node as usize].attempts >= self.sends(node) => {
                (limit, Outcome::Person)
            }
            Doubt::Idempotent => (limit, Outcome::Again),
        }
    }

    fn is_silent(&self, node: u32) -> bool {
        let Some(conditions) = self.conditions.nodes.get(node as usize) else { return false };
        let now = self.now + self.whole.map_or(0, |(_, begun)| begun);
        conditions.silences.iter().any(|silence| {
            let begun = silence.from.as_millis() <= now;
            let over = silence.until.is_some_and(|until| until.as_millis() <= now);
            begun && !over && self.faults.get(silence.fault).copied().unwrap_or(false)
        })
    }

    /// The first rule about this attempt that is not used up; counts its use.
    fn hazard(&mut self, node: u32, number: u32) -> Option<Hazard> {
        let hazards = &self.conditions.nodes.get(node as usize)?.hazards;
        let first = self.first_hit[node as usize];
        for (place, hazard) in hazards.iter().enumerate() {
            let hits = &mut self.hits[first + place];
            let used_up = hazard.times.is_some_and(|times| *hits >= times);
            if used_up || hazard.attempt.is_some_and(|attempt| attempt != number) {
                continue;
            }
            // Rules of one node have luck of their own.
            let question = (u32::try_from(place).unwrap_or(u32::MAX) << 16).wrapping_add(number);
            let certain = hazard.probability >= 1.0;
            if certain || self.luck.share(Purpose::Rule, node, question) < hazard.probability {
                *hits += 1;
                return Some(*hazard);
            }
        }
        None
    }

    /// An attempt or a look has ended.
    pub(super) fn ended(&mut self, node: u32, outcome: Outcome) {
        if let FlatKind::Check { every, within, consecutive } = self.shape.nodes[node as usize].kind {
            return self.looked(node, outcome, (every, within, consecutive));
        }
        match outcome {
            Outcome::Applied => self.succeed(node),
            Outcome::Again => self.try_once(node),
            Outcome::Person => {
                self.states[node as usize].status = Status::Stuck;
                self.stopped = self.stopped.or(Some((node, Why::InDoubt)));
            }
            Outcome::Failed(FailureClass::Throttled, pause) => self.throttled(node, pause),
            Outcome::Failed(class, _) => self.try_again_or_fail(node, class),
        }
    }

    fn looked(&mut self, node: u32, outcome: Outcome, looks: (u64, Option<u64>, u32)) {
        let (every, within, consecutive) = looks;
        let (streak, class) = match outcome {
            Outcome::Failed(class, _) => (0, Some(class)),
            Outcome::Applied | Outcome::Again | Outcome::Person => {
                (self.states[node as usize].streak + 1, None)
            }
        };
        self.states[node as usize].streak = streak;
        if class.is_none() && streak >= consecutive {
            return self.succeed(node);
        }
        let hopeless = matches!(class, Some(FailureClass::Permanent | FailureClass::Refused));
        let (again, began) = (self.now + every, self.states[node as usize].began);
        let in_time = within.is_some_and(|within| again <= began + within) || class.is_none();
        if in_time && !hopeless {
            self.states[node as usize].status = Status::Waiting;
            return self.push(again, node);
        }
        self.fail(node, class.unwrap_or(FailureClass::Transient));
    }

    fn throttled(&mut self, node: u32, pause: u64) {
        let flat = &self.shape.nodes[node as usize];
        let at = self.now + pause.max(self.backoff(node, 0));
        let absent =
            self.shape.mode == Mode::Ungraceful && matches!(flat.kind, FlatKind::Effect { fence: true, .. });
        let timeouts = if absent { 1 } else { THROTTLE_TIMEOUTS };
        let began = self.states[node as usize].began;
        let bound = began.saturating_add(flat.timeout.saturating_mul(timeouts));
        let last = if flat.deadline == NEVER { bound } else { self.last(node) };
        if at < last { self.retry(node, at) } else { self.fail(node, FailureClass::Throttled) }
    }

    fn try_again_or_fail(&mut self, node: u32, class: FailureClass) {
        let failures = self.states[node as usize].failures;
        let may_work = !matches!(class, FailureClass::Permanent | FailureClass::Refused);
        let at = self.now + self.backoff(node, failures);
        if may_work && at < self.last(node) && failures + 1 < self.shape.nodes[node as usize].attempts {
            self.states[node as usize].failures += 1;
            return self.retry(node, at);
        }
        self.fail(node, class);
    }

    fn retry(&mut self, node: u32, at: u64) {
        self.states[node as usize].status = Status::Retrying;
        self.push(at, node);
    }

    /// Pause after so many failures: doubles, and is spread downwards by up to a quarter.
    fn backoff(&self, node: u32, failures: u32) -> u64 {
        let flat = &self.shape.nodes[node as usize];
        let full = flat.backoff.saturating_mul(1 << failures.min(20)).min(flat.max_backoff);
        if !flat.jitter {
            return full;
        }
        let drawn = self.luck.share(Purpose::Pause, node, self.states[node as usize].attempts);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a quarter of a pause, which is at most a year"
        )]
        let less = (full as f64 / 4.0 * drawn) as u64;
        full - less
    }
}
