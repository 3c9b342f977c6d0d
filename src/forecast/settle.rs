//! What follows when a node is over or has failed: successors, groups, the end of the recovery. The rules are
//! the engine's.

use super::shape::{FlatKind, NONE};
use super::world::{Status, Why, World};
use crate::model::policy::OnFailure;
use crate::model::run::{FailureClass, Mode};

impl World<'_> {
    /// The node did what it should.
    pub(super) fn succeed(&mut self, node: u32) {
        if matches!(self.shape.nodes[node as usize].kind, FlatKind::Effect { reading: true, .. }) {
            self.read = true;
        }
        self.leave(node, Status::Succeeded);
        self.settle(node);
        self.look_at_group(node);
    }

    /// The node failed for good.
    pub(super) fn fail(&mut self, node: u32, class: FailureClass) {
        if self.is_absent_fence(node, class) {
            self.unfenced = true;
            return self.succeed(node);
        }
        self.leave(node, Status::Failed);
        self.states[node as usize].ended = self.now;
        let group = self.shape.nodes[node as usize].group;
        if self.threshold(group).is_some() {
            self.ignore(node);
            return self.look_at_group(node);
        }
        if self.threshold(self.group_of(group)).is_some() {
            return self.fail_member(node, group);
        }
        match self.shape.nodes[node as usize].on_failure {
            OnFailure::Pause => {
                self.held = true;
                self.stopped = self.stopped.or(Some((node, Why::Failed)));
            }
            OnFailure::Continue => {
                self.ignore(node);
                self.leave_out_guarded(node);
                self.look_at_group(node);
            }
            OnFailure::Abort | OnFailure::Unwind => {
                self.over = true;
                self.stopped = self.stopped.or(Some((node, Why::Failed)));
            }
        }
    }

    /// A source that does not answer must not stop an ungraceful run: that its fence is unconfirmed is
    /// accepted at the gate. Where that does not come before the promotion, it stops.
    fn is_absent_fence(&self, node: u32, class: FailureClass) -> bool {
        let fence = matches!(self.shape.nodes[node as usize].kind, FlatKind::Effect { fence: true, .. });
        let absent = !matches!(class, FailureClass::Permanent | FailureClass::Refused);
        self.shape.mode == Mode::Ungraceful && self.shape.asks_first && fence && absent
    }

    /// A part of a member has failed: the member as a whole has.
    fn fail_member(&mut self, node: u32, whole: u32) {
        self.ignore(node);
        self.drop_from_frontier(whole);
        self.fail(whole, FailureClass::Permanent);
        let shape = self.shape;
        if let FlatKind::Group { members, .. } = &shape.nodes[whole as usize].kind {
            for member in members {
                self.give_up(*member);
            }
        }
    }

    /// A precheck that failed and is ignored leaves out the step it guards.
    fn leave_out_guarded(&mut self, node: u32) {
        let shape = self.shape;
        let step = shape.nodes[node as usize].guards;
        if step == NONE {
            return;
        }
        for other in &shape.attendants[step as usize] {
            self.give_up(*other);
        }
        self.give_up(step);
    }

    /// The run goes on without the node.
    fn ignore(&mut self, node: u32) {
        self.states[node as usize].status = Status::Ignored;
        self.settle(node);
    }

    /// Leaves out what has not begun or only waits.
    fn give_up(&mut self, node: u32) {
        match self.states[node as usize].status {
            Status::Pending => {
                self.drop_from_frontier(node);
                self.states[node as usize].status = Status::Skipped;
                self.settle(node);
            }
            Status::Waiting | Status::Asked | Status::Retrying => {
                self.leave(node, Status::Skipped);
                self.settle(node);
            }
            Status::Running
            | Status::Stuck
            | Status::Failed
            | Status::Succeeded
            | Status::Skipped
            | Status::Ignored => {}
        }
    }

    /// Ends what the node was doing, and frees its place in its lane.
    fn leave(&mut self, node: u32, status: Status) {
        let state = &mut self.states[node as usize];
        let was_active = matches!(
            state.status,
            Status::Running | Status::Waiting | Status::Asked | Status::Retrying | Status::Stuck
        );
        state.status = status;
        state.epoch += 1;
        if let (Some((lane, _)), true) = (self.shape.nodes[node as usize].lane, was_active) {
            let (running, left) = &mut self.lanes[lane as usize];
            *running = running.saturating_sub(1);
            *left = node;
        }
    }

    /// The node is over: whatever needed it needs one thing less.
    pub(super) fn settle(&mut self, node: u32) {
        let shape = self.shape;
        let now = self.now;
        self.states[node as usize].ended = now;
        self.unsettled -= 1;
        if shape.nodes[node as usize].recovers {
            self.recovered(node);
        }
        for &successor in &shape.successors[node as usize] {
            let state = &mut self.states[successor as usize];
            state.open = state.open.saturating_sub(1);
            if state.open == 0 && state.status == Status::Pending {
                state.cause = node;
                let place = self.frontier.binary_search(&successor).unwrap_or_else(|place| place);
                self.frontier.insert(place, successor);
            }
        }
    }

    /// Validation has passed when all of it is over, something of it succeeded, and nothing of it failed.
    fn recovered(&mut self, node: u32) {
        self.open_recovery -= 1;
        match self.states[node as usize].status {
            Status::Succeeded => self.any_recovered = true,
            Status::Ignored => self.spoiled |= self.shape.validates,
            _ => {}
        }
        if self.open_recovery == 0 && self.any_recovered && !self.spoiled {
            self.healthy = Some((self.now, node));
        }
    }

    fn drop_from_frontier(&mut self, node: u32) {
        if let Ok(place) = self.frontier.binary_search(&node) {
            self.frontier.remove(place);
        }
    }

    fn group_of(&self, node: u32) -> u32 {
        self.shape.nodes.get(node as usize).map_or(NONE, |flat| flat.group)
    }

    /// How many members of a group must succeed, where not all must.
    fn threshold(&self, group: u32) -> Option<usize> {
        match &self.shape.nodes.get(group as usize)?.kind {
            FlatKind::Group { needed, .. } => *needed,
            _ => None,
        }
    }

    /// Settles a group as soon as enough of its members have succeeded, or too many have not.
    fn look_at_group(&mut self, member: u32) {
        let shape = self.shape;
        let group = shape.nodes[member as usize].group;
        let Some(FlatKind::Group { members, needed: Some(needed), cancels }) =
            shape.nodes.get(group as usize).map(|flat| &flat.kind)
        else {
            return;
        };
        if self.states[group as usize].status != Status::Pending {
            return;
        }
        let count = |world: &Self, wanted: &[Status]| {
            members.iter().filter(|it| wanted.contains(&world.states[**it as usize].status)).count()
        };
        let done = count(self, &[Status::Succeeded, Status::Skipped]);
        let lost = count(self, &[Status::Failed, Status::Ignored]);
        if done >= *needed {
            if *cancels {
                for member in members {
                    self.give_up(*member);
                }
            }
            self.drop_from_frontier(group);
            self.states[group as usize].cause = member;
            self.succeed(group);
        } else if members.len() - lost < *needed {
            self.drop_from_frontier(group);
            self.states[group as usize].cause = member;
            self.fail(group, FailureClass::Permanent);
        }
    }
}
