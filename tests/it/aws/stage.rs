//! The emulated estate of `tests/estate.sh`, one for each test, with the built drctl beside it: the shipped
//! runbooks are run on it as they stand.

use std::fs::File;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::client::{client, said};
use super::estate::{python, root};

/// An estate and a folder from which drctl works on it. Both end when this is dropped.
pub(super) struct Stage {
    folder: tempfile::TempDir,
    child: Child,
    addresses: Value,
}

/// How a command ended.
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ended {
    /// The one JSON document on standard output.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }

    /// It succeeded. Whether the loss of data stays below a minute depends on when CloudWatch was last told.
    pub(super) fn is_well(&self) -> bool {
        [0, 9].contains(&self.code)
    }

    /// Everything that was printed.
    pub(super) fn all(&self) -> String {
        format!("exit {}\n{}{}", self.code, self.stdout, self.stderr)
    }
}

impl Stage {
    /// Brings up the estate of one runbook, in which nothing takes time.
    pub(super) fn of(runbook: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("stage.log")).unwrap();
        let mut child = Command::new(python("python"))
            .arg(root().join("tests/estate/stage.py"))
            .arg(folder.path())
            .args(["--with-parent", "--only", runbook, "--pace", "0"])
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let place = folder.path().join("estate.json");
        for _ in 0..2_400 {
            if let Ok(text) = std::fs::read_to_string(&place) {
                let addresses = serde_json::from_str(&text).unwrap();
                return Self { folder, child, addresses };
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(folder.path().join("stage.log")).unwrap_or_default();
        let _ = child.kill();
        let _ = child.wait();
        panic!("the estate does not come up: {log}");
    }

    /// drctl with its words, at work on the estate.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drctl"));
        command.arg("--local").args(words).current_dir(self.folder.path()).env_clear();
        command.envs([("TZ", "UTC"), ("USER", "alice")]).env("HOME", self.folder.path());
        for (name, value) in self.addresses["environment"].as_object().unwrap() {
            command.env(name, value.as_str().unwrap());
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs drctl to its end.
    pub(super) fn drctl(&self, words: &[&str]) -> Ended {
        let output = self.command(words).output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A failover of the runbook with further words, and the run as JSON.
    pub(super) fn failover(&self, runbook: &str, more: &[&str]) -> Ended {
        let words = ["failover", runbook, "--reason", "region lost", "--yes", "-o", "json"];
        self.drctl(&[&words[..], more].concat())
    }

    /// Asks the estate with the vendor's own SDK: `client(service, region)` is there, and what the last
    /// expression says is printed as JSON.
    pub(super) fn ask(&self, expression: &str) -> Value {
        let program = format!(
            "import boto3, json\n\
             def client(service, region):\n    \
                 return boto3.client(service, region_name=region, endpoint_url='{}',\n        \
                     aws_access_key_id='111122223333', aws_secret_access_key='not-checked')\n\
             print(json.dumps({expression}, default=str))\n",
            self.addresses["inner"].as_str().unwrap()
        );
        let mut child = Command::new(python("python"))
            .arg("-")
            .env_remove("HTTPS_PROXY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Cuts every connection for a region from now on, of AWS and of the applications there.
    pub(super) async fn lose(&self, region: &str) {
        self.control("lose", region).await;
    }

    /// A region that was lost is there again.
    pub(super) async fn give_back(&self, region: &str) {
        self.control("return", region).await;
    }

    async fn control(&self, order: &str, region: &str) {
        let address = format!("{}/{order}/{region}", self.addresses["control"].as_str().unwrap());
        let answer = said(client().post(address)).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        for _ in 0..200 {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
