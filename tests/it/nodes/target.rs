//! A target that checks fencing tokens: it remembers the newest of each service, refuses older ones, does
//! what has one idempotency key once, and keeps a list of all. What it is sent may be long on its way: some
//! requests arrive when whoever sent them has been overtaken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

use super::strikes::Random;

/// What the target was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) service: String,
    pub(super) step: String,
    pub(super) token: u64,
    pub(super) key: String,
    pub(super) accepted: bool,
}

struct Book {
    asked: Vec<Asked>,
    newest: BTreeMap<String, u64>,
    done: BTreeSet<(String, String, String)>,
    random: Random,
}

/// The target.
pub(super) struct Target {
    url: String,
    book: Arc<Mutex<Book>>,
}

impl Target {
    /// Opens one on the loopback. Each effect takes so long; one of four requests is up to `late` on its way.
    pub(super) fn open(takes: Duration, late: Duration, seed: u64) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/effects", listener.local_addr().unwrap());
        let (asked, newest, done) = Default::default();
        let book = Arc::new(Mutex::new(Book { asked, newest, done, random: Random(seed) }));
        let router = Router::new().route("/effects/{service}/{step}", post(ask));
        let router = router.with_state(Arc::new(Ways { book: Arc::clone(&book), takes, late }));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                serve(listener, router).await;
            });
        });
        Self { url, book }
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// All it was asked for, in order.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.book.lock().unwrap().asked.clone()
    }

    /// How often a step of a service was done, by different keys.
    pub(super) fn done(&self, service: &str, step: &str) -> usize {
        let book = self.book.lock().unwrap();
        book.done.iter().filter(|(s, t, _)| s == service && t == step).count()
    }
}

async fn serve(listener: tokio::net::TcpListener, router: Router) {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto::Builder;
    while let Ok((stream, _)) = listener.accept().await {
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// What a request meets.
struct Ways {
    book: Arc<Mutex<Book>>,
    takes: Duration,
    late: Duration,
}

async fn ask(
    State(ways): State<Arc<Ways>>,
    Path((service, step)): Path<(String, String)>,
    headers: HeaderMap,
) -> StatusCode {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let (token, key) = (header("x-drctl-fencing-token").parse().unwrap(), header("idempotency-key"));
    // What was sent arrives, whether or not its sender still lives.
    let arriving = tokio::spawn(async move { ways.take(service, step, token, key).await });
    arriving.await.unwrap()
}

impl Ways {
    async fn take(&self, service: String, step: String, token: u64, key: String) -> StatusCode {
        let late = {
            let mut book = self.book.lock().unwrap();
            let most = u64::try_from(self.late.as_millis()).unwrap();
            if most > 0 && book.random.below(4) == 0 { book.random.below(most) } else { 0 }
        };
        tokio::time::sleep(Duration::from_millis(late)).await;
        {
            let mut book = self.book.lock().unwrap();
            let newest = book.newest.get(&service).copied().unwrap_or(0);
            let accepted = token >= newest;
            let (service, key, step) = (service.clone(), key.clone(), step.clone());
            book.asked.push(Asked { service: service.clone(), step, token, key, accepted });
            if !accepted {
                return StatusCode::CONFLICT;
            }
            book.newest.insert(service, token);
        }
        tokio::time::sleep(self.takes).await;
        self.book.lock().unwrap().done.insert((service, step, key));
        StatusCode::OK
    }
}
