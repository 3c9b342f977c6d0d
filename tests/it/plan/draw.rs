//! How plans are drawn.

use drctl::model::run::Operation;
use drctl::plan::{PlanIndex, render};

use super::{PAIR, bound, choices, failover, runbook};

#[test]
fn a_plan_as_a_table() {
    let plan = failover(&runbook(PAIR));
    let text = render::text(&plan, &PlanIndex::new(&plan).unwrap());
    assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 100), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_plan_as_a_chart() {
    let plan = failover(&runbook(PAIR));
    insta::assert_snapshot!(render::mermaid(&plan, &PlanIndex::new(&plan).unwrap()));
}

#[test]
fn a_plan_by_hand() {
    insta::assert_snapshot!(render::manual(&failover(&runbook(PAIR))));
}

#[test]
fn many_items_and_long_names_stay_readable() {
    let long = "x".repeat(64);
    let steps = format!(
        "
metadata: {{name: pay, title: \"A \\e[31mred\\nservice with a name that goes on {0} {0} {0}\"}}
workflows:
  failover:
    steps:
      - id: {long}
        uses: command.run
        with: {{argv: ['true']}}
        for_each: [{items}]
        min_success: 80%
        precheck: [{{uses: http.check, with: {{url: 'https://x'}}}}]
",
        "and on and on",
        items = (0..40).map(|n| format!("{n}{}", "y".repeat(50))).collect::<Vec<_>>().join(", "),
    );
    let plan = bound(
        &super::whole(&format!("apiVersion: drctl/v1\nkind: Runbook{steps}")),
        &choices(Operation::Switchover),
    );
    let index = PlanIndex::new(&plan).unwrap();
    let text = render::text(&plan, &index);
    assert!(text.lines().all(|line| line.chars().count() <= 100) && !text.contains('\u{1b}'), "{text}");
    assert!(text.lines().count() < 60 && text.contains("32 of 40"), "{text}");
    let chart = render::mermaid(&plan, &index);
    assert!(chart.lines().count() < 100 && !chart.contains('\u{1b}'), "{chart}");
}
