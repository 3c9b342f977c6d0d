//! Lives a plan many times under each scenario and counts: times, misses, where the time goes, what each step
//! is worth.

use std::collections::BTreeMap;

use super::chance::Luck;
use super::conditions::Conditions;
use super::counted::{ENDS, Histogram, Share, Times, percentile, rounded};
use super::report::{Asked, Bar, DurationOf, Forecast, Halved, Loss, Report, StepShare, Stop, Tornado};
use super::shape::{FlatKind, NONE, Shape};
use super::spread::Basis;
use super::world::{Why, World};
use super::{FORMAT, MOST_RUNS};
use crate::model::run::ClockStart;
use crate::model::time::Duration;
use crate::plan::{History, Plan, PlanIndex, told};

/// Steps whose halving is tried, the most critical ones.
const HALVED: usize = 8;
/// Runs with which a halved step is tried.
const TRIES: u32 = 2_000;
/// Bars of a tornado.
const BARS: usize = 10;
/// Places at which runs come to stand that are told.
const STOPS: usize = 8;

/// What is asked of a study.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What is derived from it.
    pub index: &'a PlanIndex,
    /// What each scenario means for it.
    pub scenarios: &'a [Conditions],
    /// What earlier runs say; their durations are in the plan.
    pub history: &'a History,
    /// Runs of each scenario.
    pub runs: u32,
    /// Everything drawn follows from it.
    pub seed: u64,
}

/// Answers a question. The same question has the same answer, on every machine.
#[must_use]
pub fn study(question: &Question<'_>) -> Report {
    let shape = Shape::new(question.plan, question.index);
    let plan = question.plan;
    let millis = |duration: Option<Duration>| duration.map(Duration::as_millis);
    Report {
        format: FORMAT,
        service: plan.runbook.name.clone(),
        runbook_digest: plan.runbook.digest.clone(),
        operation: plan.operation,
        mode: plan.mode,
        from: plan.from.clone(),
        to: plan.to.clone(),
        objectives: Asked { rto_ms: millis(plan.objectives.rto), rpo_ms: millis(plan.objectives.rpo) },
        clock_start: if shape.waits_for_touch { ClockStart::Interruption } else { ClockStart::Declaration },
        validated: shape.validates,
        runs: question.runs.clamp(1, MOST_RUNS),
        seed: question.seed,
        history_runs: question.history.runs,
        durations: durations(plan, &shape),
        assumptions: shape.assumed.clone(),
        scenarios: question.scenarios.iter().map(|it| Studied::of(question, &shape, it).told()).collect(),
    }
}

fn durations(plan: &Plan, shape: &Shape) -> Vec<DurationOf> {
    let nodes = plan.nodes.iter().zip(&shape.nodes);
    let takes_time = |flat: &super::shape::Flat| match flat.kind {
        FlatKind::Effect { .. } | FlatKind::Check { .. } | FlatKind::Person { .. } | FlatKind::Wait => true,
        FlatKind::Fails | FlatKind::Gate | FlatKind::Group { .. } => false,
    };
    let shown = nodes.filter(|(_, flat)| !flat.skipped && takes_time(flat));
    shown
        .map(|(node, flat)| DurationOf {
            node: node.address.to_string(),
            title: node.title.clone(),
            basis: flat.basis,
            samples: flat.samples,
            takes: flat.takes.told(),
        })
        .collect()
}

/// What was counted under one scenario.
struct Studied<'a> {
    question: &'a Question<'a>,
    shape: &'a Shape,
    conditions: &'a Conditions,
    world: World<'a>,
    runs: u32,
    /// Recovery times in order.
    times: Vec<u64>,
    completed: u32,
    stops: BTreeMap<(u32, Why), u32>,
    /// In how many runs each unit was on the critical path, and how long that stayed at it.
    critical: Vec<(u32, u64)>,
}

impl<'a> Studied<'a> {
    fn of(question: &'a Question<'a>, shape: &'a Shape, conditions: &'a Conditions) -> Self {
        let runs = question.runs.clamp(1, MOST_RUNS);
        let mut studied = Self {
            question,
            shape,
            conditions,
            world: World::new(shape, conditions),
            runs,
            times: Vec::with_capacity(runs as usize),
            completed: 0,
            stops: BTreeMap::new(),
            critical: vec![(0, 0); shape.units.len()],
        };
        let mut last_seen = vec![NONE; shape.units.len()];
        for run in 0..runs {
            studied.live(run, &mut last_seen);
        }
        studied.times.sort_unstable();
        studied
    }

    fn live(&mut self, run: u32, last_seen: &mut [u32]) {
        let lived = self.world.live(Luck::of(self.question.seed, run));
        self.completed += u32::from(lived.completed);
        if let Some(stop) = lived.stopped {
            *self.stops.entry(stop).or_default() += 1;
        }
        let Some(recovery) = lived.recovery else { return };
        self.times.push(recovery);
        let (shape, critical) = (self.shape, &mut self.critical);
        self.world.critical(|node, spent| {
            let unit = shape.unit_of[node as usize] as usize;
            // A step may be on the path with several of its nodes.
            let first = last_seen[unit] != run;
            last_seen[unit] = run;
            critical[unit].0 += u32::from(first);
            critical[unit].1 += spent;
        });
    }

    fn told(mut self) -> Forecast {
        let rto = self.question.plan.objectives.rto.map(Duration::as_millis);
        let recovered = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        let steps = self.steps();
        Forecast {
            name: self.conditions.name.clone(),
            description: self.conditions.description.clone(),
            notes: self.conditions.notes.clone(),
            recovery_time: Times::of(&self.times, self.runs),
            misses_rto: rto.map(|rto| Share::of(self.misses(&self.times, self.runs, rto), self.runs)),
            stuck: Share::of(self.runs - recovered, self.runs),
            completed: Share::of(self.completed, self.runs),
            stops: self.stops(),
            histogram: Histogram::of(&self.times),
            data_loss: self.loss(),
            tornado: self.tornado(),
            steps,
        }
    }

    /// Runs that are not recovered in time, of sorted times.
    #[expect(clippy::unused_self, reason = "reads like the other counts")]
    fn misses(&self, sorted: &[u64], runs: u32, rto: u64) -> u32 {
        let met = sorted.partition_point(|time| *time <= rto);
        runs - u32::try_from(met).unwrap_or(runs).min(runs)
    }

    fn stops(&self) -> Vec<Stop> {
        let mut stops: Vec<_> = self.stops.iter().collect();
        stops.sort_by_key(|(place, count)| (std::cmp::Reverse(**count), **place));
        let address = |node: u32| self.question.plan.nodes.get(node as usize).map(|node| &node.address);
        let told = stops.into_iter().take(STOPS).map(|((node, why), count)| Stop {
            node: address(*node).map_or_else(String::new, ToString::to_string),
            why: why.text(),
            share: rounded(f64::from(*count) / f64::from(self.runs)),
        });
        told.collect()
    }

    fn loss(&self) -> Loss {
        if let Some(lag) = self.conditions.lag {
            let lag = Some(lag.as_millis());
            return Loss { basis: Some(Basis::Scenario), samples: 0, p50_ms: lag, p95_ms: lag };
        }
        let losses = self.question.history.losses.get(&self.question.plan.operation);
        match told(losses.map(Vec::as_slice).unwrap_or_default()) {
            Some(measured) => Loss {
                basis: Some(Basis::History),
                samples: measured.samples,
                p50_ms: Some(measured.p50.as_millis()),
                p95_ms: Some(measured.p95.as_millis()),
            },
            None => Loss { basis: None, samples: 0, p50_ms: None, p95_ms: None },
        }
    }

    fn steps(&mut self) -> Vec<StepShare> {
        let recovered = self.times.len() as u64;
        let mut order: Vec<usize> =
            (0..self.shape.units.len()).filter(|unit| self.critical[*unit].0 > 0).collect();
        order.sort_by_key(|unit| (std::cmp::Reverse(self.critical[*unit].1), *unit));
        let mut steps = Vec::with_capacity(order.len());
        let tries = self.runs.min(TRIES);
        let before = self.sample(tries, None);
        for (rank, unit) in order.into_iter().enumerate() {
            let (seen, spent) = self.critical[unit];
            let halved = (rank < HALVED).then(|| {
                let number = u32::try_from(unit).unwrap_or(NONE);
                let after = self.sample(tries, Some((number, 0.5)));
                self.gain(&before, &after, tries)
            });
            steps.push(StepShare {
                step: self.shape.units[unit].name.clone(),
                title: self.shape.units[unit].title.clone(),
                critical: rounded(f64::from(seen) / f64::from(u32::try_from(recovered).unwrap_or(u32::MAX))),
                spent_ms: spent / recovered.max(1),
                halved,
            });
        }
        let worth = |step: &StepShare| step.halved.map_or((0, 0), |it| (it.p50_gain_ms, step.spent_ms));
        steps.sort_by_key(|step| std::cmp::Reverse(worth(step)));
        steps
    }

    /// Recovery times of the first runs in order, perhaps with a step that takes only a part of its time.
    fn sample(&mut self, runs: u32, shortened: Option<(u32, f64)>) -> Vec<u64> {
        self.world.shortened = shortened;
        let seed = self.question.seed;
        let mut times: Vec<u64> =
            (0..runs).filter_map(|run| self.world.live(Luck::of(seed, run)).recovery).collect();
        self.world.shortened = None;
        times.sort_unstable();
        times
    }

    fn gain(&self, before: &[u64], after: &[u64], runs: u32) -> Halved {
        let gain = |thousandths| {
            let (before, after) =
                (percentile(before, runs, thousandths)?, percentile(after, runs, thousandths)?);
            Some(before.saturating_sub(after))
        };
        let rto = self.question.plan.objectives.rto.map(Duration::as_millis);
        let missed = |rto| rounded(f64::from(self.misses(after, runs, rto)) / f64::from(runs));
        Halved { p50_gain_ms: gain(500).unwrap_or(0), p95_gain_ms: gain(950), misses_rto: rto.map(missed) }
    }

    fn tornado(&mut self) -> Tornado {
        let middling = |unit, deviation| Luck::Middling { unit, deviation };
        let median = self.world.live(middling(NONE, 0.0)).recovery;
        let mut bars = Vec::new();
        for unit in (0..self.shape.units.len()).filter(|_| median.is_some()) {
            let number = u32::try_from(unit).unwrap_or(NONE);
            let ends = ENDS.map(|deviation| self.world.live(middling(number, deviation)).recovery);
            if let [Some(low), Some(high)] = ends
                && low != high
            {
                let step = self.shape.units[unit].name.clone();
                bars.push(Bar { step, low_ms: low.min(high), high_ms: high.max(low) });
            }
        }
        bars.sort_by_key(|bar| std::cmp::Reverse(bar.high_ms - bar.low_ms));
        bars.truncate(BARS);
        Tornado { median_ms: median, bars }
    }
}
