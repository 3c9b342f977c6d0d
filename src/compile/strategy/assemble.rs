//! Puts derived steps and the author's own into one workflow: a group for each stage, in the safe order.

use serde_json::{Map, Value, json};

use super::declared::Declared;
use super::part::{Direction, Member};
use super::stages::Stage;
use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::compile::tree::Places;
use crate::model::run::Phase;

/// A step with its place.
struct Placed {
    step: Value,
    places: Places,
    /// Position of the component it was derived from.
    component: Option<usize>,
}

impl Placed {
    fn id(&self) -> &str {
        self.step.get("id").and_then(Value::as_str).unwrap_or_default()
    }
}

/// The steps of each stage, in order.
struct Draft {
    stages: Vec<(Stage, Vec<Placed>)>,
    /// Steps of the author that stand for a whole stage.
    whole: Vec<(Stage, Placed)>,
    /// Steps of the author that fit nowhere, or say themselves what they wait for.
    rest: Vec<Placed>,
}

/// Writes the steps of a direction into the document.
pub(super) fn workflow(
    fields: &mut Map<String, Value>,
    direction: Direction,
    declared: &Declared,
    members: Vec<Member>,
    reporter: &mut Reporter<'_>,
) {
    let name = match direction {
        Direction::Failover => "failover",
        Direction::Failback => "failback",
    };
    // What is no mapping is reported when the document is checked against its shape.
    if fields.get("workflows").is_some_and(|workflows| !workflows.is_object()) {
        return;
    }
    let mut draft = Draft { stages: Vec::new(), whole: Vec::new(), rest: Vec::new() };
    for Member { stage, mut step, component } in members {
        in_drills(&mut step);
        let span = declared.entries.get(component).map_or(declared.span, |entry| entry.span);
        draft.add(stage, Placed { step, places: Places::leaf(span), component: Some(component) });
    }
    draft.order_components(declared);
    let own = own_steps(fields, name, reporter);
    let pointer = format!("/workflows/{name}/steps");
    for (at, placed) in own.into_iter().enumerate() {
        draft.take(placed, &format!("{pointer}/{at}"), reporter);
    }
    let (steps, places) = draft.finish(declared);
    let workflows = fields.entry("workflows").or_insert_with(|| json!({}));
    if let Some(workflows) = workflows.as_object_mut() {
        workflows.insert(name.to_owned(), json!({"steps": steps}));
    }
    reporter.places_mut().put(
        &["workflows", name, "steps"],
        Places::sequence(declared.span, places),
        declared.span,
    );
}

/// What an isolated drill leaves out, because it would stop the service or move its users, is what a live drill is
/// about.
fn in_drills(step: &mut Value) {
    if step.get("drill").is_some_and(|said| said == "skip") {
        step["drill"] = json!({"isolated": "skip", "live": "run"});
    }
}

/// Takes the author's steps out of the document, with their places.
fn own_steps(fields: &mut Map<String, Value>, name: &str, reporter: &mut Reporter<'_>) -> Vec<Placed> {
    let steps = fields.get_mut("workflows").and_then(|workflows| workflows.get_mut(name));
    let steps = steps.and_then(|workflow| workflow.get_mut("steps")).map(Value::take);
    let places = reporter.places_mut().take(&["workflows", name, "steps"]);
    let Some(Value::Array(steps)) = steps else { return Vec::new() };
    let places = places.map(Places::into_items).unwrap_or_default();
    let steps = steps.into_iter().zip(places);
    steps.map(|(step, places)| Placed { step, places, component: None }).collect()
}

impl Draft {
    fn add(&mut self, stage: Stage, placed: Placed) {
        match self.stages.iter_mut().find(|(other, _)| *other == stage) {
            Some((_, steps)) => steps.push(placed),
            None => self.stages.push((stage, vec![placed])),
        }
    }

    /// Within a stage the steps of a component wait for those of the components it needs.
    fn order_components(&mut self, declared: &Declared) {
        for (_, steps) in &mut self.stages {
            let ids: Vec<(Option<usize>, String)> =
                steps.iter().map(|placed| (placed.component, placed.id().to_owned())).collect();
            for placed in steps.iter_mut().filter(|placed| placed.step.get("needs").is_none()) {
                let Some(entry) = placed.component.and_then(|at| declared.entries.get(at)) else { continue };
                let needed = |component: &Option<usize>| {
                    let other = component.and_then(|at| declared.entries.get(at));
                    other.is_some_and(|other| entry.needs.contains(&other.id))
                };
                let needs: Vec<_> =
                    ids.iter().filter(|(component, _)| needed(component)).map(|(_, id)| id.clone()).collect();
                if !needs.is_empty() {
                    placed.step["needs"] = json!(needs);
                }
            }
        }
    }

    /// Takes in a step of the author: in place of a derived one, in place of a stage, or beside others.
    fn take(&mut self, mut placed: Placed, pointer: &str, reporter: &mut Reporter<'_>) {
        let id = placed.id().to_owned();
        if let Some(derived) = self.find(&id) {
            if placed.step.get("needs").is_none()
                && let Some(needs) = derived.step.get("needs").cloned()
                && let Some(fields) = placed.step.as_object_mut()
            {
                fields.insert("needs".to_owned(), needs);
            }
            placed.component = derived.component;
            *derived = placed;
            return;
        }
        if let Some(at) = self.stages.iter().position(|(stage, _)| stage.id() == id) {
            let (stage, _) = self.stages.remove(at);
            return self.whole.push((stage, placed));
        }
        let Some(fields) = placed.step.as_object_mut() else { return self.rest.push(placed) };
        let (before, after) = (names(fields.remove("before")), names(fields.remove("after")));
        let phase = fields.get("phase").and_then(|word| serde_json::from_value::<Phase>(word.clone()).ok());
        let neighbour = after.last().or(before.first());
        let stage = phase.map(Stage::of).or_else(|| self.stage_of(neighbour?));
        let Some(stage) = stage else {
            let unknown = neighbour.filter(|_| phase.is_none());
            let message = match unknown {
                Some(other) => format!("`{id}` is to stand beside `{other}`, which is no step here"),
                None => format!("`{id}` does not say where it belongs"),
            };
            reporter.key(Code::BrokenComponent, pointer, message).help(
                "give it a `phase`, or `before` or `after` with an id that `drctl plan --expand` shows",
            );
            return self.rest.push(placed);
        };
        if !after.is_empty() {
            let mut needs = names(fields.remove("needs"));
            needs.extend(after);
            fields.insert("needs".to_owned(), json!(needs));
        }
        self.add(stage, placed);
        for other in before {
            let Some(other) = self.find(&other) else {
                let message = format!("`{id}` is to stand before `{other}`, which is no step here");
                reporter
                    .key(Code::BrokenComponent, &format!("{pointer}/before"), message)
                    .help("`drctl plan --expand` shows the ids of the derived steps");
                continue;
            };
            let mut needs = names(other.step.get("needs").cloned());
            needs.push(id.clone());
            other.step["needs"] = json!(needs);
        }
    }

    fn find(&mut self, id: &str) -> Option<&mut Placed> {
        self.stages.iter_mut().flat_map(|(_, steps)| steps).find(|placed| placed.id() == id)
    }

    fn stage_of(&self, id: &str) -> Option<Stage> {
        let holds = |(stage, steps): &&(Stage, Vec<Placed>)| {
            stage.id() == id || steps.iter().any(|placed| placed.id() == id)
        };
        self.stages.iter().find(holds).map(|(stage, _)| *stage)
    }

    /// One step or group for each stage, each with what it waits for.
    fn finish(mut self, declared: &Declared) -> (Vec<Value>, Vec<Places>) {
        let mut stages: Vec<(Stage, Vec<Placed>)> = std::mem::take(&mut self.stages);
        stages
            .extend(std::mem::take(&mut self.whole).into_iter().map(|(stage, placed)| (stage, vec![placed])));
        stages.sort_by_key(|(stage, _)| *stage);
        let names: Vec<(Stage, String)> =
            stages.iter().map(|(stage, steps)| (*stage, handle(*stage, steps))).collect();
        let present: Vec<Stage> = names.iter().map(|(stage, _)| *stage).collect();
        let mut all = Vec::new();
        for (stage, mut steps) in stages {
            let waits = stage.needs(declared.strategy, &present);
            let needs: Vec<&str> = (names.iter())
                .filter(|(other, _)| waits.contains(other))
                .map(|(_, name)| name.as_str())
                .collect();
            all.push(match (steps.pop(), steps.is_empty()) {
                (Some(only), true) => alone(stage, &needs, only),
                (last, _) => {
                    steps.extend(last);
                    group(stage, &needs, steps, declared)
                }
            });
        }
        all.extend(self.rest.into_iter().map(|placed| (placed.step, placed.places)));
        all.into_iter().unzip()
    }
}

/// What later stages wait for: the group, or the only step.
fn handle(stage: Stage, steps: &[Placed]) -> String {
    match steps {
        [only] => only.id().to_owned(),
        _ => stage.id().to_owned(),
    }
}

fn alone(stage: Stage, needs: &[&str], placed: Placed) -> (Value, Places) {
    let mut step = placed.step;
    if let Some(fields) = step.as_object_mut() {
        fields.entry("phase").or_insert_with(|| json!(stage.phase()));
        fields.entry("needs").or_insert_with(|| json!(needs));
    }
    (ordered(step), placed.places)
}

fn group(stage: Stage, needs: &[&str], members: Vec<Placed>, declared: &Declared) -> (Value, Places) {
    let span = members.iter().find_map(|placed| declared.entries.get(placed.component?));
    let span = span.map_or(declared.span, |entry| entry.span);
    let (steps, places): (Vec<_>, Vec<_>) =
        members.into_iter().map(|placed| (ordered(placed.step), placed.places)).unzip();
    let step = json!({"id": stage.id(), "phase": stage.phase(), "needs": needs, "parallel": steps});
    let mut inner = Places::leaf(span);
    inner.insert("parallel", Places::sequence(span, places));
    (step, inner)
}

/// Puts the keys of a step in the order in which people write them.
fn ordered(step: Value) -> Value {
    const FIRST: [&str; 6] = ["id", "name", "phase", "needs", "uses", "with"];
    let Value::Object(mut fields) = step else { return step };
    let mut ordered = Map::new();
    for key in FIRST {
        if let Some(value) = fields.remove(key) {
            ordered.insert(key.to_owned(), value);
        }
    }
    ordered.extend(fields);
    Value::Object(ordered)
}

fn names(list: Option<Value>) -> Vec<String> {
    list.and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default()
}
