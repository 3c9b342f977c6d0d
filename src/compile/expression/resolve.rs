//! Resolves one name against what the runbook declares. Reports through the caller.

use super::fault::Fault;
use super::names::{Found, Name};
use super::scope::{Place, ROOTS, RUN, SITE};
use super::{Expressions, Subject};
use crate::compile::diagnostic::Code;
use crate::compile::outline::{Entry, Outline, StepIndex};
use crate::compile::suggest;
use crate::model::action::ActionName;
use crate::model::drill::{DrillRule, DrillVariant};
use crate::model::id::{SiteName, StepId};
use crate::model::policy::OnFailure;
use crate::model::step::Variant;
use crate::model::values::Site;

impl Expressions<'_> {
    /// What is wrong with a name, if anything.
    pub(super) fn resolve(&self, name: &Name<'_>, found: &Found<'_>, subject: Subject<'_>) -> Option<Fault> {
        let (root, rest) = name.path.split_first()?;
        if !ROOTS.contains(root) {
            let help = subject.place.allowed(has_item(subject));
            let fault = Fault::new(Code::UnknownName, format!("there is no name `{root}`"));
            return Some(match suggest::nearest(root, ROOTS) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("names that can be read here: {help}")),
            });
        }
        if !subject.place.allows(root) {
            return Some(Fault::new(Code::NameNotHere, subject.place.refusal(root)));
        }
        match *root {
            "params" if self.is_withheld(rest, subject) => {
                let message = "a sensitive parameter has no value yet when `for_each` is worked out";
                Some(Fault::new(Code::NameNotHere, message).help("use a parameter that is not sensitive"))
            }
            "params" => {
                self.declared("parameter", name, rest, self.runbook.parameters.keys().map(String::as_str))
            }
            "secrets" => self.declared("secret", name, rest, self.runbook.secrets.keys().map(String::as_str)),
            "sites" => self.sites(rest),
            "from" | "to" => self.site_field(root, rest, &self.runbook.sites.values().collect::<Vec<_>>()),
            "run" => field("run", rest, &RUN),
            "steps" => steps(name, rest, found, subject),
            "result" => result(rest, subject),
            "item" if !has_item(subject) => {
                let fault = Fault::new(Code::NameNotHere, "`item` is there only in a step with `for_each`");
                Some(fault.help("add `for_each` to the step"))
            }
            _ => None,
        }
    }

    /// Whether a parameter is read before the run that is known only in it.
    fn is_withheld(&self, rest: &[&str], subject: Subject<'_>) -> bool {
        let parameter = rest.first().and_then(|name| self.runbook.parameters.get(*name));
        subject.place == Place::ForEach && parameter.is_some_and(|parameter| parameter.sensitive)
    }

    fn declared<'w>(
        &self,
        what: &str,
        name: &Name<'_>,
        rest: &[&str],
        words: impl Iterator<Item = &'w str>,
    ) -> Option<Fault> {
        let block = if what == "secret" { "secrets" } else { "parameters" };
        match rest.first() {
            None if name.computed || what == "secret" => {
                let message = format!("which {what} is read can only be known at run time");
                Some(Fault::new(Code::UncheckableName, message).help(format!("name the {what}")))
            }
            None => None,
            Some(_) if self.lenient => None,
            Some(written) => {
                let words: Vec<_> = words.collect();
                if words.contains(written) {
                    return None;
                }
                let otherwise = format!("declare it under `{block}`");
                Some(Fault::unknown(&format!("there is no {what}"), written, words.into_iter(), otherwise))
            }
        }
    }

    fn sites(&self, rest: &[&str]) -> Option<Fault> {
        let (name, fields) = rest.split_first()?;
        match self.runbook.sites.get(*name) {
            Some(site) => self.site_field(&format!("sites.{name}"), fields, &[site]),
            None if self.lenient => None,
            None => {
                let sites = self.runbook.sites.keys().map(SiteName::as_str);
                Some(Fault::unknown("there is no site", name, sites, "declare it under `sites`"))
            }
        }
    }

    /// A field of a site: it must be a field, and at least one of the sites meant must have it.
    fn site_field(&self, what: &str, fields: &[&str], sites: &[&Site]) -> Option<Fault> {
        let (first, deeper) = fields.split_first()?;
        if let Some(fault) = field(what, &[*first], &SITE) {
            return Some(fault);
        }
        if self.lenient || sites.is_empty() {
            return None;
        }
        match (*first, deeper.first()) {
            ("values", Some(key)) if !sites.iter().any(|site| site.values.contains_key(*key)) => {
                let keys = sites.iter().flat_map(|site| site.values.keys()).map(String::as_str);
                Some(Fault::unknown("no site has the value", key, keys, "add it under `values` of the sites"))
            }
            (first, _) if !sites.iter().any(|site| has_field(site, first)) => {
                let fault =
                    Fault::new(Code::UnknownName, format!("no site that could be `{what}` has `{first}`"));
                Some(fault.help(format!("add `{first}` to the sites")))
            }
            _ => None,
        }
    }
}

/// The step a name reads, when it is another one.
pub(super) fn step_read(name: &Name<'_>, subject: Subject<'_>) -> Option<StepIndex> {
    let (Some(&"steps"), Some(id)) = (name.path.first(), name.path.get(1)) else { return None };
    let target = subject.outline?.named(id)?;
    (target != subject.step).then_some(target)
}

fn steps(name: &Name<'_>, rest: &[&str], found: &Found<'_>, subject: Subject<'_>) -> Option<Fault> {
    let outline = subject.outline?;
    let Some((id, rest)) = rest.split_first() else {
        let fault = Fault::new(Code::UncheckableName, "which step is read can only be known at run time");
        return Some(fault.help("name the step: `steps.its_id.status`"));
    };
    let Some(target) = outline.named(id) else {
        return if outline.incomplete { None } else { Some(unknown_step(id, outline)) };
    };
    if target == subject.step && !subject.own {
        let fault = Fault::new(Code::NameNotHere, format!("`{id}` reads itself before it has run"));
        return Some(fault.help("read an earlier step, or `result` in `until` and `outputs`"));
    }
    match rest.split_first() {
        Some((&"outputs", [])) if name.computed => {
            let fault =
                Fault::new(Code::UncheckableName, "which output is read can only be known at run time");
            Some(fault.help("name the output"))
        }
        None | Some((&"status", _) | (&"outputs", [])) => None,
        Some((&"outputs", [output, ..])) => {
            output_of(outline, target, output).or_else(|| absent(outline, target, name, found, subject))
        }
        Some((other, _)) => {
            let words = ["status", "outputs"];
            Some(Fault::unknown("a step has no", other, words.into_iter(), ""))
        }
    }
}

fn has_item(subject: Subject<'_>) -> bool {
    let entry = subject.outline.and_then(|outline| outline.entries.get(subject.step));
    subject.place != Place::ForEach && entry.is_some_and(|entry| entry.step.for_each.is_some())
}

fn field(what: &str, rest: &[&str], fields: &[&'static str]) -> Option<Fault> {
    let first = rest.first()?;
    let known = fields.contains(first);
    (!known).then(|| Fault::unknown(&format!("`{what}` has no field"), first, fields.iter().copied(), ""))
}

fn has_field(site: &Site, field: &str) -> bool {
    match field {
        "provider" => site.provider.is_some(),
        "region" => site.region.is_some(),
        "account" => site.account.is_some(),
        "jurisdiction" => site.jurisdiction.is_some(),
        "failure_domain" => site.failure_domain.is_some(),
        "url" => site.url.is_some(),
        "cost_weight" => site.cost_weight.is_some(),
        _ => true,
    }
}

fn unknown_step(id: &str, outline: &Outline<'_>) -> Fault {
    // `steps.fence-db` is a subtraction to minijinja.
    let hyphened =
        outline.ids().find(|known| known.strip_prefix(id).is_some_and(|rest| rest.starts_with('-')));
    match hyphened {
        Some(known) => {
            Fault::new(Code::UnknownName, format!("there is no step `{id}`; `-` is read as minus"))
                .help(format!("write `steps.{}`", known.replace('-', "_")))
        }
        None => Fault::unknown("there is no step", id, outline.ids(), ""),
    }
}

/// A field of what an action returned.
fn result(rest: &[&str], subject: Subject<'_>) -> Option<Fault> {
    let (first, action) = (rest.first()?, subject.action?);
    let outputs = action.spec().outputs;
    let open = outputs.is_empty() || outputs.iter().any(|(name, _)| *name == "…" || name == first);
    (!open).then(|| {
        let what = format!("`{action}` does not return");
        Fault::unknown(&what, first, outputs.iter().map(|(name, _)| *name), "")
    })
}

fn output_of(outline: &Outline<'_>, target: StepIndex, output: &str) -> Option<Fault> {
    let step = outline.entries.get(target)?.step;
    let id = &step.id;
    if !step.parallel.is_empty() {
        return Some(
            Fault::new(Code::UnknownName, format!("`{id}` is a group and has no outputs"))
                .help("read a member's"),
        );
    }
    if step.for_each.is_some() {
        let fault = Fault::new(
            Code::UnknownName,
            format!("`{id}` runs once for each item and has no outputs of its own"),
        );
        return Some(
            fault.help(format!("read `steps.{}.status`, or split the step", id.as_str().replace('-', "_"))),
        );
    }
    let action: ActionName = step.uses?;
    let own = step.outputs.keys().map(String::as_str);
    let returned = action.spec().outputs.iter().map(|(name, _)| *name);
    let known: Vec<&str> = own.chain(returned).collect();
    if known.iter().any(|name| *name == output || *name == "…") {
        return None;
    }
    let otherwise = format!("add it to the `outputs` of `{id}`");
    Some(Fault::unknown(&format!("`{id}` has no output"), output, known.into_iter(), otherwise))
}

/// Why the outputs of a step may be absent when another reads them.
#[derive(PartialEq)]
enum Absence<'r> {
    When(&'r str),
    Ignored,
    Ungraceful,
    Drill,
    Partial(&'r StepId),
}

fn absences<'r>(outline: &'r Outline<'_>, index: StepIndex) -> Vec<Absence<'r>> {
    let mut found = Vec::new();
    for (level, entry) in outline.chain(index).enumerate() {
        let Entry { step, .. } = entry;
        found.extend(step.when.as_ref().map(|when| Absence::When(when.as_str())));
        if step.on_failure == Some(OnFailure::Continue) {
            found.push(Absence::Ignored);
        }
        if step.ungraceful == Some(Variant::Skip) {
            found.push(Absence::Ungraceful);
        }
        let mut in_drill = step.drill.iter().flat_map(DrillRule::variants);
        if in_drill.any(|(_, said)| *said == DrillVariant::Skip) {
            found.push(Absence::Drill);
        }
        if level > 0 && step.min_success.is_some() {
            found.push(Absence::Partial(&step.id));
        }
    }
    found
}

fn absent(
    outline: &Outline<'_>,
    target: StepIndex,
    name: &Name<'_>,
    found: &Found<'_>,
    subject: Subject<'_>,
) -> Option<Fault> {
    if name.guarded || target == subject.step || found.asks_about(name) {
        return None;
    }
    // What keeps the reader from running as well does no harm.
    let reader = absences(outline, subject.step);
    let shared = |absence: &Absence<'_>| *absence != Absence::Ignored && reader.contains(absence);
    let reason = absences(outline, target).into_iter().find(|absence| !shared(absence))?;
    let id = outline.entries.get(target).map_or("", Entry::id);
    let why = match reason {
        Absence::When(_) => "it has a `when`".to_owned(),
        Absence::Ignored => "it has `on_failure: continue`".to_owned(),
        Absence::Ungraceful => "it is skipped when the run is ungraceful".to_owned(),
        Absence::Drill => "it is skipped in a drill".to_owned(),
        Absence::Partial(group) => format!("its group `{group}` may go on without it"),
    };
    let text = spelled(&name.path);
    let fault = Fault::new(Code::UnguardedOutput, format!("the outputs of `{id}` may be absent: {why}"));
    Some(fault.help(format!("say what holds then: `{text} | default(…)`, or ask `is defined` first")))
}

/// A name as it must be written.
fn spelled(path: &[&str]) -> String {
    let mut text = String::new();
    for (at, part) in path.iter().enumerate() {
        match part {
            part if part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') && at > 0 => {
                text.extend([".", part]);
            }
            part if at == 0 => text.push_str(part),
            part => text.extend(["['", part, "']"]),
        }
    }
    text
}
