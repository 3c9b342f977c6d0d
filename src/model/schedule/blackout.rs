//! Days and hours in which nothing must begin, as people write them. What cannot be read is refused, never
//! ignored.

use std::fmt;

use jiff::civil::{Date, DateTime, Time, Weekday};

/// Longest text, in bytes.
const LONGEST: usize = 80;
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];
const MINUTES_OF_DAY: u16 = 24 * 60;

/// A time in which nothing must begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blackout {
    text: String,
    form: Form,
}

/// Why a text is no blackout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no blackout: {why}")]
pub struct InvalidBlackout {
    /// The text, shortened.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// Whole days, the first and the last included.
    Dates(Date, Date),
    /// Every week: on these days, from one minute of the day to another. Where it ends before it begins it
    /// goes on into the next day.
    Weekly { days: [bool; 7], from: u16, to: u16 },
}

impl Blackout {
    /// Reads `2026-12-20/2027-01-05`, `2026-12-24`, `Mon-Fri 08:00-18:00`, `Sat,Sun` or `22:00-06:00`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<Self, InvalidBlackout> {
        let refuse = |why| InvalidBlackout { text: text.chars().take(40).collect(), why };
        if text.len() > LONGEST {
            return Err(refuse("it is too long"));
        }
        let form = form(text.trim()).map_err(refuse)?;
        Ok(Self { text: text.trim().to_owned(), form })
    }

    /// Says whether a time of the schedule's zone lies in it.
    #[must_use]
    pub fn holds(&self, at: DateTime) -> bool {
        match &self.form {
            Form::Dates(first, last) => (*first..=*last).contains(&at.date()),
            Form::Weekly { days, from, to } => {
                let on = |date: Date| days.get(at_in_week(date.weekday())).is_some_and(|on| *on);
                let minute = minute_of(at.time());
                if from < to {
                    return on(at.date()) && (*from..*to).contains(&minute);
                }
                let yesterday = at.date().yesterday().is_ok_and(on);
                (on(at.date()) && *from <= minute) || (yesterday && minute < *to)
            }
        }
    }
}

impl fmt::Display for Blackout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn form(text: &str) -> Result<Form, &'static str> {
    if text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(':') {
        let (first, last) = text.split_once('/').unwrap_or((text, text));
        let (first, last) = (date(first)?, date(last)?);
        return if first <= last { Ok(Form::Dates(first, last)) } else { Err("it ends before it begins") };
    }
    let mut words = text.split_ascii_whitespace();
    let (first, second) = (words.next().ok_or("it is empty")?, words.next());
    if words.next().is_some() {
        return Err("it has more than days and a time of day");
    }
    let (named, hours) = match second {
        Some(hours) => (Some(first), Some(hours)),
        None if first.contains(':') => (None, Some(first)),
        None => (Some(first), None),
    };
    let days = named.map_or(Ok([true; 7]), days)?;
    let (from, to) = hours.map_or(Ok((0, MINUTES_OF_DAY)), hours_of_day)?;
    Ok(Form::Weekly { days, from, to })
}

fn date(text: &str) -> Result<Date, &'static str> {
    let invalid = "a date is written like 2026-12-24";
    if text.len() != 10 {
        return Err(invalid);
    }
    text.parse().map_err(|_| invalid)
}

/// `Mon-Fri`, `Sat,Sun`, `Fri-Mon`.
fn days(text: &str) -> Result<[bool; 7], &'static str> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let many = (last + 7 - first) % 7;
        for at in 0..=many {
            if let Some(day) = days.get_mut((first + at) % 7) {
                *day = true;
            }
        }
    }
    Ok(days)
}

fn day(text: &str) -> Result<usize, &'static str> {
    let found = DAYS.iter().position(|(name, _)| name.eq_ignore_ascii_case(text));
    found.ok_or("days are written like Mon-Fri or Sat,Sun")
}

fn at_in_week(day: Weekday) -> usize {
    DAYS.iter().position(|(_, known)| *known == day).unwrap_or(0)
}

fn hours_of_day(text: &str) -> Result<(u16, u16), &'static str> {
    let invalid = "a time of day is written like 08:00-18:00";
    let (from, to) = text.split_once('-').ok_or(invalid)?;
    let (from, to) = (minute(from).ok_or(invalid)?, minute(to).ok_or(invalid)?);
    if from == to || from == MINUTES_OF_DAY {
        return Err("it ends when it begins");
    }
    Ok((from, to))
}

/// Minute of the day of `08:00`; `24:00` is its end.
fn minute(text: &str) -> Option<u16> {
    if text == "24:00" {
        return Some(MINUTES_OF_DAY);
    }
    let time = (text.len() == 5).then(|| Time::strptime("%H:%M", text).ok()).flatten()?;
    Some(minute_of(time))
}

fn minute_of(time: Time) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of a blackout, times in it, and times out of it. 2026-11-20 is a Friday.
    const TABLE: [(&str, &[&str], &[&str]); 9] = [
        (
            "2026-12-20/2027-01-05",
            &["2026-12-20T00:00", "2026-12-31T23:59", "2027-01-05T23:59"],
            &["2026-12-19T23:59", "2027-01-06T00:00", "2025-12-24T12:00"],
        ),
        ("2026-12-24", &["2026-12-24T00:00", "2026-12-24T23:59"], &["2026-12-23T23:59", "2026-12-25T00:00"]),
        (
            "Mon-Fri 08:00-18:00",
            &["2026-11-20T08:00", "2026-11-20T17:59", "2026-11-23T12:00"],
            &["2026-11-20T07:59", "2026-11-20T18:00", "2026-11-21T12:00"],
        ),
        ("sat,SUN", &["2026-11-21T00:00", "2026-11-22T23:59"], &["2026-11-20T23:59", "2026-11-23T00:00"]),
        (
            "Fri-Mon",
            &["2026-11-20T00:00", "2026-11-22T12:00", "2026-11-23T23:59"],
            &["2026-11-19T23:59", "2026-11-24T00:00"],
        ),
        (
            "22:00-06:00",
            &["2026-11-20T22:00", "2026-11-21T05:59", "2026-11-21T00:00"],
            &["2026-11-20T21:59", "2026-11-21T06:00"],
        ),
        // A night belongs to the day on which it begins.
        (
            "Fri 22:00-06:00",
            &["2026-11-20T22:00", "2026-11-21T05:59"],
            &["2026-11-20T05:59", "2026-11-21T22:00", "2026-11-22T03:00"],
        ),
        ("Mon,Wed-Thu 12:00-24:00", &["2026-11-23T23:59", "2026-11-25T12:00"], &["2026-11-24T13:00"]),
        (" Tue  09:00-09:01 ", &["2026-11-24T09:00"], &["2026-11-24T09:01"]),
    ];

    #[test]
    fn times_lie_in_a_blackout_or_not() {
        for (text, within, without) in TABLE {
            let blackout = Blackout::parse(text).unwrap();
            for (times, expected) in [(within, true), (without, false)] {
                for time in times {
                    assert_eq!(blackout.holds(time.parse().unwrap()), expected, "{text} at {time}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (text, why) in [
            ("", "empty"),
            ("christmas", "days are written"),
            ("2026-12-24/2026-12-20", "ends before it begins"),
            ("2026-13-01", "a date is written"),
            ("2026-02-30", "a date is written"),
            ("12-24", "a date is written"),
            ("2026-12-24T10:00/2026-12-25", "a time of day"),
            ("2026-12-24 10:00-12:00", "days are written"),
            ("Mon-Fri 8-18", "a time of day"),
            ("Mon-Fri 08:00", "a time of day"),
            ("Mon 25:00-26:00", "a time of day"),
            ("Mon 08:00-08:00", "ends when it begins"),
            ("Mon 24:00-06:00", "ends when it begins"),
            ("Monday", "days are written"),
            ("Mon Tue 08:00-09:00", "more than days"),
            ("Mon,,Tue", "days are written"),
        ] {
            let error = Blackout::parse(text).unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
        assert!(Blackout::parse(&"Mon,".repeat(40)).is_err());
    }
}
