//! Metrics and traces of a process, as a configuration says.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::host_name;
use crate::config::{self, Config, TelemetrySection};
use crate::notify::Observer;
use crate::ports::{CancelSignal, CancelSwitch, Journal};
use crate::providers::secret::Secrets;
use crate::runtime::SystemClock;
use crate::telemetry::trace::{Exporter, Spans, Tracer};
use crate::telemetry::{Follower, Metrics};

/// Counts what an outbox does.
pub struct Counted(pub Arc<Metrics>);

impl Observer for Counted {
    fn waiting(&self, target: &str, notices: usize) {
        self.0.notices_waiting(target, notices);
    }

    fn failed(&self, target: &str) {
        self.0.notice_failed(target);
    }
}

/// Name under which this process drives runs.
#[must_use]
pub fn holder(config: &Config) -> String {
    format!("{}@{} (pid {})", config.user, host_name(), std::process::id())
}

/// Follows a journal for metrics and, where the configuration says where they go, traces of the runs that
/// this process drives. Ends when it is told to, after what is there was sent.
pub async fn follow(
    config: Config,
    journal: Arc<dyn Journal>,
    metrics: Arc<Metrics>,
    begin: Option<u64>,
    ended: CancelSignal,
) {
    let spans = Spans::new(Arc::clone(&metrics));
    let exporter = exporter(&config.telemetry);
    let tracer = exporter.as_ref().map(|_| Tracer::new(Some(holder(&config)), spans.clone()));
    let clock = Arc::new(SystemClock::real());
    let follower = Follower { journal, clock, metrics, tracer, begin };
    // Spans of the last facts are made before the exporter is told to end.
    let (all_made, made) = CancelSwitch::new();
    let following = async {
        follower.run(ended).await;
        all_made.cancel();
    };
    match exporter {
        Some(exporter) => {
            tokio::join!(following, exporter.run(spans, made));
        }
        None => following.await,
    }
}

fn exporter(section: &TelemetrySection) -> Option<Exporter> {
    let url = section.traces_url.clone()?;
    // Every HTTP client needs one; an error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut resource = BTreeMap::from([
        ("service.name".to_owned(), "drctl".to_owned()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("host.name".to_owned(), host_name()),
        ("process.pid".to_owned(), std::process::id().to_string()),
    ]);
    resource.extend(section.resource.clone());
    let source = Arc::new(Secrets::new(config::environment));
    Some(Exporter { url, headers: section.secrets(), source, resource })
}
