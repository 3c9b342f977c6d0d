//! Reads the five fields of a cron expression, and says at which civil times it fires. Knows no time zone:
//! what becomes of a time that the clock skips or repeats is `instant`'s business.
//!
//! The fields are read here, strictly and with the place of what is wrong, and handed to the `cron` crate as
//! plain lists: its own reading of days of the week (1 is Sunday) is not what people write.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime as Dressed, Datelike as _, NaiveDate, TimeZone as _, Timelike as _, Utc};
use jiff::civil;

/// Longest expression, in bytes.
const LONGEST: usize = 200;
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// Words for whole expressions.
const WORDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];
const FIELDS: &str = "minute, hour, day of the month, month, day of the week";

/// A cron expression that has been read.
#[derive(Debug, Clone)]
pub struct Cron {
    text: String,
    fields: cron::Schedule,
    repeats: bool,
}

/// Why a text is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidCron {
    /// First byte and length of the part that is wrong, within the text.
    pub at: (usize, usize),
    /// What is wrong with it.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Days of the month and days of the week are both given, which one cron takes for "or" and the next for
    /// "and".
    pub both_days: bool,
}

/// One field: what it is called, its range, and its words.
struct Field {
    name: &'static str,
    least: u8,
    most: u8,
    words: &'static [&'static str],
}

const KINDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, words: &[] },
    Field { name: "hour", least: 0, most: 23, words: &[] },
    Field { name: "day of the month", least: 1, most: 31, words: &[] },
    Field { name: "month", least: 1, most: 12, words: &MONTHS },
    // Both 0 and 7 are Sunday.
    Field { name: "day of the week", least: 0, most: 7, words: &DAYS },
];

impl Cron {
    /// Reads an expression of five fields, or a word such as `@weekly`.
    ///
    /// # Errors
    /// When it is none, with the place of what is wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidCron> {
        let whole = |message: String, help: &str| InvalidCron {
            at: (0, text.len()),
            message,
            help: help.to_owned(),
            both_days: false,
        };
        if text.len() > LONGEST {
            return Err(whole(
                format!("a cron expression has at most {LONGEST} bytes"),
                "split the schedule",
            ));
        }
        let known = WORDS.iter().find(|(word, _)| text.trim().eq_ignore_ascii_case(word));
        let expression = known.map_or(text, |(_, expression)| expression);
        let parts = parts(expression);
        let [minute, hour, day, month, weekday] = parts.as_slice() else {
            let message =
                format!("a cron expression has five fields ({FIELDS}), this one has {}", parts.len());
            let help = match parts.len() {
                6 | 7 => "leave out seconds and years",
                _ => "write it like `0 3 * * SUN`: every Sunday at 03:00",
            };
            return Err(whole(message, help));
        };
        let fields = [minute, hour, day, month, weekday];
        let mut lists = Vec::with_capacity(fields.len());
        for (field, (from, text)) in KINDS.iter().zip(fields) {
            lists.push(field.list(text).map_err(|fault| fault.at(*from))?);
        }
        if day.1 != "*" && weekday.1 != "*" {
            return Err(both_days(*day, *weekday));
        }
        let listed = format!("0 {}", lists.join(" "));
        let fields = listed
            .parse()
            .map_err(|error| whole(format!("`{text}` cannot be read: {error}"), "see `man 5 crontab`"))?;
        let repeats = minute.1.contains('*') || hour.1.contains('*');
        Ok(Self { text: text.trim().to_owned(), fields, repeats })
    }

    /// Whether minute or hour has a `*`: such a job runs every so often, and follows the clock when it is
    /// changed. Any other runs at a time of day, once on every day that it names. The rule of Vixie's cron.
    #[must_use]
    pub const fn repeats(&self) -> bool {
        self.repeats
    }

    /// Civil times at which it fires, in order, none before `from`; until the year 2100.
    pub(super) fn times(&self, from: civil::DateTime) -> impl Iterator<Item = civil::DateTime> + use<> {
        // Civil time dressed as UTC: the crate knows no changes of the clock there. It begins after a time.
        let before = dressed(from).map(|from| from - chrono::TimeDelta::seconds(1));
        let fields = self.fields.clone();
        before.into_iter().flat_map(move |before| fields.after_owned(before)).filter_map(|at| undressed(&at))
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// What is wrong with a part of a field: first byte and length within it.
struct Fault {
    at: (usize, usize),
    message: String,
    help: String,
}

impl Fault {
    fn at(self, from: usize) -> InvalidCron {
        let (start, length) = self.at;
        InvalidCron { at: (from + start, length), message: self.message, help: self.help, both_days: false }
    }
}

impl Field {
    /// The field as a list the `cron` crate reads alike; `*` stays.
    fn list(&self, text: &str) -> Result<String, Fault> {
        if text == "*" {
            return Ok("*".to_owned());
        }
        let mut values = BTreeSet::new();
        let mut from = 0;
        for part in text.split(',') {
            self.part(part, from, &mut values)?;
            from += part.len() + 1;
        }
        let words: Vec<String> = values.into_iter().map(|value| self.word(value)).collect();
        Ok(words.join(","))
    }

    /// `5`, `MON`, `1-5`, `*/15`, `10-50/20`.
    fn part(&self, part: &str, from: usize, values: &mut BTreeSet<u8>) -> Result<(), Fault> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some((step, from + range.len() + 1))),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.last()),
            Some((first, last)) => (self.value(first, from)?, self.value(last, from + first.len() + 1)?),
            None => {
                let value = self.value(range, from)?;
                if step.is_some() {
                    let message = format!("`{part}`: a step needs a range");
                    return Err(self.fault(
                        part,
                        from,
                        message,
                        format!("write {range}-{}/… or */…", self.most),
                    ));
                }
                (value, value)
            }
        };
        if first > last {
            let message = format!("`{range}` runs backwards");
            return Err(self.fault(
                range,
                from,
                message,
                "write both parts, such as `FRI,SAT,SUN,MON`".to_owned(),
            ));
        }
        let step = step.map_or(Ok(1), |(text, at)| {
            let fault =
                || self.fault(text, at, format!("`{text}` is no step"), "write it like */15".to_owned());
            text.parse().ok().filter(|step: &u8| (1..=self.most).contains(step)).ok_or_else(fault)
        })?;
        values.extend((first..=last).step_by(usize::from(step)).map(|value| self.folded(value)));
        Ok(())
    }

    fn value(&self, text: &str, from: usize) -> Result<u8, Fault> {
        let word = self.words.iter().position(|word| word.eq_ignore_ascii_case(text));
        let named = word.and_then(|at| u8::try_from(at).ok()).map(|at| at + self.least);
        let is_number = !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        named.or(number).filter(|value| (self.least..=self.most).contains(value)).ok_or_else(|| {
            let words = match self.words {
                [first, .., last] => format!(", or {first} to {last}"),
                _ => String::new(),
            };
            let message = format!("`{text}` is no {}", self.name);
            self.fault(text, from, message, format!("use {} to {}{words}", self.least, self.most))
        })
    }

    /// The last value that is not the first again.
    fn last(&self) -> u8 {
        if self.is_weekday() { 6 } else { self.most }
    }

    fn folded(&self, value: u8) -> u8 {
        if self.is_weekday() { value % 7 } else { value }
    }

    fn is_weekday(&self) -> bool {
        self.most == 7
    }

    /// The crate counts days of the week from 1 for Sunday: they go to it by name.
    fn word(&self, value: u8) -> String {
        let name = self.words.get(usize::from(value)).filter(|_| self.is_weekday());
        name.map_or_else(|| value.to_string(), |name| (*name).to_owned())
    }

    fn fault(&self, text: &str, from: usize, message: impl fmt::Display, help: String) -> Fault {
        Fault { at: (from, text.len()), message: format!("{}: {message}", self.name), help }
    }
}

fn both_days(day: (usize, &str), weekday: (usize, &str)) -> InvalidCron {
    InvalidCron {
        at: (weekday.0, weekday.1.len()),
        message: format!(
            "day of the month (`{}`) and day of the week (`{}`) are both given: one cron takes that for \"or\", \
             the next for \"and\"",
            day.1, weekday.1
        ),
        help: "write `*` for one of them".to_owned(),
        both_days: true,
    }
}

/// The fields with their first bytes.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut from = 0;
    for part in text.split(|c: char| c.is_ascii_whitespace()) {
        if !part.is_empty() {
            found.push((from, part));
        }
        from += part.len() + 1;
    }
    found
}

fn dressed(time: civil::DateTime) -> Option<Dressed<Utc>> {
    let part = |number: i8| u32::try_from(number).ok();
    let date = NaiveDate::from_ymd_opt(i32::from(time.year()), part(time.month())?, part(time.day())?)?;
    let time = date.and_hms_opt(part(time.hour())?, part(time.minute())?, part(time.second())?)?;
    Some(Utc.from_utc_datetime(&time))
}

fn undressed(time: &Dressed<Utc>) -> Option<civil::DateTime> {
    let part = |number: u32| i8::try_from(number).ok();
    let (year, month, day) = (i16::try_from(time.year()).ok()?, part(time.month())?, part(time.day())?);
    civil::DateTime::new(year, month, day, part(time.hour())?, part(time.minute())?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, from: &str) -> Vec<String> {
        let from: civil::DateTime = from.parse().unwrap();
        Cron::parse(cron).unwrap().times(from).take(3).map(|time| time.to_string()).collect()
    }

    #[test]
    fn days_of_the_week_are_those_of_crontab() {
        // 2026-11-22 is a Sunday.
        for sunday in ["0 3 * * 0", "0 3 * * 7", "0 3 * * SUN", "0 3 * * sun"] {
            assert_eq!(next(sunday, "2026-11-21T00:00")[..1], ["2026-11-22T03:00:00"], "{sunday}");
        }
        assert_eq!(next("0 3 * * 1", "2026-11-21T00:00")[..1], ["2026-11-23T03:00:00"]);
        assert_eq!(
            next("0 3 * * 5-7", "2026-11-19T00:00"),
            ["2026-11-20T03:00:00", "2026-11-21T03:00:00", "2026-11-22T03:00:00"]
        );
        assert_eq!(
            next("0 3 * * */3", "2026-11-22T00:00"),
            ["2026-11-22T03:00:00", "2026-11-25T03:00:00", "2026-11-28T03:00:00"]
        );
    }

    #[test]
    fn fields_are_lists_ranges_steps_and_words() {
        assert_eq!(
            next("10-50/20 4 1 JAN,jul *", "2026-11-22T00:00"),
            ["2027-01-01T04:10:00", "2027-01-01T04:30:00", "2027-01-01T04:50:00"]
        );
        assert_eq!(
            next("@monthly", "2026-12-01T00:00"),
            ["2026-12-01T00:00:00", "2027-01-01T00:00:00", "2027-02-01T00:00:00"]
        );
        // A day that a month does not have is left out.
        assert_eq!(
            next("0 0 29 2 *", "2026-01-01T00:00"),
            ["2028-02-29T00:00:00", "2032-02-29T00:00:00", "2036-02-29T00:00:00"]
        );
        assert!(next("0 0 30 2 *", "2026-01-01T00:00").is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, at, message) in [
            ("", "", "five fields"),
            ("0 3 * *", "0 3 * *", "this one has 4"),
            ("0 0 3 * * SUN", "0 0 3 * * SUN", "this one has 6"),
            ("60 3 * * *", "60", "minute: `60` is no minute"),
            ("0 24 * * *", "24", "hour: `24` is no hour"),
            ("0 3 0 * *", "0", "`0` is no day of the month"),
            ("0 3 * 13 *", "13", "`13` is no month"),
            ("0 3 * * 8", "8", "`8` is no day of the week"),
            ("0 3 * * L", "L", "`L` is no day of the week"),
            ("0 3 * * SUN#1", "SUN#1", "`SUN#1` is no day of the week"),
            ("0 3 ? * SUN", "?", "`?` is no day of the month"),
            ("0 3 * * FRI-MON", "FRI-MON", "runs backwards"),
            ("0 3/2 * * *", "3/2", "a step needs a range"),
            ("*/0 * * * *", "0", "`0` is no step"),
            ("0,,5 3 * * *", "", "`` is no minute"),
            ("+5 3 * * *", "+5", "`+5` is no minute"),
            ("@reboot", "@reboot", "this one has 1"),
        ] {
            let error = Cron::parse(text).unwrap_err();
            let (from, length) = error.at;
            assert_eq!(&text[from..from + length], at, "{text}: {error}");
            assert!(error.to_string().contains(message), "{text}: {error}");
            assert!(!error.help.is_empty() && !error.both_days);
        }
        let both = Cron::parse("0 3 13 * FRI").unwrap_err();
        assert!(both.both_days && both.at == (9, 3), "{both:?}");
        assert!(Cron::parse(&"1,".repeat(300)).is_err());
    }
}
