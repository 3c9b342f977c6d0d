//! `drctl service`: where services are, as far as drctl knows, and how a person corrects that.

use std::fmt::Write;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::runs::service_name;
use super::session::{self, Session};
use super::table::Yield::{Cut, Drop};
use super::table::{Table, local};
use super::{Error, Format, Global, exit, output};
use crate::app::launch::afar;
use crate::app::services::{self, LeftBetween, Said};
use crate::engine::service::ServiceRecord;
use crate::journal::{OpenMode, RemoteJournal};
use crate::model::id::{ServiceName, SiteName};
use crate::runtime;

/// What to do with service records.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// List services with the site they run in.
    List,
    /// Show where a service runs, since when, and what is quarantined.
    Show(NameArgument),
    /// Say where a service runs, or that a site was protected again by hand.
    Set(SetArguments),
}

/// The service a command is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct NameArgument {
    /// Name of the service.
    #[arg(value_parser = service_name)]
    name: ServiceName,
}

/// Arguments of `service set`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SetArguments {
    /// Name of the service.
    #[arg(value_parser = service_name)]
    name: ServiceName,
    /// The site it runs in.
    #[arg(required_unless_present = "reprotected", conflicts_with = "reprotected")]
    site: Option<SiteName>,
    /// This site was protected again by hand: replication runs towards it, its old data is gone.
    #[arg(long, value_name = "SITE")]
    reprotected: Option<SiteName>,
    /// Why; required.
    #[arg(long)]
    reason: Option<String>,
}

/// A service and where it is.
#[derive(Debug, Serialize)]
struct Line {
    service: ServiceName,
    #[serde(flatten)]
    record: ServiceRecord,
    /// The last real run, where it ended between the point of no return and the move of the users.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_between: Option<LeftBetween>,
}

/// Runs the command.
///
/// # Errors
/// When the journal cannot be used, or what is set makes no sense.
pub(crate) fn run(global: &Global, command: &Command) -> Result<u8, Error> {
    match command {
        Command::List => {
            let session = Session::open_as(global, OpenMode::ReadOnly)?;
            session::block_on(list(global, &session))
        }
        Command::Show(NameArgument { name }) => {
            let session = Session::open_as(global, OpenMode::ReadOnly)?;
            session::block_on(show(global, &session, name))
        }
        Command::Set(arguments) => set(global, arguments),
    }
}

async fn list(global: &Global, session: &Session) -> Result<u8, Error> {
    let journal = session.journal.as_ref();
    let mut lines = Vec::new();
    for service in services::names(journal).await? {
        let record = runtime::service_record(journal, &service).await?;
        let left_between = services::left_between(journal, &service, &record).await?;
        lines.push(Line { service, record, left_between });
    }
    if lines.is_empty() && global.output == Format::Text {
        output::say("no service has a record yet: each runs where its runbook says");
        return Ok(exit::SUCCESS);
    }
    output::print(global.output, &lines, || {
        let mut table = Table::new(&["SERVICE", "RUNS IN", "SINCE", "MOVED BY", "QUARANTINED"]);
        for Line { service, record, left_between } in &lines {
            let quarantined: Vec<_> = record.unready().into_keys().map(|site| site.to_string()).collect();
            let open = if left_between.is_some() { "? see `service show`" } else { "" };
            let active =
                record.active.as_ref().map_or_else(|| "as in its runbook".to_owned(), ToString::to_string);
            table.row([
                service.to_string(),
                active + open,
                record.since.map_or_else(String::new, local),
                record.run.as_ref().map_or_else(String::new, ToString::to_string),
                quarantined.join(", "),
            ]);
        }
        table.fit("", output::width(), &[Drop(2), Cut(3), Cut(4)])
    })?;
    Ok(exit::SUCCESS)
}

async fn show(global: &Global, session: &Session, name: &ServiceName) -> Result<u8, Error> {
    let record = runtime::service_record(session.journal.as_ref(), name).await?;
    let left_between = services::left_between(session.journal.as_ref(), name, &record).await?;
    let line = Line { service: name.clone(), record, left_between };
    output::print(global.output, &line, || {
        let left = line.left_between.as_ref().map(|left| format!("\n  {}", left.told(name)));
        describe(name, &line.record) + &left.unwrap_or_default()
    })?;
    Ok(exit::SUCCESS)
}

fn describe(name: &ServiceName, record: &ServiceRecord) -> String {
    let mut text = match (&record.active, record.since) {
        (Some(site), Some(since)) => {
            let by =
                record.run.as_ref().map_or_else(|| "set by hand".to_owned(), |run| format!("moved by {run}"));
            format!("{name} runs in {site} since {}, {by}", local(since))
        }
        _ if !record.left.is_empty() => format!("{name} runs in the other sites of its runbook"),
        _ => format!("{name} has no record: it runs where its runbook says"),
    };
    for (site, run) in &record.quarantined {
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "\n  {site} is quarantined since {run} left it: it may hold writes that were never replicated.\n  After \
             rebuilding it by hand: drctl service set {name} --reprotected {site} --reason \"…\""
        );
    }
    for (site, run) in &record.left {
        let _ = write!(
            text,
            "\n  {site} is out since {run} left it.\n  To take it back: drctl failback {name} --to {site}"
        );
    }
    text
}

fn set(global: &Global, arguments: &SetArguments) -> Result<u8, Error> {
    let reason = session::reason("service set", arguments.reason.as_deref())?;
    let session = Session::open(global)?;
    let name = &arguments.name;
    let said = match (&arguments.site, &arguments.reprotected) {
        (Some(site), _) => Said::RunsIn(site.clone()),
        (None, Some(site)) => Said::Reprotected(site.clone()),
        (None, None) => return Err(Error::new(exit::USAGE, "name the site")),
    };
    session::block_on(async {
        match &session.server {
            Some(server) => set_afar(&session, server, name, &said, &reason).await?,
            None => drop(services::set(&session, name, &said, reason).await?),
        }
        show(global, &session, name).await
    })
}

async fn set_afar(
    session: &Session,
    server: &RemoteJournal,
    name: &ServiceName,
    said: &Said,
    reason: &str,
) -> Result<(), Error> {
    let wanted = match said {
        Said::RunsIn(site) => json!({"site": site, "reason": reason}),
        Said::Reprotected(site) => json!({"reprotected": site, "reason": reason}),
    };
    let notes = server.put(&format!("services/{name}/record"), &wanted).await;
    afar::say(session, &notes.map_err(|refusal| afar::refused(session, refusal))?);
    Ok(())
}
