//! Takes the author's own steps in: in place of a derived one, in place of a whole stage, or beside others.
//! Never drops a step that the author wrote.

use super::assemble::{Draft, Placed, names};
use super::stages::Stage;
use crate::compile::diagnostic::{Code, Span};
use crate::compile::reporter::Reporter;
use crate::compile::tree::Part;
use crate::model::run::Phase;

const IDS: &str = "`drctl plan --expand` shows the ids of the derived steps and stages";

/// A step of the author on its way to its place.
struct Own {
    placed: Placed,
    pointer: String,
    phase: Option<Stage>,
    before: Vec<String>,
    after: Vec<String>,
    before_spans: Vec<Span>,
}

/// What a step that has its place stands before and after.
struct Link {
    id: String,
    stage: Stage,
    pointer: String,
    before: Vec<(String, Span)>,
    after: Vec<String>,
}

/// Takes all of them in. `pointer` is that of their list, which they are no longer part of.
pub(super) fn take(draft: &mut Draft, steps: Vec<Placed>, pointer: &str, reporter: &mut Reporter<'_>) {
    let mut open = Vec::new();
    for (at, placed) in steps.into_iter().enumerate() {
        let pointer = format!("{pointer}/{at}");
        refuse_empty_needs(&placed, &pointer, reporter);
        if let Some(placed) = draft.replace(placed) {
            open.push(Own::new(placed, pointer));
        }
    }
    let mut links = Vec::new();
    // One may stand beside another one that comes later in the text.
    loop {
        let count = open.len();
        open = open.into_iter().filter_map(|own| draft.place(own, &mut links)).collect();
        if open.len() == count {
            break;
        }
    }
    for own in open {
        own.report(reporter);
        draft.rest.push(own.placed);
    }
    for (stage, whole) in &draft.whole {
        let beside = draft.stages.iter().find(|(other, _)| other == stage);
        for placed in beside.into_iter().flat_map(|(_, steps)| steps) {
            let message = format!(
                "`{}` stands in place of the whole stage, so `{}` cannot join it",
                whole.id(),
                placed.id()
            );
            reporter
                .at(Code::BrokenComponent, pointer, placed.places.locate("/id", Part::Value), message)
                .help("give it another phase, or make the step of the stage a group that it is a member of");
        }
    }
    for link in links {
        draft.link(link, reporter);
    }
}

/// A step without needs would begin at once, before its stage: no stage is there to hold it.
fn refuse_empty_needs(placed: &Placed, pointer: &str, reporter: &mut Reporter<'_>) {
    let needs = placed.step.get("needs").and_then(|needs| needs.as_array());
    if needs.is_some_and(Vec::is_empty) {
        let message = format!(
            "`{}` is to wait for nothing, but a step beside components waits for what its stage waits for",
            placed.id()
        );
        reporter
            .at(
                Code::BrokenComponent,
                &format!("{pointer}/needs"),
                placed.places.locate("/needs", Part::Key),
                message,
            )
            .help("leave `needs` out; a step that begins at once has `phase: assess`");
    }
}

impl Own {
    fn new(mut placed: Placed, pointer: String) -> Self {
        let fields = placed.step.as_object_mut();
        let (before, after) = fields.map_or_else(Default::default, |fields| {
            (names(fields.remove("before")), names(fields.remove("after")))
        });
        let phase = placed.step.get("phase");
        let phase = phase.and_then(|word| serde_json::from_value::<Phase>(word.clone()).ok()).map(Stage::of);
        let spans = 0..before.len();
        let before_spans =
            spans.map(|at| placed.places.locate(&format!("/before/{at}"), Part::Value)).collect();
        Self { placed, pointer, phase, before, after, before_spans }
    }

    fn report(&self, reporter: &mut Reporter<'_>) {
        let id = self.placed.id();
        let neighbour = self.after.last().map(|other| (other, "after"));
        let neighbour = neighbour.or_else(|| Some((self.before.first()?, "before")));
        let (message, key, help) = match neighbour {
            Some((other, key)) => {
                (format!("`{id}` is to stand {key} `{other}`, which is no step here"), key, IDS)
            }
            None => (
                format!("`{id}` does not say where it belongs"),
                "id",
                "give it a `phase`, or `before` or `after` with an id that `drctl plan --expand` shows",
            ),
        };
        let span = self.placed.places.locate(&format!("/{key}"), Part::Key);
        reporter.at(Code::BrokenComponent, &format!("{}/{key}", self.pointer), span, message).help(help);
    }
}

impl Draft {
    /// Puts a step in place of a derived one, or of a whole stage; gives it back where it stands for neither.
    fn replace(&mut self, mut placed: Placed) -> Option<Placed> {
        let derived = self.stages.iter_mut().flat_map(|(_, steps)| steps);
        if let Some(derived) = derived.into_iter().find(|other| !other.own && other.id() == placed.id()) {
            if placed.step.get("needs").is_none()
                && let Some(needs) = derived.step.get("needs").cloned()
                && let Some(fields) = placed.step.as_object_mut()
            {
                fields.insert("needs".to_owned(), needs);
            }
            placed.component = derived.component;
            *derived = placed;
            return None;
        }
        let of_stage = |(stage, steps): &(Stage, Vec<Placed>)| {
            stage.id() == placed.id() && steps.iter().all(|step| !step.own)
        };
        match self.stages.iter().position(of_stage) {
            Some(at) => {
                let (stage, _) = self.stages.remove(at);
                self.whole.push((stage, placed));
                None
            }
            None => Some(placed),
        }
    }

    /// Puts a step into its stage, that of its phase or of what it stands beside; gives it back without one.
    fn place(&mut self, own: Own, links: &mut Vec<Link>) -> Option<Own> {
        let neighbour = own.after.last().or(own.before.first());
        let Some(stage) = own.phase.or_else(|| self.stage_of(neighbour?)) else { return Some(own) };
        let Own { placed, pointer, before, after, before_spans, .. } = own;
        let before = before.into_iter().zip(before_spans).collect();
        links.push(Link { id: placed.id().to_owned(), stage, pointer, before, after });
        self.add(stage, placed);
        None
    }

    fn link(&mut self, link: Link, reporter: &mut Reporter<'_>) {
        let Link { id, stage, pointer, before, after } = link;
        for other in after {
            // Beside the others of its own stage it waits for each of them: the group is around it as well.
            let others = match self.is_stage(&other) {
                Some(named) if named == stage => self.others(stage, &id),
                _ => vec![other],
            };
            if let Some(placed) = self.find(&id) {
                placed.also.extend(others);
            }
        }
        for (at, (other, span)) in before.into_iter().enumerate() {
            let named = self.is_stage(&other);
            if let Some(placed) = self.find(&other) {
                placed.also.push(id.clone());
            } else if let Some(named) = named.filter(|named| *named != stage) {
                self.waits.push((named, id.clone()));
            } else if named.is_some() {
                for other in self.others(stage, &id) {
                    if let Some(placed) = self.find(&other) {
                        placed.also.push(id.clone());
                    }
                }
            } else {
                let message = format!("`{id}` is to stand before `{other}`, which is no step here");
                let pointer = format!("{pointer}/before/{at}");
                reporter.at(Code::BrokenComponent, &pointer, span, message).help(IDS);
            }
        }
    }

    fn find(&mut self, id: &str) -> Option<&mut Placed> {
        let whole = self.whole.iter_mut().map(|(_, placed)| placed);
        self.stages.iter_mut().flat_map(|(_, steps)| steps).chain(whole).find(|placed| placed.id() == id)
    }

    /// The ids of the other steps of a stage.
    fn others(&self, stage: Stage, id: &str) -> Vec<String> {
        let steps = self.stages.iter().filter(|(other, _)| *other == stage).flat_map(|(_, steps)| steps);
        steps.map(|placed| placed.id().to_owned()).filter(|other| other != id).collect()
    }

    /// The stage of an id, where it is one and no step has it.
    fn is_stage(&self, id: &str) -> Option<Stage> {
        let steps =
            self.stages.iter().flat_map(|(_, steps)| steps).chain(self.whole.iter().map(|(_, it)| it));
        if steps.into_iter().any(|placed| placed.id() == id) {
            return None;
        }
        self.stages.iter().map(|(stage, _)| *stage).find(|stage| stage.id() == id)
    }

    fn stage_of(&self, id: &str) -> Option<Stage> {
        let of_step = self.stages.iter().find(|(_, steps)| steps.iter().any(|placed| placed.id() == id));
        let whole = || self.whole.iter().find(|(_, placed)| placed.id() == id).map(|(stage, _)| *stage);
        of_step.map(|(stage, _)| *stage).or_else(whole).or_else(|| self.is_stage(id))
    }
}
