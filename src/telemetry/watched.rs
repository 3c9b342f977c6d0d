//! Metrics of what a server sees between runs: how far the data of services reaches, and the stop switch.
//! What cannot be read has no lag at all, never an old one.

use std::collections::BTreeMap;

use super::metrics::{Metrics, seconds};
use crate::engine::readings::Readings;
use crate::model::id::ServiceName;
use crate::model::time::Duration;

/// Value of the label `point` of what a server reads.
const WATCHED: &str = "watched";

impl Metrics {
    /// Sets what is known of the recovery points of services, and their objectives.
    pub fn readings(&self, readings: &Readings, objectives: &BTreeMap<ServiceName, Option<Duration>>) {
        self.readable.clear();
        self.read_at.clear();
        for (name, objective) in objectives {
            let Some(known) = readings.0.get(name) else { continue };
            let service = self.service(name.as_str());
            let readable = known.silent.is_none();
            self.readable.get_or_create(&[("service", service.clone())]).set(i64::from(readable));
            if let Some(at) = known.at() {
                #[expect(clippy::cast_precision_loss, reason = "times are far below 2^52 milliseconds")]
                let at = at.as_millis() as f64 / 1_000.0;
                self.read_at.get_or_create(&[("service", service.clone())]).set(at);
            }
            let labels = [("service", service.clone()), ("point", WATCHED.into())];
            match known.lag().filter(|_| readable) {
                Some(lag) => {
                    self.lag.get_or_create(&labels).set(seconds(lag));
                }
                None => {
                    self.lag.remove(&labels);
                }
            }
            if let Some(objective) = objective {
                let labels = [("service", service), ("objective", "rpo".into())];
                self.objective.get_or_create(&labels).set(seconds(*objective));
            }
        }
    }

    /// Says whether triggers and schedules are stopped.
    pub fn stopped(&self, stopped: bool) {
        self.stopped.set(i64::from(stopped));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::readings::{KnownReading, Look};
    use crate::model::time::Timestamp;
    use crate::telemetry::Exposition;

    #[test]
    fn what_cannot_be_read_has_no_lag() {
        let (metrics, mut readings) = (Metrics::new(), Readings::default());
        let pay = ServiceName::new("pay").unwrap();
        let objectives = BTreeMap::from([(pay.clone(), Some(Duration::from_secs(60)))]);
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let reading = KnownReading {
            number: 1,
            at: at(100),
            source: "command.run".to_owned(),
            from: None,
            to: None,
            lag: Some(Duration::from_millis(2_500)),
            recovery_point_at: None,
        };
        let mut look = Look { at: at(100), read: vec![reading], failed: None, objective: None };
        readings.look(&pay, &look);
        metrics.readings(&readings, &objectives);
        let shown = |line: &str| metrics.render(Exposition::accepted(None)).lines().any(|it| it == line);
        let lag = "drctl_recovery_point_lag_seconds{service=\"pay\",point=\"watched\"} 2.5";
        assert!(shown(lag), "{}", metrics.render(Exposition::accepted(None)));
        assert!(shown("drctl_recovery_point_readable{service=\"pay\"} 1"));
        assert!(shown("drctl_objective_seconds{service=\"pay\",objective=\"rpo\"} 60.0"));
        (look.read, look.failed) = (Vec::new(), Some("refused".to_owned()));
        (0..2).for_each(|_| readings.look(&pay, &look));
        metrics.readings(&readings, &objectives);
        let text = metrics.render(Exposition::accepted(None));
        assert!(!text.contains("drctl_recovery_point_lag_seconds{"), "{text}");
        assert!(shown("drctl_recovery_point_readable{service=\"pay\"} 0"));
        assert!(shown("drctl_recovery_point_read_timestamp_seconds{service=\"pay\"} 100.0"));
    }
}
