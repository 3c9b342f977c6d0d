//! A real Alertmanager fires, and a run is staged; it tells that the alert is over, and the run is withdrawn.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use super::{ANN, EVE, folder_with, payments, tool};
use crate::support::binary::Drctl;
use crate::support::served::{Served, answer};

/// What begins a failover of payments.
const TRIGGERS: &str = r"
  - name: probes
    on: alertmanager
    start: {operation: failover, to: west}
    when: event.labels.alertname == 'PaymentsDown'
";

/// An Alertmanager that sends to a server.
struct Alertmanager {
    child: Child,
    url: String,
}

impl Alertmanager {
    fn start(drctl: &Drctl, server: &Served, token: &str) -> Self {
        let url = server.url("/webhooks/alertmanager/main");
        drctl.write(
            "alertmanager.yml",
            &format!(
                "route: {{receiver: drctl, group_by: [alertname], group_wait: 100ms, group_interval: 1s}}\n\
                 receivers:\n  - name: drctl\n    webhook_configs:\n      - url: {url}\n        \
                 send_resolved: true\n        http_config: {{authorization: {{credentials: {token}}}}}\n"
            ),
        );
        let mut child = Command::new(tool("target/monitoring/alertmanager"))
            .arg(format!("--config.file={}", drctl.path("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", drctl.path("alertmanager").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("address=127.0.0.1:")?;
            Some(format!("127.0.0.1:{}", address.split_whitespace().next()?))
        });
        // Nobody reads on, but a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: format!("http://{}", address.unwrap()) }
    }

    /// Tells it of an alert as Prometheus does; `over`: that it has ended.
    async fn alert(&self, name: &str, over: bool) {
        let now = jiff::Timestamp::now();
        let begin = now - jiff::SignedDuration::from_secs(60);
        let mut alert = json!({
            "labels": {"alertname": name, "service": "payments", "severity": "critical"},
            "annotations": {"summary": "no payment for a minute"},
            "startsAt": format!("{begin:.3}"), "generatorURL": "http://prometheus.example/graph",
        });
        if over {
            alert["endsAt"] = format!("{now:.3}").into();
        }
        let client = reqwest::Client::new();
        let sent = client.post(format!("{}/api/v2/alerts", self.url)).json(&json!([alert])).send();
        assert_eq!(sent.await.unwrap().status(), 200);
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn runs(server: &Served) -> Vec<Value> {
    let (_, page) = server.get("/api/v1/runs?service=payments", EVE).await;
    page["runs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_real_alertmanager_stages_a_run_and_withdraws_it() {
    let secret = "am-secret";
    let drctl = folder_with("");
    drctl.write("am.secret", secret);
    let hook = format!(
        "[webhooks.main]\nkind = \"alertmanager\"\ntokens = [{{file = \"{}\"}}]\n",
        drctl.path("am.secret").display()
    );
    let text = std::fs::read_to_string(drctl.path("drctl.toml")).unwrap();
    drctl.write("drctl.toml", &(text + &hook));
    drctl.write("runbooks/payments.yaml", &payments(TRIGGERS));
    let server = Served::start(&drctl);
    let alertmanager = Alertmanager::start(&drctl, &server, secret);
    alertmanager.alert("SomethingElse", false).await;
    alertmanager.alert("PaymentsDown", false).await;
    server.until(async || runs(&server).await.len() == 1).await;
    let run = runs(&server).await[0]["run"].as_str().unwrap().to_owned();
    let view = server.run_until(&run, EVE, |view| view["status"] == "staged").await;
    assert_eq!(view["trigger"], "webhook main", "{view:#}");
    alertmanager.alert("PaymentsDown", true).await;
    let view = server.run_until(&run, EVE, |view| view["status"] == "aborted").await;
    assert_eq!(view["interventions"][0]["by"]["name"], "drctl", "{view:#}");
    // Who does not know the token stages nothing.
    let forged = server.request(Method::POST, "/webhooks/alertmanager/main", ANN).body("{}");
    assert_eq!(answer(forged).await.0, 401);
    assert_eq!(runs(&server).await.len(), 1);
}
