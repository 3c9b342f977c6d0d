//! A loopback HTTP server that knows from each request its region, its operation and its parameters.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::aws::client::Caller;

/// A request: of the query protocol, of JSON, or of REST.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) region: String,
    /// The operation; in the REST protocols method and path, such as `GET /clusters/payments`.
    pub(crate) action: String,
    pub(crate) body: String,
    /// Id of the access key that signed it.
    pub(crate) key: String,
    /// Form or query parameters.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The body where it is JSON, else null.
    pub(crate) json: Value,
}

impl Request {
    /// A parameter; empty where it is not given.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The values of a list: `Name.1`, or `Name.Member.1` in whichever spelling.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let begins = format!("{name}.");
        let own = self.parameters.iter().filter(|(key, _)| key.starts_with(&begins));
        own.map(|(_, value)| value.clone()).collect()
    }
}

/// Status and body; status 0 closes the connection without a word.
pub(crate) type Response = (u16, String);

/// What a fake does with a request.
pub(crate) type Service = Box<dyn FnMut(&Request) -> Response + Send>;

#[derive(Default)]
struct Weather {
    /// Every request, in order: region and operation.
    seen: Vec<(String, String)>,
    /// Operations whose next answer is lost after they were applied.
    lose: Vec<String>,
    /// Operations that are applied and never answered: the connection stays open until the caller gives up.
    hold: Vec<String>,
    /// How many callers wait for such an answer.
    held: usize,
    /// Regions that cut every connection.
    lost: Vec<String>,
    /// Operations whose next request is not served, but answered with this.
    instead: Vec<(String, Response)>,
}

/// A running fake. It ends when this is dropped.
pub(crate) struct Fake {
    address: std::net::SocketAddr,
    weather: Arc<Mutex<Weather>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    /// Starts a fake on a free port.
    pub(crate) fn start(service: Service) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (weather, ended) = (Arc::new(Mutex::new(Weather::default())), Arc::new(AtomicBool::new(false)));
        let service = Arc::new(Mutex::new(service));
        let (shared, stop) = (Arc::clone(&weather), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (service, weather) = (Arc::clone(&service), Arc::clone(&shared));
                std::thread::spawn(move || serve(stream, &service, &weather));
            }
        });
        Self { address, weather, ended, thread: Some(thread) }
    }

    /// The fake as an emulator.
    pub(crate) fn caller(&self) -> Caller {
        let account = "111122223333".to_owned();
        Caller { endpoint: format!("http://{}", self.address), key: account.clone(), account }
    }

    /// The next answer of an operation is lost; the operation is applied.
    pub(crate) fn lose_answer(&self, action: &str) {
        self.weather.lock().unwrap().lose.push(action.to_owned());
    }

    /// The next request whose operation begins like that is answered with an error of JSON, and not served.
    pub(crate) fn refuse_once(&self, action: &str, status: u16, code: &str) {
        let body = serde_json::json!({"__type": code, "Code": code, "message": "told to"}).to_string();
        self.weather.lock().unwrap().instead.push((action.to_owned(), (status, body)));
    }

    /// The next order of an operation is applied and not answered.
    pub(crate) fn hold_answer(&self, action: &str) {
        self.weather.lock().unwrap().hold.push(action.to_owned());
    }

    /// How many orders were applied and not answered.
    pub(crate) fn held(&self) -> usize {
        self.weather.lock().unwrap().held
    }

    /// Every connection for a region is cut from now on.
    pub(crate) fn lose_region(&self, region: &str) {
        self.weather.lock().unwrap().lost.push(region.to_owned());
    }

    /// How often an operation arrived.
    pub(crate) fn count(&self, action: &str) -> usize {
        self.weather.lock().unwrap().seen.iter().filter(|(_, seen)| seen == action).count()
    }

    /// The region an operation was last asked in.
    pub(crate) fn region_of(&self, action: &str) -> Option<String> {
        let weather = self.weather.lock().unwrap();
        weather.seen.iter().rev().find(|(_, seen)| seen == action).map(|(region, _)| region.clone())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, service: &Mutex<Service>, weather: &Mutex<Weather>) {
    let Some(request) = read(&stream) else { return };
    {
        let mut weather = weather.lock().unwrap();
        if weather.lost.contains(&request.region) {
            return;
        }
        weather.seen.push((request.region.clone(), request.action.clone()));
    }
    let instead = {
        let mut weather = weather.lock().unwrap();
        let at = weather.instead.iter().position(|(action, _)| request.action.starts_with(action));
        at.map(|at| weather.instead.remove(at).1)
    };
    let (status, body) = instead.unwrap_or_else(|| (service.lock().unwrap())(&request));
    let lose = {
        let mut weather = weather.lock().unwrap();
        let at = weather.lose.iter().position(|action| *action == request.action);
        at.map(|at| weather.lose.remove(at)).is_some()
    };
    if lose || status == 0 {
        return;
    }
    let hold = {
        let mut weather = weather.lock().unwrap();
        let at = weather.hold.iter().position(|action| *action == request.action);
        let hold = at.map(|at| weather.hold.remove(at)).is_some();
        weather.held += usize::from(hold);
        hold
    };
    if hold {
        let _ = stream.read(&mut [0; 1]);
        return;
    }
    let form = if body.starts_with('{') { "application/json" } else { "text/xml" };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {form}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length, mut region, mut key) = (String::new(), 0, String::new(), String::new());
    let mut operation = None;
    reader.read_line(&mut line).ok()?;
    let method = line.split(' ').next()?.to_owned();
    let target = line.split(' ').nth(1)?.to_owned();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            // Credential=KEY/DATE/REGION/SERVICE/aws4_request
            "authorization" => {
                value.split('/').nth(2).unwrap_or_default().clone_into(&mut region);
                let begin = value.split('/').next().unwrap_or_default();
                begin.rsplit('=').next().unwrap_or_default().clone_into(&mut key);
            }
            "x-amz-target" => operation = value.trim().rsplit('.').next().map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let json = serde_json::from_str(&body).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let is_form = query.is_empty() && json == Value::Null && !body.starts_with('<');
    let form = if is_form { body.as_str() } else { query };
    let parameters: BTreeMap<String, String> = form
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    let operation = operation.or_else(|| parameters.get("Action").cloned());
    let action = operation.unwrap_or_else(|| format!("{method} {}", decoded(path)));
    Some(Request { region, action, body, key, parameters, json })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                let digits = std::str::from_utf8(&digits).unwrap_or("00");
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
