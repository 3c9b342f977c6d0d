//! The command line: one file per command. Parses, calls, prints; makes no provider or SQL call of its own.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::engine::input::Control;
use crate::model::run::Operation;
use crate::telemetry::Manner;

mod actions;
mod approve;
mod binding;
mod bundle;
mod check;
mod completions;
mod consents;
mod control;
mod coverage;
mod detach;
mod diff;
mod doctor;
mod drill;
mod evidence;
mod explain;
mod follow;
mod iam;
mod init;
mod journal;
mod misread;
mod notices;
mod notify;
mod output;
mod plan;
mod remote;
mod replay;
mod resume;
mod runs;
mod schedule;
mod schema;
mod serve;
mod service;
mod session;
mod simulate;
mod start;
mod status;
mod stop_all;
mod table;
mod token;
mod trigger;
mod validate;

pub use crate::app::{Error, exit};

/// Disaster recovery, orchestrated: runbooks compiled into durable failovers.
#[derive(Debug, Parser)]
#[command(name = "drctl", version, max_term_width = 110, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 succeeded · 2 usage · 3 invalid · 4 failed or aborted · 5 unwound · 6 needs a \
                        person · 7 refused · 8 held by another · 9 objective missed · 10 unreachable · 12 damaged"
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Configuration file.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Journal: a path, `sqlite:PATH`, `memory:` or `postgres://…`.
    #[arg(long, global = true, value_name = "URL")]
    journal: Option<String>,
    /// Server that keeps the journal and drives the runs; its token comes from `DRCTL_TOKEN` or a token file.
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// Keep journal and output below ./.drctl/.
    #[arg(long, global = true)]
    local: bool,
    /// How data is printed.
    #[arg(long, short, global = true, value_enum, default_value = "text")]
    output: Format,
    /// Who you are, for the journal. Recorded as asserted, not proved.
    #[arg(long = "as", global = true, value_name = "NAME")]
    identity: Option<String>,
    /// Say more on standard error; twice for even more.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON document, a stable contract; streams are JSON lines.
    Json,
    /// The same as YAML.
    Yaml,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first runbook: strategy, sites and components, with marks where only you know the value.
    Init(init::Arguments),
    /// Compile runbooks and show every problem.
    Validate(validate::Arguments),
    /// Show the plan of an operation: steps, critical path, point of no return.
    Plan(plan::Arguments),
    /// Forecast an operation from thousands of simulated runs: recovery times, misses, what to shorten.
    Simulate(simulate::Arguments),
    /// Compare two versions of a runbook: what changes in safety, for pull requests.
    Diff(diff::Arguments),
    /// Move a service away from a lost site: unplanned, may lose data.
    Failover(start::Arguments),
    /// Move a service as planned, losing nothing.
    Switchover(start::Arguments),
    /// Return a service to the site it came from.
    Failback(start::Arguments),
    /// Rehearse a recovery: on the simulated estate, inside a boundary, or for real and back.
    Drill(drill::Arguments),
    /// Run the prechecks only: is everything there that a failover will need?
    Check(check::Arguments),
    /// How ready each service is, and why: last drill, what was measured, what must be done.
    Status(status::Arguments),
    /// What of a runbook was exercised, when, and what never was.
    Coverage(coverage::Arguments),
    /// Look at runs.
    #[command(subcommand)]
    Runs(runs::Command),
    /// Signed bundles that prove what a run did, and the keys that sign them.
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// Step through a recorded run, from the journal, an export or a bundle.
    Replay(replay::Arguments),
    /// Begin a staged run.
    Start(control::RunArguments),
    /// Go on with a run: after a pause, or after the process that drove it was lost.
    Resume(resume::Arguments),
    /// Start no new step of a run.
    Pause(control::RunArguments),
    /// Stop a run and hold everything as it stands.
    Abort(control::AbortArguments),
    /// Take back what a run has applied, in reverse. Only before the point of no return.
    Unwind(control::RunArguments),
    /// Try a failed or doubtful node again.
    Retry(control::NodeArguments),
    /// Leave a node out.
    Skip(control::SkipArguments),
    /// Say that a node was done by hand.
    Done(control::DoneArguments),
    /// Agree to an approval, or give the consents of the point of no return.
    Approve(approve::Arguments),
    /// Refuse an approval or the point of no return.
    Deny(control::OptionalNodeArguments),
    /// Treat the source as lost from here on.
    Mode(control::ModeArguments),
    /// Where services are.
    #[command(subcommand)]
    Service(service::Command),
    /// When drills run, and what came of that; run what is due, for the system's cron.
    #[command(subcommand)]
    Schedule(schedule::Command),
    /// Drive runs, keep schedules and answer over HTTP, until told to end.
    Serve(serve::Arguments),
    /// Make tokens for the API of `drctl serve`.
    #[command(subcommand)]
    Token(token::Command),
    /// What listens to webhooks, what came of it, and what it would do with an event.
    #[command(subcommand)]
    Trigger(trigger::Command),
    /// Halt all triggers and schedules, or let them work again. Runs in progress go on.
    StopAll(stop_all::Arguments),
    /// Make one file that works without network: binary, runbooks, plans, manual steps, schemas.
    Bundle(bundle::Arguments),
    /// Explain a diagnostic code.
    Explain(explain::Arguments),
    /// List actions, or describe one.
    Actions(actions::Arguments),
    /// Print a JSON schema.
    Schema(schema::Arguments),
    /// Try out who is told what runs do.
    #[command(subcommand)]
    Notify(notify::Command),
    /// Look after the journal.
    #[command(subcommand)]
    Journal(journal::Command),
    /// Look whether this machine can run a failover.
    Doctor(doctor::Arguments),
    /// Print completions for a shell.
    Completions(completions::Arguments),
    /// Write man pages into a folder.
    Man(completions::ManArguments),
}

/// Parses the command line and runs it.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread::report(&error),
    };
    let verbose = cli.global.verbose;
    crate::telemetry::start(match cli.command {
        Command::Serve(_) => Manner::Server { verbose },
        _ => Manner::Command { verbose },
    });
    session::let_writes_fail();
    let format = cli.global.output;
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::report(&error, format);
            ExitCode::from(error.code)
        }
    }
}

fn run(cli: Cli) -> Result<u8, Error> {
    let Cli { global, command } = cli;
    remote::refuse_unfit(&global, &command)?;
    match command {
        Command::Init(arguments) => init::run(&global, &arguments),
        Command::Validate(arguments) => validate::run(&global, &arguments),
        Command::Plan(arguments) => plan::run(&global, &arguments),
        Command::Simulate(arguments) => simulate::run(&global, &arguments),
        Command::Diff(arguments) => diff::run(&global, &arguments),
        Command::Failover(arguments) => start::run(&global, Operation::Failover, &arguments),
        Command::Switchover(arguments) => start::run(&global, Operation::Switchover, &arguments),
        Command::Failback(arguments) => start::run(&global, Operation::Failback, &arguments),
        Command::Drill(arguments) => drill::run(&global, &arguments),
        Command::Check(arguments) => check::run(&global, &arguments),
        Command::Status(arguments) => status::run(&global, &arguments),
        Command::Coverage(arguments) => coverage::run(&global, &arguments),
        Command::Runs(command) => runs::run(&global, &command),
        Command::Evidence(command) => evidence::run(&global, &command),
        Command::Replay(arguments) => replay::run(&global, &arguments),
        Command::Start(arguments) => control::of_run(&global, &arguments, Control::Start),
        Command::Resume(arguments) => resume::run(&global, &arguments),
        Command::Pause(arguments) => control::of_run(&global, &arguments, Control::Pause),
        Command::Abort(arguments) => control::abort(&global, &arguments),
        Command::Unwind(arguments) => control::of_run(&global, &arguments, Control::Unwind),
        Command::Retry(arguments) => control::retry(&global, &arguments),
        Command::Skip(arguments) => control::skip(&global, &arguments),
        Command::Done(arguments) => control::done(&global, &arguments),
        Command::Approve(arguments) => approve::run(&global, &arguments),
        Command::Deny(arguments) => control::deny(&global, &arguments),
        Command::Mode(arguments) => control::mode(&global, &arguments),
        Command::Service(command) => service::run(&global, &command),
        Command::Schedule(command) => schedule::run(&global, &command),
        Command::Serve(arguments) => serve::run(&global, &arguments),
        Command::Token(command) => token::run(&global, &command),
        Command::Trigger(command) => trigger::run(&global, &command),
        Command::StopAll(arguments) => stop_all::run(&global, &arguments),
        Command::Bundle(arguments) => bundle::run(&global, &arguments),
        Command::Explain(arguments) => explain::run(&global, &arguments),
        Command::Actions(arguments) => actions::run(&global, &arguments),
        Command::Schema(arguments) => schema::run(&global, &arguments),
        Command::Notify(command) => notify::run(&global, &command),
        Command::Journal(command) => journal::run(&global, &command),
        Command::Doctor(arguments) => doctor::run(&global, &arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => completions::man(&arguments),
    }
}
