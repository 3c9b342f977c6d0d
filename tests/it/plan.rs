//! Runbooks become plans: what the nodes are, what they need, what is refused, how it is drawn.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "parts of tests")]

mod by_hand;
mod diff;
mod draw;
mod properties;
mod safety;
mod shape;

use std::collections::BTreeMap;

use drctl::model::id::SiteName;
use drctl::model::run::{Intent, Mode, Operation};
use drctl::model::runbook::Runbook;
use drctl::plan::{Choices, EdgeKind, Node, NodeKind, Plan, PlanIndex, Problem, bind};
use serde_json::Value;

/// A runbook of the given steps, on two sites.
pub(crate) fn runbook(steps: &str) -> Runbook {
    let head = "
apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
sites:
  east: {role: active, region: us-east-1, url: 'https://east.example.com', values: {db: 'host=east'}}
  west: {role: standby, region: us-west-2, url: 'https://west.example.com', values: {db: 'host=west'}}
";
    whole(&format!("{head}{steps}"))
}

/// A runbook of a whole text.
pub(crate) fn whole(text: &str) -> Runbook {
    let value: Value = serde_saphyr::from_str(text).expect("YAML");
    serde_json::from_value(value).expect("a runbook")
}

pub(crate) fn choices(operation: Operation) -> Choices {
    let parameters = BTreeMap::new();
    Choices {
        operation,
        mode: None,
        intent: Intent::Simulate,
        from: None,
        to: None,
        unready: BTreeMap::new(),
        parameters,
    }
}

pub(crate) fn failover(runbook: &Runbook) -> Plan {
    bound(runbook, &choices(Operation::Failover))
}

pub(crate) fn bound(runbook: &Runbook, choices: &Choices) -> Plan {
    let plan = bind(runbook, choices).unwrap_or_else(|problems| panic!("{problems:#?}"));
    PlanIndex::new(&plan).expect("a sound plan");
    plan
}

pub(crate) fn problems(runbook: &Runbook, choices: &Choices) -> Vec<Problem> {
    bind(runbook, choices).expect_err("must be refused")
}

/// `address <- need, need!, need?`: `!` is a safety edge, `?` a graceful one.
pub(crate) fn edges(plan: &Plan) -> String {
    let line = |node: &Node| {
        let needs = node.needs.iter().map(|edge| {
            let mark = match edge.kind {
                EdgeKind::Safety => "!",
                EdgeKind::Graceful => "?",
                EdgeKind::Ordinary => "",
            };
            format!("{}{mark}", plan.nodes[edge.node as usize].address)
        });
        format!("{} <- {}", node.address, needs.collect::<Vec<_>>().join(", ")).trim_end().to_owned()
    };
    plan.nodes.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(crate) fn node<'a>(plan: &'a Plan, address: &str) -> &'a Node {
    plan.nodes.iter().find(|node| node.address.as_str() == address).unwrap_or_else(|| panic!("no {address}"))
}

pub(crate) fn with<'a>(plan: &'a Plan, address: &str) -> &'a serde_json::Map<String, Value> {
    &node(plan, address).call(Mode::Graceful).expect("a call").with
}

pub(crate) fn site(name: &str) -> SiteName {
    SiteName::new(name).expect("a name")
}

pub(crate) fn members(plan: &Plan, address: &str) -> Vec<String> {
    let NodeKind::Group { members, .. } = &node(plan, address).kind else { panic!("{address} is no group") };
    members.iter().map(|member| plan.nodes[*member as usize].address.to_string()).collect()
}

/// A database pair: everything that matters about order in a few steps.
pub(crate) const PAIR: &str = "
strategy: warm_standby
objectives: {rto: 5m, rpo: 30s}
recovery_point:
  - {uses: postgres.heartbeat, with: {connection: '{{ to.values.db }}'}}
parameters:
  tasks: {type: integer, default: 12}
secrets:
  token: {from: env, name: TOKEN}
workflows:
  failover:
    steps:
      - id: freeze
        phase: freeze
        uses: http.request
        with:
          method: POST
          url: 'https://ci.example.com/freeze'
          headers: {authorization: 'Bearer {{ secrets.token }}'}
        on_failure: continue
      - id: fence
        phase: fence
        uses: postgres.fence
        with: {primary: '{{ from.values.db }}', method: stop, stop_command: [pg_ctl, stop]}
        undo: auto
      - id: new-site
        parallel:
          - id: promote
            phase: promote
            uses: postgres.promote
            with: {standby: '{{ to.values.db }}'}
            precheck:
              - {uses: postgres.check_replication, with: {standby: '{{ to.values.db }}', max_lag: 1m}}
            verify:
              - {uses: postgres.query, with: {connection: '{{ to.values.db }}', sql: select 1}, within: 30s}
            manual: pg_ctl promote on {{ to.name }}
          - id: scale
            phase: scale
            uses: command.run
            with: {argv: [scale, '{{ params.tasks }} tasks']}
            for_each: [web, api]
            max_parallel: 1
            estimate: 20s
      - id: smoke
        phase: verify
        uses: http.check
        with: {url: '{{ to.url }}/health'}
      - id: shift
        phase: shift
        uses: dns.update
        with:
          server: '192.0.2.1:53'
          zone: example.com
          name: pay.example.com
          record_type: A
          values: ['192.0.2.9']
      - id: validate
        phase: validate
        uses: assert.that
        with: {condition: '{{ steps.promote.outputs.timeline > 1 }}'}
      - id: tidy
        phase: cleanup
        uses: manual.task
        with: {instructions: Remove the old dashboards}
";
