//! A real Chromium without a window, spoken to through a pipe: what a page does when a person opens or
//! prints it.
//! Reaches no network: every name and address of one resolves to nothing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A browser with one open page. It is closed when this is dropped.
pub(crate) struct Browser {
    process: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What the page asked for beyond its own file and data inside of it.
    pub(crate) requests: Vec<String>,
    /// What stands in the console, exceptions and refusals of the page's own policy among it.
    pub(crate) console: Vec<String>,
    _folder: TempDir,
}

impl Browser {
    /// Opens a page that is kept in a file.
    pub(crate) fn open(page: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.html");
        std::fs::write(&file, page).unwrap();
        let mut browser = Self::start(folder);
        let target = browser.ask("Target.createTarget", &json!({"url": "about:blank"}));
        let flat = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.ask("Target.attachToTarget", &flat);
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network", "Security", "Audits"] {
            browser.ask(&format!("{domain}.enable"), &json!({}));
        }
        let address = format!("file://{}", file.display());
        let opened = browser.ask("Page.navigate", &json!({"url": address}));
        assert!(opened.get("errorText").is_none(), "{opened}");
        while browser.next()["method"] != "Page.loadEventFired" {}
        browser.requests.retain(|asked| *asked != address && !asked.starts_with("data:"));
        browser
    }

    fn start(folder: TempDir) -> Self {
        // The shell gives the browser its two pipes as the descriptors 3 and 4, which it speaks on.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .arg(program())
            .args([
                "--headless",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args(["--disable-sync", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (commands, told) = (process.stdin.take(), process.stdout.take().unwrap());
        let (send, answers) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(told).split(0).map_while(Result::ok) {
                if send.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        });
        let (requests, console) = (Vec::new(), Vec::new());
        Self { process, commands, answers, session: None, last: 0, requests, console, _folder: folder }
    }

    /// Sends one command and waits for its result; what happens meanwhile is noted.
    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = session.clone().into();
        }
        let line = command.to_string() + "\0";
        self.commands.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        loop {
            let mut message = self.next();
            if message["id"] == self.last {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
        }
    }

    fn next(&mut self) -> Value {
        let message = self.answers.recv_timeout(PATIENCE).expect("chromium does not answer");
        let told = &message["params"];
        match message["method"].as_str() {
            Some("Network.requestWillBeSent") => {
                self.requests.push(told["request"]["url"].as_str().unwrap().to_owned());
            }
            Some("Log.entryAdded") => self.console.push(told["entry"]["text"].to_string()),
            Some("Runtime.consoleAPICalled") => self.console.push(told["args"].to_string()),
            Some("Runtime.exceptionThrown") => self.console.push(told["exceptionDetails"].to_string()),
            Some("Audits.issueAdded") => self.console.push(told["issue"].to_string()),
            Some("Page.javascriptDialogOpening") => panic!("the page opens a dialog: {told}"),
            _ => {}
        }
        message
    }

    /// Makes the page as wide as this, in pixels.
    pub(crate) fn width(&mut self, pixels: u32) {
        let screen = json!({"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": pixels < 600});
        self.ask("Emulation.setDeviceMetricsOverride", &screen);
    }

    /// What an expression of the page's own language gives.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true});
        let mut answer = self.ask("Runtime.evaluate", &asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Prints the page, as PDF.
    pub(crate) fn print(&mut self) -> Vec<u8> {
        let printed = self.ask("Page.printToPDF", &json!({"printBackground": true}));
        base64::engine::general_purpose::STANDARD.decode(printed["data"].as_str().unwrap()).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The end of its pipe ends the browser and all it has started; its folder can be removed then.
        drop(self.commands.take());
        for _ in 0..500 {
            if matches!(self.process.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The browser, by the names that distributions give it.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"];
    let mut all = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.find(|file| is_program(file))
        .expect("Chromium is not installed: these tests open pages in it (Debian: apt-get install chromium)")
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}
