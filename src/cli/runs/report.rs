//! `drctl runs report`: the report of a run as Markdown, or its facts as JSON.

use super::events::hex;
use crate::cli::session::Session;
use crate::cli::{Error, Format, Global, exit, output};
use crate::engine::event::Event;
use crate::evidence::{self, Evidence, Given};
use crate::ports::{Clock, StreamName};
use crate::runtime::{self, SystemClock};

/// Records read at once.
const PAGE: usize = 1_000;

/// Runs the command.
///
/// # Errors
/// When the journal cannot be read or is damaged.
pub(crate) async fn run(global: &Global, session: &Session, text: &str) -> Result<u8, Error> {
    let run = session.find_run(text, false).await?;
    let loaded = runtime::load(session.journal.as_ref(), &run).await?;
    let now = SystemClock::real().now().max(loaded.state.last_at);
    let view = evidence::view(&loaded.plan, &loaded.state, super::driver(session, &run).await?, now);
    if global.output != Format::Text {
        output::print(global.output, &view, String::new)?;
        return Ok(exit::SUCCESS);
    }
    let evidence = evidence_of(session, &StreamName::run(&run), loaded.state.created.version.clone()).await?;
    output::line(evidence::report(&loaded.plan, &loaded.state, &view, &evidence).trim_end())?;
    Ok(exit::SUCCESS)
}

async fn evidence_of(session: &Session, stream: &StreamName, version: String) -> Result<Evidence, Error> {
    let mut evidence = Evidence { version, ..Evidence::default() };
    loop {
        let records = session.journal.read(stream, evidence.records, PAGE).await?;
        for record in &records {
            evidence.records = record.sequence;
            evidence.last_hash = hex(&record.hash);
            match serde_json::from_str(&record.body) {
                Ok(Event::RunCreated(created)) => evidence.given.push(Given {
                    at: record.recorded_at,
                    by: created.started_by,
                    consents: created.consents,
                }),
                Ok(Event::ConsentsGiven { consents, by }) => {
                    evidence.given.push(Given { at: record.recorded_at, by, consents });
                }
                Ok(Event::SafetyOverridden { node, by, reason }) => {
                    evidence.overrides.push((record.recorded_at, node, by, reason));
                }
                Ok(_) | Err(_) => {}
            }
        }
        if records.len() < PAGE {
            return Ok(evidence);
        }
    }
}
