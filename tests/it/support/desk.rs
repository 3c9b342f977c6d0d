//! A small web server on the loopback that remembers what it was sent and answers what it is told to.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// Request line and headers, in lower case but for the first line.
    pub(crate) head: String,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Heard {
    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.split_once(": ").filter(|it| it.0 == name).map(|it| it.1))
    }
}

/// The server.
pub(crate) struct Desk {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    heard: Vec<Heard>,
    /// Status line and headers of the next answers; afterwards 200.
    answers: VecDeque<String>,
    /// What is answered when nothing else is said.
    usual: String,
}

impl Desk {
    /// A server that takes everything.
    pub(crate) fn open() -> Self {
        Self::answering("200 OK")
    }

    /// A server that always gives the same answer.
    pub(crate) fn answering(status: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared { usual: status.to_owned(), ..Shared::default() }));
        let at_work = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let at_work = Arc::clone(&at_work);
                std::thread::spawn(move || serve(stream.unwrap(), &at_work));
            }
        });
        Self { address, shared }
    }

    /// Says what the next answers are: status and further header lines.
    pub(crate) fn next(&self, answers: &[&str]) {
        self.shared.lock().unwrap().answers.extend(answers.iter().map(|&answer| answer.to_owned()));
    }

    /// Says what is answered from here on.
    pub(crate) fn usually(&self, status: &str) {
        status.clone_into(&mut self.shared.lock().unwrap().usual);
    }

    /// An address of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was heard so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.shared.lock().unwrap().heard.clone()
    }
}

fn serve(mut stream: TcpStream, shared: &Mutex<Shared>) {
    let Some(heard) = read(&mut stream) else { return };
    let answer = {
        let mut shared = shared.lock().unwrap();
        shared.heard.push(heard);
        shared.answers.pop_front().unwrap_or_else(|| shared.usual.clone())
    };
    let (status, headers) = answer.split_once('\n').unwrap_or((&answer, ""));
    let headers = headers.lines().fold(String::new(), |text, line| text + line + "\r\n");
    let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: 3\r\nconnection: close\r\n\r\nok\n");
    drop(stream.write_all(text.as_bytes()));
}

fn read(stream: &mut TcpStream) -> Option<Heard> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let read = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return Some(Heard { head, body: bytes[end + 4..].to_vec() });
            }
        }
        if read == 0 {
            return None;
        }
    }
}
