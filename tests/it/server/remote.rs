//! Commands that talk to a server: the same output as on its journal, the same runs, and never a journal of
//! their own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;

use serde_json::{Value, json};

use super::{ANN, BOB, EVE, folder, id_of, simulated};
use crate::support::binary::{Drctl, Output, steady};
use crate::support::served::Served;

/// Its second step cannot be taken back.
const GATED: &str = "\
apiVersion: drctl/v1
kind: Runbook
metadata: {name: gated}
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
        reversibility: {class: irreversible, reason: it deletes}
";

/// A machine that has a token, and neither runbooks nor a journal.
pub(super) struct Client {
    drctl: Drctl,
    url: String,
}

impl Client {
    pub(super) fn of(server: &Served) -> Self {
        Self { drctl: Drctl::new(), url: format!("http://{}", server.address()) }
    }

    /// Runs a command against the server.
    pub(super) fn run(&self, token: &str, line: &str) -> Output {
        let output = self.drctl.run_with(&[("DRCTL_TOKEN", token)], &self.line(line));
        self.has_kept_nothing();
        for shown in [&output.stdout, &output.stderr] {
            assert!(token.is_empty() || !shown.contains(token), "the token is shown: {shown}");
        }
        output
    }

    /// Begins a command against the server.
    fn begin(&self, token: &str, line: &str) -> Child {
        self.drctl.spawn_with(&[("DRCTL_TOKEN", token)], &self.line(line))
    }

    fn line(&self, line: &str) -> String {
        format!("--server {} {line}", self.url)
    }

    /// There is no journal on this machine, and nothing else is left on it.
    pub(super) fn has_kept_nothing(&self) {
        let left = std::fs::read_dir(self.drctl.path(".drctl")).into_iter().flatten().count();
        assert_eq!(left, 0, "something was left");
        assert!(!self.drctl.path(".local").exists(), "something was made");
    }
}

pub(super) fn with_gated() -> Drctl {
    let drctl = folder();
    drctl.write("runbooks/gated.yaml", GATED);
    drctl
}

pub(super) fn parsed(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}\n{}", output.stdout, output.stderr))
}

#[tokio::test]
async fn what_is_read_is_the_same_as_on_the_journal() {
    let there = with_gated();
    let server = Served::start(&there);
    let (_, started) = server.post("/api/v1/runs", ANN, &simulated(0)).await;
    let slow = id_of(&started);
    server.run_until(&slow, EVE, |view| view["status"] == "succeeded").await;
    let wanted = json!({"runbook": "asking", "operation": "failover", "reason": "rehearsed"});
    let (_, started) = server.post("/api/v1/runs", ANN, &wanted).await;
    let asking = id_of(&started);
    server.run_until(&asking, EVE, |view| view["status"] == "awaiting_approval").await;
    server.post(&format!("/api/v1/runs/{asking}/approve"), BOB, &json!({})).await;
    server.run_until(&asking, EVE, |view| view["status"] == "succeeded").await;
    let client = Client::of(&server);
    let mut lines = Vec::new();
    for line in [
        "runs list",
        "runs list --simulated",
        "runs list --limit 1",
        "runs list --service asking",
        "runs list --simulated --open",
        "runs verify latest",
        "service list",
        "service show asking",
        "schedule list",
        "schedule next asking",
        "trigger list",
        "stop-all status",
        "status",
        "coverage asking",
        "plan asking",
        "abort --dry-run latest",
        "journal export",
    ] {
        lines.push(line.to_owned());
    }
    for run in [&slow, &asking] {
        for verb in ["show", "events", "report", "verify", "finding list", "watch"] {
            lines.push(format!("runs {verb} {run}"));
        }
        lines.push(format!("replay {run}"));
        lines.push(format!("journal export --run {run} --blobs"));
    }
    for line in lines {
        for format in ["text", "json"] {
            let line = format!("{line} -o {format}");
            let (here, afar) = (there.run(&line), client.run(EVE, &line));
            assert_eq!(here.code, afar.code, "{line}: {} {}", here.stderr, afar.stderr);
            let of_time = |text: &str| {
                let text = steady(text, &there.path(""));
                // What counts the time since then goes on between the two.
                let counts =
                    |line: &&str| !["_ms\":", "\"now\"", " ago"].iter().any(|word| line.contains(word));
                text.lines().filter(counts).collect::<Vec<_>>().join("\n")
            };
            let same = if line.starts_with("status") || line.starts_with("coverage") {
                (of_time(&here.stdout), of_time(&afar.stdout))
            } else {
                (here.stdout, afar.stdout)
            };
            assert_eq!(same.0, same.1, "{line}");
            assert_eq!(here.stderr, afar.stderr, "{line}");
        }
    }
    let bundle = client.run(EVE, &format!("evidence bundle {asking}"));
    assert_eq!(bundle.code, 2, "{}", bundle.stderr);
    assert!(bundle.stderr.contains("drctl evidence key"), "it wants a key, not a journal: {}", bundle.stderr);
}

/// The names of all fields, wherever they are.
fn shape(value: &Value) -> Value {
    match value {
        // Of a name that is only asserted no roles are known.
        Value::Object(fields) => {
            let known = fields.iter().filter(|(name, _)| *name != "roles");
            known.map(|(name, value)| (name.clone(), shape(value))).collect()
        }
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(_) => json!("text"),
        Value::Number(_) => json!(0),
        other => other.clone(),
    }
}

#[test]
fn a_failover_is_started_and_followed_as_if_it_was_driven_here() {
    let there = with_gated();
    let server = Served::start(&there);
    let client = Client::of(&server);
    let line = "failover slow --simulate --to west";
    let (here, afar) = (there.run(&format!("{line} -o json")), client.run(ANN, &format!("{line} -o json")));
    assert_eq!((here.code, afar.code), (0, 0), "{}", afar.stderr);
    let (one, other) = (parsed(&here), parsed(&afar));
    assert_eq!(shape(&one), shape(&other));
    assert_eq!(
        (&other["trigger"], &other["started_by"]["name"]),
        (&json!("api"), &json!("ann")),
        "{other:#}"
    );
    // The time goes, and what is different every time.
    let told = |output: &Output, view: &Value| -> Vec<String> {
        let text = steady(&output.stderr.replace(view["id"].as_str().unwrap(), "slow-run"), &there.path(""));
        text.lines().map(str::to_owned).collect()
    };
    assert_eq!(told(&here, &one), told(&afar, &other));
    // The same for people.
    let text = |output: Output| {
        let line = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        output.stdout.lines().skip(1).map(line).collect::<Vec<_>>()
    };
    assert_eq!(text(there.run(line)), text(client.run(ANN, line)));
}

#[test]
fn a_key_starts_one_run_and_what_is_refused_is_refused_alike() {
    let there = with_gated();
    let shop = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/designs/dr0402-record-edit-without-us-east-1.yaml"
    );
    there.write("runbooks/shop.yaml", &std::fs::read_to_string(shop).unwrap());
    let server = Served::start(&there);
    let client = Client::of(&server);
    let line = "failover slow --simulate --idempotency-key incident-7 -o json";
    let (first, second) = (parsed(&client.run(ANN, line)), parsed(&client.run(ANN, line)));
    assert_eq!(first["id"], second["id"]);
    for line in [
        "failover nowhere --reason x",
        "failover slow --reason x --to mars",
        "failover shop --simulate --accept-unfenced",
        "failback slow --reason x",
        "runs show nobody",
        "pause nobody",
        "approve latest",
    ] {
        let line = format!("{line} -o json");
        let (here, afar) = (there.run(&line), client.run(ANN, &line));
        assert_eq!((here.code, here.stdout), (afar.code, afar.stdout), "{line}: {}", afar.stderr);
        let error = |text: &str| -> Value {
            let last = text.lines().last().unwrap_or_default();
            serde_json::from_str(last).unwrap_or_else(|_| panic!("{line}: {text}"))
        };
        let (one, other) = (error(&here.stderr), error(&afar.stderr));
        assert_eq!(one["error"]["code"], other["error"]["code"], "{line}: {other}");
    }
    // What does not compile is told here, and may be accepted from here.
    let line = "failover shop --simulate --accept-unfenced";
    let refused = client.run(ANN, line);
    assert!(refused.code == 3 && refused.stderr.contains("DR0402"), "{}", refused.stderr);
    let done = client.run(ANN, &format!("{line} --accept-lint dr0402"));
    assert!(done.code == 0 && done.stderr.contains("warning[DR0402]"), "{}", done.stderr);
    // Somebody in the simulation answers approvals, unless its scenario says that nobody does.
    let never = "apiVersion: drctl/v1\nkind: Scenario\nmetadata: {name: never}\napprovals: {never: true}\n";
    there.write("never.yaml", never);
    client.drctl.write("never.yaml", never);
    for (line, code) in
        [("failover asking --simulate", 0), ("failover asking --simulate --scenario never.yaml", 6)]
    {
        assert_eq!((there.run(line).code, client.run(ANN, line).code), (code, code), "{line}");
    }
}

#[tokio::test]
async fn an_approval_is_waited_for_and_given_from_elsewhere() {
    let there = with_gated();
    let server = Served::start(&there);
    let client = Client::of(&server);
    let started = client.run(ANN, "failover asking --reason fire -o json");
    assert_eq!(started.code, 6, "{}", started.stderr);
    let view = parsed(&started);
    let run = view["id"].as_str().unwrap().to_owned();
    assert_eq!(view["status"], "awaiting_approval");
    // Not by who has started it, nor by who may only look.
    let own = client.run(ANN, &format!("approve {run}"));
    assert_eq!(own.code, 7, "{} {}", own.stdout, own.stderr);
    let looks = client.run(EVE, &format!("approve {run}"));
    assert!(looks.code == 7 && looks.stderr.contains("approver"), "{}", looks.stderr);
    let mut watching = client.begin(EVE, &format!("runs watch {run}"));
    let given = client.run(BOB, &format!("approve {run} --reason seen"));
    assert_eq!(given.code, 0, "{}", given.stderr);
    assert!(given.stdout.starts_with("approve: accepted by "), "{}", given.stdout);
    // Either it was still waiting, or it has seen the end.
    let code = watching.wait().unwrap().code();
    assert!(matches!(code, Some(0 | 6)), "{code:?}");
    let view = server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
    let bob = view["interventions"].as_array().into_iter().flatten().find(|it| it["by"]["name"] == "bob");
    assert!(bob.is_none() || bob.unwrap()["by"]["authentication"] == "authenticated", "{view:#}");
    let events = client.run(EVE, &format!("runs events {run} -o json")).stdout;
    let asked = events.lines().find(|line| line.contains("\"seen\"")).unwrap();
    assert!(asked.contains("bob") && asked.contains("api@127.0.0.1"), "{asked}");
}

#[tokio::test]
async fn the_point_of_no_return_waits_and_every_control_reaches_the_run() {
    let there = with_gated();
    let server = Served::start(&there);
    let client = Client::of(&server);
    let started = client.run(ANN, "failover gated --reason fire -o json");
    assert_eq!(started.code, 6, "{}", started.stderr);
    let run = parsed(&started)["id"].as_str().unwrap().to_owned();
    for (line, code) in [
        (format!("pause {run} --reason wait"), 0),
        (format!("resume {run}"), 0),
        (format!("retry {run} before"), 7),
        (format!("skip {run} after"), 2),
        (format!("approve {run} --confirm gated:east"), 7),
        (format!("approve {run} --confirm gated:west"), 0),
    ] {
        let done = client.run(ANN, &line);
        assert_eq!(done.code, code, "{line}: {} {}", done.stdout, done.stderr);
    }
    server.run_until(&run, EVE, |view| view["status"] == "succeeded_with_warnings").await;
    let over = client.run(ANN, &format!("abort {run} --reason late"));
    assert!(over.code == 7 && over.stderr.contains("is over"), "{}", over.stderr);
    assert_eq!(client.run(ANN, &format!("resume {run}")).code, 0, "what has succeeded is shown");
    // A staged one is begun, and its consents are given beforehand.
    let staged = client.run(ANN, "failover slow --stage --simulate -o json");
    let run = parsed(&staged)["id"].as_str().unwrap().to_owned();
    assert_eq!(staged.code, 6, "{}", staged.stderr);
    let begun = client.run(ANN, &format!("start {run}"));
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    server.run_until(&run, EVE, |view| view["status"] == "succeeded").await;
    // A run that nobody waits for.
    let detached = client.run(ANN, "failover slow --simulate --detach");
    assert_eq!(detached.code, 0, "{}", detached.stderr);
    server.run_until(detached.stdout.trim(), EVE, |view| view["status"] == "succeeded").await;
    // Drills.
    let drill = client.run(ANN, "drill slow --level simulate -o json");
    assert_eq!((drill.code, &parsed(&drill)["drill_level"]), (0, &json!("simulate")), "{}", drill.stderr);
    let checks = client.run(ANN, "drill slow --level check -o json");
    assert_eq!((checks.code, &parsed(&checks)["ready"]), (0, &json!(true)), "{}", checks.stderr);
}

/// What is told of a run: the lines that begin with a time.
fn facts(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("20")).collect()
}

#[tokio::test]
async fn a_server_that_is_killed_is_waited_for_and_nothing_is_missed() {
    let there = with_gated();
    let server = Served::start(&there);
    let client = Client::of(&server);
    let mut following = client.begin(ANN, "failover slow --simulate --speed 15x -o json");
    let mut lines = BufReader::new(following.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut said: Vec<String> = Vec::new();
    while facts(&said.join("\n")).len() < 6 {
        said.push(lines.next().expect("it was followed"));
    }
    let address = server.address().to_owned();
    server.kill9();
    // It is seen to be gone before it is there again.
    let lost =
        lines.by_ref().inspect(|line| said.push(line.clone())).find(|line| line.contains("tried again"));
    assert!(lost.is_some_and(|line| line.contains("the run goes on")), "{said:#?}");
    let server = Served::start_at(&there, &address);
    said.extend(lines);
    let mut stdout = String::new();
    following.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(following.wait().unwrap().code(), Some(0), "{said:#?}");
    let view: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&view["status"], &view["fencing_token"]), (&json!("succeeded"), &json!(2)), "{view:#}");
    assert!(said.iter().any(|line| line.contains("is there again")), "{said:#?}");
    // Once each, and all of them.
    let run = view["id"].as_str().unwrap();
    let whole = there.run(&format!("runs watch {run}")).stderr;
    // That it was begun is told to who began it.
    assert_eq!(facts(&said.join("\n"))[1..], facts(&whole));
    client.has_kept_nothing();
    drop(server);
}
