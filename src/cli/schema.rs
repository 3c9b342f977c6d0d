//! `drctl schema`: JSON Schemas of what drctl reads and writes, for editors and programs.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Error, Format, Global, exit, output};
use crate::{compile, config, forecast, plan};

/// Arguments of `schema`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// What to describe.
    #[arg(value_enum)]
    what: What,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// A runbook.
    Runbook,
    /// A fleet: many runbooks together.
    Fleet,
    /// The configuration file, drctl.toml.
    Config,
    /// A line of `drctl runs events --output json`: the envelope, and the types of its data.
    Event,
    /// A policy.
    Policy,
    /// A scenario of a simulation.
    Scenario,
    /// A forecast, as `drctl simulate --output json` prints it.
    Forecast,
    /// The same of a fleet.
    FleetForecast,
    /// The API of `drctl serve`, as a document of `OpenAPI`.
    Api,
    /// A plan, as `drctl plan --output json` prints it: its top level.
    Plan,
}

/// Runs the command.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    // A schema has no form for people but JSON.
    let format = if global.output == Format::Text { Format::Json } else { global.output };
    output::print(format, &schema(arguments.what), String::new)?;
    Ok(exit::SUCCESS)
}

/// The schema of something.
#[must_use]
pub(crate) fn schema(what: What) -> Value {
    match what {
        What::Runbook => compile::schema(),
        What::Fleet => compile::fleet_schema(),
        What::Config => config::schema(),
        What::Event => event_schema(),
        What::Policy => compile::policy_schema(),
        What::Scenario => crate::providers::simulated::Scenario::schema(),
        What::Forecast => forecast::schema(),
        What::FleetForecast => forecast::fleet_schema(),
        What::Api => crate::server::openapi(),
        What::Plan => plan_schema(),
    }
}

/// Types of the facts of a run; a test compares them with the engine's.
const EVENT_TYPES: &[&str] = &[
    "run_created",
    "run_started",
    "took_over",
    "node_ready",
    "attempt_started",
    "handle_returned",
    "child_reported",
    "attempt_in_doubt",
    "observed",
    "observe_again",
    "person_needed",
    "retry_scheduled",
    "looked",
    "wait_started",
    "node_succeeded",
    "node_failed",
    "failure_ignored",
    "node_skipped",
    "node_marked_done",
    "safety_overridden",
    "node_cancelled",
    "node_reset",
    "approval_requested",
    "vote_cast",
    "approval_expired",
    "gate_reached",
    "consents_given",
    "gate_passed",
    "reading_taken",
    "want_changed",
    "mode_switched",
    "adoption_requested",
    "request_answered",
    "node_undone",
    "undo_failed",
    "drill_cut",
    "cleanup_began",
    "attested",
    "burn_reached",
    "forecast_breached",
    "forecast_recovered",
    "clock_marked",
    "status_changed",
];

/// The envelope in full. What `data` holds differs by type and grows by adding fields; only its outer form
/// is given.
fn event_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Event of a run",
        "description": "One line of `drctl runs events RUN --output json`. Readers must ignore types and fields they do \
                        not know.",
        "type": "object",
        "required": ["sequence", "at", "token", "type", "version", "data", "hash"],
        "properties": {
            "sequence": {"type": "integer", "minimum": 1, "description": "Number in the run's stream."},
            "at": {"type": "string", "format": "date-time", "description": "When it was recorded."},
            "token": {"type": "integer", "minimum": 0, "description": "Fencing token it was written with."},
            "type": {"type": "string", "enum": EVENT_TYPES, "description": "Type of the fact."},
            "version": {"type": "integer", "minimum": 1, "description": "Version of the format of data."},
            "data": {
                "type": ["object", "null"],
                "description": "The fact: an object with the type as its only key. null: pruned.",
                "minProperties": 1,
                "maxProperties": 1
            },
            "hash": {
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "description": "SHA-256 over the envelope and the hash before it."
            }
        }
    })
}

/// The top level of a plan. Nodes are the engine's own form: their fields may grow with the format number.
fn plan_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Plan",
        "description": "A runbook bound to parameters and sites for one operation, as `drctl plan --output json` prints \
                        it. The form of a node's `kind` belongs to the format version.",
        "type": "object",
        "required": ["format", "runbook", "operation", "mode", "intent", "sites", "objectives", "parameters", "nodes"],
        "properties": {
            "format": {"const": plan::FORMAT, "description": "Version of this format."},
            "runbook": {
                "type": "object",
                "required": ["name", "digest"],
                "properties": {
                    "name": text("Name of the service."),
                    "title": text("Title for people."),
                    "owner": text("Team that answers for it."),
                    "digest": text("SHA-256 of what the runbook says, in hex; comments and layout do not count.")
                }
            },
            "strategy": text("How the standby is kept."),
            "operation": {"enum": ["failover", "switchover", "failback"]},
            "mode": {"enum": ["graceful", "ungraceful"]},
            "intent": {"enum": ["real", "drill", "check", "simulate"]},
            "from": text("Site the service leaves."),
            "to": text("Site it moves to."),
            "sites": {"type": "object", "description": "All sites by name."},
            "objectives": {"type": "object", "description": "rto, rpo and mtd, as durations."},
            "parameters": {"type": "object", "description": "Values of the parameters that may be stored."},
            "sensitive": {"type": "object", "description": "SHA-256 of the values that may not be stored."},
            "secrets": {"type": "object", "description": "Where secrets come from; never their values."},
            "nodes": {
                "type": "array",
                "description": "The nodes, each after all it needs.",
                "items": node_schema()
            }
        }
    })
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn node_schema() -> Value {
    json!({
        "type": "object",
        "required": ["address", "title", "kind", "timeout", "estimate", "on_failure", "reversibility"],
        "properties": {
            "address": text("Stable address, such as promote/verify-1."),
            "title": text("What a person reads."),
            "step": text("The authored step it belongs to."),
            "phase": text("Where it stands in the recovery."),
            "kind": {"description": "What it is: one key with its details, or `gate`."},
            "needs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["node", "kind"],
                    "properties": {
                        "node": {"type": "integer", "minimum": 0},
                        "kind": {"enum": ["ordinary", "safety", "graceful"]}
                    }
                }
            },
            "timeout": text("Longest time of one attempt."),
            "estimate": text("Expected duration."),
            "on_failure": text("What follows when it has failed for good."),
            "reversibility": {"enum": ["reversible", "compensable", "irreversible"]}
        }
    })
}
