//! Columns that line up, and times as a person at this machine reads them. Never cuts a cell.

use jiff::tz::TimeZone;

use crate::model::time::{Duration, Timestamp};

/// Rows of text in columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table with a head; without columns it has none.
    #[must_use]
    pub(crate) fn new(head: &[&str]) -> Self {
        let head = head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        Self { rows: if head.is_empty() { Vec::new() } else { vec![head] } }
    }

    /// Adds a row.
    pub(crate) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Draws the table, each line after an indent.
    #[must_use]
    pub(crate) fn render(&self, indent: &str) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max();
        let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for (cell, column) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', column.saturating_sub(width(cell)) + 2));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Characters a person sees; colours are none.
fn width(cell: &str) -> usize {
    let (mut seen, mut escape) = (0, false);
    for letter in cell.chars() {
        match (escape, letter) {
            (_, '\x1b') => escape = true,
            (true, 'm') => escape = false,
            (true, _) => {}
            (false, _) => seen += 1,
        }
    }
    seen
}

/// A time as the clock of this machine shows it, with the name of its zone.
#[must_use]
pub(crate) fn local(at: Timestamp) -> String {
    at.to_jiff().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// A duration without the parts nobody reads: milliseconds only below ten seconds, seconds only below a day.
#[must_use]
pub(crate) fn short(duration: Duration) -> String {
    let grain = match duration.as_millis() {
        0..10_000 => 1,
        10_000..86_400_000 => 1_000,
        _ => 60_000,
    };
    Duration::from_millis(duration.as_millis() / grain * grain).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_their_colour() {
        let mut table = Table::new(&["A", "LONG"]);
        table.row(["\x1b[31mred\x1b[0m", "x"]);
        table.row(["äöüß!", ""]);
        assert_eq!(table.render(" "), " A      LONG\n \x1b[31mred\x1b[0m    x\n äöüß!\n");
        assert_eq!(Table::default().render(""), "");
    }

    #[test]
    fn durations_lose_what_nobody_reads() {
        for (millis, text) in [(1_500, "1s 500ms"), (61_234, "1m 1s"), (90_061_000, "1d 1h 1m")] {
            assert_eq!(short(Duration::from_millis(millis)), text);
        }
    }
}
