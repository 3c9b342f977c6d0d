//! What a command that asks a server says when something is wrong: the same as where the journal is, in
//! commands and flags. What the API says, it says in its own words.

use serde_json::json;

use super::remote::Client;
use super::{ADA, ANN, EVE, folder_with, id_of, simulated};
use crate::support::binary::steady;
use crate::support::served::Served;

/// Refused by a policy of one rule.
const POLICY: &str = "\
apiVersion: drctl/v1
kind: Policy
metadata: {name: company}
deny:
  - {id: never-slow, when: plan.service == 'slow', message: not this one}
";

#[tokio::test]
async fn a_command_is_told_the_same_through_a_server() {
    let there = folder_with("[policy]\nfile = \"policy.yaml\"\n");
    there.write("policy.yaml", POLICY);
    there.write(
        "runbooks/broken.yaml",
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {name: broken}\nsites: 7\n",
    );
    there.write(
        "runbooks/two.yaml",
        "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: two}\nmembers:\n  - {runbook: asking}\n",
    );
    let server = Served::start(&there);
    let (_, started) = server.post("/api/v1/runs", ANN, &simulated(0)).await;
    let over = id_of(&started);
    server.run_until(&over, EVE, |view| view["status"] == "succeeded").await;
    let wanted = json!({"runbook": "asking", "operation": "failover", "reason": "rehearsed"});
    let (_, started) = server.post("/api/v1/runs", ANN, &wanted).await;
    let asking = id_of(&started);
    server.run_until(&asking, EVE, |view| view["status"] == "awaiting_approval").await;
    let client = Client::of(&server);
    let lines = "failover slow
        failover asking --reason x --to mars
        failover asking --reason x --from west
        failover slow --simulate --confirm pay:west
        failover broken --simulate
        failover asking --reason again
        failover slow --reason x
        failback slow --simulate
        failover two --simulate --set a=b
        failover asking --reason x --incident-at 2099-01-01T00:00:00Z
        drill slow --level live
        drill slow --level isolated --reason x
        drill two
        check broken
        plan broken
        start OVER
        abort OVER --reason x
        retry ASKING nope
        skip ASKING after/approval --reason x
        skip ASKING before --reason x
        done ASKING after/approval --reason x
        approve OVER
        mode ASKING ungraceful --reason x
        service set slow mars --reason x
        runs finding close OVER 9 --reason x
        drill abort OVER --reason x
        drill promote OVER --reason x
        stop-all on";
    for line in lines.lines() {
        let line = line.trim().replace("OVER", &over).replace("ASKING", &asking);
        let (here, afar) = (there.run(&line), client.run(ADA, &line));
        assert_ne!(afar.code, 0, "{line}: {}", afar.stdout);
        let own = afar.stderr.replace(" on the journal itself", "");
        let steady = |text: &str| steady(text, &there.path(""));
        assert_eq!((here.code, steady(&here.stderr)), (afar.code, steady(&own)), "{line}");
        for word in ["/api/v1", "`reason`", "`consents", "`to`", "`override`", "at the command line"] {
            assert!(!afar.stderr.contains(word), "{line}: {}", afar.stderr);
        }
    }
    let unknown = client.run(ANN, "failover slo --simulate").stderr;
    assert!(unknown.contains("did you mean `slow`?") && !unknown.contains("give a path"), "{unknown}");
    // Who asks over HTTP hears of fields and requests.
    let confirmed =
        json!({"runbook": "slow", "operation": "failover", "simulate": {}, "consents": {"confirm": "a:b"}});
    let (_, told) = server.post("/api/v1/runs", ANN, &confirmed).await;
    assert!(told["help"].as_str().unwrap().contains("`consents.confirm: slow:west`"), "{told}");
    let path = format!("/api/v1/runs/{asking}/skip");
    let (_, told) = server.post(&path, ANN, &json!({"node": "after/approval", "reason": "x"})).await;
    assert!(told["detail"].as_str().unwrap().contains("add `override`"), "{told}");
}
