//! Strict edges, the gate before the point of no return, recovery point readings, checks at the start.

use drctl::model::run::{Intent, Mode, Operation};
use drctl::plan::{NodeKind, PlanIndex};

use super::{PAIR, bound, choices, edges, failover, problems, runbook};

#[test]
fn fence_gate_promotion_and_traffic_stand_in_a_strict_order() {
    insta::assert_snapshot!(edges(&failover(&runbook(PAIR))));
}

#[test]
fn distant_steps_are_bound_strictly_all_the_same() {
    let plan = failover(&runbook(
        "
workflows:
  failover:
    steps:
      - id: fence
        phase: fence
        uses: command.run
        with: {argv: [fence]}
        verify: [{uses: http.check, with: {url: 'https://x'}}]
      - {id: between, uses: command.run, with: {argv: ['true']}}
      - {id: promote, phase: promote, uses: command.run, with: {argv: [promote]}, approval: {}}
      - {id: other, uses: command.run, with: {argv: ['true']}}
      - {id: apart, phase: fence, needs: [], uses: command.run, with: {argv: [apart]}}
      - {id: shift, needs: [other], phase: shift, uses: command.run, with: {argv: [shift]}}
",
    ));
    insta::assert_snapshot!(edges(&plan), @r"
    fence <-
    fence/verify-1 <- fence
    between <- fence, fence/verify-1
    promote/approval <- between
    apart <-
    gate/point-of-no-return <- fence!, fence/verify-1!, promote/approval!, apart!
    promote <- fence!, fence/verify-1!, promote/approval, gate/point-of-no-return!
    other <- promote
    shift <- gate/point-of-no-return!, promote!, other
    ");
}

#[test]
fn what_an_ungraceful_run_leaves_out_does_not_hold_up_the_gate_but_a_fence_does() {
    let steps = "
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: command.run, with: {argv: [fence]}, ungraceful: skip}
      - {id: sync, uses: command.run, with: {argv: [sync]}, ungraceful: skip}
      - {id: never, uses: command.run, with: {argv: [sync]}, when: to.name == 'mars', needs: [fence]}
      - {id: promote, needs: [sync, never], uses: postgres.promote, with: {standby: x}}
";
    let ungraceful = failover(&runbook(steps));
    insta::assert_snapshot!(edges(&ungraceful), @r"
    fence <-
    sync <- fence
    never <- fence
    gate/point-of-no-return <- fence!, sync, never
    promote <- fence!, sync, never, gate/point-of-no-return!
    ");
    let graceful = bound(&runbook(steps), &choices(Operation::Switchover));
    assert!(
        edges(&graceful).contains("gate/point-of-no-return <- fence!, sync!, never\n"),
        "{}",
        edges(&graceful)
    );
}

/// A program, a request or a person that promotes does what an action that promotes does.
#[test]
fn a_promotion_that_nothing_takes_back_has_a_gate_whatever_performs_it() {
    let promotion = |phase: &str, step: &str| {
        let text = format!(
            "
workflows:
  failover:
    steps:
      - {{id: fence, phase: fence, uses: command.run, with: {{argv: [fence]}}}}
      - {{id: promote, phase: {phase}, {step}}}
"
        );
        let plan = failover(&runbook(&text));
        (edges(&plan).contains("gate/point-of-no-return"), plan.needs_fence(Mode::Ungraceful))
    };
    let program = "uses: command.run, with: {argv: [promote]}";
    let request = |method: &str| format!("uses: http.request, with: {{url: 'https://x', method: {method}}}");
    for step in [program, "uses: manual.task, with: {instructions: promote it}", &request("POST")] {
        assert_eq!(promotion("promote", step), (true, true), "{step}");
    }
    let undone = format!("{program}, undo: {{uses: command.run, with: {{argv: [back]}}}}");
    let played_down = format!("{program}, reversibility: {{class: compensable, reason: a copy}}");
    let variant = format!("{}, ungraceful: {{with: {{method: POST}}}}", request("GET"));
    assert_eq!(promotion("promote", &undone), (false, false));
    assert_eq!(promotion("promote", &played_down), (false, false));
    assert_eq!(promotion("promote", &request("GET")), (false, false));
    assert_eq!(promotion("promote", &variant), (true, true));
    assert_eq!(promotion("scale", program), (false, false));
    let other = "uses: runbook.run, with: {runbook: other}";
    assert_eq!(promotion("promote", other), (false, false), "the other run has a gate of its own");
}

/// Otherwise a second promotion would begin unasked beside the one at the gate, and users would follow a
/// promotion that somebody says is done by hand.
#[test]
fn nothing_is_promoted_and_nobody_sent_on_past_a_gate() {
    let plan = failover(&runbook(
        "
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: command.run, with: {argv: [fence]}}
      - id: data
        phase: promote
        parallel:
          - {id: one, uses: command.run, with: {argv: [one]}}
          - {id: two, uses: command.run, with: {argv: [two]}, undo: {uses: command.run, with: {argv: [back]}}}
      - {id: shift, phase: shift, uses: command.run, with: {argv: [shift]}}
",
    ));
    insta::assert_snapshot!(edges(&plan), @r"
    fence <-
    gate/point-of-no-return <- fence!
    one <- fence!, gate/point-of-no-return!
    two <- fence!, gate/point-of-no-return!
    data <- one, two
    shift <- gate/point-of-no-return!, one!, two!, data
    ");
    assert!(!plan.moves_unasked(Mode::Ungraceful));
}

/// A promotion that only looks in one mode is none of what its author says about the other.
#[test]
fn a_variant_that_promotes_is_judged_by_itself() {
    let has_gate = |more: &str| {
        let steps = "workflows:\n  failover:\n    steps:\n      - {id: promote, phase: promote, uses: command.run, \
                     with: {argv: [echo, vendor]}, ungraceful: {with: {argv: [promote]}}MORE}\n";
        edges(&failover(&runbook(&steps.replace("MORE", more)))).contains("gate/point-of-no-return")
    };
    assert!(has_gate(""));
    assert!(!has_gate(", undo: {uses: command.run, with: {argv: [back]}}"));
}

#[test]
fn the_gate_counts_every_variant_and_stands_before_the_first_irreversible_step() {
    let plan = failover(&runbook(
        "
workflows:
  failover:
    steps:
      - {id: one, uses: command.run, with: {argv: [one]}}
      - id: two
        uses: command.run
        with: {argv: [two]}
        ungraceful: {uses: postgres.promote, with: {standby: x}}
      - id: three
        uses: command.run
        with: {argv: [three]}
        reversibility: {class: irreversible, reason: deletes}
      - {id: fence, phase: fence, uses: command.run, with: {argv: [late]}}
",
    ));
    insta::assert_snapshot!(edges(&plan), @r"
    one <-
    gate/point-of-no-return <- one!
    two <- one, gate/point-of-no-return!
    three <- gate/point-of-no-return!, two
    fence <- three
    ");
    let index = PlanIndex::new(&plan).unwrap();
    assert_eq!((index.gate, index.irreversible), (Some(1), vec![2, 3]));
    let harmless = "workflows: {failover: {steps: [{id: one, uses: http.check, with: {url: 'https://x'}}]}}";
    assert_eq!(PlanIndex::new(&failover(&runbook(harmless))).unwrap().gate, None);
}

/// What the gate asks about is whether anything fences: a stand-in that was never filled in does not.
#[test]
fn a_program_that_does_nothing_leaves_the_gate_without_a_fence() {
    let fenced = |uses: &str| {
        let plan = failover(&runbook(&format!(
            "
workflows:
  failover:
    steps:
      - {{id: fence, phase: fence, uses: {uses}}}
      - {{id: promote, phase: promote, uses: postgres.promote, with: {{standby: host=west}}}}
"
        )));
        assert!(plan.needs_fence(Mode::Ungraceful));
        plan.nodes.iter().any(|node| plan.fences(node, Mode::Ungraceful))
    };
    let stop = |argv: &str| {
        format!("postgres.fence, with: {{primary: host=east, method: stop, stop_command: [{argv}]}}")
    };
    let run = |argv: &str| format!("command.run, with: {{argv: [{argv}]}}");
    for argv in ["'true'", "/bin/true", "':'", "sh, -c, 'true'", "sh, -c, 'exit 0'"] {
        assert!(!fenced(&run(argv)) && !fenced(&stop(argv)), "{argv}");
    }
    for argv in ["./stop", "sh, -c, 'true && ./stop'", "sh, -c, 'echo off > /sys/power'"] {
        assert!(fenced(&run(argv)) && fenced(&stop(argv)), "{argv}");
    }
}

#[test]
fn readings_surround_early_and_late_fences() {
    let recovery_point = "
recovery_point:
  - {uses: postgres.heartbeat, with: {connection: a}}
  - {uses: postgres.check_replication, with: {standby: b}}
workflows:
  failover:
    steps:
";
    let promote = "      - {id: promote, phase: promote, uses: postgres.promote, with: {standby: x}}\n";
    let fence = "      - {id: fence, phase: fence, uses: command.run, with: {argv: [fence]}}\n";
    let early = failover(&runbook(&format!("{recovery_point}{fence}{promote}")));
    insta::assert_snapshot!(edges(&early), @r"
    rpo/before-fence <-
    rpo/before-fence-2 <-
    fence <- rpo/before-fence, rpo/before-fence-2
    rpo/at-fence <- fence
    rpo/at-fence-2 <- fence
    gate/point-of-no-return <- rpo/before-fence, rpo/before-fence-2, fence!, rpo/at-fence, rpo/at-fence-2
    promote <- fence!, gate/point-of-no-return!
    rpo/after-promotion <- promote
    rpo/after-promotion-2 <- promote
    ");
    let late = failover(&runbook(&format!("{recovery_point}{promote}{fence}")));
    assert!(
        edges(&late).contains("gate/point-of-no-return <- rpo/before-fence, rpo/before-fence-2\n"),
        "{}",
        edges(&late)
    );
    assert!(edges(&late).contains("rpo/at-fence <- fence\n"));
    let none = failover(&runbook(&format!(
        "{recovery_point}      - {{id: w, uses: wait.for, with: {{duration: 1s}}}}\n"
    )));
    assert_eq!(edges(&none), "rpo/before-fence <-\nrpo/before-fence-2 <-\nw <-");
}

#[test]
fn a_check_run_only_looks() {
    let checks = choices(Operation::Failover);
    let plan = bound(&runbook(PAIR), &drctl::plan::Choices { intent: Intent::Check, ..checks });
    assert_eq!(edges(&plan), "start/promote/precheck-1 <-\nrpo/before-fence <-");
    for node in &plan.nodes {
        assert!(matches!(node.kind, NodeKind::Check { within: None, .. } | NodeKind::Reading { .. }));
    }
}

#[test]
fn checks_at_the_start_leave_out_what_depends_on_other_steps() {
    let plan = failover(&runbook(
        "
workflows:
  failover:
    steps:
      - {id: one, uses: command.run, with: {argv: [one]}, outputs: {n: result.n}}
      - id: two
        uses: command.run
        with: {argv: [two]}
        ungraceful: skip
        for_each: [a, b]
        precheck:
          - {uses: http.check, with: {url: 'https://{{ item }}'}, within: 5m, consecutive: 3}
          - {uses: http.check, with: {url: 'https://{{ steps.one.outputs.n }}'}}
          - {uses: http.check, with: {url: 'https://x'}, until: result.status == steps.one.outputs.n}
      - {id: three, needs: [], uses: command.run, with: {argv: [three]}}
",
    ));
    let edges = edges(&plan);
    assert!(
        edges.starts_with(
            "start/two[a]/precheck-1 <-\nstart/two[b]/precheck-1 <-\none <- start/two[a]/precheck-1?,"
        ),
        "{edges}"
    );
    assert!(edges.contains("three <- start/two[a]/precheck-1?, start/two[b]/precheck-1?"), "{edges}");
    assert_eq!(edges.matches("start/two[a]/precheck").count(), 3, "{edges}");
    let start = super::node(&plan, "start/two[a]/precheck-1");
    assert!(
        start.is_skipped_in(Mode::Ungraceful)
            && matches!(start.kind, NodeKind::Check { within: None, consecutive: 1, .. })
    );
}

#[test]
fn an_approval_must_not_lead_to_the_irreversible_by_itself() {
    let plan = problems(
        &runbook(
            "
workflows:
  failover:
    steps:
      - {id: ask, uses: approval.request, with: {on_expiry: proceed, expires: 5m}}
      - {id: promote, uses: postgres.promote, with: {standby: x}}
      - {id: later, uses: command.run, with: {argv: ['true']}, approval: {on_expiry: proceed, expires: 5m}}
",
        ),
        &choices(Operation::Failover),
    );
    assert_eq!(plan.len(), 1);
    assert!(plan[0].what.starts_with("`ask` goes on when it expires"), "{plan:?}");
}
