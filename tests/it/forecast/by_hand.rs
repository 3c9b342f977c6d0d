//! Cases that can be worked out by hand.

use drctl::forecast::{Conditions, Hazard, Kind, Person, Report, Spread};
use drctl::model::run::FailureClass;
use drctl::model::time::Duration;
use drctl::plan::{Measured, Plan};

use super::world::{steps, study};

/// Runs that settle a p95 to well within the tolerance asked for.
const RUNS: u32 = 20_000;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets every node with such an address take this long in the middle and at its p95.
fn taking(plan: &mut Plan, starts: &str, p50: u64, p95: u64) {
    for node in &plan.nodes {
        if node.address.as_str().starts_with(starts) {
            let measured = Measured { samples: 50, p50: seconds(p50), p95: seconds(p95) };
            plan.measured.insert(node.address.clone(), measured);
        }
    }
}

fn healthy(plan: &Plan) -> Conditions {
    Conditions::healthy(plan.nodes.len())
}

/// Conditions in which one hazard lies over every attempt of a node.
fn under(plan: &Plan, address: &str, hazard: Hazard) -> Conditions {
    let mut conditions = healthy(plan);
    for (node, met) in plan.nodes.iter().zip(&mut conditions.nodes) {
        if node.address.as_str() == address {
            met.hazards.push(hazard);
        }
    }
    conditions
}

fn failing(class: FailureClass, probability: f64) -> Hazard {
    let kind = Kind::Fail { class, retry_after: None };
    Hazard { attempt: None, times: None, probability, takes: Some(Spread::fixed(seconds(2))), kind }
}

#[track_caller]
fn near(found: Option<u64>, expected_ms: f64, percent: f64) {
    #[expect(clippy::cast_precision_loss, reason = "a day of milliseconds fits")]
    let found = found.unwrap_or_else(|| panic!("never")) as f64;
    let off = (found / expected_ms - 1.0) * 100.0;
    assert!(off.abs() <= percent, "{found} ms, by hand {expected_ms} ms: {off:.2} %");
}

const STEP: &str = "uses: command.run, with: {argv: [x]}, drill: skip, timeout: 1h";

#[test]
fn one_lognormal_step_has_the_percentiles_it_was_given() {
    let mut plan = steps(&format!("- {{id: one, {STEP}, phase: validate}}"));
    taking(&mut plan, "one", 100, 240);
    let times = study(&plan, healthy(&plan), RUNS).scenarios[0].recovery_time;
    near(times.p50_ms, 100_000.0, 1.0);
    near(times.p95_ms, 240_000.0, 2.0);
    // p99 = p50 · (p95 / p50) ^ (z99 / z95) = 100 s · 2.4 ^ (2.32635 / 1.64485) = 344.97 s.
    near(times.p99_ms, 344_970.0, 3.0);
}

#[test]
fn the_later_of_two_is_the_square_of_one() {
    // P(max ≤ t) = F(t)². The p95 of both is the quantile of one at √0.95 = 0.974 68, 1.954 6 standard
    // deviations from the middle: 100 s · (240 / 100) ^ (1.954 6 / 1.644 85) = 283.03 s.
    let mut plan = steps(&format!(
        "- id: both\n  parallel:\n  - {{id: one, {STEP}, phase: validate}}\n  - {{id: two, {STEP}, phase: validate}}"
    ));
    taking(&mut plan, "one", 100, 240);
    taking(&mut plan, "two", 100, 240);
    let report = study(&plan, healthy(&plan), RUNS);
    let times = report.scenarios[0].recovery_time;
    near(times.p95_ms, 283_030.0, 2.0);
    // Half of them end when both have: √0.5 = 0.707 11, 0.544 95 standard deviations: 133.65 s.
    near(times.p50_ms, 133_650.0, 1.5);
    // Each of two alike is the last in half of the runs.
    let critical = |step: &str| {
        report.scenarios[0].steps.iter().find(|it| it.step == step).map_or(0.0, |it| it.critical)
    };
    assert!((critical("one") - 0.5).abs() < 0.02, "{}", critical("one"));
    assert!((critical("one") + critical("two") - 1.0).abs() < 1e-6);
}

#[test]
fn a_long_chain_is_nearly_normal() {
    // Forty steps of a lognormal with p50 = 60 s and p95 = 90 s: σ = ln 1.5 / 1.644 85 = 0.246 505; each has
    // the mean 60 · exp(σ²/2) = 61.851 s and the variance mean² · (exp(σ²) − 1) = 239.69 s². Their sum has
    // the mean 2 474.0 s and the deviation √(40 · 239.69) = 97.92 s, so that its p95 lies at
    // 2 474.0 + 1.644 85 · 97.92 = 2 635.1 s.
    let lines: Vec<String> = (0..40).map(|it| format!("- {{id: s{it}, {STEP}, phase: validate}}")).collect();
    let mut plan = steps(&lines.join("\n"));
    taking(&mut plan, "s", 60, 90);
    let times = study(&plan, healthy(&plan), RUNS).scenarios[0].recovery_time;
    near(times.mean_ms, 2_474_000.0, 0.5);
    near(times.p95_ms, 2_635_100.0, 1.0);
}

fn share(report: &Report) -> f64 {
    report.scenarios[0].stuck.probability
}

#[test]
fn a_step_that_may_fail_stops_the_run_as_often_as_all_its_attempts_do() {
    // Three attempts that each fail in three of ten runs: 0.3³ = 2.7 %.
    let text = format!(
        "- {{id: one, {STEP}, phase: validate, retry: {{attempts: 3, backoff: 10s, jitter: false}}}}"
    );
    let mut plan = steps(&text);
    taking(&mut plan, "one", 60, 60);
    let report = study(&plan, under(&plan, "one", failing(FailureClass::Transient, 0.3)), RUNS);
    assert!((share(&report) - 0.027).abs() < 0.004, "{}", share(&report));
    assert_eq!(
        (report.scenarios[0].stops[0].node.as_str(), report.scenarios[0].stops[0].why),
        ("one", "failed")
    );
    // 60 s; or 2 s + 10 s + 60 s; or 2 s + 10 s + 2 s + 20 s + 60 s.
    let times = report.scenarios[0].recovery_time;
    assert_eq!((times.least_ms, times.p50_ms, times.most_ms), (Some(60_000), Some(60_000), Some(94_000)));
    // What fails for good is not tried again.
    let report = study(&plan, under(&plan, "one", failing(FailureClass::Permanent, 0.3)), RUNS);
    assert!((share(&report) - 0.3).abs() < 0.012, "{}", share(&report));
}

#[test]
fn a_lane_lets_as_many_through_as_it_is_wide() {
    // Five of one minute, two at a time: the third pair has one.
    let text = format!("- {{id: all, for_each: [a, b, c, d, e], max_parallel: 2, {STEP}, phase: validate}}");
    let mut plan = steps(&text);
    taking(&mut plan, "all[", 60, 60);
    let report = study(&plan, healthy(&plan), 10);
    assert_eq!(report.scenarios[0].recovery_time.p50_ms, Some(180_000));
    assert!((report.scenarios[0].steps[0].critical - 1.0).abs() < 1e-9);
    assert_eq!(report.scenarios[0].steps[0].spent_ms, 180_000);
    assert_eq!(report.scenarios[0].steps[0].halved.map(|it| it.p50_gain_ms), Some(90_000));
}

#[test]
fn enough_members_are_enough() {
    // The step after it begins when two of three are there; the third takes ten minutes, for which nobody
    // waits.
    let text = format!(
        "- {{id: some, for_each: [a, b, c], min_success: 2, {STEP}}}\n- {{id: last, {STEP}, phase: validate}}"
    );
    let mut plan = steps(&text);
    taking(&mut plan, "some[a]", 60, 60);
    taking(&mut plan, "some[b]", 90, 90);
    taking(&mut plan, "some[c]", 600, 600);
    taking(&mut plan, "last", 30, 30);
    let report = study(&plan, healthy(&plan), 10);
    assert_eq!(report.scenarios[0].recovery_time.p50_ms, Some(120_000));
    // Of two that may each fail in half of the runs beside one that does not, one must succeed: 1 − ¼.
    let mut conditions = under(&plan, "some[a]", failing(FailureClass::Permanent, 0.5));
    let other = under(&plan, "some[b]", failing(FailureClass::Permanent, 0.5));
    for (met, other) in conditions.nodes.iter_mut().zip(other.nodes) {
        met.hazards.extend(other.hazards);
    }
    let report = study(&plan, conditions, RUNS);
    assert!((share(&report) - 0.25).abs() < 0.012, "{}", share(&report));
}

#[test]
fn the_objective_is_missed_as_often_as_the_time_says() {
    // The objective is 600 s. p50 = 300 s, p95 = 600 s: one in twenty.
    let mut plan = steps(&format!("- {{id: one, {STEP}, phase: validate}}"));
    taking(&mut plan, "one", 300, 600);
    let report = study(&plan, healthy(&plan), RUNS);
    let missed = report.scenarios[0].misses_rto.unwrap();
    assert!(missed.low <= 0.05 && missed.high >= 0.05, "{missed:?}");
    assert!(missed.high - missed.low < 0.007, "{missed:?}");
    // In half the time it is p50 = 150 s, p95 = 300 s: 600 s lie 3.29 deviations away, 0.05 %.
    let halved = report.scenarios[0].steps[0].halved.unwrap();
    assert!(halved.misses_rto.unwrap() < 0.002, "{halved:?}");
    near(Some(halved.p50_gain_ms), 150_000.0, 3.0);
    let bar = &report.scenarios[0].tornado.bars[0];
    assert_eq!((bar.low_ms, bar.high_ms), (150_000, 600_000));
}

#[test]
fn nobody_who_answers_is_no_recovery() {
    let plan = steps(&format!(
        "- {{id: ask, uses: approval.request, with: {{message: go}}}}\n- {{id: one, {STEP}, phase: validate}}"
    ));
    let mut conditions = healthy(&plan);
    conditions.people = Some(Person::Never);
    let report = study(&plan, conditions, 100);
    let it = &report.scenarios[0];
    assert_eq!((it.recovery_time.p50_ms, it.stuck.probability, it.completed.probability), (None, 1.0, 0.0));
    assert_eq!((it.stops[0].node.as_str(), it.stops[0].why), ("ask", "nobody answers"));
    assert_eq!(it.misses_rto.map(|share| share.probability), Some(1.0));
}

#[test]
fn a_validation_that_is_ignored_validates_nothing() {
    let text = format!(
        "- {{id: one, {STEP}, phase: validate, on_failure: continue}}\n- {{id: two, {STEP}, phase: validate}}"
    );
    let plan = steps(&text);
    let report = study(&plan, under(&plan, "one", failing(FailureClass::Permanent, 1.0)), 10);
    assert_eq!(report.scenarios[0].recovery_time.p50_ms, None);
    assert_eq!(report.scenarios[0].stops[0].why, "the validation failed and was ignored");
    assert!(report.scenarios[0].completed.probability > 0.999_999);
}

#[test]
fn the_same_question_has_the_same_answer_and_another_seed_another_one() {
    let mut plan = steps(&format!("- {{id: one, {STEP}, phase: validate}}"));
    taking(&mut plan, "one", 100, 240);
    let told = || serde_json::to_string(&study(&plan, healthy(&plan), 2_000)).unwrap();
    assert_eq!(told(), told());
    // The samples of a seed are the same on every machine and in every later version.
    let times = study(&plan, healthy(&plan), 2_000).scenarios[0].recovery_time;
    assert_eq!((times.p50_ms, times.p95_ms), (Some(99_460), Some(241_323)));
}
