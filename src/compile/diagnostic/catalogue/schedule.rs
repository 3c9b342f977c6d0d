//! Entries about when drills run.

use super::{Entry, error};

pub(crate) const BROKEN_CRON: Entry = error(
    "a cron expression that cannot be read",
    "A schedule has five fields: minute, hour, day of the month, month, day of the week (0 and 7 are \
     Sunday). Each is `*`, a value, a list, a range, or a range with a step. `@hourly`, `@daily`, \
     `@weekly`, `@monthly` and `@yearly` are read as well.",
    "schedule: {cron: \"0 25 * * SUN\"}",
    "schedule: {cron: \"0 3 * * SUN\"}",
);

pub(crate) const BOTH_DAYS: Entry = error(
    "day of the month and day of the week are both given",
    "Some crons run on days that fit either field, others only on days that fit both. A drill must not depend on \
     which one is meant.",
    "schedule: {cron: \"0 3 1 * SUN\"}",
    "schedule: {cron: \"0 3 1 * *\"}   # the first of every month",
);

pub(crate) const UNKNOWN_ZONE: Entry = error(
    "a time zone that does not exist",
    "Zones are named as in the IANA data, such as Europe/Berlin. Abbreviations such as CET or EST say nothing \
     about when clocks change there.",
    "schedule: {cron: \"0 3 * * SUN\", timezone: Berlin}",
    "schedule: {cron: \"0 3 * * SUN\", timezone: Europe/Berlin}",
);

pub(crate) const BROKEN_BLACKOUT: Entry = error(
    "a blackout that cannot be read",
    "A blackout is a range of days, a day, days of the week, a time of day, or days of the week with a time of \
     day. One that cannot be read would keep nothing from running.",
    "blackout: [christmas]",
    "blackout: [\"2026-12-20/2027-01-05\", \"2027-02-01\", \"Mon-Fri 08:00-18:00\", \"Sat,Sun\", \"22:00-06:00\"]",
);

pub(crate) const NEVER_FIRES: Entry = error(
    "a schedule that never fires",
    "No day fits the expression, such as the 30th of February. A drill that never runs would be found out on the \
     bad day.",
    "schedule: {cron: \"0 3 30 2 *\"}",
    "schedule: {cron: \"0 3 28 2 *\"}",
);

pub(crate) const ALWAYS_BLACKOUT: Entry = error(
    "every fire lies in a blackout",
    "None of the fires of the next years would be let through: the drill never runs.",
    "schedule: {cron: \"0 3 * * SUN\", blackout: [\"Sat,Sun\"]}",
    "schedule: {cron: \"0 3 * * TUE\", blackout: [\"Sat,Sun\"]}",
);

pub(crate) const JITTER_TOO_LONG: Entry = error(
    "a delay that reaches the next fire",
    "Each fire waits for a part of the jitter. Where that may be as long as the time to the next fire, two of them \
     fall together or change places.",
    "schedule: {cron: \"0 * * * *\", jitter: 2h}",
    "schedule: {cron: \"0 * * * *\", jitter: 10m}",
);
