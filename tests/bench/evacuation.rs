//! 500 services that evacuate together: compiled and planned as one, then simulated with one virtual clock on
//! one journal.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use drctl::compile::{self, Listed};
use drctl::model::run::{Intent, Operation, RunStatus};
use drctl::model::time::Timestamp;
use drctl::plan::{self, FleetChoices, Known, Library, Nested, Plan};
use drctl::ports::{Journal, RunFilter};
use drctl::providers::simulated::{EstateStore, Scenario, SimulatedProvider};
use drctl::runtime::{SimulatedOperator, Stop, Time, VirtualClock};
use serde_json::{Value, json};

use crate::shapes::{Silent, compiled, journal, ms, new_run, round, runtime};

const MEMBERS: usize = 500;

fn service(at: usize) -> String {
    let tier = match at {
        0..20 => 1,
        20..200 => 2,
        _ => 3,
    };
    let head = format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: svc-{at:03}, labels: {{tier: \"{tier}\"}}}}\n\
         objectives: {{rto: 30m}}\nsites: {{east: {{role: active}}, west: {{role: standby}}}}\n\
         workflows:\n  failover:\n    steps:\n"
    );
    let step = |id: &str, rest: &str| format!("      - {{id: {id}, {rest}}}\n");
    let run = "uses: command.run, with: {argv: [/bin/true], idempotent: true}, drill: skip";
    let fence =
        "phase: fence, uses: postgres.fence, with: {primary: host=db.east, method: read_only}, drill: skip";
    let promote = "phase: promote, uses: postgres.promote, with: {standby: host=db.west}, drill: skip";
    [
        head,
        step("freeze", &format!("phase: freeze, {run}")),
        step("fence", fence),
        step("promote", promote),
        step("scale", &format!("phase: scale, needs: [fence], {run}")),
        step(
            "check",
            "phase: verify, needs: [promote, scale], uses: http.check, with: {url: \"https://west/ok\"}",
        ),
        step("shift", &format!("phase: shift, {run}")),
        step("validate", "phase: validate, uses: http.check, with: {url: \"https://www/ok\"}"),
    ]
    .concat()
}

fn fleet() -> String {
    let mut text = String::from(
        "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: evacuate}\nobjectives: {rto: 4h}\nmax_parallel: 40\n\
         on_member_failure: {continue: true, stop_after: 5%}\nmembers:\n",
    );
    writeln!(text, "  - {{id: one, select: {{labels: {{tier: \"1\"}}}}}}").unwrap();
    writeln!(text, "  - {{id: two, select: {{labels: {{tier: \"2\"}}}}, needs: [one]}}").unwrap();
    writeln!(text, "  - {{select: {{labels: {{tier: \"3\"}}}}, needs: [two]}}").unwrap();
    text
}

/// From the texts to the plan of the whole, those of the members included.
fn planned(texts: &[String], fleet: &str) -> (Plan, Nested) {
    let known = |text: &String| {
        let (runbook, text) = (compiled(text), text.clone());
        (
            runbook.metadata.name.clone(),
            Known { runbook, text, from: None, to: None, unready: BTreeMap::new() },
        )
    };
    let library: Library = texts.iter().map(known).collect();
    let listed = library
        .iter()
        .map(|(name, known)| (name.clone(), Listed::of(&known.runbook, plan::runs(&known.runbook))));
    let (roster, findings) = compile::fleet(fleet, &listed.collect());
    let roster = roster.unwrap_or_else(|| panic!("{}", compile::render("fleet", fleet, &findings, false)));
    let choices = FleetChoices {
        operation: Operation::Failover,
        mode: None,
        intent: Intent::Simulate,
        from: None,
        to: None,
    };
    plan::nest(plan::bind_fleet(&roster, &choices).unwrap(), &library).unwrap()
}

/// 500 members in three tiers, 40 at once.
pub(crate) async fn evacuation(folder: &Path) -> Value {
    let texts: Vec<String> = (0..MEMBERS).map(service).collect();
    let fleet = fleet();
    let start = Instant::now();
    let (plan, nested) = planned(&texts, &fleet);
    let compile_ms = ms(start);
    let journal = journal(folder, "evacuation");
    let begin = Timestamp::from_millis(1_700_000_000_000);
    let time = Time::Virtual(VirtualClock::starting_at(begin));
    let (scenario, store) = (Scenario::healthy(), EstateStore::open(folder.join("estate.json")).unwrap());
    let operator = SimulatedOperator { approval_delay: scenario.approval_delay() };
    let provider = SimulatedProvider::new(BTreeMap::new(), None, None, scenario, store, time.clock());
    let mut runtime = runtime(Arc::clone(&journal), Arc::new(provider));
    (runtime.time, runtime.operator) = (time, Some(operator));
    let mut new = new_run(&fleet);
    new.consents.accept_unfenced = true;
    let before = journal.sync_count();
    let start = Instant::now();
    let driver = runtime.create_with(plan, new, &nested).await.unwrap();
    let (_, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    let simulate_ms = ms(start);
    let over = matches!(state.status, RunStatus::Succeeded | RunStatus::SucceededWithWarnings);
    assert!(over, "{:?}: {:?}", state.status, state.cause);
    let runs = journal.runs(&RunFilter { simulated: true, ..RunFilter::default() }).await.unwrap();
    assert_eq!(runs.len(), MEMBERS + 1);
    json!({
        "members": MEMBERS, "compile_and_plan_ms": round(compile_ms), "simulate_ms": round(simulate_ms),
        "virtual_ms": state.elapsed(state.last_at).as_millis(), "commits": journal.sync_count() - before,
    })
}
