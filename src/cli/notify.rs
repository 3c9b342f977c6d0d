//! `drctl notify`: tries the targets of notifications out before they are needed.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::session;
use super::{Error, Global, exit, output};
use crate::app;
use crate::app::RandomIds;
use crate::notify::{Answer, Notice, Target};
use crate::ports::IdSource;

/// What to do with the targets of notifications.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Send a test notice to every target, or to one, and say what it answers.
    Test(Arguments),
}

/// Arguments of `notify test`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Name of a target; default: all of them.
    name: Option<String>,
}

/// What a target answered.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    kind: &'static str,
    taken: bool,
    answer: String,
}

/// Runs the command.
///
/// # Errors
/// When the configuration names no such target, or a target cannot be used.
pub(crate) fn run(global: &Global, command: &Command) -> Result<u8, Error> {
    let Command::Test(arguments) = command;
    let config = session::config(global)?;
    if config.notify.is_empty() {
        let file = config.file.as_deref().map_or("drctl.toml".into(), |file| file.display().to_string());
        return Err(Error::new(exit::USAGE, format!("{file} names no target of notifications"))
            .help("add a [[notify]] entry: docs/guides/notifications.md"));
    }
    let by = session::identity(global, &config).name;
    let mut targets = app::configured_targets(&config)?;
    if let Some(name) = &arguments.name {
        let known: Vec<_> = targets.iter().map(|target| target.name().to_owned()).collect();
        targets.retain(|target| target.name() == name);
        if targets.is_empty() {
            return Err(Error::new(exit::USAGE, format!("no target is called `{name}`"))
                .help(format!("there are {}", known.join(", "))));
        }
    }
    let lines = session::block_on(async {
        let mut lines = Vec::new();
        for target in &targets {
            lines.push(try_out(target, &by).await);
        }
        Ok(lines)
    })?;
    output::print(global.output, &lines, || render(&lines))?;
    Ok(if lines.iter().all(|line| line.taken) { exit::SUCCESS } else { exit::UNREACHABLE })
}

async fn try_out(target: &Target, by: &str) -> Line {
    let now = session::now();
    let notice = target.worded(Notice::trial(&RandomIds.suffix(), by, now));
    let (taken, answer) = if target.sender().takes(&notice) {
        match target.sender().send(&notice, now).await {
            Answer::Taken(said) => (true, said),
            Answer::Later { why, .. } => (false, why),
            Answer::Refused(why) => (false, why),
        }
    } else {
        (true, "not tried: a note needs the incident of a run".to_owned())
    };
    Line { name: target.name().to_owned(), kind: target.sender().kind().as_str(), taken, answer }
}

fn render(lines: &[Line]) -> String {
    let line = |line: &Line| {
        let word = if line.taken { "\x1b[32mok\x1b[0m" } else { "\x1b[1;31mFAILED\x1b[0m" };
        format!("{} ({}): {word}: {}", line.name, line.kind, line.answer)
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}
