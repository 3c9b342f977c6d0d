//! Whole transcripts of the built binary: what an operator types and reads. Each test has a folder and
//! journal of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod consent;
mod control;
mod diff;
pub(crate) mod drill;
mod errors;
mod evidence;
mod fleet;
mod init;
mod journal;
mod lived;
mod look;
mod lost_start;
mod moves;
mod policy;
#[cfg(feature = "postgres")]
mod postgres;
mod runs;
mod schedule;
mod service;
mod status;
mod takeover;
mod trigger;
mod unwinds;
mod validate;

use crate::support::binary::Drctl;

/// A service with a fence, a promotion and a shift; the shift can only be simulated by this build.
const PAY: &str = include_str!("../../fixtures/cli/pay.yaml");

fn pay() -> Drctl {
    Drctl::with(&[("runbooks/pay.yaml", PAY)])
}

/// A runbook of two sites with the steps of its failover.
fn runbook(name: &str, steps: &str) -> String {
    format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: {name}}}\n\
         sites: {{east: {{role: active}}, west: {{role: standby}}}}\nworkflows:\n  failover:\n    steps:\n{steps}"
    )
}

/// Draws several commands, one after the other.
fn session(drctl: &Drctl, commands: &[&[&str]]) -> String {
    commands.iter().map(|words| drctl.transcript(words)).collect::<Vec<_>>().join("\n")
}

/// A folder in which one simulated failover has succeeded, and its run.
fn simulated() -> (Drctl, String) {
    let drctl = pay();
    let done = drctl.run("failover pay --simulate --seed 7");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let runs: serde_json::Value = json(&drctl, "runs list --simulated -o json");
    let run = runs[0]["id"].as_str().unwrap().to_owned();
    (drctl, run)
}

fn json(drctl: &Drctl, line: &str) -> serde_json::Value {
    let output = drctl.run(line);
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{line}: {error}\n{}{}", output.stdout, output.stderr))
}
