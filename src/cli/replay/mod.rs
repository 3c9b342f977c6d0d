//! `drctl replay`: steps through a recorded run: what was known when, and what the run looked like then.
//! Reads only; performs nothing.

mod point;
mod source;
mod tell;

use clap::Args;
use point::Point;

use super::{Error, Global, exit, output, session};
use crate::app::Speed;
use crate::seal::Retold;

/// Arguments of `replay`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Run: an id, a unique beginning of one, or `latest`. Or a file: a bundle, or what
    /// `drctl journal export --run RUN --blobs` printed.
    run: String,
    /// Show the run as it was at a point: a sequence, a time, or +DURATION since the recovery clock began.
    #[arg(long, value_name = "POINT", conflicts_with_all = ["step", "follow"])]
    at: Option<Point>,
    /// Say after each fact where the run stood.
    #[arg(long, conflicts_with = "follow")]
    step: bool,
    /// Show it as it went, in its own time.
    #[arg(long)]
    follow: bool,
    /// How fast: 1x, 10x or max.
    #[arg(long, default_value = "1x", requires = "follow")]
    speed: Speed,
}

/// Says that the records end before the run did: of a file nobody can tell whether more of it was there.
fn say_open(run: &Retold) {
    let mut state = run.begin();
    while run.advance(&mut state).is_some() {}
    if !state.status.is_terminal() {
        output::say(&format!(
            "\x1b[33mnote\x1b[0m: record {} is the last, and the run was not over then: {}",
            state.sequence, state.status
        ));
    }
}

/// Runs the command.
///
/// # Errors
/// When there is no such run, it cannot be told from what is there, or the point lies outside of it.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let run = source::open(global, &arguments.run)?;
    say_open(&run);
    match arguments.at {
        Some(point) => tell::show(global, &run, point)?,
        None if arguments.follow => session::block_on(tell::follow(global, &run, arguments.speed))?,
        None => tell::tell(global, &run, arguments.step)?,
    }
    Ok(exit::SUCCESS)
}
