//! One run of a fleet in virtual time: who begins when, whom the others wait for, when it stops. The rules
//! are the engine's; how each member goes is told by whoever is asked.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::forecast::shape::{NEVER, NONE};
use crate::plan::{EdgeKind, Plan};

/// How a member goes, in milliseconds since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// When its run has succeeded; absent: it does not before somebody looks after it.
    pub(super) succeeds: Option<u64>,
    /// When it gets in trouble.
    pub(super) troubled: Option<u64>,
    /// Whether it is over then, so that it leaves its place to another.
    pub(super) over: bool,
    /// Its recovery time, on the clock of its own run; absent: its service is not recovered. What failed and
    /// was ignored may belong to that.
    pub(super) recovery: Option<u64>,
}

/// Where a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Pending,
    UnderWay,
    InTrouble,
    Succeeded,
}

/// One member of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) standing: Standing,
    open: u32,
    pub(super) began: u64,
    pub(super) ended: u64,
    /// The member whose end let this one begin.
    pub(super) cause: u32,
    over: bool,
    /// Its recovery time, on the clock of its own run; absent: none, or it has not begun.
    pub(super) recovery: Option<u64>,
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ran {
    /// When all members had succeeded, and the last of them.
    pub(super) healthy: Option<(u64, u32)>,
    /// More were in trouble than may be, so that no further member began.
    pub(super) stopped: bool,
}

/// A fleet that lives one run after the other.
pub(super) struct Crew {
    needs: Vec<u32>,
    successors: Vec<Vec<u32>>,
    width: u32,
    tolerance: u32,
    pub(super) parts: Vec<Part>,
    frontier: Vec<u32>,
    queue: BinaryHeap<Reverse<(u64, u32, u32)>>,
    order: u32,
    now: u64,
    under_way: u32,
    troubled: u32,
    left: u32,
    open: usize,
    stopped: bool,
    spoiled: bool,
}

impl Crew {
    /// A crew for the plan of a fleet.
    pub(super) fn of(plan: &Plan) -> Self {
        let members = plan.nodes.len();
        let (mut needs, mut successors) = (vec![0; members], vec![Vec::new(); members]);
        for (number, node) in (0_u32..).zip(&plan.nodes) {
            for edge in node.needs.iter().filter(|edge| edge.kind != EdgeKind::Graceful) {
                successors[edge.node as usize].push(number);
                needs[number as usize] += 1;
            }
        }
        let width = plan.nodes.iter().find_map(|node| node.lane).map_or(u32::MAX, |lane| lane.width);
        Self {
            needs,
            successors,
            width,
            tolerance: plan.tolerance.unwrap_or(0),
            parts: Vec::with_capacity(members),
            frontier: Vec::with_capacity(members),
            queue: BinaryHeap::with_capacity(members),
            order: 0,
            now: 0,
            under_way: 0,
            troubled: 0,
            left: NONE,
            open: members,
            stopped: false,
            spoiled: false,
        }
    }

    /// Lives one run; `life` says how a member goes that begins at a time.
    pub(super) fn live(&mut self, mut life: impl FnMut(u32, u64) -> Life) -> Ran {
        self.begin_anew();
        self.advance(&mut life);
        let mut last = NONE;
        while let Some(Reverse((at, _, member))) = self.queue.pop() {
            self.now = at;
            last = member;
            self.due(member);
            self.advance(&mut life);
        }
        let is_healthy = self.open == 0 && !self.spoiled;
        Ran { healthy: is_healthy.then_some((self.now, last)), stopped: self.stopped }
    }

    /// The members of the path that the recovery took, the last first.
    pub(super) fn critical(&self, last: u32, mut each: impl FnMut(u32, &Part)) {
        let mut next = last;
        while let Some(part) = self.parts.get(next as usize) {
            each(next, part);
            next = part.cause;
        }
    }

    fn begin_anew(&mut self) {
        let part = |needs: &u32| Part {
            standing: Standing::Pending,
            open: *needs,
            began: NEVER,
            ended: NEVER,
            cause: NONE,
            over: false,
            recovery: None,
        };
        self.parts.clear();
        self.parts.extend(self.needs.iter().map(part));
        self.frontier.clear();
        self.frontier.extend((0_u32..).zip(&self.needs).filter(|(_, needs)| **needs == 0).map(|(it, _)| it));
        self.queue.clear();
        (self.order, self.now, self.under_way, self.troubled) = (0, 0, 0, 0);
        (self.left, self.open) = (NONE, self.needs.len());
        (self.stopped, self.spoiled) = (false, false);
    }

    /// Begins every member that may begin, the first of the plan first.
    fn advance(&mut self, life: &mut impl FnMut(u32, u64) -> Life) {
        while !self.stopped && self.under_way < self.width && !self.frontier.is_empty() {
            let member = self.frontier.remove(0);
            let (now, left) = (self.now, self.left);
            let ended = |member: u32| self.parts.get(member as usize).map_or(0, |part| part.ended);
            // It waited for room, and somebody has just left it.
            let waited = left != NONE && ended(left) == now && ended(self.parts[member as usize].cause) < now;
            let goes = life(member, now);
            let part = &mut self.parts[member as usize];
            part.cause = if waited { left } else { part.cause };
            (part.standing, part.began) = (Standing::UnderWay, now);
            (part.over, part.recovery) = (goes.over, goes.recovery);
            self.under_way += 1;
            if let Some(after) = goes.succeeds.or(goes.troubled) {
                part.standing = if goes.succeeds.is_some() { part.standing } else { Standing::InTrouble };
                self.order += 1;
                self.queue.push(Reverse((now + after, self.order, member)));
            }
        }
    }

    /// A member has succeeded, or got in trouble.
    fn due(&mut self, member: u32) {
        let now = self.now;
        let part = &mut self.parts[member as usize];
        let in_trouble = part.standing == Standing::InTrouble;
        if !in_trouble || part.over {
            part.ended = now;
            self.under_way -= 1;
            self.left = member;
        }
        if in_trouble {
            self.troubled += 1;
            self.stopped |= self.troubled > self.tolerance;
            return;
        }
        part.standing = Standing::Succeeded;
        self.spoiled |= part.recovery.is_none();
        self.open -= 1;
        for &successor in &self.successors[member as usize] {
            let part = &mut self.parts[successor as usize];
            part.open -= 1;
            if part.open == 0 {
                part.cause = member;
                let place = self.frontier.binary_search(&successor).unwrap_or_else(|place| place);
                self.frontier.insert(place, successor);
            }
        }
    }
}
