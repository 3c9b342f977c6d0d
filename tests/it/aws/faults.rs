//! A proxy before an emulator that fails as AWS fails: throttles, errors, lost regions, lost answers.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Caller, client, said};
use super::estate::{free_port, python};

/// The proxy. It ends when this is dropped.
pub(super) struct Faults {
    child: Child,
    caller: Caller,
}

impl Faults {
    /// A proxy before an emulator, without any fault yet.
    pub(super) async fn before(upstream: &Caller) -> Self {
        let port = free_port();
        let child = Command::new(python("microburst"))
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--no-resign"])
            .args(["--upstream", &upstream.endpoint])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let caller = Caller { endpoint: format!("http://127.0.0.1:{port}"), ..upstream.clone() };
        let faults = Self { child, caller };
        for _ in 0..600 {
            let asked = client().get(format!("{}/_microburst/fired", faults.caller.endpoint)).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return faults;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the fault proxy does not start");
    }

    /// The emulator as seen through the proxy.
    pub(super) fn caller(&self) -> Caller {
        self.caller.clone()
    }

    /// Replaces the faults.
    pub(super) async fn set(&self, rules: Value) {
        let request = client().post(format!("{}/_microburst/rules", self.caller.endpoint));
        let answer = said(request.json(&rules)).await;
        assert!(answer.status < 300, "{} {}", answer.status, answer.text);
    }

    /// A region that is lost: every call signed for it is cut.
    pub(super) fn lost_region(region: &str) -> Value {
        json!([{"service": "*", "region": region, "reset": true}])
    }

    /// An answer that is lost after the call has been applied.
    pub(super) fn lost_answer(service: &str, operation: &str) -> Value {
        json!([{"service": service, "operation": operation, "times": 1, "response": {"abort_frac": 0.3}}])
    }

    /// What the faults have done.
    pub(super) async fn fired(&self) -> Value {
        said(client().get(format!("{}/_microburst/fired", self.caller.endpoint))).await.json()
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
