//! `drctl serve` as its users meet it: over HTTP, and beside the command line on one journal.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail; the exceptions for tests do not reach functions beside them"
)]

mod alertmanager;
mod api;
mod auth;
mod contract;
mod crowd;
mod cursors;
mod drills;
mod guarded;
mod lasting;
mod oidc;
mod remote;
mod remote_acts;
mod remote_faults;
mod scopes;
mod spoken;
mod stream;
mod supervised;
#[cfg(feature = "postgres")]
mod unreadable;
mod watch;
mod webhooks;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::binary::Drctl;

/// A token of each kind; the digests are in [`CONFIGURATION`].
const ANN: &str = "drctl_ann-operates-and-approves";
const BOB: &str = "drctl_bob-approves";
const EVE: &str = "drctl_eve-looks";
const ADA: &str = "drctl_ada-answers-for-all";
const OLD: &str = "drctl_old";

/// Twelve steps that take ten seconds each in the simulation.
fn slow() -> String {
    let mut text = String::from(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {name: slow}\nsites:\n  east: {role: active}\n  west: {role: standby}\n\
         workflows:\n  failover:\n    steps:\n",
    );
    for step in 0..12 {
        let with = format!("{{url: \"https://x.example/{step}\", method: POST, idempotent: true}}");
        let step = format!("{{id: s{step}, uses: http.request, with: {with}, estimate: 10s, drill: skip}}");
        writeln!(text, "      - {step}").unwrap();
    }
    text
}

/// A real run that asks for an approval, not by who starts it.
const ASKING: &str = "\
apiVersion: drctl/v1
kind: Runbook
metadata: {name: asking}
sites:
  east: {role: active}
  west: {role: standby}
workflows:
  failover:
    steps:
      - {id: before, uses: command.run, with: {argv: [/bin/true], idempotent: true}, drill: skip}
      - id: after
        uses: command.run
        with: {argv: [/bin/true], idempotent: true}
        drill: skip
        approval: {quorum: 1, not_by: [starter]}
";

/// A service of one harmless step, with what begins its failover: lines of the list of its triggers.
fn payments(triggers: &str) -> String {
    format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: payments}}\n\
         sites:\n  east: {{role: active}}\n  west: {{role: standby}}\n\
         workflows:\n  failover:\n    steps:\n      \
         - {{id: go, uses: command.run, with: {{argv: [/bin/true], idempotent: true}}, drill: skip}}\n\
         triggers:{triggers}"
    )
}

/// A folder with runbooks and a configuration.
fn folder() -> Drctl {
    folder_with("")
}

/// As [`folder`], with more in the configuration.
fn folder_with(more: &str) -> Drctl {
    let drctl = Drctl::new();
    drctl.write("runbooks/slow.yaml", &slow());
    drctl.write("runbooks/asking.yaml", ASKING);
    let mut text = String::new();
    let entries = [
        ("ann", "\"operator\", \"approver\"", ANN, ""),
        ("bob", "\"approver\"", BOB, ""),
        ("eve", "\"viewer\"", EVE, ""),
        ("ada", "\"admin\"", ADA, ""),
        ("old", "\"admin\"", OLD, "expires = \"2020-01-01T00:00:00Z\"\n"),
    ];
    for (name, roles, token, more) in entries {
        let sha256 = drctl::journal::record::hex(&drctl::journal::record::digest(token.as_bytes()));
        let entry = format!("name = \"{name}\"\nroles = [{roles}]\nsha256 = \"{sha256}\"\n{more}");
        write!(text, "[[auth.tokens]]\n{entry}").unwrap();
    }
    drctl.write("drctl.toml", &(text + more));
    drctl
}

/// A simulated run of the slow runbook, so many times as fast as real time; 0: in no time.
fn simulated(times: u32) -> Value {
    let times = Some(times).filter(|times| *times > 0);
    json!({"runbook": "slow", "operation": "failover", "simulate": {"times": times}})
}

/// Something that `tests/all.sh` has put below target.
fn tool(path: &str) -> std::path::PathBuf {
    let tool = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(tool.exists(), "{} is missing: `bash tests/all.sh` puts it there", tool.display());
    tool
}

fn id_of(started: &Value) -> String {
    started["run"]["id"].as_str().unwrap_or_else(|| panic!("{started:#}")).to_owned()
}
