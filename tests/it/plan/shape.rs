//! What steps become: order, groups, fan-outs, bound parameters, and what is refused.

use drctl::model::action::ActionName;
use drctl::model::policy::MinSuccess;
use drctl::model::run::{Intent, Mode, Operation};
use drctl::model::time::Duration;
use drctl::plan::{Choices, NodeKind, NodeVariant, PlanIndex, PlannedUndo};
use serde_json::json;

use super::{bound, choices, edges, failover, members, node, problems, runbook, site, with};

const RUN: &str = "uses: command.run, with: {argv: ['true']}";

#[test]
fn groups_fan_outs_and_needs_become_edges() {
    let plan = failover(&runbook(&format!(
        "
workflows:
  failover:
    steps:
      - {{id: first, {RUN}}}
      - id: group
        precheck: [{{uses: http.check, with: {{url: 'https://x'}}}}]
        verify: [{{uses: http.check, with: {{url: 'https://x'}}}}]
        parallel:
          - {{id: a, {RUN}}}
          - {{id: b, needs: [a], {RUN}}}
          - {{id: c, needs: [aside], {RUN}}}
      - {{id: fan, for_each: [x, z], {RUN}, verify: [{{uses: http.check, with: {{url: 'https://x'}}}}]}}
      - {{id: last, {RUN}}}
      - {{id: aside, needs: [], {RUN}}}
"
    )));
    insta::assert_snapshot!(edges(&plan), @r"
    start/group/precheck-1 <-
    first <- start/group/precheck-1?
    group/precheck-1 <- first
    a <- group/precheck-1
    b <- a
    aside <- start/group/precheck-1?
    c <- group/precheck-1, aside
    group <- a, b, c
    group/verify-1 <- group
    fan[x] <- group, group/verify-1
    fan[x]/verify-1 <- fan[x]
    fan[z] <- group, group/verify-1
    fan[z]/verify-1 <- fan[z]
    fan <- fan[x], fan[x]/verify-1, fan[z], fan[z]/verify-1
    last <- fan
    ");
    assert_eq!(members(&plan, "group"), ["a", "b", "c"]);
    assert_eq!(members(&plan, "fan"), ["fan[x]", "fan[x]/verify-1", "fan[z]", "fan[z]/verify-1"]);
}

#[test]
fn a_group_that_may_go_on_without_some_counts_each_member_once() {
    let plan = failover(&runbook(&format!(
        "
workflows:
  failover:
    steps:
      - id: fan
        for_each: [x, {{id: 7}}]
        min_success: 1
        max_parallel: 1
        {}
        precheck: [{{uses: http.check, with: {{url: 'https://x'}}}}]
        ungraceful: {{min_success: 50%}}
      - id: group
        min_success: 50%
        stragglers: cancel
        parallel:
          - {{id: a, {RUN}}}
          - {{id: b, {RUN}, verify: [{{uses: http.check, with: {{url: 'https://x'}}}}]}}
",
        RUN.replace(", with", "\n        with")
    )));
    assert_eq!(members(&plan, "fan"), ["fan[x]/all", "fan[7]/all"]);
    assert_eq!(members(&plan, "fan[x]/all"), ["fan[x]/precheck-1", "fan[x]"]);
    assert_eq!(members(&plan, "group"), ["a", "b/all"]);
    assert_eq!(node(&plan, "fan").ungraceful, Some(NodeVariant::MinSuccess(MinSuccess::Percent(50))));
    let index = PlanIndex::new(&plan).unwrap();
    let at = |address: &str| index.find(&drctl::model::id::NodeAddress::typed(address)).unwrap();
    assert_eq!(index.group_of[at("fan[x]") as usize], Some(at("fan[x]/all")));
    assert_eq!(index.group_of[at("fan[x]/all") as usize], Some(at("fan")));
    assert_eq!(index.serves[at("fan[x]/precheck-1") as usize], Some(at("fan[x]")));
    assert_eq!(index.serves[at("start/fan[x]/precheck-1") as usize], Some(at("fan[x]")));
    assert_eq!(node(&plan, "fan[x]").lane.map(|lane| lane.width), Some(1));
}

#[test]
fn what_is_known_is_rendered_and_the_rest_is_left() {
    let plan = bound(
        &runbook(
            "
parameters: {tasks: {type: integer, default: 3}, pin: {type: string, sensitive: true}}
secrets: {token: {from: env, name: TOKEN}}
workflows:
  failover:
    steps:
      - id: known
        uses: command.run
        with:
          argv: ['{{ to.name }}', '{{ params.tasks }} of {{ survivors | length }}']
          stdin: '{{ params.tasks }}'
      - {id: late, uses: command.run, with: {argv: ['{{ steps.known.outputs.x }}', '{{ from.name }}']}}
      - {id: secret, uses: command.run, with: {argv: ['{{ secrets.token }}']}}
      - id: pinned
        uses: command.run
        with: {argv: ['{{ params.pin }}']}
        undo: {uses: command.run, with: {argv: ['{{ to.name }}', '{{ run.id }}']}}
      - id: each
        for_each: '{{ survivors }}'
        uses: command.run
        with: {argv: ['{{ item.name }}-{{ operation }}']}
        ungraceful: {with: {argv: ['{{ item.region }}']}}
",
        ),
        &Choices {
            parameters: [("pin".to_owned(), json!("hunter2"))].into(),
            ..choices(Operation::Failover)
        },
    );
    assert_eq!(json!(with(&plan, "known")), json!({"argv": ["west", "3 of 1"], "stdin": 3}));
    assert_eq!(json!(with(&plan, "late")), json!({"argv": ["{{ steps.known.outputs.x }}", "east"]}));
    let flags = |address: &str| {
        node(&plan, address).call(Mode::Graceful).map(|call| (call.deferred, call.sensitive)).unwrap()
    };
    assert_eq!(
        [flags("known"), flags("late"), flags("secret"), flags("pinned")],
        [(false, false), (true, false), (true, true), (true, true)]
    );
    assert_eq!(json!(with(&plan, "each[west]")), json!({"argv": ["west-failover"]}));
    let ungraceful = node(&plan, "each[west]").call(Mode::Ungraceful).unwrap();
    assert_eq!(json!(ungraceful.with), json!({"argv": ["us-west-2"]}));
    let Some(PlannedUndo::Call(undo)) = &node(&plan, "pinned").undo else { panic!("no undo") };
    assert!(undo.deferred && undo.action == ActionName::CommandRun && undo.with["argv"][0] == "west");
    assert!(!serde_json::to_string(&plan).unwrap().contains("hunter2") && plan.sensitive["pin"].len() == 64);
}

#[test]
fn actions_of_the_engine_become_nodes_of_their_own_kind() {
    let plan = failover(&runbook(
        "
workflows:
  failover:
    steps:
      - id: ask
        uses: approval.request
        with: {message: 'Go to {{ to.name }} in {{ mode }}?', quorum: 2, roles: [sre]}
      - {id: hand, uses: manual.task, with: {instructions: 'Call {{ from.name }}'}}
      - {id: wait, uses: wait.for, with: {duration: 90s}}
      - {id: hold, uses: assert.that, with: {condition: '{{ steps.hand.status == \"succeeded\" }}'}}
",
    ));
    let NodeKind::Approval { approval } = &node(&plan, "ask").kind else { panic!("no approval") };
    assert_eq!((approval.quorum, approval.roles.len()), (2, 1));
    // One template of one text: what is known only later keeps the whole text back.
    assert_eq!(approval.message.as_deref(), Some("Go to {{ to.name }} in {{ mode }}?"));
    assert!(
        matches!(node(&plan, "hand").kind, NodeKind::Manual { .. })
            && with(&plan, "hand")["instructions"] == "Call east"
    );
    assert!(
        matches!(node(&plan, "wait").kind, NodeKind::Wait { .. })
            && node(&plan, "wait").estimate == Duration::from_secs(90)
    );
    assert!(matches!(&node(&plan, "hold").kind, NodeKind::Assert { call } if call.deferred));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let refused = problems(
        &runbook(
            "
parameters: {hosts: {type: list, default: [a, b, a]}}
workflows:
  failover:
    steps:
      - {id: one, uses: command.run, with: {argv: 7}}
      - {id: two, uses: http.check, with: {url: '{{ params.nope }}'}, needs: [onne]}
      - {id: three, for_each: params.hosts, uses: command.run, with: {argv: ['{{ item }}']}}
      - {id: four, for_each: steps.one.outputs.list, uses: command.run, with: {argv: [x]}}
      - {id: five}
      - id: six
        uses: command.run
        with: {argv: [x]}
        precheck: [{uses: command.run, with: {argv: [x]}}]
        ungraceful: {uses: manual.task, with: {instructions: x}}
      - {id: seven, uses: command.run, with: {argv: ['{{ item }}']}, min_success: 50%}
      - {id: one, uses: wait.for, with: {duration: 1s}}
",
        ),
        &choices(Operation::Failover),
    );
    let all: Vec<_> = refused
        .iter()
        .map(|problem| format!("{}\n    {}", problem.what, problem.help.as_deref().unwrap_or_default()))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn steps_that_wait_for_each_other_are_named() {
    let refused = problems(
        &runbook(&format!(
            "workflows: {{failover: {{steps: [
                {{id: a, needs: [c], {RUN}}}, {{id: b, {RUN}}}, {{id: c, {RUN}}}, {{id: d, {RUN}}}]}}}}"
        )),
        &choices(Operation::Failover),
    );
    assert_eq!(refused[0].what, "steps wait for each other: a needs c needs b needs a");
}

#[test]
fn a_real_run_refuses_what_can_only_be_simulated() {
    let steps = runbook(
        "workflows: {failover: {steps: [{id: tell, uses: notify.send, with: {channel: ops, message: hi}}]}}",
    );
    let real = Choices { intent: Intent::Real, ..choices(Operation::Failover) };
    let refused = problems(&steps, &real);
    assert_eq!(refused[0].what, "step `tell`: this build can only simulate notify.send");
    assert!(refused[0].help.as_ref().unwrap().contains("--simulate"));
    failover(&steps);
}

#[test]
fn failback_has_steps_of_its_own() {
    let there = runbook(&format!("workflows: {{failback: {{steps: [{{id: back, {RUN}}}]}}}}"));
    let back = Choices { from: Some(site("west")), to: Some(site("east")), ..choices(Operation::Failback) };
    let plan = bound(&there, &back);
    assert_eq!((plan.from, plan.to, plan.mode), (Some(site("west")), Some(site("east")), Mode::Graceful));
    let refused = problems(&there, &choices(Operation::Failover));
    assert!(refused[0].help.as_ref().unwrap().contains("workflows.failover.steps"), "{refused:?}");
}

#[test]
fn lanes_serve_their_queue_in_turn() {
    let estimate = |width: u32| {
        let steps = format!(
            "
workflows:
  failover:
    steps:
      - {{id: fan, for_each: [1, 2, 3, 4, 5], max_parallel: {width}, estimate: 10s, {RUN}}}
      - {{id: then, estimate: 1s, {RUN}}}
      - {{id: tidy, phase: cleanup, estimate: 1h, {RUN}}}
"
        );
        let index = PlanIndex::new(&failover(&runbook(&steps))).unwrap();
        (index.estimate, index.whole_estimate.minus(index.estimate), index.tail[0], index.critical.len())
    };
    let seconds = Duration::from_secs;
    assert_eq!(estimate(1), (seconds(51), seconds(3600), seconds(51), 7));
    assert_eq!(estimate(2), (seconds(31), seconds(3600), seconds(31), 5));
    assert_eq!(estimate(9), (seconds(11), seconds(3600), seconds(11), 3));
}

#[test]
fn limits_are_said() {
    let many = |count: usize| {
        let items: Vec<_> = (0..count).map(|n| n.to_string()).collect();
        runbook(&format!(
            "workflows: {{failover: {{steps: [{}]}}}}",
            (0..6)
                .map(|n| format!("{{id: s{n}, for_each: [{}], {RUN}}}", items.join(",")))
                .collect::<Vec<_>>()
                .join(",")
        ))
    };
    assert!(
        problems(&many(10_001), &choices(Operation::Failover))[0].what.contains("`for_each` has 10001 items")
    );
    assert!(problems(&many(10_000), &choices(Operation::Failover))[0].what.contains("too large"));
}
