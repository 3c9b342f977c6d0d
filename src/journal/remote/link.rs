//! The HTTP side: one client on a thread of its own, so that it outlives the runtime of whoever asks. Never
//! follows a redirect, never reads more than it was told to, and shows neither token nor body.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Access, IN_COMMANDS, answer, wire};
use crate::dial;
use crate::journal::FORMAT;
use crate::ports::{Refusal, RefusalKind};

/// Longest time to establish a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a question may go unanswered.
const READ_WITHIN: Duration = Duration::from_secs(30);
/// How long something that is asked for may take; the server gives up a little earlier.
const DONE_WITHIN: Duration = Duration::from_secs(130);
/// Pauses before a request is sent again that came to nothing.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(600), Duration::from_millis(1_500)];
/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Largest answer; the plan of a large fleet is the largest there is.
const ANSWER_BYTES: usize = 128 * 1024 * 1024;
/// Largest refusal.
const REFUSAL_BYTES: usize = 256 * 1024;
/// The version of the API that is spoken here.
const API: u32 = 1;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    method: Method,
    /// Below `/api/v1/`.
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<String>,
    key: Option<String>,
}

impl Ask {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), query: Vec::new(), body: None, key: None }
    }

    pub(super) fn post<T: Serialize>(path: String, document: &T) -> Result<Self, Refusal> {
        Ok(Self { method: Method::POST, body: Some(written(document)?), ..Self::get(path) })
    }

    pub(super) fn put<T: Serialize>(path: String, document: &T) -> Result<Self, Refusal> {
        Ok(Self { method: Method::PUT, body: Some(written(document)?), ..Self::get(path) })
    }

    pub(super) fn with(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// The same key does it once.
    pub(super) fn keyed(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }
}

fn written<T: Serialize>(document: &T) -> Result<String, Refusal> {
    serde_json::to_string(document)
        .map_err(|error| Refusal::new(RefusalKind::Wrong, format!("it has no JSON form: {error}")))
}

/// What came of a request that was not granted.
struct Trouble {
    refusal: Refusal,
    /// It may be sent again, after at least this long.
    again: Option<Duration>,
}

/// The way to a server.
pub(super) struct Link {
    runtime: Option<tokio::runtime::Runtime>,
    speaker: Speaker,
    about: OnceLock<wire::About>,
}

/// What it takes to send a request.
#[derive(Clone)]
pub(super) struct Speaker {
    client: Client,
    base: Url,
    shown: String,
    token: Option<HeaderValue>,
}

impl Link {
    pub(super) fn new(access: &Access<'_>) -> Result<Self, Refusal> {
        let speaker = Speaker::new(access)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("server")
            .enable_all()
            .build()
            .map_err(|error| Refusal::new(RefusalKind::Unreachable, error.to_string()))?;
        Ok(Self { runtime: Some(runtime), speaker, about: OnceLock::new() })
    }

    pub(super) fn shown(&self) -> &str {
        &self.speaker.shown
    }

    /// Something in an answer is not what it should be.
    pub(super) fn garbled(&self, what: &str) -> Refusal {
        self.speaker.garbled(what)
    }

    /// Runs work beside whoever asks, for as long as this link lives.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<tokio::task::JoinHandle<T>> {
        self.runtime.as_ref().map(|runtime| runtime.spawn(work))
    }

    pub(super) fn speaker(&self) -> Speaker {
        self.speaker.clone()
    }

    /// What the server is: asked before anything else, so that a wrong address, a token that is not known and
    /// a version that is not understood are told as such.
    pub(super) async fn about(&self) -> Result<wire::About, Refusal> {
        if let Some(about) = self.about.get() {
            return Ok(about.clone());
        }
        let bytes = self.send(Ask::get("journal")).await?;
        let about: wire::About = self.parsed(&bytes)?;
        if about.api != API || about.format > FORMAT {
            let message = format!(
                "{} is drctl {}, which this drctl ({}) does not understand",
                self.shown(),
                answer::line(&about.version),
                env!("CARGO_PKG_VERSION")
            );
            return Err(Refusal::new(RefusalKind::Unreachable, message)
                .help("use a drctl of the server's version")
                .reason("server_version"));
        }
        Ok(self.about.get_or_init(|| about).clone())
    }

    /// Asks, and reads the answer as a document.
    pub(super) async fn read<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Refusal> {
        let bytes = self.bytes(ask).await?;
        self.parsed(&bytes)
    }

    /// Asks, and returns the answer as it is.
    pub(super) async fn bytes(&self, ask: Ask) -> Result<Vec<u8>, Refusal> {
        self.about().await?;
        self.send(ask).await
    }

    fn parsed<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Refusal> {
        serde_json::from_slice(bytes).map_err(|error| self.garbled(&answer::line(&error.to_string())))
    }

    async fn send(&self, ask: Ask) -> Result<Vec<u8>, Refusal> {
        let speaker = self.speaker.clone();
        let ended = || Refusal::new(RefusalKind::Unreachable, "this command is about to end");
        let task = self.spawn(async move { speaker.insist(&ask).await }).ok_or_else(ended)?;
        task.await.map_err(|_| ended())?
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Waiting for its thread is not allowed inside another runtime, and there is nothing to wait for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Speaker {
    fn new(access: &Access<'_>) -> Result<Self, Refusal> {
        let wrong = |what: String| Refusal::new(RefusalKind::Wrong, what).reason("server_address");
        let base = address(access.url).map_err(wrong)?;
        let shown = base.as_str().trim_end_matches('/').to_owned();
        let builder = Client::builder()
            .user_agent(concat!("drctl/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT);
        // What is not encrypted goes to this machine alone, never to a proxy.
        let builder = if base.scheme() == "http" { builder.no_proxy() } else { builder };
        let builder = match access.ca_file {
            None => builder,
            Some(path) => {
                let unusable =
                    |why: &dyn std::fmt::Display| wrong(format!("CA file {}: {why}", path.display()));
                let pem = std::fs::read(path).map_err(|error| unusable(&error))?;
                let roots =
                    reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| unusable(&"it is no PEM"))?;
                if roots.is_empty() {
                    return Err(unusable(&"it holds no certificate"));
                }
                builder.tls_certs_only(roots)
            }
        };
        let failed = |error| wrong(format!("TLS cannot be set up: {}", dial::http::told(error)));
        let client = builder.build().map_err(failed)?;
        let token = access.token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| wrong("the token holds characters that no token has".to_owned()))?;
            value.set_sensitive(true);
            Ok::<_, Refusal>(value)
        });
        Ok(Self { client, base, shown, token: token.transpose()? })
    }

    /// Something in an answer is not what it should be.
    pub(super) fn garbled(&self, what: &str) -> Refusal {
        let message = format!("the answer of {} cannot be understood: {what}", self.shown);
        Refusal::new(RefusalKind::Unreachable, message)
            .help("is it the address of a `drctl serve`, and is that of this version?")
            .reason("server_garbled")
    }

    fn unreachable(&self, what: &str) -> Refusal {
        Refusal::new(RefusalKind::Unreachable, format!("{} cannot be reached: {what}", self.shown))
            .help(unreachable_help(what))
            .reason("server_unreachable")
    }

    /// A connection that was there is no more.
    pub(super) fn gone(&self, what: &str) -> Refusal {
        self.unreachable(what)
    }

    /// Sends a request, and again where it came to nothing that can be tried again.
    async fn insist(&self, ask: &Ask) -> Result<Vec<u8>, Refusal> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let trouble = match self.once(ask).await {
                Ok(bytes) => return Ok(bytes),
                Err(trouble) => trouble,
            };
            match (trouble.again, pauses.next()) {
                (Some(asked), Some(pause)) => tokio::time::sleep(asked.max(pause)).await,
                (None, _) | (_, None) => return Err(trouble.refusal),
            }
        }
    }

    async fn once(&self, ask: &Ask) -> Result<Vec<u8>, Trouble> {
        let within = if ask.method == Method::GET { READ_WITHIN } else { DONE_WITHIN };
        let sent = self.request(ask, "application/json").timeout(within).send().await;
        let response = self.accepted(sent).await?;
        self.whole(response, ANSWER_BYTES).await.map_err(|refusal| Trouble { refusal, again: None })
    }

    /// Asks for a stream of events, after a sequence.
    pub(super) async fn stream(&self, path: String, after: u64) -> Result<Response, (Refusal, bool)> {
        let ask = Ask::get(path);
        let request = self.request(&ask, "text/event-stream");
        let request = request.header(HeaderName::from_static("last-event-id"), after);
        let sent = tokio::time::timeout(READ_WITHIN, request.send()).await;
        let Ok(sent) = sent else { return Err((self.unreachable("it does not answer in time"), true)) };
        self.accepted(sent).await.map_err(|trouble| (trouble.refusal, trouble.again.is_some()))
    }

    fn request(&self, ask: &Ask, accept: &'static str) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/api/v1/{}", self.base.path().trim_end_matches('/'), ask.path));
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        let mut request =
            self.client.request(ask.method.clone(), url).header(ACCEPT, HeaderValue::from_static(accept));
        // People read here what the server says.
        request = request.header(HeaderName::from_static(IN_COMMANDS.0), IN_COMMANDS.1);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(key) = &ask.key {
            request = request.header(HeaderName::from_static("idempotency-key"), key);
        }
        match &ask.body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
            None => request,
        }
    }

    /// The response, where it grants what was asked.
    async fn accepted(&self, sent: reqwest::Result<Response>) -> Result<Response, Trouble> {
        let response = sent.map_err(|error| {
            // Everything sent from here may be sent twice: it reads, or carries an id or a key.
            let again = !error.is_builder() && !error.is_timeout();
            let refusal = self.unreachable(&answer::line(&dial::http::told(error)));
            Trouble { refusal, again: again.then_some(Duration::ZERO) }
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let again = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        let pause = pause_of(response.headers());
        let body = self.whole(response, REFUSAL_BYTES).await.unwrap_or_default();
        let refusal = answer::refusal(&self.shown, status, &body);
        Err(Trouble { refusal, again: again.then_some(pause) })
    }

    /// The whole body, if it is no larger than that.
    async fn whole(&self, mut response: Response, most: usize) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        loop {
            let lost = |error| self.unreachable(&answer::line(&dial::http::told(error)));
            let Some(chunk) = response.chunk().await.map_err(lost)? else { return Ok(bytes) };
            if bytes.len().saturating_add(chunk.len()) > most {
                return Err(self.garbled(&format!("it is larger than {} MiB", most / (1024 * 1024))));
            }
            bytes.extend_from_slice(&chunk);
        }
    }
}

/// How long a server wants to be left alone; never long.
fn pause_of(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map_or(Duration::ZERO, Duration::from_secs).min(LONGEST_PAUSE)
}

/// Reads the address of a server. A token must not travel where others can read it.
fn address(text: &str) -> Result<Url, String> {
    // What cannot be read may hold a secret: it is not shown.
    let url = Url::parse(text).map_err(|_| {
        "the address of the server cannot be read: write it like https://dr.example.com".to_owned()
    })?;
    let Some(host) = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")) else {
        return Err("the address of the server must begin with https:// and name a host".to_owned());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the address of the server must hold no password: DRCTL_TOKEN or a token file proves who \
                    asks"
                .to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the address of the server ends before `?` and `#`".to_owned());
    }
    let bare = host.trim_matches(['[', ']']);
    let here = host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if url.scheme() == "http" && !here {
        return Err(format!(
            "http://{host} would carry the token where others can read it: use https://, or a tunnel to 127.0.0.1"
        ));
    }
    Ok(url)
}

/// What to do about a server that cannot be reached, as far as the reason gives it away.
fn unreachable_help(what: &str) -> &'static str {
    if what.contains("InvalidContentType") {
        return "nothing speaks TLS there: is it the port of another program, or the address of a server without TLS?";
    }
    if what.contains("certificate") {
        return "the certificate is not trusted here: name the file with the authority that signed it in DRCTL_CA_FILE \
                or `[client] ca_file`, or use the name that the certificate is made out to";
    }
    "nothing was read from a journal of this machine in its place; if the server is lost, run drctl where it \
     reaches the journal (`--journal`)"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_nowhere_in_the_clear() {
        for good in [
            "https://dr.example.com",
            "https://dr.example.com:8480/drctl/",
            "http://127.0.0.1:8480",
            "http://localhost:1",
            "http://[::1]:8480/",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "dr.example.com",
            "dr.example.com:8480",
            "ftp://dr.example.com",
            "http://dr.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1:8480",
            "https://ann:hunter2@dr.example.com",
            "https://:hunter2@dr.example.com",
            "https://dr.example.com/?token=hunter2",
            "https://dr.example.com/#hunter2",
            "unix:/run/hunter2",
        ] {
            let told = address(bad).unwrap_err();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn no_server_makes_a_command_wait_long() {
        let headers = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            pause_of(&headers)
        };
        assert_eq!(headers("2"), Duration::from_secs(2));
        assert_eq!(headers("86400"), LONGEST_PAUSE);
        assert_eq!(headers("soon"), Duration::ZERO);
    }
}
