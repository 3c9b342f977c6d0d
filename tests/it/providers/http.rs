//! `http.request` and `http.check` against a small server on the loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use drctl::engine::input::{Direction, Observation};
use drctl::model::run::{Failure, FailureClass};
use drctl::ports::{AttemptContext, Provider as _, Started};
use drctl::providers::HttpProvider;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::attempt::{action, context};

/// What the server does with a request.
#[derive(Debug, Clone)]
enum Reply {
    /// Answers with these bytes and closes.
    Bytes(Vec<u8>),
    /// Reads the request and closes without an answer.
    HangUp,
    /// Reads the request and stays silent.
    Silence,
}

/// A server that treats all requests alike and remembers them.
struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(reply: Reply) -> Self {
        static TLS: Once = Once::new();
        TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (reply, seen) = (reply.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let request = read_request(&mut stream).await;
                    seen.lock().unwrap().push(request);
                    match reply {
                        Reply::Bytes(bytes) => drop(stream.write_all(&bytes).await),
                        Reply::HangUp => {}
                        Reply::Silence => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, requests }
    }

    async fn answering(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        Self::start(Reply::Bytes(text.into_bytes())).await
    }

    fn url(&self, rest: &str) -> String {
        format!("http://{}{rest}", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if read == 0 {
                return text;
            }
            continue;
        };
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if read == 0 || body.len() >= length {
            return text;
        }
    }
}

async fn perform(name: &str, with: Value, context: &AttemptContext) -> Result<Map<String, Value>, Failure> {
    match HttpProvider::new().start(&action(name, with), context).await? {
        Started::Done(outputs) => Ok(outputs),
        Started::Handle(handle) => panic!("still under way: {handle}"),
    }
}

#[tokio::test]
async fn a_request_carries_its_key_and_returns_the_answer() {
    let server = Server::answering("201 Created", "", r#"{"id": 7}"#).await;
    let (context, _switch) = context();
    let with = json!({"method": "POST", "url": server.url("/moves?x=1"), "json": {"to": "west"},
                     "headers": {"X-Api-Key": "k"}});
    let outputs = perform("http.request", with, &context).await.unwrap();
    assert_eq!(Value::Object(outputs), json!({"status": 201, "json": {"id": 7}}));
    let request = server.requests().remove(0);
    for part in [
        "POST /moves?x=1 HTTP/1.1\r\n",
        &format!("idempotency-key: {}\r\n", context.idempotency_key),
        "x-drctl-fencing-token: 7\r\n",
        "x-drctl-run: payments-abcdefgh\r\n",
        "\r\ntraceparent: 00-",
        "x-api-key: k\r\n",
        concat!("user-agent: drctl/", env!("CARGO_PKG_VERSION")),
        "{\"to\":\"west\"}",
    ] {
        assert!(request.contains(part), "{part} is not in {request}");
    }
}

#[tokio::test]
async fn statuses_decide_the_class_by_what_is_at_stake() {
    for (status, method, idempotent, class) in [
        ("500 Oops", "POST", false, FailureClass::InDoubt),
        ("504 Oops", "POST", true, FailureClass::Transient),
        ("502 Oops", "GET", false, FailureClass::Transient),
        ("404 Oops", "POST", false, FailureClass::Permanent),
        ("301 Oops", "POST", false, FailureClass::Permanent),
        ("503 Oops", "POST", false, FailureClass::Throttled),
    ] {
        let server =
            Server::answering(status, "location: /elsewhere\r\nretry-after: 4\r\n", "sorry\u{1b}").await;
        let with = json!({"method": method, "url": server.url("/"), "idempotent": idempotent});
        let failure = perform("http.request", with, &context().0).await.unwrap_err();
        assert_eq!(failure.class, class, "{status}: {failure}");
        assert!(failure.message.contains(&status[..3]) && failure.message.contains("sorry"), "{failure}");
        assert!(!failure.message.contains('\u{1b}'), "{failure}");
        let asked = failure.retry_after.map(drctl::model::time::Duration::as_millis);
        assert_eq!(asked, (class == FailureClass::Throttled).then_some(4_000));
        assert_eq!(server.requests().len(), 1, "one try, and no redirect followed");
    }
}

#[tokio::test]
async fn an_answer_lost_after_the_request_was_sent_is_in_doubt() {
    let server = Server::start(Reply::HangUp).await;
    for (method, idempotent, class) in [
        ("POST", false, FailureClass::InDoubt),
        ("DELETE", true, FailureClass::Transient),
        ("GET", false, FailureClass::Transient),
    ] {
        let before = server.requests().len();
        let with = json!({"method": method, "url": server.url("/"), "idempotent": idempotent});
        let failure = perform("http.request", with, &context().0).await.unwrap_err();
        assert_eq!(failure.class, class, "{failure}");
        assert_eq!(server.requests().len(), before + 1, "one try");
    }
}

#[tokio::test]
async fn a_request_given_up_is_in_doubt_when_it_may_have_changed_something() {
    let server = Server::start(Reply::Silence).await;
    for (method, class) in [("PUT", FailureClass::InDoubt), ("GET", FailureClass::TimedOut)] {
        let (context, switch) = context();
        let with = json!({"method": method, "url": server.url("/")});
        let before = server.requests().len();
        let give_up = async {
            while server.requests().len() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            switch.cancel();
        };
        let (outcome, ()) = tokio::join!(perform("http.request", with, &context), give_up);
        assert_eq!(outcome.unwrap_err().class, class);
    }
}

#[tokio::test]
async fn nobody_listening_means_nothing_was_sent() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let _tls = Server::start(Reply::HangUp).await;
    for name in ["http.request", "http.check"] {
        let mut with = json!({"url": format!("http://{free}/")});
        if name == "http.request" {
            with["method"] = json!("POST");
        }
        let failure = perform(name, with, &context().0).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Unreachable, "{failure}");
    }
}

#[tokio::test]
async fn a_body_lost_after_a_success_is_no_failure_of_a_change() {
    let half = Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":".to_vec());
    let server = Server::start(half).await;
    let with = |method: &str| json!({"method": method, "url": server.url("/")});
    let outputs = perform("http.request", with("POST"), &context().0).await.unwrap();
    assert_eq!(outputs["status"], 200);
    assert!(outputs.contains_key("drctl_note"));
    assert_eq!(
        perform("http.request", with("GET"), &context().0).await.unwrap_err().class,
        FailureClass::Transient
    );
}

#[tokio::test]
async fn a_large_body_is_cut_off() {
    let body = "x".repeat(drctl::model::limits::OUTPUT_BYTES + 100);
    let server = Server::answering("200 OK", "", &body).await;
    let outputs = perform("http.request", json!({"method": "GET", "url": server.url("/")}), &context().0)
        .await
        .unwrap();
    let text = outputs["body"].as_str().unwrap();
    assert!(text.ends_with("x\n[cut off by drctl]") && text.len() < body.len());
}

#[tokio::test]
async fn secrets_do_not_show() {
    let (mut context, _switch) = context();
    context.sensitive = true;
    let server = Server::answering("403 No", "", "bad token hunter2").await;
    let url = format!("http://user:hunter2@{}/hunter2?key=hunter2", server.address);
    let with = json!({"method": "POST", "url": url});
    let failure = perform("http.request", with.clone(), &context).await.unwrap_err();
    assert!(failure.message.contains("403") && !failure.message.contains("hunter2"), "{failure}");
    let failure = perform("http.check", json!({"url": url}), &context).await.unwrap_err();
    assert!(!failure.message.contains("hunter2"), "{failure}");
    let server = Server::answering("200 OK", "", r#"{"token": "hunter2"}"#).await;
    let outputs =
        perform("http.request", json!({"method": "POST", "url": server.url("/")}), &context).await.unwrap();
    assert_eq!(Value::Object(outputs), json!({"status": 200}));
}

#[tokio::test]
async fn a_check_says_what_it_saw_and_what_it_expected() {
    let server = Server::answering("200 OK", "", r#"{"status": "standby", "db": {"ok": true}}"#).await;
    let healthy = json!({"url": server.url("/health"), "json": {"/db/ok": true}, "max_latency": "5s"});
    let outputs = perform("http.check", healthy, &context().0).await.unwrap();
    assert_eq!((&outputs["status"], &outputs["json"]["status"]), (&json!(200), &json!("standby")));
    assert!(outputs["latency_ms"].is_u64());
    for (more, words) in [
        (json!({"json": {"/status": "active"}}), "`/status` is \"standby\", expected \"active\""),
        (json!({"json": {"/nothing": 1}}), "`/nothing` is not there"),
        (json!({"expect": [204]}), "status 200, expected 204"),
    ] {
        let mut with = json!({"url": server.url("/health")});
        with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let failure = perform("http.check", with, &context().0).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Transient, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[tokio::test]
async fn a_slow_answer_fails_a_check_with_a_latency() {
    let server = Server::start(Reply::Silence).await;
    let with = json!({"url": server.url("/"), "max_latency": "50ms"});
    let failure = perform("http.check", with, &context().0).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient);
    assert!(failure.message.contains("within 50ms"), "{failure}");
}

#[tokio::test]
async fn every_address_of_a_check_must_be_healthy() {
    let good = Server::answering("200 OK", "", "").await;
    let bad = Server::answering("500 Oops", "", "").await;
    let with = |addresses: Value| json!({"url": "http://payments.invalid/health", "addresses": addresses});
    let both = json!([good.address.to_string(), good.address.to_string()]);
    perform("http.check", with(both), &context().0).await.unwrap();
    assert!(good.requests().iter().all(|request| request.contains("host: payments.invalid\r\n")));
    assert_eq!(good.requests().len(), 2);
    let one_bad = json!([good.address.to_string(), bad.address.to_string()]);
    let failure = perform("http.check", with(one_bad), &context().0).await.unwrap_err();
    assert!(failure.message.contains(&bad.address.to_string()), "{failure}");
    assert!(!failure.message.contains(&good.address.to_string()), "{failure}");
    let failure = perform("http.check", with(json!(["elsewhere"])), &context().0).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
}

#[tokio::test]
async fn doubt_about_a_request_is_resolved_by_its_check_or_not_at_all() {
    let (context, _switch) = context();
    let server = Server::answering("200 OK", "", r#"{"site": "west"}"#).await;
    let request = |observe: Value| {
        action("http.request", json!({"method": "POST", "url": server.url("/"), "observe": observe}))
    };
    let provider = HttpProvider::new();
    let applied = request(json!({"url": server.url("/site"), "json": {"/site": "west"}}));
    assert!(matches!(provider.observe(&applied, &context, None).await, Observation::Applied(_)));
    let not_applied = request(json!({"url": server.url("/site"), "json": {"/site": "east"}}));
    assert_eq!(provider.observe(&not_applied, &context, None).await, Observation::NotApplied);
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = request(json!({"url": format!("http://{free}/")}));
    assert!(matches!(provider.observe(&silent, &context, None).await, Observation::Unknown(_)));
    assert!(matches!(provider.observe(&request(json!(null)), &context, None).await, Observation::Unknown(_)));
}

#[tokio::test]
async fn what_cannot_be_sent_is_permanent() {
    let server = Server::answering("200 OK", "", "").await;
    for with in [
        json!({"method": "POST", "url": "nonsense"}),
        json!({"method": "POST", "url": server.url("/"), "json": 1, "body": "x"}),
        json!({"method": "POST", "url": server.url("/"), "headers": {"bad name": "x"}}),
    ] {
        let failure = perform("http.request", with, &context().0).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent, "{failure}");
    }
    let (mut context, _switch) = context();
    context.direction = Direction::Undo;
    let failure = perform("http.request", json!({"method": "POST", "url": server.url("/")}), &context)
        .await
        .unwrap_err();
    assert!(failure.message.contains("no undo"), "{failure}");
    assert!(server.requests().is_empty());
}
