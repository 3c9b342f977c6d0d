//! `drctl schedule next`: the next fires of one runbook, with what is left out and why.

use clap::Args;
use serde::Serialize;

use crate::app::launch::board::{shown, timetable, utc};
use crate::app::launch::source;
use crate::cli::output::Terminal;
use crate::cli::session;
use crate::cli::table::Table;
use crate::cli::table::Yield::{Cut, Wrap};
use crate::cli::{Error, Global, exit, output};
use crate::model::schedule::{Fire, Shift, Timetable};
use crate::model::time::Timestamp;

/// Most fires that are shown, those left out included.
const MOST: usize = 1_000;

/// Arguments of `schedule next`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Runbook: a path, or the name of a service or file in the configured folders.
    runbook: String,
    /// How many fires that run are shown.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=500))]
    count: u16,
    /// Pretend that it is this time.
    #[arg(long, value_name = "TIME", hide = true)]
    now: Option<Timestamp>,
}

/// A fire to come.
#[derive(Debug, Serialize)]
struct Line {
    at: Timestamp,
    begins: Timestamp,
    local: String,
    /// The blackout that stops it.
    left_out: Option<String>,
    /// What a change of the clock does to it.
    note: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the runbook cannot be found, does not compile, or has no schedule.
pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let (config, _borrowed) = session::config_and_runbooks(global)?;
    let source = source::load(&config, &arguments.runbook, &Terminal)?;
    let name = &source.runbook.metadata.name;
    let Some(table) = timetable(&source.runbook) else {
        return Err(Error::new(exit::USAGE, format!("the runbook of {name} has no drill schedule"))
            .help("write `drill: {schedule: {cron: \"0 3 * * SUN\", timezone: Europe/Berlin}}`"));
    };
    let now = arguments.now.unwrap_or_else(session::now);
    let lines = lines(&table, now, usize::from(arguments.count));
    output::print(global.output, &lines, || render(&lines))?;
    Ok(exit::SUCCESS)
}

fn lines(table: &Timetable, now: Timestamp, count: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut run = 0;
    let fires = table.fires(now.minus(table.jitter())).filter(|fire| fire.begins > now);
    for fire in fires.take(MOST) {
        let left_out = table.blackout(fire.begins).map(ToString::to_string);
        run += usize::from(left_out.is_none());
        let local = shown(table, fire.begins);
        lines.push(Line { at: fire.at, begins: fire.begins, local, left_out, note: note(&fire) });
        if run == count {
            break;
        }
    }
    lines
}

fn note(fire: &Fire) -> Option<String> {
    let written = fire.civil.strftime("%H:%M");
    match fire.shift {
        Shift::None => None,
        Shift::Skipped => {
            Some(format!("the clock skips {written}: it runs once the clock has been put forward"))
        }
        Shift::First => Some(format!("{written} comes twice: this is the first")),
        Shift::Second => Some(format!("{written} comes twice: this is the second")),
    }
}

fn render(lines: &[Line]) -> String {
    let mut table = Table::new(&["BEGINS", "UTC", "NOTE"]);
    for line in lines {
        let left_out = line.left_out.as_ref().map(|why| format!("\x1b[33mleft out\x1b[0m: blackout {why}"));
        let delay = line.begins.since(line.at);
        let delay =
            (delay.as_millis() > 0 && left_out.is_none()).then(|| format!("{} and {delay}", utc(line.at)));
        let notes: Vec<String> = [left_out, line.note.clone(), delay].into_iter().flatten().collect();
        table.row([line.local.clone(), utc(line.begins), notes.join("; ")]);
    }
    table.fit("", output::width(), &[Wrap(2), Cut(1)])
}
