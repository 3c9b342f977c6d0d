//! Draws a forecast: for a terminal of 80 columns, as a picture, as a page that needs nothing else. Computes
//! nothing that is not in the report.

mod fleet;
mod html;
mod svg;
mod text;

pub use fleet::{fleet_html, fleet_svg, fleet_text};
pub use html::html;
pub use svg::svg;
pub use text::text;

use crate::model::time::Duration;

/// A duration as precise as a forecast can be: whole seconds from ten seconds on, whole minutes from a day
/// on.
fn shown(millis: u64) -> String {
    let grain = match millis {
        0..10_000 => 100,
        10_000..86_400_000 => 1_000,
        _ => 60_000,
    };
    Duration::from_millis((millis + grain / 2) / grain * grain).to_string()
}

/// A share as a percentage. What is rare is not shown as never, nor what is likely as certain.
fn percent(share: f64) -> String {
    match share {
        share if share <= 0.0 => "0 %".to_owned(),
        share if share >= 1.0 => "100 %".to_owned(),
        share if share < 0.000_05 => "< 0.01 %".to_owned(),
        share if share < 0.01 => format!("{:.2} %", share * 100.0),
        share if share > 0.999_5 => "> 99.9 %".to_owned(),
        share => format!("{:.1} %", share * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_is_not_never() {
        for (share, text) in [
            (0.0, "0 %"),
            (0.000_01, "< 0.01 %"),
            (0.0023, "0.23 %"),
            (0.25, "25.0 %"),
            (0.999_9, "> 99.9 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(share), text);
        }
        for (millis, text) in [(1_234, "1s 200ms"), (61_700, "1m 2s"), (90_061_000, "1d 1h 1m")] {
            assert_eq!(shown(millis), text);
        }
    }
}
