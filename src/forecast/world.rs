//! One run of a plan in virtual time. Keeps everything it needs from run to run, so that living another one
//! allocates nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::chance::{Luck, Purpose};
use super::conditions::{Conditions, Person};
use super::shape::{FlatKind, NEVER, NONE, Shape};
use super::spread::Spread;
use crate::model::action::ActionName;
use crate::model::run::FailureClass;

/// How far a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Running,
    Waiting,
    Asked,
    Retrying,
    Stuck,
    Failed,
    Succeeded,
    Skipped,
    Ignored,
}

/// How an attempt will end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As it should.
    Applied,
    /// It fails; the service asks to be left alone for so many milliseconds.
    Failed(FailureClass, u64),
    /// Nobody knows what came of it, and sending it again is harmless.
    Again,
    /// Only a person can tell what came of it.
    Person,
}

/// Why a run does not recover the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    Failed,
    InDoubt,
    NobodyAnswers,
    Blocked,
    NotValidated,
}

impl Why {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::InDoubt => "in doubt, or beyond its deadline",
            Self::NobodyAnswers => "nobody answers",
            Self::Blocked => "a need was not met in truth",
            Self::NotValidated => "the validation failed and was ignored",
        }
    }
}

/// State of one node.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) status: Status,
    pub(super) open: u32,
    /// Rises whenever what was awaited no longer is.
    pub(super) epoch: u32,
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) attempts: u32,
    pub(super) failures: u32,
    pub(super) streak: u32,
    /// The node whose end let this one begin.
    pub(super) cause: u32,
    pub(super) outcome: Outcome,
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lived {
    /// Recovery time in milliseconds; absent: the service was not recovered.
    pub(super) recovery: Option<u64>,
    /// Whether everything ended.
    pub(super) completed: bool,
    /// Where it came to stand.
    pub(super) stopped: Option<(u32, Why)>,
}

/// A world that lives one run after the other.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct World<'a> {
    pub(super) shape: &'a Shape,
    pub(super) conditions: &'a Conditions,
    /// A unit that takes only a part of its time.
    pub(super) shortened: Option<(u32, f64)>,
    pub(super) luck: Luck,
    pub(super) now: u64,
    pub(super) states: Vec<State>,
    pub(super) lanes: Vec<(u32, u32)>,
    pub(super) frontier: Vec<u32>,
    queue: BinaryHeap<Reverse<(u64, u32, u32, u32)>>,
    order: u32,
    /// How often each rule has counted, of all nodes one after the other.
    pub(super) hits: Vec<u32>,
    pub(super) first_hit: Vec<usize>,
    pub(super) faults: Vec<bool>,
    pub(super) held: bool,
    pub(super) over: bool,
    pub(super) touched: Option<u64>,
    pub(super) open_recovery: u32,
    pub(super) any_recovered: bool,
    pub(super) spoiled: bool,
    pub(super) healthy: Option<(u64, u32)>,
    pub(super) stopped: Option<(u32, Why)>,
    /// When it came to stand there.
    pub(super) troubled: Option<u64>,
    /// What everybody meets whose run belongs to the same whole: its luck, and how long ago that began.
    pub(super) whole: Option<(Luck, u64)>,
    pub(super) unfenced: bool,
    pub(super) read: bool,
    pub(super) unsettled: usize,
    asked: Spread,
}

impl<'a> World<'a> {
    /// Makes a world for a plan under conditions.
    pub(super) fn new(shape: &'a Shape, conditions: &'a Conditions) -> Self {
        let mut first_hit = Vec::with_capacity(shape.nodes.len());
        let mut rules = 0;
        for node in &conditions.nodes {
            first_hit.push(rules);
            rules += node.hazards.len();
        }
        first_hit.resize(shape.nodes.len(), rules);
        let blank = State {
            status: Status::Pending,
            open: 0,
            epoch: 0,
            began: NEVER,
            ended: 0,
            attempts: 0,
            failures: 0,
            streak: 0,
            cause: NONE,
            outcome: Outcome::Applied,
        };
        Self {
            shape,
            conditions,
            shortened: None,
            luck: Luck::of(0, 0),
            now: 0,
            states: vec![blank; shape.nodes.len()],
            lanes: vec![(0, NONE); shape.lanes],
            frontier: Vec::with_capacity(shape.nodes.len()),
            queue: BinaryHeap::with_capacity(shape.nodes.len() + 1),
            order: 0,
            hits: vec![0; rules],
            first_hit,
            faults: vec![false; conditions.faults.len()],
            held: false,
            over: false,
            touched: None,
            open_recovery: 0,
            any_recovered: false,
            spoiled: false,
            healthy: None,
            stopped: None,
            troubled: None,
            whole: None,
            unfenced: false,
            read: false,
            unsettled: 0,
            asked: Spread::estimated(ActionName::ApprovalRequest.spec().estimate),
        }
    }

    /// Lives one run.
    pub(super) fn live(&mut self, luck: Luck) -> Lived {
        self.begin_anew(luck);
        self.advance();
        self.note_trouble();
        while let Some(Reverse((at, _, node, epoch))) = self.queue.pop() {
            if self.over {
                break;
            }
            if self.states[node as usize].epoch == epoch {
                self.now = at;
                self.due(node);
                self.advance();
                self.note_trouble();
            }
        }
        let zero = self.zero();
        Lived {
            recovery: self.healthy.map(|(at, _)| at.saturating_sub(zero)),
            completed: self.unsettled == 0,
            stopped: if self.healthy.is_some() { None } else { self.stopped.or_else(|| self.standing()) },
        }
    }

    fn note_trouble(&mut self) {
        if self.stopped.is_some() && self.troubled.is_none() {
            self.troubled = Some(self.now);
        }
    }

    /// When the recovery clock began.
    pub(super) fn zero(&self) -> u64 {
        self.touched.filter(|_| self.shape.waits_for_touch).unwrap_or(0)
    }

    /// Calls a function with each node of the path that the recovery took, the last first, and how long the
    /// path stayed at it.
    pub(super) fn critical(&self, mut each: impl FnMut(u32, u64)) {
        let zero = self.zero();
        let mut next = self.healthy.map_or(NONE, |(_, node)| node);
        while let Some(state) = self.states.get(next as usize) {
            let since = if state.began == NEVER { state.ended } else { state.began };
            let spent = state.ended.saturating_sub(since.max(zero));
            if spent > 0 {
                each(next, spent);
            }
            next = state.cause;
        }
    }

    fn begin_anew(&mut self, luck: Luck) {
        let shape = self.shape;
        self.luck = luck;
        self.now = 0;
        self.queue.clear();
        self.order = 0;
        self.frontier.clear();
        self.hits.fill(0);
        self.lanes.fill((0, NONE));
        (self.held, self.over, self.touched) = (false, false, None);
        (self.any_recovered, self.spoiled, self.healthy) = (false, false, None);
        (self.stopped, self.troubled) = (None, None);
        (self.unfenced, self.read) = (false, false);
        self.unsettled = shape.nodes.len();
        self.open_recovery = 0;
        for (number, (state, flat)) in (0_u32..).zip(self.states.iter_mut().zip(&shape.nodes)) {
            *state = State {
                status: Status::Pending,
                open: flat.needs,
                epoch: 0,
                began: NEVER,
                ended: 0,
                attempts: 0,
                failures: 0,
                streak: 0,
                cause: NONE,
                outcome: Outcome::Applied,
            };
            self.open_recovery += u32::from(flat.recovers);
            if flat.needs == 0 {
                self.frontier.push(number);
            }
        }
        for (number, (occurs, probability)) in
            (0_u32..).zip(self.faults.iter_mut().zip(&self.conditions.faults))
        {
            let luck = self.whole.map_or(luck, |(luck, _)| luck);
            *occurs = luck.share(Purpose::Fault, number, 0) < *probability;
        }
    }

    /// Begins every node that may begin, until nothing changes.
    fn advance(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            let mut at = 0;
            while let Some(&node) = self.frontier.get(at) {
                if self.held || self.over {
                    return;
                }
                if self.may_begin(node) {
                    self.frontier.remove(at);
                    self.begin(node);
                    changed = true;
                } else {
                    at += 1;
                }
            }
        }
    }

    fn may_begin(&self, node: u32) -> bool {
        let lane = self.shape.nodes[node as usize].lane;
        let room = lane.is_none_or(|(lane, width)| self.lanes[lane as usize].0 < width);
        room && self.is_safe(node)
    }

    fn is_safe(&self, node: u32) -> bool {
        let needs = &self.shape.safety[node as usize];
        needs.iter().all(|need| self.states[*need as usize].status == Status::Succeeded)
    }

    fn begin(&mut self, node: u32) {
        let flat = &self.shape.nodes[node as usize];
        if flat.skipped {
            self.states[node as usize].status = Status::Skipped;
            return self.settle(node);
        }
        self.blame_lane(node);
        self.states[node as usize].began = self.now;
        match &flat.kind {
            FlatKind::Effect { .. } | FlatKind::Check { .. } => {
                self.enter(node, Status::Running);
                self.try_once(node);
            }
            FlatKind::Person { expires, refuses } => {
                self.enter(node, Status::Asked);
                self.ask(node, *expires, *refuses);
            }
            FlatKind::Wait => {
                self.enter(node, Status::Waiting);
                let takes = self.drawn(node, flat.takes, 1);
                self.push(self.now + takes, node);
            }
            FlatKind::Fails => self.fail(node, FailureClass::Permanent),
            FlatKind::Gate => self.gate(node),
            FlatKind::Group { .. } => self.succeed(node),
        }
    }

    /// A node that waited for room in its lane began because another one left it.
    fn blame_lane(&mut self, node: u32) {
        let Some((lane, _)) = self.shape.nodes[node as usize].lane else { return };
        let (_, left) = self.lanes[lane as usize];
        let cause = self.states[node as usize].cause;
        let ended = |node: u32| self.states.get(node as usize).map_or(0, |state| state.ended);
        if left != NONE && ended(left) == self.now && ended(cause) < self.now {
            self.states[node as usize].cause = left;
        }
    }

    fn enter(&mut self, node: u32, status: Status) {
        let flat = &self.shape.nodes[node as usize];
        if flat.interrupts && matches!(status, Status::Running | Status::Asked) {
            self.touched = self.touched.or(Some(self.now));
        }
        if let Some((lane, _)) = flat.lane {
            self.lanes[lane as usize].0 += 1;
        }
        self.states[node as usize].status = status;
    }

    fn ask(&mut self, node: u32, expires: Option<u64>, refuses: bool) {
        let answers = match self.conditions.people {
            Some(Person::Never) => None,
            Some(Person::After(spread)) => Some(self.drawn(node, spread, 1)),
            None => Some(self.drawn(node, self.shape.nodes[node as usize].takes, 1)),
        };
        let (after, outcome) = match (answers, expires) {
            (None, None) => return,
            (Some(after), None) => (after, Outcome::Applied),
            (Some(after), Some(expires)) if after <= expires => (after, Outcome::Applied),
            (_, Some(expires)) if refuses => (expires, Outcome::Failed(FailureClass::Refused, 0)),
            (_, Some(expires)) => (expires, Outcome::Applied),
        };
        self.states[node as usize].outcome = outcome;
        self.push(self.now + after, node);
    }

    /// The confirmation may have been given at the start; what only the run has shown needs a person.
    fn gate(&mut self, node: u32) {
        let lost = self.conditions.lag.zip(self.shape.rpo).is_some_and(|(lag, most)| lag > most);
        let surprise = self.unfenced || lost || (self.shape.rpo.is_some() && !self.read);
        let takes = match (self.conditions.gate, self.conditions.people) {
            (Some(gate), _) => Some(gate),
            (None, _) if !surprise => return self.succeed(node),
            (None, Some(Person::Never)) => None,
            (None, Some(Person::After(people))) => Some(people),
            (None, None) => Some(self.asked),
        };
        self.enter(node, Status::Asked);
        if let Some(takes) = takes {
            let takes = self.drawn(node, takes, 1);
            self.push(self.now + takes, node);
        }
    }

    /// A duration of a node, in milliseconds.
    pub(super) fn drawn(&self, node: u32, spread: Spread, number: u32) -> u64 {
        let unit = self.shape.unit_of[node as usize];
        let spread = match self.shortened {
            Some((shortened, factor)) if shortened == unit => spread.times(factor),
            Some(_) | None => spread,
        };
        if spread.is_fixed() {
            return spread.at(0.0);
        }
        spread.at(self.luck.deviation(unit, node, number))
    }

    /// Something will be due for a node.
    pub(super) fn push(&mut self, at: u64, node: u32) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order, node, self.states[node as usize].epoch)));
    }

    fn due(&mut self, node: u32) {
        let outcome = self.states[node as usize].outcome;
        match self.states[node as usize].status {
            Status::Running => self.ended(node, outcome),
            // What waits for its next attempt does so until somebody looks after what failed.
            Status::Retrying if self.held => {}
            Status::Retrying => self.try_again(node),
            Status::Waiting => match self.shape.nodes[node as usize].kind {
                FlatKind::Check { .. } => self.try_again(node),
                _ => self.succeed(node),
            },
            Status::Asked => match outcome {
                Outcome::Failed(class, _) => self.fail(node, class),
                Outcome::Applied | Outcome::Again | Outcome::Person => self.succeed(node),
            },
            Status::Pending
            | Status::Stuck
            | Status::Failed
            | Status::Succeeded
            | Status::Skipped
            | Status::Ignored => {}
        }
    }

    fn try_again(&mut self, node: u32) {
        self.states[node as usize].status = Status::Running;
        self.try_once(node);
    }

    /// Where a run stands that neither failed nor got anywhere.
    pub(super) fn standing(&self) -> Option<(u32, Why)> {
        let with = |status: Status| self.states.iter().position(|state| state.status == status);
        let number = |place: usize| u32::try_from(place).unwrap_or(NONE);
        if let Some(place) = with(Status::Asked) {
            return Some((number(place), Why::NobodyAnswers));
        }
        if let Some(node) = self.frontier.iter().find(|node| !self.is_safe(**node)) {
            return Some((*node, Why::Blocked));
        }
        let ignored = |place: &usize| {
            self.shape.nodes[*place].recovers && self.states[*place].status == Status::Ignored
        };
        let place = (0..self.states.len()).find(ignored)?;
        Some((number(place), Why::NotValidated))
    }
}
