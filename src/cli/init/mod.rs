//! `drctl init`: writes a first runbook, from flags and, on a terminal, questions. Never overwrites a file
//! unasked, and never forgets what was answered.

mod ask;
mod given;
mod sound;
mod store;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use self::ask::Person;
use super::{Error, Format, Global, exit, output};
use crate::compile::scaffold::{MARK, scaffold};
use crate::model::component::ComponentKind;
use crate::model::id::{ServiceName, SiteName};
use crate::model::runbook::Strategy;
use crate::model::time::Duration;

/// Arguments of `init`.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub(crate) struct Arguments {
    /// Name of the service.
    #[arg(long)]
    name: Option<ServiceName>,
    /// Team that answers for it.
    #[arg(long, value_name = "TEAM")]
    owner: Option<String>,
    /// `backup_restore`, `pilot_light`, `warm_standby` or `active_active`.
    #[arg(long)]
    strategy: Option<Strategy>,
    /// Region the service runs in; also the name of that site.
    #[arg(long, value_name = "REGION")]
    from: Option<SiteName>,
    /// Region it can move to.
    #[arg(long, value_name = "REGION")]
    to: Option<SiteName>,
    /// Provider of the sites, such as aws, azure, gcp; default: as the components say.
    #[arg(long)]
    provider: Option<String>,
    /// Kind of the database: docs/reference/components.md lists all kinds.
    #[arg(long, value_name = "KIND")]
    database: Option<ComponentKind>,
    /// Kind of what runs the service; may be given several times.
    #[arg(long, value_name = "KIND")]
    compute: Vec<ComponentKind>,
    /// Kind of what sends users to a site.
    #[arg(long, value_name = "KIND")]
    traffic: Option<ComponentKind>,
    /// Kind of another part: a queue, a link, backups, alarms; may be given several times.
    #[arg(long, value_name = "KIND")]
    with: Vec<ComponentKind>,
    /// Direct address of a site's health; `{site}` stands for the name of the site.
    #[arg(long, value_name = "URL")]
    health: Option<String>,
    /// Address users have.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Recovery time objective, such as 15m.
    #[arg(long)]
    rto: Option<Duration>,
    /// Recovery point objective, such as 60s.
    #[arg(long)]
    rpo: Option<Duration>,
    /// File to write, or `-` for standard output; default: the name of the service with `.yaml`.
    #[arg(long, short, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Overwrite the file.
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// When something is not known and nobody can be asked, the parts do not go together, or the file is there.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let mut stdin = std::io::stdin().lock();
    let mut stderr = std::io::stderr();
    let mut said = arguments.clone();
    let asks = std::io::stdin().is_terminal();
    let written = given::check(arguments, asks).and_then(|()| {
        if asks {
            ask::complete(&mut said, &mut Person { answers: &mut stdin, questions: &mut stderr })?;
        }
        write(global, &said)
    });
    written.map_err(|error| if said == *arguments { error } else { given::with_answers(error, &said) })
}

fn write(global: &Global, said: &Arguments) -> Result<u8, Error> {
    let wanted = given::wanted(said)?;
    let text = scaffold(&wanted);
    let marks = text.lines().filter(|line| !line.starts_with('#') && line.contains(MARK)).count();
    sound::check(&text)?;
    let path = given::path(said, &wanted.name);
    if path.as_os_str() == "-" {
        output::line(text.trim_end())?;
        return Ok(exit::SUCCESS);
    }
    store::store(&path, &text, said.force)?;
    let shown = path.display().to_string();
    let document =
        json!({"file": shown, "name": wanted.name, "strategy": wanted.strategy, "to_fill_in": marks});
    output::print(global.output, &document, || format!("{shown}: {marks} lines marked {MARK} to fill in"))?;
    if global.output == Format::Text {
        output::say(&given::next(&wanted, &shown));
    }
    Ok(exit::SUCCESS)
}
