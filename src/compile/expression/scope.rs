//! Which names may be read where. Only a table; resolving them is done elsewhere.

use crate::compile::suggest;

/// Where an expression or template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compile) enum Place {
    /// `when`, and texts for people.
    When,
    /// `for_each`: worked out when the plan is made.
    ForEach,
    /// Parameters of a step's action, of its checks, its undo and its variants.
    With,
    /// `until` of a check.
    Until,
    /// `outputs` of a step.
    Outputs,
    /// Parameters of a recovery point reading, which belongs to no step.
    Reading,
}

/// All names there are, in the order they are listed in a message.
pub(super) const ROOTS: [&str; 14] = [
    "params",
    "sites",
    "from",
    "to",
    "site",
    "survivors",
    "mode",
    "intent",
    "operation",
    "run",
    "steps",
    "result",
    "item",
    "secrets",
];

/// Fields of `run`.
pub(super) const RUN: [&str; 5] = ["id", "started_at", "reason", "token", "incident_at"];

/// Fields of a site, besides `values`.
pub(super) const SITE: [&str; 10] = [
    "name",
    "role",
    "provider",
    "region",
    "account",
    "jurisdiction",
    "failure_domain",
    "url",
    "cost_weight",
    "values",
];

impl Place {
    /// Whether a name may be read here; `item` depends on the step as well.
    pub(super) fn allows(self, root: &str) -> bool {
        match root {
            "params" | "sites" | "from" | "to" | "survivors" | "intent" | "operation" => true,
            "mode" | "run" => self != Self::ForEach,
            "steps" | "item" => !matches!(self, Self::ForEach | Self::Reading),
            "result" => matches!(self, Self::Until | Self::Outputs),
            "secrets" => matches!(self, Self::With | Self::Reading),
            _ => false,
        }
    }

    /// Why a name cannot be read here.
    pub(super) fn refusal(self, root: &str) -> String {
        match (root, self) {
            ("site", _) => "`site` is there only in `components`; a step reads `from` or `to`".to_owned(),
            ("result", _) => "`result` is there only in `until` and `outputs`".to_owned(),
            ("secrets", _) => "`secrets` can be read only inside `with`".to_owned(),
            (_, Self::ForEach) => {
                format!("`{root}` is not known yet when `for_each` is worked out, before the run")
            }
            (_, Self::Reading) => {
                format!("`{root}` cannot be read by a recovery point, which belongs to no step")
            }
            _ => format!("`{root}` cannot be read here"),
        }
    }

    /// The names that may be read here, for a help line.
    pub(super) fn allowed(self, has_item: bool) -> String {
        suggest::list(ROOTS.into_iter().filter(|root| self.allows(root) && (has_item || *root != "item")))
    }
}
