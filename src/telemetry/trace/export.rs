//! Sends spans to a collector: OTLP over HTTP, as protobuf. A collector that is gone costs spans, never a
//! step: the queue has an end, and what does not fit is counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode};

use super::span::Span;
use super::wire;
use crate::model::values::Secret;
use crate::ports::{CancelSignal, SecretSource};
use crate::telemetry::Metrics;

/// Most spans that wait.
const WAITING: usize = 4_096;
/// Most spans of one request.
const BATCH: usize = 512;
/// Pause between two looks at the queue.
const POLL: Duration = Duration::from_millis(500);
/// Longest pause after failures.
const LONGEST: Duration = Duration::from_secs(30);
/// Longest time of one request.
const WITHIN: Duration = Duration::from_secs(5);

/// Spans that wait to be sent.
#[derive(Clone)]
pub struct Spans {
    queue: Arc<Mutex<VecDeque<Span>>>,
    metrics: Arc<Metrics>,
}

impl Spans {
    /// An empty queue; what does not fit is counted.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { queue: Arc::default(), metrics }
    }

    /// Adds a span. The oldest ones give way.
    pub fn push(&self, span: Span) {
        let mut queue = self.lock();
        queue.push_back(span);
        if queue.len() > WAITING {
            queue.pop_front();
            self.metrics.spans_dropped.inc();
        }
    }

    /// Takes the oldest ones, at most so many.
    #[must_use]
    pub fn pop(&self, most: usize) -> Vec<Span> {
        let mut queue = self.lock();
        let count = queue.len().min(most);
        queue.drain(..count).collect()
    }

    fn put_back(&self, spans: Vec<Span>) {
        let mut queue = self.lock();
        let room = WAITING.saturating_sub(queue.len());
        let lost = spans.len().saturating_sub(room);
        self.metrics.spans_dropped.inc_by(lost as u64);
        spans.into_iter().skip(lost).rev().for_each(|span| queue.push_front(span));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends spans.
pub struct Exporter {
    /// Address that takes traces.
    pub url: String,
    /// Headers of each request, as secrets.
    pub headers: BTreeMap<String, Secret>,
    /// What reads them.
    pub source: Arc<dyn SecretSource>,
    /// Attributes of the process that sends.
    pub resource: BTreeMap<String, String>,
}

/// Why spans were not taken.
enum Fault {
    /// They may be later.
    Later(String),
    /// They never will.
    Refused(String),
}

impl Exporter {
    /// Sends what comes into the queue until it is told to end; then what is there is tried once more.
    pub async fn run(self, spans: Spans, ended: CancelSignal) {
        let client =
            match Client::builder().timeout(WITHIN).redirect(reqwest::redirect::Policy::none()).build() {
                Ok(client) => client,
                Err(error) => return tracing::error!("no traces are sent: {error}"),
            };
        let mut pause = POLL;
        loop {
            let over = ended.is_cancelled();
            let batch = spans.pop(BATCH);
            let sent = if batch.is_empty() { Ok(()) } else { self.send(&client, &batch).await };
            let more = batch.len() == BATCH && sent.is_ok();
            match sent {
                Ok(()) => pause = POLL,
                Err(Fault::Later(why)) => {
                    tracing::warn!("traces wait for {}: {why}", self.place());
                    spans.put_back(batch);
                    pause = (pause * 2).min(LONGEST);
                }
                Err(Fault::Refused(why)) => {
                    tracing::error!("{} refuses {} spans: {why}", self.place(), batch.len());
                    spans.metrics.spans_dropped.inc_by(batch.len() as u64);
                }
            }
            if more {
                continue;
            }
            if over {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = ended.cancelled() => {}
            }
        }
    }

    async fn send(&self, client: &Client, batch: &[Span]) -> Result<(), Fault> {
        let values =
            self.source.resolve(&self.headers).await.map_err(|error| Fault::Later(error.to_string()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &values {
            let bad = || Fault::Refused(format!("header `{name}` is none"));
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let request = client
            .post(&self.url)
            .headers(headers)
            .header("Content-Type", "application/x-protobuf")
            .body(wire::encode(batch, &self.resource));
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_builder() => return Err(Fault::Refused(error.without_url().to_string())),
            Err(error) => return Err(Fault::Later(error.without_url().to_string())),
        };
        match answer.status() {
            status if status.is_success() => Ok(()),
            // Those that the protocol says may be tried again.
            status @ (StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT) => Err(Fault::Later(status.to_string())),
            status => Err(Fault::Refused(status.to_string())),
        }
    }

    /// The address as far as it may be shown.
    fn place(&self) -> String {
        let shown = reqwest::Url::parse(&self.url).ok();
        let shown = shown.and_then(|url| Some(format!("{}://{}", url.scheme(), url.host_str()?)));
        shown.unwrap_or_else(|| "the collector".to_owned())
    }
}
