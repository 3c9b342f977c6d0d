//! What proves who asks is written down nowhere, and what is written down proves nothing.

use reqwest::Method;
use serde_json::json;

use super::{ANN, folder, folder_with};
use crate::support::served::Served;

#[tokio::test]
async fn no_secret_stands_in_the_log() {
    let drctl = folder_with("[webhooks.main]\nkind = \"alertmanager\"\ntokens = [{env = \"MAIN_SECRET\"}]\n");
    let environment = [("MAIN_SECRET", "hunter2hunter2"), ("DRCTL_LOG", "trace")];
    let server = Served::start_with(&drctl, &environment);
    let wrong = "drctl_mistyped-by-somebody";
    for token in [ANN, wrong] {
        for path in
            ["/api/v1/runs", "/api/v1/runs?token=hunter3hunter3&access_token=hunter3hunter3", "/nowhere"]
        {
            server.get(path, token).await;
        }
    }
    let request = server.request(Method::POST, "/webhooks/alertmanager/main", "hunter2hunter2");
    request.json(&json!({"alerts": []})).send().await.unwrap();
    server.until(async || server.log().contains("/webhooks/alertmanager/main")).await;
    let said = server.log();
    assert!(said.contains("drctl::access") && said.contains("/webhooks/alertmanager/main"), "{said}");
    for secret in [ANN, wrong, "hunter2hunter2", "hunter3hunter3"] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[tokio::test]
async fn the_digest_of_a_token_is_no_token() {
    let drctl = folder();
    let server = Served::start(&drctl);
    let digest = drctl::journal::record::hex(&drctl::journal::record::digest(ANN.as_bytes()));
    for (token, status) in
        [(ANN, 200), (&digest, 401), (&format!("drctl_{digest}"), 401), (&ANN[..ANN.len() - 1], 401)]
    {
        assert_eq!(server.get("/api/v1/runs", token).await.0, status, "{token}");
    }
}
