//! Checks a document against its shape, reports every breach, and takes out what is broken so that the rest
//! can be checked further. Never changes what is sound.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::scalar::{self, Fault};
use super::shape::{Keys, Rest, Shape, ShapeIndex, Shapes};
use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::compile::suggest;
use crate::compile::tree::escape;
use crate::model::action::{Action, ActionName};
use crate::model::drill::DrillLevel;
use crate::model::{expression, id};

/// Most unknown keys of one mapping that are reported one by one.
const MOST_KEYS: usize = 50;

/// Pointers of what was taken out of the document because it was broken.
#[derive(Debug, Default)]
pub(in crate::compile) struct Gaps {
    pointers: HashSet<String>,
    /// Ids of steps that were taken out.
    lost: HashSet<String>,
}

impl Gaps {
    pub(in crate::compile) fn contains(&self, pointer: &str) -> bool {
        self.pointers.contains(pointer)
    }

    /// Says whether something at or inside a pointer was taken out.
    pub(in crate::compile) fn touches(&self, pointer: &str) -> bool {
        self.pointers
            .iter()
            .any(|gap| gap.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// Says whether a step of that id was taken out.
    pub(in crate::compile) fn lost(&self, id: &str) -> bool {
        self.lost.contains(id)
    }

    /// Says whether nothing was taken out.
    pub(in crate::compile) fn is_empty(&self) -> bool {
        self.pointers.is_empty()
    }
}

/// Checks a whole document. What is left of it afterwards fits the shape; `false` when nothing is.
pub(in crate::compile) fn validate(
    document: &mut Value,
    shapes: &Shapes,
    reporter: &mut Reporter<'_>,
) -> (bool, Gaps) {
    let mut gaps = Gaps::default();
    let mut validator = Validator {
        shapes,
        reporter,
        gaps: &mut gaps,
        pointer: String::new(),
        templates: false,
        partial: false,
        action: None,
    };
    let sound = validator.value(document, 0);
    (sound, gaps)
}

/// Checks a part of a document in which a template stands for any value. Takes nothing out of it.
pub(in crate::compile) fn validate_part(
    part: &mut Value,
    shapes: &Shapes,
    pointer: &str,
    reporter: &mut Reporter<'_>,
) -> bool {
    let mut gaps = Gaps::default();
    let mut validator = Validator {
        shapes,
        reporter,
        gaps: &mut gaps,
        pointer: pointer.to_owned(),
        templates: true,
        partial: false,
        action: None,
    };
    validator.value(part, 0)
}

struct Validator<'a, 'r, 't> {
    shapes: &'a Shapes,
    reporter: &'r mut Reporter<'t>,
    gaps: &'r mut Gaps,
    pointer: String,
    /// Inside the parameters of an action: a template stands for any value, and nothing is taken out.
    templates: bool,
    /// The parameters are laid over others: none is required.
    partial: bool,
    /// The action whose parameters are looked at.
    action: Option<ActionName>,
}

impl<'a> Validator<'a, '_, '_> {
    fn inside<R>(&mut self, token: &str, then: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(token);
        let result = then(self);
        self.pointer.truncate(length);
        result
    }

    /// What the value is called in a message.
    fn name(&self) -> String {
        match self.pointer.rsplit('/').next() {
            Some("") | None => "the document".to_owned(),
            Some(token) if token.bytes().all(|c| c.is_ascii_digit()) => {
                let list = self.pointer.rsplit('/').nth(1).unwrap_or("the list");
                format!("an entry of `{list}`")
            }
            Some(token) => format!("`{}`", token.replace("~1", "/").replace("~0", "~")),
        }
    }

    fn fault(&mut self, fault: Fault) -> bool {
        if fault.code == Code::WrongType && self.reporter.has(Code::AmbiguousNumber, &self.pointer) {
            return false;
        }
        let finding = self.reporter.value(fault.code, &self.pointer, fault.message);
        finding.help = fault.help;
        false
    }

    fn value(&mut self, value: &mut Value, index: ShapeIndex) -> bool {
        let shapes = self.shapes;
        let shape = shapes.get(index);
        if self.templates && value.as_str().is_some_and(expression::is_template) {
            return true;
        }
        if !shape.any_of.is_empty() {
            return self.any_of(value, shape);
        }
        if !scalar::fits(shape, value) {
            let fault = scalar::wrong_kind(shape, value, &self.name());
            return self.fault(fault);
        }
        match value {
            Value::Object(fields) => self.mapping(fields, shape),
            Value::Array(items) => self.list(items, shape),
            other => match scalar::check(shape, other, &self.name()) {
                Some(fault) => self.fault(fault),
                None => true,
            },
        }
    }

    /// The branches a value could be meant for by its kind; with one, its breaches are reported as they are.
    fn any_of(&mut self, value: &mut Value, shape: &Shape) -> bool {
        let branches: Vec<_> = shape
            .any_of
            .iter()
            .copied()
            .filter(|branch| scalar::fits(self.shapes.get(*branch), value))
            .collect();
        if let [only] = branches.as_slice() {
            return self.value(value, *only);
        }
        for branch in &branches {
            let branch = self.shapes.get(*branch);
            let simple = branch.keys.is_none() && branch.items.is_none();
            if simple && scalar::check(branch, value, "").is_none() {
                return true;
            }
        }
        let name = self.name();
        let found = scalar::spoken(scalar::kind(value));
        let mut message = format!("{name} cannot be {found}");
        if value.is_null() {
            message = format!("{name} has no value");
        }
        let finding = self.reporter.value(Code::WrongType, &self.pointer, message);
        finding.help = shape.description.as_deref().map(scalar::one_line);
        false
    }

    fn list(&mut self, items: &mut Vec<Value>, shape: &Shape) -> bool {
        if let Some(fewest) = shape.fewest.filter(|fewest| (items.len() as u64) < *fewest) {
            let message = scalar::too_few(&self.name(), fewest, items.len());
            self.reporter.key(Code::OutOfRange, &self.pointer, message);
            return false;
        }
        if let Some(most) = shape.most.filter(|most| items.len() as u64 > *most) {
            let message = format!("{} has {} entries; at most {most} are allowed", self.name(), items.len());
            self.reporter.key(Code::OutOfRange, &self.pointer, message);
            return false;
        }
        let Some(inner) = shape.items else { return true };
        let sound: Vec<bool> = items
            .iter_mut()
            .enumerate()
            .map(|(at, item)| self.inside(&at.to_string(), |v| v.value(item, inner)))
            .collect();
        if sound.iter().all(|sound| *sound) {
            return true;
        }
        if self.templates || self.shapes.get(inner).keys.is_none() {
            return false;
        }
        for (at, (item, _)) in items.iter().zip(&sound).enumerate().filter(|(_, (_, sound))| !**sound) {
            self.gaps.pointers.insert(format!("{}/{at}", self.pointer));
            self.gaps.lost.extend(item.get("id").and_then(Value::as_str).map(str::to_owned));
        }
        let mut verdicts = sound.iter();
        items.retain(|_| verdicts.next().copied().unwrap_or(false));
        true
    }

    fn mapping(&mut self, fields: &mut Map<String, Value>, shape: &'a Shape) -> bool {
        let Some(keys) = &shape.keys else { return true };
        let size = fields.len() as u64;
        if let Some(fewest) = shape.fewest.filter(|fewest| size < *fewest) {
            let message = scalar::too_few(&self.name(), fewest, fields.len());
            self.reporter.key(Code::OutOfRange, &self.pointer, message);
        }
        if let Some(most) = shape.most.filter(|most| size > *most) {
            let message = format!("{} has {size} entries; at most {most} are allowed", self.name());
            self.reporter.key(Code::OutOfRange, &self.pointer, message);
        }
        let mut broken = HashSet::new();
        let mut unknown = 0_usize;
        for (key, value) in fields.iter_mut() {
            let inner = match (keys.known.get(key), keys.rest) {
                (Some(index), _) => Some(*index),
                (None, Rest::Shape(index)) => Some(index),
                (None, Rest::Named(index)) => self.named(key).then_some(index),
                (None, Rest::Anything) => continue,
                (None, Rest::Nothing) => {
                    unknown += 1;
                    if unknown <= MOST_KEYS {
                        self.unknown(key, keys);
                    }
                    None
                }
            };
            let sound = inner.is_some_and(|inner| self.inside(&escape(key), |v| v.value(value, inner)));
            if !sound {
                broken.insert(key.clone());
            }
        }
        self.many_unknown(unknown);
        let mut sound = self.required(fields, keys);
        self.call(fields, keys);
        if !self.templates {
            for key in &broken {
                sound &= !keys.required.contains(key);
                self.gaps.pointers.insert(format!("{}/{}", self.pointer, escape(key)));
            }
            fields.retain(|key, _| !broken.contains(key));
            return sound;
        }
        sound && broken.is_empty()
    }

    fn named(&mut self, key: &str) -> bool {
        let Err(error) = id::StepId::new(key.chars().take(100).collect::<String>()) else { return true };
        let pointer = format!("{}/{}", self.pointer, escape(key));
        self.reporter.key(Code::Malformed, &pointer, error.to_string());
        false
    }

    fn unknown(&mut self, key: &str, keys: &Keys) {
        let shown: String = key.chars().take(60).collect();
        let pointer = format!("{}/{}", self.pointer, escape(key));
        let allowed = || keys.order.iter().map(String::as_str);
        let help = match suggest::nearest(key, allowed()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if keys.order.is_empty() => "nothing can stand here".to_owned(),
            None => format!("allowed here: {}", suggest::list(allowed())),
        };
        self.reporter.key(Code::UnknownKey, &pointer, format!("unknown key `{shown}`")).help(help);
    }

    fn many_unknown(&mut self, unknown: usize) {
        if unknown > MOST_KEYS {
            let message = format!("{} further unknown keys in {}", unknown - MOST_KEYS, self.name());
            self.reporter.key(Code::UnknownKey, &self.pointer, message);
        }
    }

    fn required(&mut self, fields: &Map<String, Value>, keys: &Keys) -> bool {
        if self.partial {
            return true;
        }
        let top = self.action.is_some() && matches!(self.pointer.rsplit('/').next(), Some("with" | "uses"));
        let mut sound = true;
        for key in keys.required.iter().filter(|key| !fields.contains_key(*key)) {
            let message = match self.action {
                Some(action) if top => format!("`{action}` needs the parameter `{key}`"),
                _ if self.pointer.is_empty() => format!("`{key}` is missing"),
                _ => format!("{} lacks `{key}`", self.name()),
            };
            let help = keys.known.get(key).and_then(|index| self.shapes.get(*index).description.as_deref());
            let help = help.map(|text| format!("`{key}`: {}", scalar::one_line(text)));
            self.reporter.key(Code::MissingKey, &self.pointer, message).help = help;
            sound = false;
        }
        sound
    }

    /// Where a mapping names an action: checks the action's parameters too.
    fn call(&mut self, fields: &mut Map<String, Value>, keys: &Keys) {
        if self.templates || !(keys.known.contains_key("uses") && keys.known.contains_key("with")) {
            return;
        }
        let Some(action) = named_action(fields) else { return };
        self.parameters(action, fields, false);
        for variant in ["ungraceful", "drill"] {
            let Some(Value::Object(other)) = fields.get_mut(variant) else { continue };
            self.inside(variant, |v| v.laid_over(action, other));
        }
    }

    /// Parameters that differ under other circumstances, or at one of the levels of a drill.
    fn laid_over(&mut self, action: ActionName, other: &mut Map<String, Value>) {
        if other.contains_key("with") && !other.contains_key("uses") {
            self.parameters(action, other, true);
        }
        for level in DrillLevel::ALL {
            if let Some(Value::Object(at)) = other.get_mut(level.as_str()) {
                self.inside(level.as_str(), |v| v.laid_over(action, at));
            }
        }
    }

    fn parameters(&mut self, action: ActionName, fields: &mut Map<String, Value>, partial: bool) {
        let given = fields.get("with").is_some();
        // Without `with`, what is missing is reported at the action.
        let at = if given { "with" } else { "uses" };
        let mut with = fields.get_mut("with").map_or_else(|| Value::Object(Map::new()), Value::take);
        if !with.is_object() {
            fields.insert("with".to_owned(), with);
            return;
        }
        let sound = self.inside(at, |outer| {
            let mut inner = Validator {
                shapes: super::action(action),
                reporter: &mut *outer.reporter,
                gaps: &mut *outer.gaps,
                pointer: std::mem::take(&mut outer.pointer),
                templates: true,
                partial,
                action: Some(action),
            };
            let sound = inner.value(&mut with, 0);
            outer.pointer = std::mem::take(&mut inner.pointer);
            sound
        });
        if sound
            && !partial
            && !expression::has_template(&with)
            && let Err(error) = Action::new(action, with.clone())
        {
            let pointer = format!("{}/{at}", self.pointer);
            self.reporter.value(Code::Malformed, &pointer, error.to_string());
        }
        if given {
            fields.insert("with".to_owned(), with);
        }
    }
}

/// The action a mapping names, when it exists.
fn named_action(fields: &Map<String, Value>) -> Option<ActionName> {
    fields.get("uses")?.as_str()?.parse().ok()
}
