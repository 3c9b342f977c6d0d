//! PagerDuty's REST API, as far as it is used, against a server on this machine.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use drctl::ports::{IncidentState, Incidents, Notes};
use drctl::providers::incident::PagerDuty;

/// Answers each request with the next of these, and hands on what was asked.
fn server(answers: Vec<(&'static str, String)>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (asked, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4_096];
            // The body of a note comes with its head or right after it.
            while !is_whole(&request) {
                let read = stream.read(&mut part).unwrap();
                assert_ne!(read, 0, "the request broke off");
                request.extend_from_slice(&part[..read]);
            }
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).unwrap();
            asked.send(String::from_utf8(request).unwrap()).unwrap();
        }
    });
    (address, requests)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn ready() {
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[tokio::test]
async fn an_incident_is_asked_about() {
    ready();
    let status = |word: &str| format!(r#"{{"incident":{{"id":"P1","status":"{word}"}}}}"#);
    let (address, requests) = server(vec![
        ("200 OK", status("triggered")),
        ("200 OK", status("acknowledged")),
        ("200 OK", status("resolved")),
        ("200 OK", "{}".to_owned()),
        ("200 OK", "<html>".to_owned()),
        ("404 Not Found", "{}".to_owned()),
        ("302 Found", String::new()),
    ]);
    let pager = PagerDuty::new(&format!("{address}/"), "t0ken".to_owned(), None);
    assert_eq!(pager.state("P1").await, Ok(IncidentState::Open));
    let request = requests.recv().unwrap();
    assert!(request.starts_with("GET /incidents/P1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Token token=t0ken\r\n"), "{request}");
    assert!(request.contains("accept: application/vnd.pagerduty+json;version=2\r\n"), "{request}");
    assert_eq!(pager.state("P1").await, Ok(IncidentState::Open));
    assert_eq!(pager.state("P1").await, Ok(IncidentState::Resolved));
    for words in ["no status", "no JSON", "answered 404", "answered 302"] {
        let error = pager.state("P1/../x").await.unwrap_err();
        assert!(error.message.contains(words) && !error.message.contains("t0ken"), "{error}");
    }
    let escaped = requests.iter().nth(2).unwrap();
    assert!(escaped.starts_with("GET /incidents/P1%2F%2E%2E%2Fx HTTP/1.1\r\n"), "{escaped}");
    // Nobody listens any more.
    let error = pager.state("P1").await.unwrap_err();
    assert!(error.message.contains("did not answer") && !error.message.contains("t0ken"), "{error}");
}

#[tokio::test]
async fn a_note_is_written_in_somebodys_name() {
    ready();
    let (address, requests) =
        server(vec![("201 Created", "{}".to_owned()), ("403 Forbidden", "{}".to_owned())]);
    let pager = PagerDuty::new(&address, "t0ken".to_owned(), Some("dr@example.com".to_owned()));
    assert_eq!(pager.note("P1", "drctl start pay-1").await, Ok(()));
    let request = requests.recv().unwrap();
    assert!(request.starts_with("POST /incidents/P1/notes HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nfrom: dr@example.com\r\n"), "{request}");
    assert!(request.ends_with(r#"{"note":{"content":"drctl start pay-1"}}"#), "{request}");
    assert!(pager.note("P1", "x").await.unwrap_err().message.contains("403"));
    let nobody = PagerDuty::new(&address, "t0ken".to_owned(), None);
    assert!(nobody.note("P1", "x").await.unwrap_err().message.contains("notes_from"));
}
