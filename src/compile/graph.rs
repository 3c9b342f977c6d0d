//! Which step waits for which: duplicate ids, unknown needs, cycles, and questions about order. Knows
//! nothing about phases.

use std::collections::{HashSet, VecDeque};

use super::diagnostic::Code;
use super::outline::{Outline, StepIndex};
use super::reporter::Reporter;
use super::schema::Gaps;
use super::suggest;
use super::tree::Part;
use crate::model::time::Duration;

/// Most cycles of one workflow that are reported.
const MOST_CYCLES: usize = 10;

/// The order of a workflow's steps. A step is two nodes, its start and its end, so that a group can lie
/// around its members.
pub(super) struct Graph {
    before: Vec<Vec<u32>>,
    order: Vec<u32>,
    /// Whether steps wait for each other, so that questions about order have no answer.
    pub(super) cyclic: bool,
}

const fn start(index: StepIndex) -> usize {
    index * 2
}

const fn end(index: StepIndex) -> usize {
    index * 2 + 1
}

fn narrow(node: usize) -> u32 {
    u32::try_from(node).unwrap_or(u32::MAX)
}

impl Graph {
    /// Builds the graph and reports what is wrong with it.
    pub(super) fn new(outline: &Outline<'_>, gaps: &Gaps, reporter: &mut Reporter<'_>) -> Self {
        duplicates(outline, reporter);
        let mut before = vec![Vec::new(); outline.entries.len() * 2];
        for (index, entry) in outline.entries.iter().enumerate() {
            let mut needs = Vec::new();
            match &entry.step.needs {
                None => needs.extend(entry.previous.map(end)),
                Some(_) => needs.extend(named(outline, index, gaps, reporter).into_iter().map(end)),
            }
            needs.extend(entry.group.map(start));
            if let Some(own) = before.get_mut(start(index)) {
                own.extend(needs.into_iter().map(narrow));
            }
            if let Some(own) = before.get_mut(end(index)) {
                own.push(narrow(start(index)));
            }
            if let Some(group) = entry.group.and_then(|group| before.get_mut(end(group))) {
                group.push(narrow(end(index)));
            }
        }
        let mut graph = Self { before, order: Vec::new(), cyclic: false };
        graph.sort(outline, reporter);
        graph
    }

    /// Kahn's algorithm in source order; a cycle is reported, then taken as done so that the next one is
    /// found too.
    fn sort(&mut self, outline: &Outline<'_>, reporter: &mut Reporter<'_>) {
        let mut after = vec![Vec::new(); self.before.len()];
        for (node, before) in self.before.iter().enumerate() {
            for earlier in before {
                if let Some(list) = after.get_mut(*earlier as usize) {
                    list.push(narrow(node));
                }
            }
        }
        let mut open: Vec<usize> = self.before.iter().map(Vec::len).collect();
        let mut done = vec![false; open.len()];
        let mut queue: VecDeque<usize> = (0..open.len()).filter(|node| open.get(*node) == Some(&0)).collect();
        let mut cycles = 0;
        let mut next_open = 0;
        loop {
            while let Some(node) = queue.pop_front() {
                if done.get(node).copied().unwrap_or(true) {
                    continue;
                }
                done[node] = true;
                self.order.push(narrow(node));
                for later in after.get(node).into_iter().flatten() {
                    let later = *later as usize;
                    open[later] = open[later].saturating_sub(1);
                    if open[later] == 0 {
                        queue.push_back(later);
                    }
                }
            }
            while done.get(next_open) == Some(&true) {
                next_open += 1;
            }
            if next_open >= done.len() {
                return;
            }
            self.cyclic = true;
            let cycle = self.cycle(next_open, &done);
            cycles += 1;
            if cycles <= MOST_CYCLES {
                report_cycle(&cycle, outline, reporter);
            }
            if cycles > MOST_CYCLES {
                return;
            }
            queue.extend(cycle);
        }
    }

    /// A cycle found by walking back from a node that is not done; every such node has one before it.
    fn cycle(&self, from: usize, done: &[bool]) -> Vec<usize> {
        let mut path = Vec::new();
        let mut seen = HashSet::new();
        let mut node = from;
        while seen.insert(node) {
            path.push(node);
            let earlier = self.before.get(node).into_iter().flatten().map(|earlier| *earlier as usize);
            match earlier.into_iter().find(|earlier| done.get(*earlier) == Some(&false)) {
                Some(earlier) => node = earlier,
                None => break,
            }
        }
        let begin = path.iter().position(|other| *other == node).unwrap_or(0);
        path.split_off(begin)
    }

    /// For each pair: whether the first step is over before the second begins.
    pub(super) fn is_before(&self, pairs: &[(StepIndex, StepIndex)]) -> Vec<bool> {
        let mut targets: Vec<StepIndex> = pairs.iter().map(|(target, _)| *target).collect();
        targets.sort_unstable();
        targets.dedup();
        let mut by_target: Vec<usize> = (0..pairs.len()).collect();
        by_target.sort_unstable_by_key(|at| pairs[*at].0);
        let mut answers = vec![false; pairs.len()];
        let mut waiting = by_target.into_iter().peekable();
        for batch in targets.chunks(64) {
            let masks = self.masks(batch);
            while let Some(at) = waiting.next_if(|at| batch.last().is_some_and(|last| pairs[*at].0 <= *last))
            {
                let (target, reader) = pairs[at];
                let bit = batch.binary_search(&target).unwrap_or(0);
                answers[at] = masks.get(start(reader)).is_some_and(|mask| mask >> bit & 1 == 1);
            }
        }
        answers
    }

    /// For each of `readers` that does not wait for all of `targets`: the first it does not wait for.
    pub(super) fn missing(
        &self,
        targets: &[StepIndex],
        readers: &[StepIndex],
    ) -> Vec<(StepIndex, StepIndex)> {
        let mut found: Vec<Option<StepIndex>> = vec![None; readers.len()];
        for batch in targets.chunks(64) {
            let masks = self.masks(batch);
            for (reader, slot) in readers.iter().zip(&mut found).filter(|(_, slot)| slot.is_none()) {
                let mask = masks.get(start(*reader)).copied().unwrap_or(u64::MAX);
                let first = (!mask).trailing_zeros() as usize;
                *slot = batch.get(first).copied().filter(|target| target != reader);
            }
        }
        readers.iter().zip(found).filter_map(|(reader, target)| Some((*reader, target?))).collect()
    }

    /// For each node, which of up to 64 steps are over before it.
    fn masks(&self, batch: &[StepIndex]) -> Vec<u64> {
        let mut masks = vec![0_u64; self.before.len()];
        for (bit, target) in batch.iter().enumerate() {
            if let Some(mask) = masks.get_mut(end(*target)) {
                *mask |= 1 << bit;
            }
        }
        self.spread(&mut masks);
        masks
    }

    fn spread(&self, masks: &mut [u64]) {
        for node in &self.order {
            let node = *node as usize;
            let earlier = self.before.get(node).into_iter().flatten();
            let sum =
                earlier.fold(0, |sum, earlier| sum | masks.get(*earlier as usize).copied().unwrap_or(0));
            if let Some(mask) = masks.get_mut(node) {
                *mask |= sum;
            }
        }
    }

    /// For each step, the bits of all steps that are over before it begins.
    pub(super) fn gathered(&self, bits: &[u64]) -> Vec<u64> {
        let mut masks = vec![0; self.before.len()];
        for (index, own) in bits.iter().enumerate() {
            if let Some(mask) = masks.get_mut(end(index)) {
                *mask = *own;
            }
        }
        self.spread(&mut masks);
        (0..bits.len()).map(|index| masks.get(start(index)).copied().unwrap_or(0)).collect()
    }

    /// The time until all steps are over, each taking its own as soon as what it waits for is over.
    pub(super) fn longest(&self, own: &[Duration]) -> Duration {
        let mut over = vec![Duration::ZERO; self.before.len()];
        for node in &self.order {
            let node = *node as usize;
            let earlier = self.before.get(node).into_iter().flatten();
            let begins = earlier.filter_map(|earlier| over.get(*earlier as usize)).max().copied();
            let takes = if node % 2 == 1 { own.get(node / 2).copied() } else { None };
            if let Some(slot) = over.get_mut(node) {
                *slot = begins.unwrap_or_default().plus(takes.unwrap_or_default());
            }
        }
        over.into_iter().max().unwrap_or_default()
    }

    /// For each step, whether it is marked or a marked step waits for it.
    pub(super) fn leads_to(&self, marked: &[bool]) -> Vec<bool> {
        let mut reached = vec![false; self.before.len()];
        for (index, mark) in marked.iter().enumerate().filter(|(_, mark)| **mark) {
            if let Some(slot) = reached.get_mut(start(index)) {
                *slot = *mark;
            }
        }
        for node in self.order.iter().rev() {
            if reached.get(*node as usize) != Some(&true) {
                continue;
            }
            for earlier in self.before.get(*node as usize).into_iter().flatten() {
                if let Some(slot) = reached.get_mut(*earlier as usize) {
                    *slot = true;
                }
            }
        }
        (0..marked.len()).map(|index| reached.get(start(index)) == Some(&true)).collect()
    }
}

fn duplicates(outline: &Outline<'_>, reporter: &mut Reporter<'_>) {
    for (index, entry) in outline.entries.iter().enumerate() {
        let first = outline.by_id.get(entry.id()).copied().unwrap_or(index);
        if first != index {
            let label = reporter.label(&format!("{}/id", outline.pointer(first)), Part::Value, "first here");
            let pointer = format!("{}/id", outline.pointer(index));
            let message = format!("two steps have the id `{}`", entry.id());
            reporter
                .value(Code::DuplicateId, &pointer, message)
                .also(label)
                .help("give one of them another id");
        }
    }
}

/// The steps named by `needs`.
fn named(
    outline: &Outline<'_>,
    index: StepIndex,
    gaps: &Gaps,
    reporter: &mut Reporter<'_>,
) -> Vec<StepIndex> {
    let Some(entry) = outline.entries.get(index) else { return Vec::new() };
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for (at, need) in entry.step.needs.iter().flatten().enumerate() {
        let pointer = || format!("{}/needs/{at}", outline.pointer(index));
        if !seen.insert(need) {
            let message = format!("`{}` needs `{need}` twice", entry.id());
            reporter
                .value(Code::RepeatedNeed, &pointer(), message)
                .help("name another step, or leave it out");
            continue;
        }
        match outline.by_id.get(need.as_str()) {
            Some(target) => found.push(*target),
            None if gaps.lost(need.as_str()) => {}
            None if reporter.is_full(Code::UnknownNeed) => {
                reporter.leave_out(Code::UnknownNeed);
            }
            None => {
                let message =
                    format!("`{}` needs `{need}`, but there is no step of that id here", entry.id());
                let help = match suggest::nearest(need.as_str(), outline.ids()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("a need is the id of a step of `workflows.{}`", outline.name),
                };
                reporter.value(Code::UnknownNeed, &pointer(), message).help(help);
            }
        }
    }
    found
}

fn report_cycle(cycle: &[usize], outline: &Outline<'_>, reporter: &mut Reporter<'_>) {
    let mut steps: Vec<StepIndex> = cycle.iter().map(|node| node / 2).collect();
    steps.dedup();
    if steps.len() > 1 && steps.first() == steps.last() {
        steps.pop();
    }
    let Some(lowest) = steps.iter().enumerate().min_by_key(|(_, step)| **step).map(|(at, _)| at) else {
        return;
    };
    steps.rotate_left(lowest);
    let ids = |steps: &[StepIndex]| -> Vec<String> {
        steps
            .iter()
            .filter_map(|step| outline.entries.get(*step))
            .map(|entry| format!("`{}`", entry.id()))
            .collect()
    };
    let mut names = ids(&steps);
    names.extend(names.first().cloned());
    // The place is a `needs` that closes the cycle, where there is one.
    let says_so = |at: usize| {
        let next = steps.get((at + 1) % steps.len()).and_then(|step| outline.entries.get(*step));
        let needs = steps.get(at).and_then(|step| outline.entries.get(*step)?.step.needs.as_ref());
        needs.zip(next).is_some_and(|(needs, next)| needs.contains(&next.step.id))
    };
    let place = (0..steps.len()).find(|at| says_so(*at));
    let step = steps.get(place.unwrap_or(0)).copied().unwrap_or(0);
    let pointer = outline.pointer(step) + if place.is_some() { "/needs" } else { "/id" };
    let message = if steps.len() == 1 {
        format!("{} waits for itself", ids(&steps).concat())
    } else {
        format!("steps wait for each other: {}", names.join(" needs "))
    };
    reporter
        .key(Code::Cycle, &pointer, message)
        .help("take one of these needs away; a member cannot wait for its own group");
}
