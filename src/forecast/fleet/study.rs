//! Lives a fleet many times under each scenario and counts: times, misses, early stops, who sets the end.

use std::cmp::Reverse;

use super::crew::{Crew, Life, Standing};
use super::report::{FleetForecast, FleetReport, MemberShare};
use crate::forecast::chance::Luck;
use crate::forecast::conditions::Conditions;
use crate::forecast::counted::{Histogram, Share, Times, percentile, rounded};
use crate::forecast::report::Asked;
use crate::forecast::shape::Shape;
use crate::forecast::world::{Why, World};
use crate::forecast::{FORMAT, MOST_RUNS};
use crate::model::time::Duration;
use crate::plan::{Plan, PlanIndex};

/// Runs whose times of members are kept, the first ones: enough for their percentiles.
const KEPT: u32 = 2_000;
/// Most assumptions that are told.
const ASSUMED: usize = 20;

/// A member of a fleet.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The plan of its run.
    pub plan: &'a Plan,
    /// What is derived from that.
    pub index: &'a PlanIndex,
    /// Whether durations of earlier runs are in the plan.
    pub has_history: bool,
}

/// What is asked of a study of a fleet.
#[derive(Debug, Clone, Copy)]
pub struct FleetQuestion<'a> {
    /// The plan of the fleet.
    pub plan: &'a Plan,
    /// Those of its members, in the order of its nodes.
    pub members: &'a [Member<'a>],
    /// What each scenario means for each of them.
    pub scenarios: &'a [Vec<Conditions>],
    /// Runs of each scenario.
    pub runs: u32,
    /// Everything drawn follows from it.
    pub seed: u64,
}

/// Answers a question. The same question has the same answer, on every machine.
#[must_use]
pub fn fleet_study(question: &FleetQuestion<'_>) -> FleetReport {
    let plan = question.plan;
    let shapes: Vec<Shape> = question.members.iter().map(|it| Shape::new(it.plan, it.index)).collect();
    let named = question.members.iter().zip(&shapes).flat_map(|(member, shape)| {
        shape.assumed.iter().map(|assumed| format!("{}: {assumed}", member.plan.runbook.name))
    });
    let mut assumptions: Vec<String> = named.collect();
    let more = assumptions.len().saturating_sub(ASSUMED);
    assumptions.truncate(ASSUMED);
    if more > 0 {
        assumptions.push(format!("and {more} more"));
    }
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    FleetReport {
        format: FORMAT,
        fleet: plan.runbook.name.clone(),
        digest: plan.runbook.digest.clone(),
        operation: plan.operation,
        mode: plan.mode,
        objectives: Asked { rto_ms: plan.objectives.rto.map(Duration::as_millis), rpo_ms: None },
        members: count(question.members.len()),
        max_parallel: plan.nodes.iter().find_map(|node| node.lane).map(|lane| lane.width),
        tolerated: plan.tolerance.filter(|tolerance| *tolerance != u32::MAX),
        runs: question.runs.clamp(1, MOST_RUNS),
        seed: question.seed,
        with_history: count(question.members.iter().filter(|it| it.has_history).count()),
        assumptions,
        scenarios: question.scenarios.iter().map(|it| Studied::of(question, &shapes, it).told()).collect(),
    }
}

/// What was counted of a member.
#[derive(Debug, Clone, Default)]
struct Seen {
    critical: u32,
    last: u32,
    spent: u64,
    takes: Vec<u64>,
    done: Vec<u64>,
    in_trouble: u32,
    not_begun: u32,
    missed: u32,
}

/// What was counted under one scenario.
struct Studied<'a> {
    question: &'a FleetQuestion<'a>,
    conditions: &'a [Conditions],
    runs: u32,
    times: Vec<u64>,
    stopped: u32,
    recovered: u64,
    seen: Vec<Seen>,
}

impl<'a> Studied<'a> {
    fn of(question: &'a FleetQuestion<'a>, shapes: &'a [Shape], conditions: &'a [Conditions]) -> Self {
        let runs = question.runs.clamp(1, MOST_RUNS);
        let mut studied = Self {
            question,
            conditions,
            runs,
            times: Vec::with_capacity(runs as usize),
            stopped: 0,
            recovered: 0,
            seen: vec![Seen::default(); shapes.len()],
        };
        let mut crew = Crew::of(question.plan);
        let mut worlds: Vec<World<'_>> =
            shapes.iter().zip(conditions).map(|(shape, met)| World::new(shape, met)).collect();
        for run in 0..runs {
            let whole = Luck::of(question.seed, run);
            let ran = crew.live(|member, now| {
                let world = &mut worlds[member as usize];
                world.whole = Some((whole, now));
                let name = question.members[member as usize].plan.runbook.name.as_str();
                life(world, Luck::of_part(question.seed, name, run))
            });
            studied.stopped += u32::from(ran.stopped);
            studied.count(&crew, run < KEPT);
            if let Some((at, last)) = ran.healthy {
                studied.times.push(at);
                studied.seen[last as usize].last += 1;
                crew.critical(last, |member, part| {
                    let seen = &mut studied.seen[member as usize];
                    seen.critical += 1;
                    seen.spent += part.ended - part.began;
                });
            }
        }
        studied.times.sort_unstable();
        studied
    }

    fn count(&mut self, crew: &Crew, kept: bool) {
        for ((seen, part), member) in self.seen.iter_mut().zip(&crew.parts).zip(self.question.members) {
            let late = |rto: Duration| part.recovery.is_none_or(|took| took > rto.as_millis());
            let begun = part.standing != Standing::Pending;
            seen.missed += u32::from(begun && member.plan.objectives.rto.is_some_and(late));
            match part.standing {
                Standing::Pending => seen.not_begun += 1,
                Standing::UnderWay => {}
                Standing::InTrouble => seen.in_trouble += 1,
                Standing::Succeeded => {
                    self.recovered += u64::from(part.recovery.is_some());
                    if kept {
                        seen.takes.push(part.ended - part.began);
                        seen.done.push(part.ended);
                    }
                }
            }
        }
    }

    fn told(mut self) -> FleetForecast {
        let complete = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        let missed =
            |rto: u64| self.runs - u32::try_from(self.times.partition_point(|it| *it <= rto)).unwrap_or(0);
        let rto = self.question.plan.objectives.rto.map(Duration::as_millis);
        let misses_rto = rto.map(|rto| Share::of(missed(rto), self.runs));
        let first = self.conditions.first();
        FleetForecast {
            name: first.map_or_else(String::new, |it| it.name.clone()),
            description: first.and_then(|it| it.description.clone()),
            notes: first.map_or_else(Vec::new, |it| it.notes.clone()),
            recovery_time: Times::of(&self.times, self.runs),
            misses_rto,
            incomplete: Share::of(self.runs - complete, self.runs),
            stops_early: Share::of(self.stopped, self.runs),
            mean_recovered: mean(self.recovered, self.runs),
            histogram: Histogram::of(&self.times),
            members: self.members(complete),
        }
    }

    fn members(&mut self, complete: u32) -> Vec<MemberShare> {
        let share = |seen: u32, of: u32| rounded(f64::from(seen) / f64::from(of.max(1)));
        let runs = self.runs;
        let told = self.seen.iter_mut().zip(self.question.members).map(|(seen, member)| {
            seen.takes.sort_unstable();
            seen.done.sort_unstable();
            let of = |times: &[u64], thousandths| {
                percentile(times, u32::try_from(times.len()).unwrap_or(u32::MAX), thousandths)
            };
            let rto = member.plan.objectives.rto;
            MemberShare {
                service: member.plan.runbook.name.clone(),
                critical: share(seen.critical, complete),
                last: share(seen.last, complete),
                spent_ms: seen.spent / u64::from(complete.max(1)),
                takes_p50_ms: of(&seen.takes, 500),
                takes_p95_ms: of(&seen.takes, 950),
                done_p50_ms: of(&seen.done, 500),
                done_p95_ms: of(&seen.done, 950),
                rto_ms: rto.map(Duration::as_millis),
                misses_rto: rto.map(|_| Share::of(seen.missed, runs)),
                in_trouble: share(seen.in_trouble, runs),
                not_begun: share(seen.not_begun, runs),
            }
        });
        let mut members: Vec<MemberShare> = told.collect();
        members.sort_by_key(|it| Reverse((it.spent_ms, it.takes_p95_ms)));
        members
    }
}

/// How a member goes that is lived in its world.
fn life(world: &mut World<'_>, luck: Luck) -> Life {
    let lived = world.live(luck);
    let completed = lived.completed;
    let succeeds = completed.then_some(world.now);
    let stands = || world.standing().is_some_and(|(_, why)| why == Why::Blocked).then_some(world.now);
    let troubled = if completed { None } else { world.troubled.or_else(stands) };
    Life { succeeds, troubled, over: world.over, recovery: lived.recovery }
}

/// A mean number of members, to hundredths.
#[expect(clippy::cast_precision_loss, reason = "counts of members are far below 2^52")]
fn mean(sum: u64, runs: u32) -> f64 {
    (sum as f64 / f64::from(runs) * 100.0).round() / 100.0
}
