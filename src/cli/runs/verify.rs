//! `drctl runs verify`: checks the hash chain of one run, and that its plan and runbook are what they were.

use serde_json::json;

use crate::cli::session::Session;
use crate::cli::{Error, Global, exit, output};
use crate::journal::record::hex;
use crate::ports::StreamName;
use crate::runtime;

/// Records read at once.
const PAGE: usize = 1_000;

/// Runs the command.
///
/// # Errors
/// When the run is damaged, or the journal cannot be read.
pub(crate) async fn run(global: &Global, session: &Session, text: &str) -> Result<u8, Error> {
    let run = session.find_run(text, false).await?;
    let stream = StreamName::run(&run);
    let (mut after, mut hash, mut pruned) = (0, [0; 32], 0_u64);
    loop {
        // The journal checks the chain and every digest as it reads.
        let records = session.journal.read(&stream, after, PAGE).await?;
        for record in &records {
            (after, hash) = (record.sequence, record.hash);
            pruned += u64::from(record.body.is_empty());
        }
        if records.len() < PAGE {
            break;
        }
    }
    if pruned == 0 {
        let loaded = runtime::load(session.journal.as_ref(), &run).await?;
        let digest = &loaded.state.created.runbook;
        let text = session.journal.blob(digest).await?;
        text.ok_or_else(|| {
            Error::new(exit::DAMAGED, format!("{run}: the text of its runbook is missing"))
                .reason("journal_damaged")
        })?;
    }
    let found =
        json!({"run": run.as_str(), "records": after, "pruned": pruned, "sound": true, "head": hex(&hash)});
    output::print(global.output, &found, || {
        let kept = if pruned > 0 { format!(" ({pruned} pruned)") } else { String::new() };
        format!("{run} is sound: {after} records{kept}, last hash {}", hex(&hash))
    })?;
    Ok(exit::SUCCESS)
}
