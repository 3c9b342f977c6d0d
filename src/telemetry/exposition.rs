//! Metrics as text: `OpenMetrics`, and the older format of Prometheus for those who do not ask for it.

use std::fmt::Write as _;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
}

impl Exposition {
    /// The format for an `Accept` header.
    #[must_use]
    pub fn accepted(accept: Option<&str>) -> Self {
        let open = accept.is_some_and(|accept| accept.contains("application/openmetrics-text"));
        if open { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Its `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

pub(super) fn render(registry: &Registry, exposition: Exposition) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = text::encode(&mut text, registry);
    match exposition {
        Exposition::OpenMetrics => text,
        Exposition::Prometheus => older(&text),
    }
}

/// The same in the older format: there a counter's family has the suffix that `OpenMetrics` gives to
/// its samples alone, and neither units nor an end are known.
fn older(text: &str) -> String {
    let mut out = String::new();
    let mut help: Option<&str> = None;
    for line in text.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        if line.starts_with("# HELP ") {
            help = Some(line);
            continue;
        }
        let counter = line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" counter"));
        if let Some(help) = help.take() {
            let help = match counter {
                Some(name) => help.replacen(name, &format!("{name}_total"), 1),
                None => help.to_owned(),
            };
            let _ = writeln!(out, "{help}");
        }
        let _ = match counter {
            Some(name) => writeln!(out, "# TYPE {name}_total counter"),
            None => writeln!(out, "{line}"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_format_names_counters_as_their_samples() {
        let open = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"# EOF\"} 1\n\
                    # HELP c Seconds.\n# TYPE c gauge\n# UNIT c seconds\nc 2\n# EOF\n";
        let text = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{x=\"# EOF\"} 1\n\
                    # HELP c Seconds.\n# TYPE c gauge\nc 2\n";
        assert_eq!(older(open), text);
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        let scraper = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2";
        assert_eq!(Exposition::accepted(Some(scraper)), Exposition::OpenMetrics);
        assert_eq!(Exposition::accepted(Some("*/*")), Exposition::Prometheus);
        assert_eq!(Exposition::accepted(None), Exposition::Prometheus);
    }
}
