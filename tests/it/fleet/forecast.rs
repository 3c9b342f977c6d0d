//! The forecast of a fleet: worked out by hand, and against the engine.

use drctl::app;
use drctl::engine::clock::verdict;
use drctl::forecast::fleet::{FleetForecast, FleetQuestion, FleetReport, Member, MemberShare, fleet_study};
use drctl::forecast::{Conditions, Hazard, Kind, Silence, Spread, render};
use drctl::model::policy::OnFailure;
use drctl::model::run::{FailureClass, RunStatus, Verdict};
use drctl::model::time::Duration;
use drctl::plan::{Measured, Plan, PlanIndex};
use drctl::providers::simulated::Scenario;
use drctl::runtime::Stop;

use super::world::{World, library, planned};
use crate::support::runtime::Silent;

/// A service with one program that validates what it does.
fn service(name: &str) -> String {
    format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: {name}}}\n\
         sites: {{east: {{role: active}}, west: {{role: standby}}}}\nworkflows:\n  failover:\n    steps:\n\
         \x20     - {{id: go-{name}, phase: validate, timeout: 2h, uses: command.run, with: {{argv: [x], idempotent: true}}, drill: skip}}\n"
    )
}

fn services(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| service(name)).collect()
}

fn fleet(head: &str, members: &str) -> String {
    format!("apiVersion: drctl/v1\nkind: Fleet\nmetadata: {{name: all}}\n{head}\nmembers: [{members}]\n")
}

/// The plans of a fleet and of its members, in its order.
fn plans(text: &str, names: &[&str]) -> (Plan, Vec<Plan>) {
    plans_of(text, &services(names))
}

fn plans_of(text: &str, services: &[String]) -> (Plan, Vec<Plan>) {
    let (plan, nested) = planned(text, &library(services));
    let child = |node: &drctl::plan::Node| {
        let call = node.call(plan.mode).unwrap();
        nested[&call.child.as_ref().unwrap().plan].plan.clone()
    };
    let members = plan.nodes.iter().map(child).collect();
    (plan, members)
}

fn study(plan: &Plan, members: &[Plan], conditions: Vec<Conditions>, runs: u32) -> FleetReport {
    let indexes: Vec<_> = members.iter().map(|plan| PlanIndex::new(plan).unwrap()).collect();
    let parts: Vec<_> = members
        .iter()
        .zip(&indexes)
        .map(|(plan, index)| Member { plan, index, has_history: false })
        .collect();
    let scenarios = [conditions];
    fleet_study(&FleetQuestion { plan, members: &parts, scenarios: &scenarios, runs, seed: 1 })
}

fn healthy(members: &[Plan]) -> Vec<Conditions> {
    members.iter().map(|plan| Conditions::healthy(plan.nodes.len())).collect()
}

/// Lets the program of each member take this long in the middle and at its p95.
fn taking(members: &mut [Plan], p50: u64, p95: u64) {
    for member in members {
        for node in &member.nodes {
            if node.address.as_str().starts_with("go-") {
                let seconds = Duration::from_secs;
                let measured = Measured { samples: 50, p50: seconds(p50), p95: seconds(p95) };
                member.measured.insert(node.address.clone(), measured);
            }
        }
    }
}

fn of<'a>(it: &'a FleetForecast, name: &str) -> &'a MemberShare {
    it.members.iter().find(|member| member.service.as_str() == name).unwrap()
}

#[track_caller]
fn near(found: Option<u64>, expected_ms: f64) {
    #[expect(clippy::cast_precision_loss, reason = "a day of milliseconds fits")]
    let found = found.unwrap() as f64;
    let off = (found / expected_ms - 1.0) * 100.0;
    assert!(off.abs() <= 2.0, "{found} ms, by hand {expected_ms} ms: {off:.2} %");
}

/// The later of two independent lognormal times: its share up to a time is the square of that of one.
#[test]
fn two_members_beside_each_other_take_as_long_as_the_later() {
    let (plan, mut members) =
        plans(&fleet("objectives: {rto: 240s}", "{runbook: a}, {runbook: b}"), &["a", "b"]);
    taking(&mut members, 100, 240);
    let conditions = healthy(&members);
    let report = study(&plan, &members, conditions, 20_000);
    let it = &report.scenarios[0];
    near(it.recovery_time.p50_ms, 133_660.0);
    near(it.recovery_time.p95_ms, 283_010.0);
    // One in twenty of each misses it alone: 1 - 0.95².
    let missed = it.misses_rto.unwrap().probability;
    assert!((missed - 0.0975).abs() < 0.006, "{missed}");
    let (a, b) = (of(it, "a"), of(it, "b"));
    assert!((a.last - 0.5).abs() < 0.02 && (a.last + b.last - 1.0).abs() < 1e-5, "{a:?} {b:?}");
    assert!((a.critical - a.last).abs() < 1e-9, "who is last is alone on the path");
    near(a.takes_p50_ms, 100_000.0);
}

/// One after the other: by a need, or for want of room.
#[test]
fn members_in_a_row_take_as_long_as_all_of_them() {
    for (head, members) in
        [("", "{runbook: a}, {runbook: b, needs: [a]}"), ("max_parallel: 1", "{runbook: a}, {runbook: b}")]
    {
        let (plan, mut members) = plans(&fleet(head, members), &["a", "b"]);
        taking(&mut members, 100, 100);
        let conditions = healthy(&members);
        let report = study(&plan, &members, conditions, 50);
        let it = &report.scenarios[0];
        near(it.recovery_time.p50_ms, 200_000.0);
        near(it.recovery_time.p99_ms, 200_000.0);
        assert_eq!((of(it, "a").critical, of(it, "b").critical), (1.0, 1.0), "{head}");
        assert_eq!((of(it, "a").last, of(it, "b").last), (0.0, 1.0), "{head}");
    }
}

/// A member that fails stops what has not begun, unless so many may.
#[test]
fn a_member_in_trouble_stops_the_fleet_where_none_may_be() {
    for (head, stops) in
        [("max_parallel: 1", 0.3), ("max_parallel: 2\non_member_failure: {continue: true}", 0.0)]
    {
        let (plan, mut members) = plans(&fleet(head, "{runbook: a}, {runbook: b}"), &["a", "b"]);
        taking(&mut members, 100, 100);
        let mut conditions = healthy(&members);
        let first = members.iter().position(|plan| plan.runbook.name.as_str() == "a").unwrap();
        let kind = Kind::Fail { class: FailureClass::Permanent, retry_after: None };
        for met in &mut conditions[first].nodes {
            let takes = Some(Spread::fixed(Duration::from_secs(2)));
            met.hazards.push(Hazard { attempt: None, times: None, probability: 0.3, takes, kind });
        }
        let report = study(&plan, &members, conditions, 20_000);
        let it = &report.scenarios[0];
        let told = [it.stops_early.probability, of(it, "a").in_trouble, it.incomplete.probability];
        for (found, expected) in told.into_iter().zip([stops, 0.3, 0.3]) {
            assert!((found - expected).abs() < 0.011, "{head}: {told:?}");
        }
        assert!((of(it, "b").not_begun - stops).abs() < 0.011, "{head}: {:?}", of(it, "b"));
        assert!(of(it, "b").in_trouble < 1e-9);
    }
}

/// A member whose validation failed and was ignored lets others begin, and the whole is not recovered.
#[test]
fn a_member_that_validates_nothing_does_not_recover_the_fleet() {
    let (plan, mut members) = plans(&fleet("", "{runbook: a}, {runbook: b, needs: [a]}"), &["a", "b"]);
    for node in &mut members[0].nodes {
        node.on_failure = OnFailure::Continue;
    }
    let mut conditions = healthy(&members);
    let kind = Kind::Fail { class: FailureClass::Permanent, retry_after: None };
    for met in &mut conditions[0].nodes {
        met.hazards.push(Hazard { attempt: None, times: None, probability: 1.0, takes: None, kind });
    }
    let report = study(&plan, &members, conditions, 10);
    let it = &report.scenarios[0];
    assert!(it.incomplete.probability > 0.99 && it.stops_early.probability < 0.01, "{it:#?}");
    assert!(of(it, "b").done_p50_ms.is_some() && (it.mean_recovered - 1.0).abs() < 1e-9, "{it:#?}");
}

/// A fault is there for all members or for none, and its times count from the start of the fleet.
#[test]
fn a_fault_is_one_for_all_members() {
    let both = "{runbook: a}, {runbook: b}";
    let (plan, mut members) = plans(&fleet("on_member_failure: {continue: true}", both), &["a", "b"]);
    taking(&mut members, 100, 100);
    let silent = |until: Option<u64>| {
        let until = until.map(Duration::from_secs);
        vec![Silence { fault: 0, from: Duration::ZERO, until }]
    };
    let mut conditions = healthy(&members);
    for met in &mut conditions {
        met.faults = vec![0.5];
        met.nodes.iter_mut().for_each(|node| node.silences = silent(None));
    }
    let report = study(&plan, &members, conditions, 20_000);
    let lost = report.scenarios[0].incomplete.probability;
    assert!((lost - 0.5).abs() < 0.011, "{lost}: two faults would make it three quarters");
    let (plan, mut members) = plans(&fleet("", "{runbook: a}, {runbook: b, needs: [a]}"), &["a", "b"]);
    taking(&mut members, 100, 100);
    let mut conditions = healthy(&members);
    conditions[1].faults = vec![1.0];
    conditions[1].nodes.iter_mut().for_each(|node| node.silences = silent(Some(50)));
    let report = study(&plan, &members, conditions, 10);
    near(report.scenarios[0].recovery_time.p99_ms, 200_000.0);
}

/// Luck of a member is its own: others change nothing of it.
#[test]
fn who_else_is_there_changes_nothing_of_a_member() {
    let mut takes = Vec::new();
    for names in [&["a", "b"][..], &["a", "b", "c"], &["c", "a"]] {
        let members: Vec<_> = names.iter().map(|name| format!("{{runbook: {name}}}")).collect();
        let (plan, mut members) = plans(&fleet("max_parallel: 1", &members.join(", ")), names);
        taking(&mut members, 100, 240);
        let conditions = healthy(&members);
        let report = study(&plan, &members, conditions.clone(), 500);
        assert_eq!(report, study(&plan, &members, conditions, 500), "the same twice");
        let a = of(&report.scenarios[0], "a").clone();
        takes.push((a.takes_p50_ms, a.takes_p95_ms));
    }
    assert!(takes.iter().all(|it| *it == takes[0]), "{takes:?}");
}

/// The same fleet with the same durations, in the engine and in a forecast.
#[tokio::test]
async fn engine_and_forecast_agree_about_a_fleet() {
    let names = ["a", "b", "c", "d", "e"];
    let rules = "rules:\n  - {match: {node: go-a}, take: 5m}\n  - {match: {node: go-b}, take: 7m}\n  \
                 - {match: {node: go-c}, take: 4m}\n  - {match: {node: go-d}, take: 11m}\n";
    let members = "{runbook: a}, {runbook: b}, {runbook: c, needs: [a]}, {runbook: d, needs: [a]}, {runbook: e, needs: [b]}";
    let good = "  - {match: {node: go-e}, take: 2m}\n";
    let bad = "  - {match: {node: go-e}, take: 2m}\n  - {match: {node: go-a}, fail: permanent}\n";
    for (head, more) in [
        ("", good),
        ("max_parallel: 2", good),
        ("max_parallel: 1", good),
        ("max_parallel: 2\non_member_failure: {continue: true}", bad),
        ("max_parallel: 2", bad),
    ] {
        let rules = if more == bad {
            rules.replace("  - {match: {node: go-a}, take: 5m}\n", "")
        } else {
            rules.to_owned()
        };
        let (text, scenario) = (fleet(head, members), format!("{rules}{more}"));
        let world = World::new(&scenario);
        let driver = world.start(&text, &services(&names)).await;
        let (_, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
        let engine = state.clock.healthy_at.map(|at| at.since(state.clock_zero()).as_millis());
        let head_of = "apiVersion: drctl/v1\nkind: Scenario\nmetadata: {name: test}\n";
        let scenario = Scenario::parse(&format!("{head_of}{scenario}")).unwrap();
        let (plan, members) = plans(&text, &names);
        let conditions = members.iter().map(|plan| app::conditions(&scenario, plan)).collect();
        let report = study(&plan, &members, conditions, 3);
        let it = &report.scenarios[0];
        let told = it.recovery_time.p50_ms;
        match (engine, told) {
            (Some(engine), Some(told)) => assert!(engine.abs_diff(told) <= 1_000, "{head}: {engine} {told}"),
            (engine, told) => assert_eq!(engine, told, "{head}: {:?}", state.cause),
        }
        let runs = world.members().await;
        for name in names {
            let run = runs.iter().find(|run| run.service.as_str() == name);
            let (begun, member) = (f64::from(u8::from(run.is_none())), of(it, name));
            assert!((member.not_begun - begun).abs() < 1e-9, "{head}: {name}: {run:?} {member:?}");
            let succeeded = run.is_some_and(|run| run.status == RunStatus::Succeeded);
            assert_eq!(member.done_p50_ms.is_some(), succeeded, "{head}: {name}: {run:?}");
        }
    }
}

/// Members keep their own objectives, each on the clock of its own run: `b` begins after five minutes.
#[tokio::test]
async fn engine_and_forecast_agree_about_who_misses_its_own_objective() {
    let members = "{runbook: a}, {runbook: b}, {runbook: c, needs: [b]}, {runbook: d, needs: [c]}";
    let text = fleet("max_parallel: 1\nobjectives: {rto: 2h}\non_member_failure: {continue: true}", members);
    let with = |name: &str, rto: &str| {
        service(name).replace("sites:", &format!("objectives: {{rto: {rto}}}\nsites:"))
    };
    let c = "take: 4m";
    for (a_rto, of_c, missing) in [
        ("6m", c, &[][..]),
        ("3m", c, &["a"]),
        ("6m", "fail: permanent", &["c"]),
        ("3m", "fail: permanent", &["a", "c"]),
    ] {
        let scenario = format!(
            "rules:\n  - {{match: {{node: go-a}}, take: 5m}}\n  - {{match: {{node: go-b}}, take: 7m}}\n  \
             - {{match: {{node: go-c}}, {of_c}}}\n  - {{match: {{node: go-d}}, take: 4m}}\n"
        );
        let services = [with("a", a_rto), with("b", "10m"), with("c", "1h"), service("d")];
        let world = World::new(&scenario);
        let driver = world.start(&text, &services).await;
        let (fleet_plan, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
        let head = "apiVersion: drctl/v1\nkind: Scenario\nmetadata: {name: test}\n";
        let scenario = Scenario::parse(&format!("{head}{scenario}")).unwrap();
        let (plan, members) = plans_of(&text, &services);
        let conditions = members.iter().map(|plan| app::conditions(&scenario, plan)).collect();
        let report = study(&plan, &members, conditions, 3);
        let (it, runs) = (&report.scenarios[0], world.members().await);
        let misses = |name: &str| of(it, name).misses_rto.map(|share| share.probability > 0.99);
        for name in ["a", "b", "c"] {
            let run = runs.iter().find(|run| run.service.as_str() == name).unwrap();
            let kept = run.status == RunStatus::Succeeded && run.verdict == Some(Verdict::Met);
            assert_eq!(misses(name), Some(!kept), "{name}: {run:?}");
            assert_eq!(misses(name), Some(missing.contains(&name)), "{name} of {a_rto}, {of_c}");
        }
        assert_eq!((misses("d"), of(it, "d").rto_ms), (None, None));
        let kept = verdict(&fleet_plan, &state) == Verdict::Met;
        assert_eq!(report.worst_miss().unwrap() < 0.01, kept, "{a_rto}, {of_c}: {report:#?}");
        let (shown, page) = (render::fleet_text(&report), render::fleet_html(&report));
        assert_eq!(shown.contains("Who misses its own RTO"), !missing.is_empty(), "{shown}");
        assert!(page.contains("<th class=\"n\">misses it</th>") && page.contains(a_rto), "{page}");
    }
}
