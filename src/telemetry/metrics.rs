//! The metrics of a process, in a registry of its own: their names, their labels, and what they are set to.
//! Every label has a bounded number of values; no label is the id of a run.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::exposition::{self, Exposition};
use crate::evidence::readiness::Readiness;
use crate::model::time::Duration;
use crate::ports::Node;

/// Most services with values of their own; the others are called [`OTHERS`].
const SERVICES: usize = 500;
/// What services beyond the limit are called.
const OTHERS: &str = "other";
/// Bounds of the durations of steps and recoveries, in seconds.
const MINUTES: [f64; 14] =
    [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0];
/// Bounds of the durations of appends to the journal, in seconds.
const MILLIS: [f64; 12] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// Names and values of labels.
pub(super) type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Whole<const N: usize> = Family<Labels<N>, Gauge>;
type Gauges<const N: usize> = Family<Labels<N>, Gauge<f64, std::sync::atomic::AtomicU64>>;
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// The metrics of a process.
pub struct Metrics {
    registry: Registry,
    services: Mutex<BTreeSet<String>>,
    pub(super) runs_started: Counters<2>,
    pub(super) runs_ended: Counters<4>,
    pub(super) runs_taken_over: Counters<1>,
    pub(super) runs_open: Whole<2>,
    pub(super) runs_waiting: Gauge,
    pub(super) burn: Gauges<2>,
    pub(super) forecast: Gauges<2>,
    pub(super) recovery: Histograms<2>,
    pub(super) loss: Gauges<1>,
    pub(super) lag: Gauges<2>,
    pub(super) objective: Gauges<2>,
    pub(super) steps: Histograms<2>,
    pub(super) retries: Counters<2>,
    pub(super) doubts: Counters<1>,
    pub(super) fires: Counters<1>,
    readiness: Whole<2>,
    pub(super) readable: Whole<1>,
    pub(super) read_at: Gauges<1>,
    pub(super) stopped: Gauge,
    appends: Histograms<1>,
    appending: Gauge,
    pub(super) prunes: Counter,
    pub(super) sent: Counters<1>,
    pub(super) given_up: Counters<1>,
    failed: Counters<1>,
    waiting: Whole<1>,
    pub(super) spans_dropped: Counter,
    nodes_up: Whole<1>,
    node_leases: Whole<1>,
    node_takeovers: Whole<1>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Makes all metrics, at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("drctl");
        let info: Whole<1> = Family::default();
        info.get_or_create(&[("version", env!("CARGO_PKG_VERSION").into())]).set(1);
        put(&mut registry, "build_info", "The version of drctl, as a label; always 1", info);
        let minutes: fn() -> Histogram = || Histogram::new(MINUTES);
        let millis: fn() -> Histogram = || Histogram::new(MILLIS);
        let minutes = || Family::new_with_constructor(minutes);
        let r = &mut registry;
        Self {
            runs_started: zero(r, "runs_started", "Runs that have begun"),
            runs_ended: zero(r, "runs_ended", "Runs that are over, by how they ended"),
            runs_taken_over: zero(r, "run_takeovers", "Drivers that took a run over"),
            runs_open: zero(r, "runs_open", "Runs that are not over, by status"),
            runs_waiting: zero(r, "runs_waiting_for_person", "Runs that wait for a person"),
            burn: zero(r, "run_rto_burn_ratio", "Part of the RTO used up by the open run"),
            forecast: zero(r, "run_rto_forecast_ratio", "Expected recovery time as part of the RTO"),
            recovery: put(r, "run_recovery_time_seconds", "Recovery times of validated runs", minutes()),
            loss: zero(r, "run_data_loss_seconds", "Most data lost by the last run, where measured"),
            lag: zero(r, "recovery_point_lag_seconds", "How far the data was behind when last read"),
            objective: zero(r, "objective_seconds", "Objectives of a service, as of its last run"),
            steps: put(r, "step_duration_seconds", "Steps with all their attempts", minutes()),
            retries: zero(r, "step_retries", "Attempts that failed and were followed by another"),
            doubts: zero(r, "attempts_in_doubt", "Attempts whose outcome was unknown"),
            fires: zero(r, "schedule_fires", "Drills that were due, by what came of them"),
            readiness: zero(r, "service_readiness", "1 for how ready a service is, 0 for the rest"),
            readable: zero(r, "recovery_point_readable", "1 when the last look could read it, else 0"),
            read_at: zero(r, "recovery_point_read_timestamp_seconds", "When it was last read by a look"),
            stopped: zero(r, "stop_switch_on", "1 while triggers and schedules start nothing"),
            appends: put(
                r,
                "journal_append_duration_seconds",
                "How long appends to the journal took until they were durable",
                Family::new_with_constructor(millis),
            ),
            appending: zero(r, "journal_appends_waiting", "Appends that are not answered yet"),
            prunes: zero(r, "journal_prunes", "Times that old contents of the journal were dropped"),
            sent: zero(r, "notifications_sent", "Notices that targets took"),
            given_up: zero(r, "notifications_given_up", "Notices that are not sent any more"),
            failed: zero(r, "notification_failures", "Tries to send a notice that failed"),
            waiting: zero(r, "notifications_waiting", "Notices that wait to be sent"),
            spans_dropped: zero(r, "trace_spans_dropped", "Spans that were not exported"),
            nodes_up: zero(r, "node_up", "1 for a node that was heard of lately, 0 for one that is lost"),
            node_leases: zero(r, "node_leases", "Runs whose lease a node holds"),
            node_takeovers: zero(r, "node_takeovers", "Runs a node took over from lost ones since it began"),
            services: Mutex::default(),
            registry,
        }
    }

    /// All metrics as text.
    #[must_use]
    pub fn render(&self, exposition: Exposition) -> String {
        exposition::render(&self.registry, exposition)
    }

    /// No more is known of how ready services are: what follows says it anew.
    pub fn forget_ready(&self) {
        self.readiness.clear();
    }

    /// How ready a service is.
    pub fn ready(&self, service: &str, readiness: Readiness) {
        for level in Readiness::ALL {
            let labels = [("service", self.service(service)), ("readiness", level.as_str().into())];
            self.readiness.get_or_create(&labels).set(i64::from(*level == readiness));
        }
    }

    /// An append to the journal has begun.
    pub fn append_begun(&self) {
        self.appending.inc();
    }

    /// An append to the journal was answered.
    pub fn append_answered(&self, took: std::time::Duration, ok: bool) {
        self.appending.dec();
        let outcome = if ok { "ok" } else { "refused" };
        self.appends.get_or_create(&[("outcome", outcome.into())]).observe(took.as_secs_f64());
    }

    /// So many notices wait to be sent to a target.
    pub fn notices_waiting(&self, target: &str, notices: usize) {
        let notices = i64::try_from(notices).unwrap_or(i64::MAX);
        self.waiting.get_or_create(&[("target", target.to_owned().into())]).set(notices);
    }

    /// A try to send a notice has failed.
    pub fn notice_failed(&self, target: &str) {
        self.failed.get_or_create(&[("target", target.to_owned().into())]).inc();
    }

    /// The nodes that serve on the journal. Of several starts under one name the newest counts.
    pub fn nodes(&self, nodes: &[Node]) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        for family in [&self.nodes_up, &self.node_leases, &self.node_takeovers] {
            family.clear();
        }
        for node in nodes {
            let label = [("node", node.name.clone().into())];
            self.nodes_up.get_or_create(&label).set(i64::from(node.up));
            self.node_leases.get_or_create(&label).set(number(node.driving));
            self.node_takeovers.get_or_create(&label).set(number(node.takeovers));
        }
    }

    /// A service as the value of a label.
    pub(super) fn service(&self, name: &str) -> Cow<'static, str> {
        let mut known = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(name) || known.len() < SERVICES {
            known.insert(name.to_owned());
            return name.to_owned().into();
        }
        OTHERS.into()
    }
}

fn zero<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    put(registry, name, help, M::default())
}

fn put<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// A duration as metrics have it.
#[expect(clippy::cast_precision_loss, reason = "durations are far below 2^52 milliseconds")]
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_millis() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_beyond_the_limit_share_one_label() {
        let metrics = Metrics::new();
        for number in 0..SERVICES {
            assert_eq!(metrics.service(&number.to_string()), number.to_string());
        }
        assert_eq!(metrics.service("one-more"), OTHERS);
        assert_eq!(metrics.service("7"), "7");
    }
}
