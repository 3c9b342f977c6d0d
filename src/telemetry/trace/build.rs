//! Makes spans of facts as they are followed. Keeps what is open of each run until the run is over.

use std::collections::{BTreeMap, HashMap};

use super::export::Spans;
use super::span::{Attributes, Outcome, Span, SpanEvent, Value, text};
use crate::engine::event::Event;
use crate::engine::input::Direction;
use crate::evidence::{first_line, node_of, verdict};
use crate::model::id::RunId;
use crate::model::run::{NodeStatus, Phase, RunStatus};
use crate::model::time::Timestamp;
use crate::model::values::Site;
use crate::plan::{Node, NodeIndex};
use crate::ports::{Record, trace};
use crate::tail::{Fact, Run};
use crate::telemetry::measure::action;

/// Most events of one span; the others are left out.
const EVENTS: usize = 200;

/// Makes spans.
pub struct Tracer {
    /// Only of runs this process drives, by the name of its driver; absent: of all.
    holder: Option<String>,
    out: Spans,
    runs: HashMap<RunId, Open>,
}

/// What is open of a run.
#[derive(Default)]
struct Open {
    nodes: BTreeMap<(NodeIndex, Direction), Half>,
    events: Vec<SpanEvent>,
}

/// A span that is not over.
struct Half {
    began: Timestamp,
    events: Vec<SpanEvent>,
}

impl Tracer {
    /// Makes a tracer that puts spans into a queue.
    #[must_use]
    pub fn new(holder: Option<String>, out: Spans) -> Self {
        Self { holder, out, runs: HashMap::new() }
    }

    /// Takes a fact. `new`: it was not recorded before this process began; spans that were over by then were
    /// sent by whoever drove the run.
    pub fn take(&mut self, record: &Record, fact: &Fact<'_>, new: bool) {
        let Fact::OfRun { run, event, .. } = fact else { return };
        let id = &run.state.created.run;
        let open = self.runs.entry(id.clone()).or_default();
        let at = record.recorded_at;
        let mut over = Vec::new();
        match node_of(event) {
            Some(node) => over.extend(open.of_node(run, node, event, at)),
            None => open.of_run(event, at),
        }
        let ended = run.state.status.is_terminal() && matches!(event, Event::StatusChanged { .. });
        if ended && let Some(open) = self.runs.remove(id) {
            over.extend(open.close(run, at));
        }
        let ours = self.holder.as_ref().is_none_or(|holder| run.state.holder.as_ref() == Some(holder));
        if new && ours {
            for span in over {
                self.out.push(span);
            }
        }
    }
}

impl Open {
    fn of_node(&mut self, run: &Run, node: NodeIndex, event: &Event, at: Timestamp) -> Option<Span> {
        let it = run.state.node(node);
        let key = (node, it.direction);
        // What is left out before it began has no span.
        let untouched = matches!(event, Event::NodeSkipped { .. } | Event::NodeCancelled { .. });
        if untouched && !self.nodes.contains_key(&key) {
            return None;
        }
        let half = self.nodes.entry(key).or_insert_with(|| Half { began: at, events: Vec::new() });
        if half.events.len() < EVENTS {
            half.events.push(SpanEvent { at, name: event.kind(), attributes: about(event) });
        }
        let over = it.status.is_settled() || matches!(it.status, NodeStatus::Undone | NodeStatus::Cancelled);
        if !over {
            return None;
        }
        self.nodes.remove(&key).and_then(|half| step(run, key, half, at))
    }

    fn of_run(&mut self, event: &Event, at: Timestamp) {
        if self.events.len() < EVENTS && !matches!(event, Event::RequestAnswered { .. }) {
            self.events.push(SpanEvent { at, name: event.kind(), attributes: about(event) });
        }
    }

    /// The spans that are open when the run is over, and its own.
    fn close(self, run: &Run, at: Timestamp) -> Vec<Span> {
        let nodes = self.nodes.into_iter();
        let mut spans: Vec<Span> = nodes.filter_map(|(key, half)| step(run, key, half, at)).collect();
        spans.push(whole(run, self.events, at));
        spans
    }
}

fn step(run: &Run, (node, direction): (NodeIndex, Direction), half: Half, at: Timestamp) -> Option<Span> {
    let definition = run.plan.plan.nodes.get(node as usize)?;
    let it = run.state.node(node);
    let (id, site) = (&run.state.created.run, site(run, definition));
    let mut attributes: Attributes = vec![
        ("drctl.run", Value::Text(id.to_string())),
        ("drctl.step", Value::Text(definition.address.to_string())),
        ("drctl.action", Value::Text(action(run, node).to_owned())),
        ("drctl.direction", Value::Text(direction.to_string())),
        ("drctl.status", Value::Text(it.status.to_string())),
        ("drctl.attempts", Value::Number(i64::from(it.attempts))),
    ];
    attributes.extend(text("drctl.phase", definition.phase));
    attributes.extend(cloud(site, region(run, definition)));
    let outcome = match it.status {
        NodeStatus::Succeeded | NodeStatus::MarkedDone | NodeStatus::Undone => Outcome::Ok,
        NodeStatus::Skipped | NodeStatus::Cancelled => Outcome::Unset,
        _ => Outcome::Error(it.failure.as_ref().map_or_else(
            || format!("the run ended while it was {}", it.status),
            |failure| first_line(&failure.message),
        )),
    };
    Some(Span {
        trace: trace::trace_id(id),
        id: trace::node_span(id, &definition.address, direction),
        parent: Some(trace::run_span(id)),
        link: None,
        name: match direction {
            Direction::Do => definition.address.to_string(),
            Direction::Undo => format!("undo {}", definition.address),
        },
        began: half.began,
        ended: at,
        attributes,
        events: half.events,
        outcome,
    })
}

fn whole(run: &Run, events: Vec<SpanEvent>, at: Timestamp) -> Span {
    let (created, state) = (&run.state.created, &run.state);
    let id = &created.run;
    let mut attributes: Attributes = vec![
        ("drctl.run", Value::Text(id.to_string())),
        ("drctl.service", Value::Text(created.service.to_string())),
        ("drctl.operation", Value::Text(created.operation.to_string())),
        ("drctl.mode", Value::Text(state.mode.to_string())),
        ("drctl.intent", Value::Text(created.intent.to_string())),
        ("drctl.status", Value::Text(state.status.to_string())),
        ("drctl.verdict", Value::Text(verdict(&run.plan, state).to_string())),
    ];
    attributes.extend(text("drctl.from", created.from.as_ref()));
    attributes.extend(text("drctl.to", created.to.as_ref()));
    let to = created.to.as_ref().and_then(|to| run.plan.plan.sites.get(to));
    attributes.extend(cloud(to, None));
    let outcome = match state.status {
        RunStatus::Succeeded | RunStatus::SucceededWithWarnings => Outcome::Ok,
        status => Outcome::Error(state.cause.as_deref().map_or_else(|| status.to_string(), first_line)),
    };
    let parent = created.parent.as_ref();
    let link =
        parent.map(|it| (trace::trace_id(&it.run), trace::node_span(&it.run, &it.node, Direction::Do)));
    Span {
        trace: trace::trace_id(id),
        id: trace::run_span(id),
        parent: None,
        link,
        name: format!("{} {}", created.operation, created.service),
        began: state.created_at,
        ended: at,
        attributes,
        events,
        outcome,
    }
}

/// The site a node works on: what stops or fences works where the service leaves, the rest where it moves to.
fn site<'a>(run: &'a Run, definition: &Node) -> Option<&'a Site> {
    let created = &run.state.created;
    let leaves = matches!(definition.phase, Some(Phase::Freeze | Phase::Fence));
    let name = if leaves { created.from.as_ref() } else { created.to.as_ref() };
    name.and_then(|name| run.plan.plan.sites.get(name))
}

/// The region its action names itself.
fn region(run: &Run, definition: &Node) -> Option<String> {
    let region = definition.call(run.state.mode)?.with.get("region")?.as_str()?;
    (!region.contains("{{")).then(|| region.to_owned())
}

/// Attributes of a place, by the conventions of OpenTelemetry.
fn cloud(site: Option<&Site>, region: Option<String>) -> Attributes {
    let provider = site.and_then(|site| site.provider.clone());
    let account = site.and_then(|site| site.account.clone());
    let region = region.or_else(|| site.and_then(|site| site.region.clone()));
    let all =
        [text("cloud.provider", provider), text("cloud.region", region), text("cloud.account.id", account)];
    all.into_iter().flatten().collect()
}

/// What is told about a fact beside its name. Never a parameter or an output.
fn about(event: &Event) -> Attributes {
    let attempt = |number: u32| ("drctl.attempt", Value::Number(i64::from(number)));
    match event {
        Event::AttemptStarted(started) => vec![attempt(started.attempt.attempt)],
        Event::AttemptInDoubt { attempt: key, why } => {
            vec![attempt(key.attempt), ("drctl.why", Value::Text(first_line(why)))]
        }
        Event::RetryScheduled { failure, .. } | Event::NodeFailed { failure, .. } => vec![
            ("drctl.failure.class", Value::Text(failure.class.to_string())),
            ("drctl.failure.message", Value::Text(first_line(&failure.message))),
        ],
        Event::StatusChanged { status, .. } => vec![("drctl.status", Value::Text(status.to_string()))],
        Event::ClockMarked { mark } => vec![("drctl.mark", Value::Text(mark.to_string()))],
        Event::BurnReached { percent, .. } => vec![("drctl.percent", Value::Number(i64::from(*percent)))],
        Event::NodeSucceeded(done) if done.adopted => vec![("drctl.adopted", Value::Flag(true))],
        _ => Vec::new(),
    }
}
