//! Puts derived steps and the author's own into one workflow: a group for each stage, in the safe order.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::declared::Declared;
use super::own;
use super::part::{Direction, Member};
use super::stages::Stage;
use crate::compile::reporter::Reporter;
use crate::compile::tree::Places;

/// A step with its place.
pub(super) struct Placed {
    pub(super) step: Value,
    pub(super) places: Places,
    /// Position of the component it was derived from.
    pub(super) component: Option<usize>,
    /// Whether the author wrote it.
    pub(super) own: bool,
    /// What it waits for beside what it says itself.
    pub(super) also: Vec<String>,
}

impl Placed {
    pub(super) fn id(&self) -> &str {
        self.step.get("id").and_then(Value::as_str).unwrap_or_default()
    }

    /// All it waits for by itself.
    fn needs(&self) -> Vec<String> {
        let mut needs = names(self.step.get("needs").cloned());
        let more: Vec<_> = self.also.iter().filter(|id| !needs.contains(id)).cloned().collect();
        needs.extend(more);
        needs
    }
}

/// The steps of each stage, in order.
pub(super) struct Draft {
    pub(super) stages: Vec<(Stage, Vec<Placed>)>,
    /// Steps of the author that stand for a whole stage.
    pub(super) whole: Vec<(Stage, Placed)>,
    /// Steps of the author that fit nowhere.
    pub(super) rest: Vec<Placed>,
    /// Stages that also wait for a step of the author.
    pub(super) waits: Vec<(Stage, String)>,
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
    let mut draft = Draft { stages: Vec::new(), whole: Vec::new(), rest: Vec::new(), waits: Vec::new() };
    for Member { stage, mut step, component } in members {
        in_drills(&mut step);
        let span = declared.entries.get(component).map_or(declared.span, |entry| entry.span);
        let places = Places::leaf(span);
        let component = Some(component);
        draft.add(stage, Placed { step, places, component, own: false, also: Vec::new() });
    }
    draft.order_components(declared);
    let own = own_steps(fields, name, reporter);
    own::take(&mut draft, own, &format!("/workflows/{name}/steps"), reporter);
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

/// What an isolated drill leaves out, because it would stop the service or move its users, is what a live
/// drill is about.
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
    let own = |(step, places)| Placed { step, places, component: None, own: true, also: Vec::new() };
    steps.map(own).collect()
}

impl Draft {
    pub(super) fn add(&mut self, stage: Stage, placed: Placed) {
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

    /// One step or group for each stage, each with what it waits for.
    fn finish(mut self, declared: &Declared) -> (Vec<Value>, Vec<Places>) {
        let mut stages: Vec<(Stage, Vec<Placed>)> = std::mem::take(&mut self.stages);
        stages
            .extend(std::mem::take(&mut self.whole).into_iter().map(|(stage, placed)| (stage, vec![placed])));
        stages.sort_by_key(|(stage, _)| *stage);
        let handles: Vec<(Stage, String)> =
            stages.iter().map(|(stage, steps)| (*stage, handle(*stage, steps))).collect();
        let present: Vec<Stage> = handles.iter().map(|(stage, _)| *stage).collect();
        let mut all = Vec::new();
        for (stage, mut steps) in stages {
            let waits = stage.needs(declared.strategy, &present);
            let mut needs: Vec<String> =
                handles.iter().filter(|(other, _)| waits.contains(other)).map(|(_, id)| id.clone()).collect();
            needs.extend(self.waits.iter().filter(|(other, _)| *other == stage).map(|(_, id)| id.clone()));
            for placed in &mut steps {
                by_handle(placed, &handles);
            }
            all.push(match (steps.pop(), steps.is_empty()) {
                (Some(only), true) => alone(stage, needs, only),
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

/// An author names a stage by its id, however many steps it has.
fn by_handle(placed: &mut Placed, handles: &[(Stage, String)]) {
    let handle = |id: &String| {
        let of_stage = handles.iter().find(|(stage, _)| stage.id() == id);
        of_stage.map_or_else(|| id.clone(), |(_, handle)| handle.clone())
    };
    placed.also = placed.also.iter().map(handle).collect();
    if placed.own
        && let Some(Value::Array(needs)) = placed.step.get_mut("needs")
    {
        for need in needs.iter_mut() {
            if let Value::String(id) = need {
                *id = handle(id);
            }
        }
    }
}

fn alone(stage: Stage, waits: Vec<String>, placed: Placed) -> (Value, Places) {
    let own = placed.needs();
    let says = placed.step.get("needs").is_some();
    let mut step = placed.step;
    if let Some(fields) = step.as_object_mut() {
        fields.entry("phase").or_insert_with(|| json!(stage.phase()));
        // What its author says it waits for takes the place of what its stage waits for.
        let mut needs = if says { Vec::new() } else { waits };
        needs.extend(own);
        let mut told = BTreeSet::new();
        needs.retain(|id| told.insert(id.clone()));
        if !says || !placed.also.is_empty() {
            fields.insert("needs".to_owned(), json!(needs));
        }
    }
    (ordered(step), placed.places)
}

fn group(stage: Stage, needs: &[String], members: Vec<Placed>, declared: &Declared) -> (Value, Places) {
    let span = members.iter().find_map(|placed| declared.entries.get(placed.component?));
    let span = span.map_or(declared.span, |entry| entry.span);
    let member = |placed: Placed| {
        let needs = placed.needs();
        let mut step = placed.step;
        if !placed.also.is_empty() {
            step["needs"] = json!(needs);
        }
        (ordered(step), placed.places)
    };
    let (steps, places): (Vec<_>, Vec<_>) = members.into_iter().map(member).unzip();
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

pub(super) fn names(list: Option<Value>) -> Vec<String> {
    list.and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default()
}
