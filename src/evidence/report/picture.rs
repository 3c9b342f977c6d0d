//! What the pictures of a report share: a scale of time, ticks, lanes for labels, escaped text. Pure; knows
//! nothing of runs.

use crate::model::time::{Duration, Timestamp};

/// Width of a letter at the size labels have, in units of the picture.
pub(super) const LETTER: f64 = 6.4;
/// Most ticks of an axis.
const TICKS: u64 = 8;

/// A stretch of time drawn on a stretch of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    from: Timestamp,
    millis: u64,
    left: f64,
    width: f64,
}

impl Scale {
    pub(super) fn new(from: Timestamp, to: Timestamp, left: f64, width: f64) -> Self {
        Self { from, millis: to.since(from).as_millis().max(1), left, width }
    }

    /// Where a time lies on the line; times outside lie at its ends.
    #[expect(clippy::cast_precision_loss, reason = "a picture is not more precise than its pixels")]
    pub(super) fn x(self, at: Timestamp) -> f64 {
        let part = at.since(self.from).as_millis() as f64 / self.millis as f64;
        self.left + part.min(1.0) * self.width
    }

    /// The time at the end of the line.
    pub(super) fn end(self) -> Timestamp {
        self.from.plus(Duration::from_millis(self.millis))
    }

    /// Times of the ticks, from a zero, with the time since then in words.
    pub(super) fn ticks(self, zero: Timestamp) -> Vec<(f64, String)> {
        const STEPS: [u64; 22] = [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000,
            300_000, 600_000, 1_800_000, 3_600_000, 14_400_000, 86_400_000,
        ];
        let fits = |step: &&u64| self.millis / **step <= TICKS;
        let step = STEPS.iter().find(fits).copied().unwrap_or(self.millis / TICKS);
        let first = zero.since(self.from).as_millis() % step.max(1);
        let at = |number: u64| self.from.plus(Duration::from_millis(first + number * step));
        (0..=TICKS)
            .map(at)
            .take_while(|at| at.since(self.from).as_millis() <= self.millis)
            .map(|at| {
                let before = zero.since(at).as_millis();
                let sign = if before > 0 { "-" } else { "" };
                let long = if before > 0 { zero.since(at) } else { at.since(zero) };
                (self.x(at), format!("{sign}{long}"))
            })
            .collect()
    }
}

/// Puts labels with a place and a width into as few lanes as keep them apart; gives the lane of each. The
/// labels stand in the order of their places.
pub(super) fn lanes(labels: &[(f64, f64)]) -> Vec<usize> {
    let mut ends: Vec<f64> = Vec::new();
    let lane = |(from, width): &(f64, f64)| {
        let free = ends.iter().position(|end| end + LETTER < *from);
        let lane = free.unwrap_or(ends.len());
        if lane == ends.len() {
            ends.push(0.0);
        }
        if let Some(end) = ends.get_mut(lane) {
            *end = from + width;
        }
        lane
    };
    labels.iter().map(lane).collect()
}

/// How wide a text is, about.
#[expect(clippy::cast_precision_loss, reason = "labels are short")]
pub(super) fn wide(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

/// A text cut to a number of letters.
pub(super) fn short(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some(_) => text.chars().take(letters.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// A text as HTML and SVG take it, as an attribute too; what moves cursors or turns lines around is gone.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(plain(letter)),
        }
    }
    safe
}

/// A letter, or a mark in the place of one that would hide or turn around what stands beside it.
pub(super) fn plain(letter: char) -> char {
    match letter {
        '\n' | '\t' => ' ',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
            '\u{fffd}'
        }
        letter if letter.is_control() => '\u{fffd}',
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        let hostile = "<a href=\"x\" onclick='y'>&\u{202e}\u{1b}";
        assert_eq!(escape(hostile), "&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;\u{fffd}\u{fffd}");
    }

    #[test]
    fn labels_that_would_meet_lie_in_different_lanes() {
        assert_eq!(lanes(&[(0.0, 50.0), (10.0, 50.0), (20.0, 50.0), (70.0, 10.0)]), [0, 1, 2, 0]);
        assert_eq!(lanes(&[]), Vec::<usize>::new());
    }

    #[test]
    fn ticks_are_round_times_from_the_start_of_the_clock() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let ticks = Scale::new(at(90), at(400), 0.0, 310.0).ticks(at(100));
        let told: Vec<_> = ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(told, ["0s", "1m", "2m", "3m", "4m", "5m"]);
        assert!((ticks[0].0 - 10.0).abs() < 1e-9, "{ticks:?}");
    }

    #[test]
    fn a_time_outside_of_the_scale_lies_at_its_end() {
        let at = Timestamp::from_millis;
        let scale = Scale::new(at(0), at(10), 5.0, 10.0);
        assert!((scale.x(at(-5)) - 5.0).abs() < 1e-9);
        assert!((scale.x(at(50)) - 15.0).abs() < 1e-9);
    }
}
