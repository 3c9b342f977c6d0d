//! Columns that line up, and times as a person at this machine reads them. Cuts no cell but those that say
//! they may be.

use jiff::tz::TimeZone;

use crate::model::time::{Duration, Timestamp};

/// A cell is cut to no less than this; a column that would need less is left out.
const LEAST: usize = 10;
/// Space between two columns.
const GAP: usize = 2;

/// How a column gives way where the table is wider than the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yield {
    /// Its cells are cut.
    Cut(usize),
    /// Its cells go on below; for the last column.
    Wrap(usize),
    /// It is left out.
    Drop(usize),
}

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
        self.draw(indent, &self.widths())
    }

    /// Draws the table within a width where that is possible: columns give way one after the other, as far as
    /// they have to. Those that are not named stay whole.
    #[must_use]
    pub(crate) fn fit(&self, indent: &str, limit: usize, order: &[Yield]) -> String {
        let mut widths = self.widths();
        for step in order {
            let shown = widths.iter().filter(|width| **width > 0);
            let whole = indent.len() + shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1);
            let Some(over) = whole.checked_sub(limit).filter(|over| *over > 0) else { break };
            let (Yield::Cut(column) | Yield::Wrap(column) | Yield::Drop(column)) = *step;
            let Some(width) = widths.get_mut(column) else { continue };
            *width = match step {
                Yield::Wrap(_) => width.saturating_sub(over).max(LEAST),
                Yield::Cut(_) if *width >= over + LEAST => *width - over,
                Yield::Cut(_) | Yield::Drop(_) => 0,
            };
        }
        let wraps = order.iter().any(|step| matches!(step, Yield::Wrap(_)));
        if wraps { self.wrapped(&widths).draw(indent, &widths) } else { self.draw(indent, &widths) }
    }

    /// The same table with rows for what does not fit into the last column.
    fn wrapped(&self, widths: &[usize]) -> Self {
        let (last, limit) = (widths.len().saturating_sub(1), widths.last().copied().unwrap_or(0));
        let mut rows = Vec::new();
        for row in &self.rows {
            let Some(cell) = row.get(last) else {
                rows.push(row.clone());
                continue;
            };
            for (number, line) in wrap(cell, limit, 0).into_iter().enumerate() {
                let before =
                    row.iter().take(last).map(|cell| if number == 0 { cell.clone() } else { String::new() });
                rows.push(before.chain([line]).collect());
            }
        }
        Self { rows }
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max();
        (0..columns).map(|column| widest(column).unwrap_or(0)).collect()
    }

    fn draw(&self, indent: &str, widths: &[usize]) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for (cell, column) in row.iter().zip(widths).filter(|(_, column)| **column > 0) {
                let cell = cut(cell, *column);
                line.push_str(&cell);
                line.extend(std::iter::repeat_n(' ', column.saturating_sub(width(&cell)) + GAP));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Cuts a line to a width, not counting escape sequences; `…` stands for what is missing.
#[must_use]
pub(crate) fn cut(line: &str, limit: usize) -> String {
    if width(line) <= limit {
        return line.to_owned();
    }
    let mut out = String::new();
    let (mut seen, mut escape) = (0, false);
    for letter in line.chars() {
        match (escape, letter) {
            (_, '\x1b') => escape = true,
            (true, 'm') => escape = false,
            (true, _) => {}
            (false, _) => {
                seen += 1;
                if seen == limit {
                    out.push('…');
                }
                if seen >= limit {
                    continue;
                }
            }
        }
        out.push(letter);
    }
    out
}

/// Breaks a line at spaces so that it fits, with an indent before all lines but the first. Words that are too
/// long stay whole.
#[must_use]
pub(crate) fn wrap(line: &str, limit: usize, indent: usize) -> Vec<String> {
    let text = line.trim_start_matches(' ');
    let mut current = " ".repeat(line.len() - text.len());
    let (mut lines, mut fresh) = (Vec::new(), true);
    for word in text.split(' ') {
        if !fresh && !word.is_empty() && width(&current) + 1 + width(word) > limit {
            lines.push(current.trim_end().to_owned());
            current = " ".repeat(indent);
        } else if !fresh {
            current.push(' ');
        }
        current.push_str(word);
        fresh = false;
    }
    lines.push(current);
    lines
}

/// Characters a person sees; colours are none.
#[must_use]
pub(crate) fn width(cell: &str) -> usize {
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
    fn columns_give_way_in_order_and_only_as_far_as_they_must() {
        let mut table = Table::new(&["STEP", "TOOK", "WHY"]);
        table.row([
            "gate/point-of-no-return",
            "2s",
            "\x1b[31mit broke in a way that takes many words\x1b[0m",
        ]);
        let order = [Yield::Cut(2), Yield::Drop(1), Yield::Cut(2)];
        let widest = |text: &str| text.lines().map(width).max().unwrap_or(0);
        for (limit, told) in [
            (200, "2s    \x1b[31mit broke in a way that takes many words\x1b[0m"),
            (50, "2s    \x1b[31mit broke in a way …\x1b[0m"),
            (25, "gate/point-of-no-return\n"),
        ] {
            let text = table.fit("", limit, &order);
            assert!(text.contains(told) && text.contains("gate/point-of-no-return"), "{limit}\n{text}");
            assert!(widest(&text) <= limit, "{limit}\n{text}");
        }
    }

    #[test]
    fn what_explains_goes_on_below() {
        let mut table = Table::new(&["A", "MEANING"]);
        table.row(["one", "it has to be read as a whole"]);
        assert_eq!(
            table.fit("", 17, &[Yield::Wrap(1)]),
            "A    MEANING\none  it has to be\n     read as a\n     whole\n"
        );
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("  label  one two three", 14, 4), ["  label  one", "    two three"]);
        assert_eq!(wrap("\x1b[31mone\x1b[0m two", 7, 2), ["\x1b[31mone\x1b[0m two"]);
        assert_eq!(wrap("averylongword x", 5, 1), ["averylongword", " x"]);
    }

    #[test]
    fn durations_lose_what_nobody_reads() {
        for (millis, text) in [(1_500, "1s 500ms"), (61_234, "1m 1s"), (90_061_000, "1d 1h 1m")] {
            assert_eq!(short(Duration::from_millis(millis)), text);
        }
    }
}
