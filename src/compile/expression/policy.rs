//! Checks the expressions of a policy: syntax, tools, and each name, also those that filters are given as
//! texts, since a mistyped one would select nothing and deny nothing.

use std::collections::BTreeSet;

use super::checker::{too_long, why_unknown};
use super::fault::Fault;
use super::lexer::{self, Kind, Token};
use super::names::{self, Found, Name};
use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::model::expression::{self, Expression};
use crate::model::governance::{
    APPROVAL_FIELDS, DEPENDENCY_FIELDS, OBJECTIVE_FIELDS, PLAN_FIELDS, SITE_FIELDS, STEP_FIELDS,
};

/// Checks one text of a rule: a bare expression, or one that may hold templates.
pub(in crate::compile) fn policy(text: &str, is_template: bool, pointer: &str, reporter: &mut Reporter<'_>) {
    let Some((tokens, found)) = sound(text, is_template, pointer, reporter) else { return };
    let named = found.names.iter().filter_map(|name| Some((name.at, unknown(name)?)));
    let given = attributes(&tokens).filter_map(|(path, at)| Some((at, unknown_attribute(path)?)));
    for (at, fault) in named.chain(given) {
        reporter.within(fault.code, pointer, text, at, fault.message).help = fault.help;
    }
}

/// Reads a text that belongs to no workflow and reports what is wrong with it but for its names: what it
/// consists of, unless it cannot be read.
pub(super) fn sound<'t>(
    text: &'t str,
    is_template: bool,
    pointer: &str,
    reporter: &mut Reporter<'_>,
) -> Option<(Vec<Token<'t>>, Found<'t>)> {
    if !is_template && text.trim_start().starts_with("{{") {
        let message = "an expression here is written without braces";
        reporter.value(Code::BrokenExpression, pointer, message).help("leave the braces out");
        return None;
    }
    let tokens = if is_template { lexer::template(text) } else { lexer::expression(text) };
    if let Some(message) = too_long(&tokens) {
        reporter.value(Code::BrokenExpression, pointer, message).help("make several of it");
        return None;
    }
    let compiled = if is_template { expression::check_template(text) } else { Expression::new(text).check() };
    let free: BTreeSet<String> = match compiled {
        Ok(names) => names.iter().filter_map(|name| name.split('.').next()).map(str::to_owned).collect(),
        Err(error) => {
            let message = format!("this expression cannot be read: {error}");
            reporter.value(Code::BrokenExpression, pointer, message).help("expressions are minijinja");
            return None;
        }
    };
    let found = names::find(&tokens, &free);
    for (tool, at) in &found.tools {
        if let Some(message) = why_unknown(*tool) {
            reporter
                .within(Code::BrokenExpression, pointer, text, *at, message)
                .help("minijinja's built-in ones can be used");
        }
    }
    Some((tokens, found))
}

/// What is wrong with a name that is read.
fn unknown(name: &Name<'_>) -> Option<Fault> {
    let root = name.path.first()?;
    if *root != "plan" {
        return Some(Fault::unknown("there is no", root, ["plan"].into_iter(), ""));
    }
    let field = name.path.get(1)?;
    if !PLAN_FIELDS.contains(field) {
        return Some(Fault::unknown("a plan has no", field, PLAN_FIELDS.iter().copied(), ""));
    }
    let inner = match *field {
        "objectives" => OBJECTIVE_FIELDS,
        "from" | "to" => SITE_FIELDS,
        _ => return None,
    };
    let deeper = name.path.get(2).filter(|deeper| !inner.contains(deeper))?;
    Some(Fault::unknown(&format!("`plan.{field}` has no"), deeper, inner.iter().copied(), ""))
}

/// Texts that name an attribute: of `selectattr` and its like, and after `attribute=`.
fn attributes<'t>(tokens: &[Token<'t>]) -> impl Iterator<Item = (&'t str, (usize, usize))> {
    let text = |token: &Token<'t>| match token.kind {
        // Without its quotes.
        Kind::Text(text) => Some((text, (token.from + 1, token.to.saturating_sub(token.from + 2)))),
        _ => None,
    };
    let found: Vec<_> = tokens
        .windows(3)
        .filter_map(|three| match (three[0].kind, three[1].kind) {
            (Kind::Word("selectattr" | "rejectattr" | "groupby"), Kind::Sign('('))
            | (Kind::Word("attribute"), Kind::Sign('=')) => text(&three[2]),
            _ => None,
        })
        .collect();
    found.into_iter()
}

fn unknown_attribute(path: &str) -> Option<Fault> {
    let mut parts = path.split('.');
    let first = parts.next()?;
    let known = || STEP_FIELDS.iter().chain(SITE_FIELDS).chain(DEPENDENCY_FIELDS).copied();
    if !known().any(|name| name == first) {
        return Some(Fault::unknown("neither a step nor a site has", first, known(), ""));
    }
    let second = parts.next().filter(|_| first == "approval")?;
    (!APPROVAL_FIELDS.contains(&second))
        .then(|| Fault::unknown("an approval has no", second, APPROVAL_FIELDS.iter().copied(), ""))
}
