//! Binds the parameters of one action as far as they are known, and types them when all are. Never looks at
//! the estate.

use serde_json::{Map, Value};

use super::context::{Reads, Scope};
use super::error::Problem;
use super::node::Call;
use crate::model::action::{Action, ActionName, Effect, traits};
use crate::model::expression::has_template;

/// Where the plan is being made, for messages and for templates.
pub(super) struct Caller<'a> {
    pub(super) scope: &'a Scope,
    /// Address of the node, or the name of a block of the runbook.
    pub(super) at: &'a str,
}

/// A call and what its templates read.
pub(super) struct BoundCall {
    pub(super) call: Call,
    pub(super) reads: Reads,
}

impl Caller<'_> {
    /// Renders and types the parameters of an action.
    pub(super) fn bind(
        &self,
        action: ActionName,
        given: &Map<String, Value>,
        problems: &mut Vec<Problem>,
    ) -> Option<BoundCall> {
        let (with, reads) = match self.scope.render_map(given, "with") {
            Ok(rendered) => rendered,
            Err(message) => {
                let help = "a template can read params, sites, from, to, survivors, operation, intent and, \
                    in a `for_each`, item; steps, run, mode and secrets get their values during the run";
                problems.push(Problem::new(format!("`{}` ({action}): {message}", self.at), help));
                return None;
            }
        };
        if !reads.later
            && let Err(error) = Action::new(action, Value::Object(with.clone()))
        {
            let hint = if given.values().any(has_template) {
                "; a single `{{ x }}` keeps the type of its value, `{{ x | string }}` makes it a text"
            } else {
                ""
            };
            let help = format!("`drctl actions {action}` shows its parameters{hint}");
            problems.push(Problem::new(format!("`{}`: {error}", self.at), help));
            return None;
        }
        Some(BoundCall {
            call: Call { action, with, deferred: reads.later, sensitive: reads.sensitive, child: None },
            reads,
        })
    }

    /// As [`Caller::bind`], for an action that must only read.
    pub(super) fn bind_read(
        &self,
        action: ActionName,
        with: &Map<String, Value>,
        problems: &mut Vec<Problem>,
    ) -> Option<BoundCall> {
        let bound = self.bind(action, with, problems)?;
        if traits::effect(action, &bound.call.with) == Effect::Read {
            return Some(bound);
        }
        let help = "checks and recovery point readings must only read; make it a step of its own";
        problems.push(Problem::new(format!("`{}`: {action} changes something", self.at), help));
        None
    }
}
