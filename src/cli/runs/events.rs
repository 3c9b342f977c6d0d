//! `drctl runs events`: the facts of a run, for people or as JSON lines.

use clap::Args;

use crate::app::view;
use crate::cli::session::Session;
use crate::cli::{Error, Format, Global, exit, output};
use crate::engine::event::Event;
use crate::ports::StreamName;
use crate::runtime;

/// Records read at once.
const PAGE: usize = 1_000;

/// Arguments of `runs events`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
    /// Only facts after this sequence.
    #[arg(long, default_value_t = 0, value_name = "SEQ")]
    after: u64,
}

/// Runs the command.
///
/// # Errors
/// When the journal cannot be read or is damaged.
pub(crate) async fn run(global: &Global, session: &Session, arguments: &Arguments) -> Result<u8, Error> {
    let run = session.find_run(&arguments.run, false).await?;
    let plan = match global.output {
        Format::Text => Some(runtime::load(session.journal.as_ref(), &run).await?.plan),
        Format::Json | Format::Yaml => None,
    };
    let stream = StreamName::run(&run);
    let mut after = arguments.after;
    loop {
        let records = session.journal.read(&stream, after, PAGE).await?;
        for record in &records {
            after = record.sequence;
            match (&plan, global.output) {
                (Some(plan), _) => {
                    let event = serde_json::from_str::<Event>(&record.body).ok();
                    let text = event.map(|event| crate::evidence::describe(plan, &event));
                    let text = text.unwrap_or_else(|| record.kind.replace('_', " "));
                    output::line(&format!("{:>5} {} {text}", record.sequence, record.recorded_at))?;
                }
                (None, Format::Yaml) => {
                    let yaml = serde_saphyr::to_string(&view::record(record)).unwrap_or_default();
                    output::line(&format!("---\n{}", yaml.trim_end()))?;
                }
                (None, Format::Text | Format::Json) => output::line(&view::record(record).to_string())?,
            }
        }
        if records.len() < PAGE {
            return Ok(exit::SUCCESS);
        }
    }
}
