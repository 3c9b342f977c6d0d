//! When a schedule of AWS Backup fires. Must never compare two schedules by their letters where their times
//! can be told.
//!
//! The `cron` crate reads the fields, on civil time; time zones are jiff's, because the crate's own
//! arithmetic is wrong at changes of the clock. What it does not know, `L`, `W` and `#`, is a filter over
//! the days.

use chrono::{Datelike as _, NaiveDate, TimeZone as _, Timelike as _, Utc};
use jiff::civil;
use jiff::tz::TimeZone;

use crate::model::action::aws::backup::BackupPeriod;
use crate::model::time::{Duration, Timestamp};
use crate::providers::excerpt;

/// What AWS Backup takes where a rule has no schedule of its own.
pub(super) const DEFAULT: &str = "cron(0 5 ? * * *)";
/// The zone of a rule that names none.
pub(super) const UTC: &str = "Etc/UTC";
/// How far two schedules are compared.
const YEARS: i64 = 4;
/// Most times that are compared.
const TIMES: usize = 5_000;
const HOUR: Duration = Duration::from_secs(3_600);

/// A schedule that has been read.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    fields: cron::Schedule,
    days: Option<Days>,
    zone: TimeZone,
}

/// Days of a month the `cron` crate has no word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Days {
    /// `L`: the last day.
    Last,
    /// `LW`: the last day from Monday to Friday.
    LastWorkday,
    /// `15W`: the day from Monday to Friday nearest to this one, in the same month.
    Workday(u32),
    /// `6L`: the last of these weekdays, from 1 for Sunday.
    LastOf(u32),
    /// `6#3`: the third of these weekdays.
    Nth(u32, u32),
}

impl Schedule {
    /// Reads an expression such as `cron(0 5 ? * * *)`: minutes, hours, days of the month, months, days of
    /// the week, years.
    ///
    /// # Errors
    /// In words, when it is none, or the zone is not known.
    pub(super) fn read(text: &str, zone: &str) -> Result<Self, String> {
        let shown = excerpt::head(text, 80);
        let inside = text.trim().strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')'));
        let inside = inside.ok_or_else(|| format!("`{shown}` is not of the form cron(0 5 ? * * *)"))?;
        let upper = inside.to_ascii_uppercase();
        let given: Vec<&str> = upper.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays, years] = given.as_slice() else {
            return Err(format!("`{shown}` has {} fields, and a schedule of AWS has six", given.len()));
        };
        let odd = |field: &str| format!("`{}` in `{shown}` cannot be read", excerpt::head(field, 20));
        let in_month = Days::of_month(days).map_err(|()| odd(days))?;
        let in_week = Days::of_week(weekdays).map_err(|()| odd(weekdays))?;
        let days = if in_month.is_some() { "*" } else { days };
        let weekdays = if in_week.is_some() { "*" } else { weekdays };
        let fields = format!("0 {minutes} {hours} {days} {months} {weekdays} {years}");
        let fields = fields.parse().map_err(|_| format!("`{shown}` cannot be read"))?;
        let zone = match zone {
            "" | "UTC" | "Etc/UTC" | "ETC/UTC" => TimeZone::UTC,
            name => TimeZone::get(name)
                .map_err(|_| format!("`{}` is not a time zone", excerpt::head(name, 40)))?,
        };
        Ok(Self { fields, days: in_month.or(in_week), zone })
    }

    /// Whether two schedules fire at the same times from now on.
    pub(super) fn is_same(&self, other: &Self, now: Timestamp) -> bool {
        let same_fields = self.fields.timeunitspec_eq(&other.fields) && self.days == other.days;
        if same_fields && self.zone == other.zone {
            return true;
        }
        self.times(now).eq(other.times(now))
    }

    /// Whether it fires at least once in every period.
    pub(super) fn is_at_least(&self, period: BackupPeriod, now: Timestamp) -> bool {
        let days = match period {
            BackupPeriod::Daily => 1,
            BackupPeriod::Weekly => 7,
            BackupPeriod::Monthly => 31,
            BackupPeriod::Yearly => 366,
        };
        // An hour more where the clock is put back.
        let allowed = Duration::from_secs(days * 24 * 3_600).plus(HOUR);
        let mut last = now;
        for time in self.times(now) {
            if time.since(last) > allowed {
                return false;
            }
            last = time;
        }
        // A schedule that ends leaves nothing behind it.
        last.since(now) > Duration::from_secs((YEARS.unsigned_abs() - 2) * 366 * 24 * 3_600)
            || self.times(now).nth(TIMES - 1).is_some()
    }

    /// The next times it fires, in order.
    fn times(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let civil = now.to_jiff().to_zoned(self.zone.clone()).datetime();
        let date = NaiveDate::from_ymd_opt(
            i32::from(civil.year()),
            u32::from(civil.month().unsigned_abs()),
            u32::from(civil.day().unsigned_abs()),
        );
        let begin = date.and_then(|date| date.and_hms_opt(0, 0, 0)).unwrap_or_default();
        let end = now.plus(Duration::from_secs(YEARS.unsigned_abs() * 366 * 24 * 3_600));
        // Civil time dressed as UTC: the crate knows no changes of the clock there.
        let all = self.fields.after_owned(Utc.from_utc_datetime(&begin));
        let wanted = all.filter(|at| self.days.is_none_or(|days| days.hold(at.date_naive())));
        let instants = wanted.filter_map(|at| {
            let part = |number: u32| i8::try_from(number).ok();
            let date = civil::DateTime::new(
                i16::try_from(at.year()).ok()?,
                part(at.month())?,
                part(at.day())?,
                part(at.hour())?,
                part(at.minute())?,
                0,
                0,
            );
            let at = self.zone.to_ambiguous_timestamp(date.ok()?).compatible().ok()?;
            Some(Timestamp::from_millis(at.as_millisecond()))
        });
        instants.filter(move |at| *at > now).take_while(move |at| *at <= end).take(TIMES)
    }
}

impl Days {
    fn of_month(field: &str) -> Result<Option<Self>, ()> {
        match field {
            "L" => return Ok(Some(Self::Last)),
            "LW" | "WL" => return Ok(Some(Self::LastWorkday)),
            _ => {}
        }
        match field.strip_suffix('W') {
            Some(day) => match day.parse() {
                Ok(day @ 1..=31) => Ok(Some(Self::Workday(day))),
                _ => Err(()),
            },
            None if field.contains(['L', 'W']) => Err(()),
            None => Ok(None),
        }
    }

    fn of_week(field: &str) -> Result<Option<Self>, ()> {
        if let Some((day, number)) = field.split_once('#') {
            let number = number.parse().ok().filter(|number| (1..=5).contains(number)).ok_or(())?;
            return Ok(Some(Self::Nth(weekday(day).ok_or(())?, number)));
        }
        match field.strip_suffix('L') {
            // Alone it is the last day of the week.
            Some("") => Err(()),
            Some(day) => Ok(Some(Self::LastOf(weekday(day).ok_or(())?))),
            None => Ok(None),
        }
    }

    fn hold(self, date: NaiveDate) -> bool {
        let of_week = date.weekday().number_from_sunday();
        let last = last_day(date);
        match self {
            Self::Last => date.day() == last,
            Self::LastWorkday => nearest(date, last) == Some(date.day()),
            Self::Workday(day) => nearest(date, day.min(last)) == Some(date.day()) && day <= last,
            Self::LastOf(day) => of_week == day && date.day() + 7 > last,
            Self::Nth(day, number) => of_week == day && (date.day() - 1) / 7 + 1 == number,
        }
    }
}

fn weekday(name: &str) -> Option<u32> {
    let names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let number = (1..).zip(names).find(|(_, known)| *known == name).map(|(number, _)| number);
    number.or_else(|| name.parse().ok().filter(|number| (1..=7).contains(number)))
}

fn last_day(date: NaiveDate) -> u32 {
    (28..=31).rev().find(|day| date.with_day(*day).is_some()).unwrap_or(28)
}

/// The day from Monday to Friday nearest to a day of the month of a date, without leaving that month.
fn nearest(date: NaiveDate, day: u32) -> Option<u32> {
    let last = last_day(date);
    Some(match date.with_day(day)?.weekday().number_from_monday() {
        6 if day == 1 => 3,
        6 => day - 1,
        7 if day == last => day - 2,
        7 => day + 1,
        _ => day,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    fn next(text: &str, zone: &str) -> Vec<String> {
        let schedule = Schedule::read(text, zone).unwrap();
        schedule.times(now()).take(3).map(|at| at.to_string()[..16].to_owned()).collect()
    }

    #[test]
    fn words_of_aws_mean_what_aws_says() {
        for (text, expected) in [
            ("cron(0 5 ? * * *)", ["2026-11-22T05:00", "2026-11-23T05:00", "2026-11-24T05:00"]),
            ("cron(15 3 ? * 1 *)", ["2026-11-22T03:15", "2026-11-29T03:15", "2026-12-06T03:15"]),
            ("cron(15 3 ? * SUN *)", ["2026-11-22T03:15", "2026-11-29T03:15", "2026-12-06T03:15"]),
            ("cron(0 0 L * ? *)", ["2026-11-30T00:00", "2026-12-31T00:00", "2027-01-31T00:00"]),
            ("cron(0 0 LW * ? *)", ["2026-11-30T00:00", "2026-12-31T00:00", "2027-01-29T00:00"]),
            ("cron(0 0 1W * ? *)", ["2026-12-01T00:00", "2027-01-01T00:00", "2027-02-01T00:00"]),
            ("cron(0 0 15W 8 ? *)", ["2027-08-16T00:00", "2028-08-15T00:00", "2029-08-15T00:00"]),
            ("cron(0 0 ? * 6L *)", ["2026-11-27T00:00", "2026-12-25T00:00", "2027-01-29T00:00"]),
            ("cron(0 0 ? * TUE#2 *)", ["2026-12-08T00:00", "2027-01-12T00:00", "2027-02-09T00:00"]),
            ("cron(0 0/12 * * ? *)", ["2026-11-21T12:00", "2026-11-22T00:00", "2026-11-22T12:00"]),
        ] {
            assert_eq!(next(text, UTC), expected, "{text}");
        }
        // Berlin is an hour before UTC in winter.
        let berlin = next("cron(0 5 ? * * *)", "Europe/Berlin");
        assert_eq!(berlin[0], "2026-11-22T04:00");
    }

    #[test]
    fn the_same_times_are_the_same_schedule_however_they_are_written() {
        let read = |text: &str, zone: &str| Schedule::read(text, zone).unwrap();
        let same = |one: (&str, &str), other: (&str, &str)| {
            read(one.0, one.1).is_same(&read(other.0, other.1), now())
        };
        for (one, other) in [
            (("cron(0 5 ? * * *)", UTC), ("cron( 0  5 * * ? * )", "UTC")),
            (("cron(0 5 ? * 2-6 *)", UTC), ("cron(0 5 ? * MON-FRI *)", UTC)),
            (("cron(0 0,12 ? * * *)", UTC), ("cron(0 0/12 ? * * *)", UTC)),
            (("cron(0 5 ? * 1 *)", UTC), ("cron(0 5 ? * SUN *)", UTC)),
            (("cron(0 5 ? * * *)", UTC), ("cron(0 14 ? * * *)", "Asia/Tokyo")),
        ] {
            assert!(same(one, other), "{one:?} {other:?}");
        }
        for (one, other) in [
            (("cron(0 5 ? * * *)", UTC), ("cron(0 6 ? * * *)", UTC)),
            (("cron(0 5 ? * * *)", UTC), ("cron(0 6 ? * * *)", "Europe/Berlin")),
            (("cron(0 5 ? * * *)", UTC), ("cron(0 5 ? 1-11 * *)", UTC)),
            (("cron(0 5 L * ? *)", UTC), ("cron(0 5 30 * ? *)", UTC)),
            (("cron(0 5 ? * 1 *)", UTC), ("cron(0 5 ? * 7 *)", UTC)),
        ] {
            assert!(!same(one, other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_period_is_kept_when_no_gap_is_longer() {
        use BackupPeriod::{Daily, Monthly, Weekly, Yearly};
        let is =
            |text: &str, period| Schedule::read(text, "Europe/Berlin").unwrap().is_at_least(period, now());
        assert!(is("cron(0 5 ? * * *)", Daily) && is("cron(0 0/6 ? * * *)", Daily));
        assert!(!is("cron(0 5 ? * MON-FRI *)", Daily) && is("cron(0 5 ? * MON-FRI *)", Weekly));
        assert!(is("cron(0 5 L * ? *)", Monthly) && !is("cron(0 5 L * ? *)", Weekly));
        assert!(is("cron(0 5 1 1 ? *)", Yearly) && !is("cron(0 5 1 1 ? *)", Monthly));
        assert!(!is("cron(0 5 ? * * 2026)", Daily), "it ends with the year");
    }

    #[test]
    fn what_is_none_is_said_to_be_none() {
        for text in [
            "",
            "0 5 * * ? *",
            "cron(0 5 * * *)",
            "cron(61 5 ? * * *)",
            "cron(0 5 L-3 * ? *)",
            "rate(1 day)",
            "cron(0 5 ? * L *)",
            "cron(0 5 ? * MON#9 *)",
        ] {
            assert!(Schedule::read(text, UTC).is_err(), "{text}");
        }
        assert!(Schedule::read(DEFAULT, "Mars/Olympus").unwrap_err().contains("time zone"));
    }
}
