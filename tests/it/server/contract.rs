//! The document of the API, held against the API by programs of others: it is valid, and what the server
//! answers to thousands of requests made from it is what it promises.

use std::process::{Command, Output};

use serde_json::json;

use super::{ANN, folder_with, id_of, tool};
use crate::support::served::Served;

/// Of an admin, so that no request is refused for want of a role.
const ROOT: &str = "drctl_root-may-do-everything";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_document_is_valid_openapi() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/openapi.json");
    let output = Command::new(tool("target/contract/bin/openapi-spec-validator")).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// What is held against it: the same requests every time, from the document alone.
#[tokio::test]
async fn the_server_keeps_what_its_document_promises() {
    let sha256 = drctl::journal::record::hex(&drctl::journal::record::digest(ROOT.as_bytes()));
    let drctl = folder_with(&format!(
        "[[auth.tokens]]\nname = \"root\"\nroles = [\"admin\"]\nsha256 = \"{sha256}\"\n\
         [server]\nrequests_per_second = 100000\n"
    ));
    let server = Served::start(&drctl);
    let start = json!({"runbook": "asking", "operation": "failover", "reason": "fire"});
    let (_, started) = server.post("/api/v1/runs", ANN, &start).await;
    drctl.write(
        "schemathesis.toml",
        &format!(
            "[parameters]\n\"path.run\" = \"{}\"\n\"path.name\" = \"asking\"\n\
             [checks]\n# 422 also for what is well formed and cannot be done.\n\
             positive_data_acceptance.expected-statuses = [\"2xx\", 401, 403, 404, 409, 422]\n\
             # 400 for a place in a list that nobody was ever given.\n\
             [[operations]]\n\
             include-name = [\"GET /api/v1/runs\", \"GET /api/v1/runs/{{run}}/events\", \"GET /api/v1/journal/records\", \
             \"GET /api/v1/shelf\"]\n\
             [operations.checks]\n\
             positive_data_acceptance.expected-statuses = [\"2xx\", 400, 401, 403, 404, 409, 422]\n",
            id_of(&started)
        ),
    );
    let examples = std::env::var("DRCTL_CONTRACT_EXAMPLES").unwrap_or_else(|_| "8".to_owned());
    let mut command = Command::new(tool("target/contract/bin/schemathesis"));
    command
        .args(["run", &server.url("/openapi.json"), "--header", &format!("Authorization: Bearer {ROOT}")])
        .args([
            "--phases=examples,coverage,fuzzing",
            "--max-examples",
            &examples,
            "--generation-deterministic",
        ])
        .args(["--continue-on-failure", "--request-timeout=20", "--no-color", "--warnings=off"])
        .current_dir(drctl.path(""));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    let tested = text.lines().find_map(|line| line.trim().strip_prefix("Tested: ")).unwrap_or_default();
    let (_, document) = server.get("/openapi.json", "").await;
    let operations: usize =
        document["paths"].as_object().unwrap().values().map(|it| it.as_object().unwrap().len()).sum();
    // Its own document is not among what it asks for.
    assert_eq!(tested, (operations - 1).to_string(), "{text}");
    let (status, _) = server.get("/readyz", "").await;
    assert_eq!(status, 200, "it still works");
}
