//! Runs of fleets on the simulated estate, in one process and on one clock.

use drctl::engine::input::{Consents, Control};
use drctl::evidence;
use drctl::model::id::NodeAddress;
use drctl::model::run::{NodeStatus, RunStatus};
use drctl::runtime::{Stop, load};

use super::world::{World, runbook};
use crate::support::runtime::Silent;

fn fleet(head: &str, members: &str) -> String {
    format!("apiVersion: drctl/v1\nkind: Fleet\nmetadata: {{name: all}}\n{head}\nmembers: [{members}]\n")
}

fn services(names: &[&str], approval: bool) -> Vec<String> {
    names.iter().map(|name| runbook(name, approval)).collect()
}

#[tokio::test]
async fn members_wait_for_what_they_need_and_for_a_place() {
    let world = World::new("");
    let names: Vec<String> = (0..12).map(|at| format!("s{at:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let members = names.iter().enumerate().map(|(at, name)| {
        let needs = if at >= 6 { "needs: [s00, s01]" } else { "" };
        format!("{{runbook: {name}, {needs}}}")
    });
    let text = fleet("max_parallel: 3\nobjectives: {rto: 1h}", &members.collect::<Vec<_>>().join(", "));
    let driver = world.start(&text, &services(&names, false)).await;
    let run = driver.state().created.run.clone();
    let (plan, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.cause);
    assert!(state.clock.healthy_at.is_some() && plan.plan.is_fleet());
    let members = world.members().await;
    assert!(members.iter().all(|member| member.parent.as_ref() == Some(&run)));
    assert_eq!(members.len(), 12);
    let ended =
        |name: &str| members.iter().find(|run| run.service.as_str() == name).unwrap().ended_at.unwrap();
    for member in &members {
        let beside = members.iter().filter(|other| {
            other.created_at <= member.created_at && other.ended_at.unwrap() > member.created_at
        });
        assert!(beside.count() <= 3, "{}", member.run);
        let needs = member.service.as_str() >= "s06";
        assert!(!needs || member.created_at >= ended("s00").max(ended("s01")), "{}", member.run);
    }
    // Members with the same steps do not take the same time to the millisecond.
    let took: std::collections::BTreeSet<_> =
        members.iter().map(|run| run.ended_at.unwrap().since(run.created_at)).collect();
    assert!(took.len() > 6, "{took:?}");
}

#[tokio::test]
async fn who_waits_for_a_person_is_named_and_goes_on_alone() {
    let world = World::new("approvals: {never: true}");
    let text = fleet("objectives: {rto: 1h}", "{runbook: a}, {runbook: b}, {runbook: z, needs: [a, b]}");
    let driver = world.start(&text, &services(&["a", "b", "z"], true)).await;
    let run = driver.state().created.run.clone();
    let (plan, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    assert_eq!(state.status, RunStatus::AwaitingApproval);
    let (a, b) = (world.run_of("a").await, world.run_of("b").await);
    let cause = state.cause.clone().unwrap();
    assert_eq!(cause, format!("a: {a} is awaiting_approval (ask); b: {b} is awaiting_approval (ask)"));
    let view = evidence::view(&plan, &state, None, state.last_at);
    let commands: Vec<_> = view.needs_person.iter().map(|needed| needed.command.clone()).collect();
    assert_eq!(commands, [format!("drctl approve {a}"), format!("drctl approve {b}")]);
    // While nobody drives the fleet, its members can be driven alone.
    for member in [&a, &b] {
        world.ask(member, Control::Approve { node: None, consents: Consents::default() }).await;
        assert_eq!(world.go_on(member).await.status, RunStatus::Succeeded);
    }
    let state = world.go_on(&run).await;
    assert_eq!(state.status, RunStatus::AwaitingApproval, "{:?}", state.cause);
    assert_eq!(world.statuses().await, ["a succeeded", "b succeeded", "z awaiting_approval"]);
    let z = world.run_of("z").await;
    world.ask(&z, Control::Approve { node: None, consents: Consents::default() }).await;
    // Now in the process of the fleet, through the inbox of the member.
    assert_eq!(world.go_on(&run).await.status, RunStatus::Succeeded);
    assert_eq!(world.members().await.len(), 3);
}

#[tokio::test]
async fn pause_resume_and_abort_reach_the_members_and_only_what_was_paused_with_them_is_resumed() {
    let world = World::new("approvals: {never: true}");
    let text = fleet("", "{runbook: a}, {runbook: b}");
    let driver = world.start(&text, &services(&["a", "b"], true)).await;
    let run = driver.state().created.run.clone();
    driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    let (a, b) = (world.run_of("a").await, world.run_of("b").await);
    // One that a person paused alone is not the fleet's to resume.
    world.ask(&a, Control::Pause).await;
    assert_eq!(world.go_on(&a).await.status, RunStatus::Paused);
    world.ask(&run, Control::Pause).await;
    let state = world.go_on(&run).await;
    assert_eq!((state.status, state.cause.as_deref()), (RunStatus::Paused, Some("because")));
    assert_eq!(world.statuses().await, ["a paused", "b paused"]);
    world.ask(&run, Control::Resume).await;
    let state = world.go_on(&run).await;
    assert_eq!(state.status, RunStatus::Paused, "a still is: {:?}", state.cause);
    assert_eq!(world.statuses().await, ["a paused", "b awaiting_approval"]);
    world.ask(&run, Control::Abort).await;
    let state = world.go_on(&run).await;
    assert_eq!((state.status, state.cause.as_deref()), (RunStatus::Aborted, Some("because")));
    assert_eq!(world.statuses().await, ["a aborted", "b aborted"]);
    let of_b = load(world.journal.as_ref(), &b).await.unwrap().state;
    let asked: Vec<_> = of_b.interventions.iter().map(|asked| asked.verb.as_str()).collect();
    assert_eq!(asked, ["pause", "resume", "abort"]);
    assert!(of_b.interventions.iter().all(|asked| asked.by.name == "person"), "who asked the fleet");
}

const BROKEN: &str = "rules: [{match: {service: \"x*\", node: move}, fail: permanent}]";

#[tokio::test]
async fn more_trouble_than_is_tolerated_begins_nothing_further() {
    for (policy, begun) in [
        ("on_member_failure: {continue: true, stop_after: 1}", 2 + 2),
        ("on_member_failure: {continue: true, stop_after: 20%}", 2 + 2),
        ("on_member_failure: {stop_after: 0}", 2),
        ("", 2),
        ("on_member_failure: {continue: true}", 10),
    ] {
        let world = World::new(BROKEN);
        let names = ["a0", "x0", "x1", "x2", "a1", "a2", "a3", "a4", "a5", "a6"];
        let members = names.map(|name| format!("{{runbook: {name}}}")).join(", ");
        // A member in trouble keeps its place.
        let text = fleet(&format!("max_parallel: 5\n{policy}"), &members);
        let text = if begun == 10 { text } else { text.replace("max_parallel: 5", "max_parallel: 2") };
        let text = if begun == 4 { text.replace("max_parallel: 2", "max_parallel: 3") } else { text };
        let driver = world.start(&text, &services(&names, false)).await;
        let (_, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
        assert_eq!(state.status, RunStatus::Paused, "{policy}: {:?}", state.cause);
        let cause = state.cause.clone().unwrap();
        if begun < 10 {
            assert!(cause.contains("in trouble") && cause.contains("may be"), "{policy}: {cause}");
            assert!(world.members().await.len() < names.len(), "{policy}: {:?}", world.statuses().await);
        } else {
            let done = world.statuses().await.iter().filter(|line| line.ends_with("succeeded")).count();
            assert_eq!(done, 7, "{policy}: {:?}", world.statuses().await);
        }
    }
}

#[tokio::test]
async fn a_failed_member_holds_what_needs_it_until_a_person_has_it_tried_again() {
    let world = World::new(BROKEN);
    let abort = runbook("x0", false).replacen("estimate: 1m}", "estimate: 1m, on_failure: abort}", 1);
    let texts = [abort, runbook("a", false), runbook("b", false)];
    let text = fleet(
        "on_member_failure: {continue: true}",
        "{runbook: x0}, {runbook: a, needs: [x0]}, {runbook: b}",
    );
    let driver = world.start(&text, &texts).await;
    let run = driver.state().created.run.clone();
    let (plan, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    assert_eq!(state.status, RunStatus::Paused, "{:?}", state.cause);
    assert_eq!(world.statuses().await, ["b succeeded", "x0 failed"]);
    let node = plan.index.find(&NodeAddress::typed("x0")).unwrap();
    assert_eq!(state.node(node).status, NodeStatus::Failed);
    let first = world.run_of("x0").await;
    // Tried again it is another intent, and another run.
    world.ask(&run, Control::Retry { node: NodeAddress::typed("x0") }).await;
    let state = world.go_on(&run).await;
    assert_eq!(state.status, RunStatus::Paused, "{:?}", state.cause);
    assert_eq!(world.statuses().await, ["b succeeded", "x0 failed", "x0 failed"]);
    assert_ne!(world.run_of("x0").await, first);
    world.ask(&run, Control::Done { node: NodeAddress::typed("x0"), outputs: serde_json::Map::new() }).await;
    let state = world.go_on(&run).await;
    assert_eq!(state.status, RunStatus::SucceededWithWarnings, "{:?}", state.cause);
    assert_eq!(world.statuses().await, ["a succeeded", "b succeeded", "x0 failed", "x0 failed"]);
}
