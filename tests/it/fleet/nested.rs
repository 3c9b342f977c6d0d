//! Runs inside runs: planned together, refused together, and driven as deep as they lie.

use std::collections::BTreeMap;

use drctl::model::run::{Intent, Operation, RunStatus};
use drctl::plan::{self, Choices, Library, Nested, Plan, Problem};
use drctl::runtime::Stop;

use super::world::{World, known, library, runbook};
use crate::support::runtime::Silent;

fn running(service: &str, more: &str, runs: &[&str]) -> String {
    let steps = runs.iter().map(|run| {
        format!("      - {{id: run-{run}, uses: runbook.run, with: {{runbook: {run}{more}}}, drill: skip}}\n")
    });
    let steps: String = steps.collect();
    format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: {service}}}\n\
         parameters: {{size: {{type: integer, default: 1}}}}\n\
         sites: {{east: {{role: active}}, west: {{role: standby}}}}\n\
         workflows:\n  failover:\n    steps:\n{steps}"
    )
}

fn nested(text: &str, library: &Library) -> Result<(Plan, Nested), Vec<Problem>> {
    let choices = Choices {
        operation: Operation::Failover,
        mode: None,
        intent: Intent::Simulate,
        from: None,
        to: None,
        unready: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    plan::nest(plan::bind(&known(text).1.runbook, &choices).unwrap(), library)
}

#[test]
fn what_cannot_be_planned_refuses_the_whole_and_everything_is_said_at_once() {
    let sensitive = runbook("pin", false)
        .replace("sites:", "parameters: {pin: {type: string, sensitive: true, default: x}}\nsites:");
    let required = runbook("zone", false)
        .replace("sites:", "parameters: {zone: {type: string, required: true}}\nsites:");
    let texts = [running("head", "", &["tail"]), running("tail", "", &["head"]), sensitive, required];
    let library = library(&texts);
    let top = running("top", "", &["head", "pin", "zone", "nobody"]);
    let problems = nested(&top, &library).unwrap_err();
    let told: Vec<_> = problems.iter().map(|problem| problem.what.as_str()).collect();
    assert_eq!(
        told,
        [
            "`run-head`: runbook `head` would run itself: top → head → tail → head",
            "`run-nobody`: there is no runbook `nobody`",
            "`run-pin`: parameter `pin` of pin is sensitive, and nothing can hand it to a child run",
            "`run-zone`: zone: parameter `zone` is missing",
        ]
    );
    let deferred = running("top", ", with: {size: \"{{ run.id }}\"}", &["zone"]);
    let problems = nested(&deferred, &library).unwrap_err();
    assert!(problems[0].what.contains("are not known when the plan is made"), "{problems:?}");
}

#[test]
fn the_plan_of_a_parent_names_those_of_its_children() {
    let library = library(&[running("middle", "", &["leaf"]), runbook("leaf", false)]);
    let (plan, nested_plans) = nested(&running("top", "", &["middle", "leaf"]), &library).unwrap();
    assert_eq!(nested_plans.len(), 2, "the leaf is planned once");
    for node in &plan.nodes {
        let child = node.call(plan.mode).unwrap().child.as_deref().unwrap();
        let planned = &nested_plans[&child.plan];
        assert_eq!(
            (&child.service, child.plan.as_str()),
            (&planned.plan.runbook.name, plan::of_bytes(&planned.bytes).as_str())
        );
        assert_eq!(child.runbook, plan::of_bytes(planned.text.as_bytes()));
    }
    // Two steps of a minute each, instead of what is said of the action.
    assert_eq!(plan.nodes[0].estimate.as_millis(), 120_000);
    // Whatever a member does differently changes the name of the whole.
    let other = Library::from([known(&running("middle", "", &["leaf"])), known(&runbook("leaf", true))]);
    let (changed, _) = nested(&running("top", "", &["middle", "leaf"]), &other).unwrap();
    assert_ne!(plan::digest(&plan), plan::digest(&changed));
}

#[tokio::test]
async fn runs_lie_inside_each_other() {
    let world = World::new("");
    let library = library(&[running("middle", "", &["leaf"]), runbook("leaf", true)]);
    let text = running("top", "", &["middle"]);
    let (plan, inside) = nested(&text, &library).unwrap();
    let driver = world.create(plan, &inside, &text).await;
    let begun = world.clock.next();
    assert_eq!(begun, None);
    let (_, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.cause);
    let members = world.members().await;
    let (leaf, middle) = (&members[0], &members[1]);
    assert_eq!((leaf.service.as_str(), leaf.parent.as_ref()), ("leaf", Some(&middle.run)));
    assert_eq!(middle.parent.as_ref(), Some(&state.created.run));
    // Two steps of about a minute and an approval of half of one, not more: time did not run away.
    let took = leaf.ended_at.unwrap().since(leaf.created_at).as_millis();
    assert!((100_000..200_000).contains(&took), "{took}");
}
