//! Walks through texts and values and reports every expression that cannot work. Judges no name itself.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::{Value, json};

use super::lexer::{Kind, Token};
use super::names::{Found, Tool};
use super::scope::Place;
use super::{lexer, names, resolve};
use crate::compile::diagnostic::Code;
use crate::compile::graph::Graph;
use crate::compile::outline::{Outline, StepIndex};
use crate::compile::reporter::Reporter;
use crate::compile::tree::escape;
use crate::model::expression::{self, Context, Expression};
use crate::model::runbook::Runbook;

/// Most words and signs of one expression.
const MOST_TOKENS: usize = 400;
/// Most tags of one template.
const MOST_TAGS: usize = 200;

/// What an expression belongs to.
#[derive(Clone, Copy)]
pub(in crate::compile) struct Subject<'o> {
    pub(in crate::compile) outline: Option<&'o Outline<'o>>,
    pub(in crate::compile) step: StepIndex,
    pub(in crate::compile) place: Place,
    /// The step's own outputs can be read: its effect is over.
    pub(in crate::compile) own: bool,
    /// The action whose `result` is read; `None`: anything goes.
    pub(in crate::compile) action: Option<crate::model::action::ActionName>,
}

/// The names a text reads, or why it cannot be read.
type Compiled = Result<BTreeSet<String>, String>;

/// Checks expressions of one runbook; remembers texts it has seen.
pub(in crate::compile) struct Expressions<'r> {
    pub(super) runbook: &'r Runbook,
    seen: HashMap<(String, bool), Rc<Compiled>>,
    tools: HashMap<String, bool>,
    /// Steps read, to be compared with the order: read step, reader, pointer, text, place in it.
    reads: Vec<Read>,
    /// Tells whether something declared may be missing because it could not be read.
    pub(super) lenient: bool,
}

/// A step whose status or outputs another one reads.
struct Read {
    target: StepIndex,
    reader: StepIndex,
    pointer: String,
    text: Rc<str>,
    at: (usize, usize),
}

impl<'r> Expressions<'r> {
    pub(in crate::compile) fn new(runbook: &'r Runbook, lenient: bool) -> Self {
        Self { runbook, seen: HashMap::new(), tools: HashMap::new(), reads: Vec::new(), lenient }
    }

    /// Checks every template inside a value.
    pub(in crate::compile) fn value(
        &mut self,
        value: &Value,
        pointer: &mut String,
        subject: Subject<'_>,
        reporter: &mut Reporter<'_>,
    ) {
        match value {
            Value::String(text) => self.text(text, pointer, subject, reporter),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.nested(item, &at.to_string(), pointer, subject, reporter);
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    self.nested(field, &escape(key), pointer, subject, reporter);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn nested(
        &mut self,
        value: &Value,
        token: &str,
        pointer: &mut String,
        subject: Subject<'_>,
        reporter: &mut Reporter<'_>,
    ) {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(token);
        self.value(value, pointer, subject, reporter);
        pointer.truncate(length);
    }

    /// Checks a text that may hold templates.
    pub(in crate::compile) fn text(
        &mut self,
        text: &str,
        pointer: &str,
        subject: Subject<'_>,
        reporter: &mut Reporter<'_>,
    ) {
        if expression::is_template(text) {
            self.check(text, true, pointer, subject, reporter);
        }
    }

    /// Checks a bare expression.
    pub(in crate::compile) fn bare(
        &mut self,
        text: &str,
        pointer: &str,
        subject: Subject<'_>,
        reporter: &mut Reporter<'_>,
    ) {
        if text.trim_start().starts_with("{{") {
            let finding = reporter.value(
                Code::BrokenExpression,
                pointer,
                "an expression here is written without braces",
            );
            finding.help(format!(
                "write it as {}",
                text.trim().trim_start_matches("{{").trim_end_matches("}}").trim()
            ));
            return;
        }
        self.check(text, false, pointer, subject, reporter);
    }

    fn check(
        &mut self,
        text: &str,
        is_template: bool,
        pointer: &str,
        subject: Subject<'_>,
        reporter: &mut Reporter<'_>,
    ) {
        let tokens = if is_template { lexer::template(text) } else { lexer::expression(text) };
        if let Some(message) = too_long(&tokens) {
            reporter
                .value(Code::BrokenExpression, pointer, message)
                .help("work it out in a step, or split it");
            return;
        }
        let compiled = self.compiled(text, is_template);
        let free = match compiled.as_ref() {
            Ok(free) => free,
            Err(message) => {
                let message = format!("this expression cannot be read: {message}");
                reporter.value(Code::BrokenExpression, pointer, message).help("expressions are minijinja");
                return;
            }
        };
        let found = names::find(&tokens, free);
        self.tools(&found, text, pointer, reporter);
        let mut end_of_fault = None;
        for name in &found.names {
            if reporter.is_full(Code::UnknownName) {
                reporter.leave_out(Code::UnknownName);
                return;
            }
            let (from, length) = name.at;
            // `steps.fence-db` is one slip, though it reads as two names.
            if end_of_fault.is_some_and(|end| end + 1 == from && text.as_bytes().get(end) == Some(&b'-')) {
                continue;
            }
            if let Some(fault) = self.resolve(name, &found, subject) {
                end_of_fault = (name.path.first() == Some(&"steps")).then_some(from + length);
                let message = fault.message;
                reporter.within(fault.code, pointer, text, name.at, message).help = fault.help;
            } else if let Some(target) = resolve::step_read(name, subject) {
                self.reads.push(Read {
                    target,
                    reader: subject.step,
                    pointer: pointer.to_owned(),
                    text: text.into(),
                    at: name.at,
                });
            }
        }
    }

    /// The names a text reads that it does not set itself.
    fn compiled(&mut self, text: &str, is_template: bool) -> Rc<Compiled> {
        let key = (text.to_owned(), is_template);
        let make = || {
            let names =
                if is_template { expression::check_template(text) } else { Expression::new(text).check() };
            let roots = |names: BTreeSet<String>| {
                names.iter().filter_map(|name| name.split('.').next()).map(str::to_owned).collect()
            };
            Rc::new(names.map(roots).map_err(|error| error.to_string()))
        };
        Rc::clone(self.seen.entry(key).or_insert_with(make))
    }

    fn tools(&mut self, found: &Found<'_>, text: &str, pointer: &str, reporter: &mut Reporter<'_>) {
        for (tool, at) in &found.tools {
            let (kind, name, trial) = trial(*tool);
            let known = *self.tools.entry(trial).or_insert_with_key(|trial| is_known(trial));
            if !known {
                let message = format!("there is no {kind} `{name}`");
                reporter
                    .within(Code::BrokenExpression, pointer, text, *at, message)
                    .help("minijinja's built-in ones can be used");
            }
        }
    }

    /// Reports names of steps that are not over when they are read. Call it once, after everything of a
    /// workflow was checked.
    pub(in crate::compile) fn settle(
        &mut self,
        outline: &Outline<'_>,
        graph: &Graph,
        reporter: &mut Reporter<'_>,
    ) {
        let reads = std::mem::take(&mut self.reads);
        if graph.cyclic || outline.incomplete {
            return;
        }
        let pairs: Vec<_> = reads.iter().map(|read| (read.target, read.reader)).collect();
        for (read, _) in reads.iter().zip(graph.is_before(&pairs)).filter(|(_, before)| !before) {
            let id = |index: StepIndex| outline.entries.get(index).map_or("", |entry| entry.id());
            let (reader, target) = (id(read.reader), id(read.target));
            let message = format!("`{reader}` reads `{target}` but does not wait for it");
            let help = format!("add `{target}` to the `needs` of `{reader}`");
            reporter.within(Code::NotBefore, &read.pointer, &read.text, read.at, message).help(help);
        }
    }
}

/// Why a filter, test or function cannot be used.
pub(super) fn why_unknown(tool: Tool<'_>) -> Option<String> {
    let (kind, name, trial) = trial(tool);
    (!is_known(&trial)).then(|| format!("there is no {kind} `{name}`"))
}

/// What a tool is, its name, and an expression that uses it.
fn trial(tool: Tool<'_>) -> (&'static str, &str, String) {
    match tool {
        Tool::Filter(name) => ("filter", name, format!("'x'|{name}")),
        Tool::Test(name) => ("test", name, format!("'x' is {name}")),
        Tool::Function(name) => ("function", name, format!("{name} is defined")),
    }
}

/// Why an expression is too long. minijinja limits how deep brackets go, but a chain such as `a.b.c.…` or
/// `a + b + …` also becomes a tree as deep as it is long, and walking that takes stack.
pub(super) fn too_long(tokens: &[Token<'_>]) -> Option<String> {
    let tags = tokens.iter().filter(|token| token.kind == Kind::Break).count();
    if tags > MOST_TAGS {
        return Some(format!("this template has {tags} tags; at most {MOST_TAGS} are allowed"));
    }
    let longest = tokens.split(|token| token.kind == Kind::Break).map(<[_]>::len).max().unwrap_or(0);
    (longest > MOST_TOKENS)
        .then(|| format!("this expression has {longest} words and signs; at most {MOST_TOKENS} are allowed"))
}

/// Whether minijinja knows a filter, test or function: it says so when it is used.
fn is_known(trial: &str) -> bool {
    let context = Context::new(&json!({}));
    match Expression::new(trial).evaluate(&context) {
        Ok(Value::Bool(false)) => !trial.ends_with("is defined"),
        Ok(_) => true,
        Err(error) => !error.message.starts_with("unknown"),
    }
}
