//! Bundles of a run and of all runs that it began, in a folder of their own. Overwrites nothing.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Error, chain, exit, pack, read, runs};
use crate::app::Session;
use crate::engine;
use crate::evidence::first_line;
use crate::journal::record::Hash;
use crate::model::id::RunId;
use crate::ports::StreamName;
use crate::runtime;
use crate::seal::{self, Family, Pair, PublicKey, Signature};

/// Most bundles in one folder.
const MOST: usize = 20_000;

/// Writes the bundle of a run and those of all that it began, with the journal's head at one moment.
///
/// # Errors
/// When the folder exists, or a bundle cannot be made or written.
pub(super) async fn write(
    session: &Session,
    run: &RunId,
    pair: &Pair,
    folder: Option<&Path>,
) -> Result<(PathBuf, Vec<RunId>), Error> {
    let folder = folder.map_or_else(|| PathBuf::from(format!("evidence-{run}")), Path::to_owned);
    let all = begun(session, run).await?;
    // What it began was recorded after it, so that one chain holds them all.
    let whole = chain(session, first(session, run).await?).await?;
    std::fs::create_dir(&folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::new(exit::USAGE, format!("{} exists already", folder.display()))
                .help("nothing is overwritten, and nothing else may lie among bundles: name a new folder")
        }
        _ => Error::new(exit::UNREACHABLE, format!("{}: {error}", folder.display())),
    })?;
    for run in &all {
        let bytes = pack(session, run, pair, Some(&whole)).await?;
        runs::write(&folder.join(format!("evidence-{run}.tar")), &bytes)?;
    }
    Ok((folder, all))
}

/// The position before the first record of a run.
async fn first(session: &Session, run: &RunId) -> Result<u64, Error> {
    let records = session.journal.read(&StreamName::run(run), 0, 1).await?;
    Ok(records.first().map_or(0, |record| record.position.saturating_sub(1)))
}

/// A run and all that it began, and they, in the order in which they were begun.
async fn begun(session: &Session, run: &RunId) -> Result<Vec<RunId>, Error> {
    let (mut all, mut todo) = (Vec::new(), VecDeque::from([run.clone()]));
    while let Some(run) = todo.pop_front() {
        let loaded = runtime::load(session.journal.as_ref(), &run).await?;
        todo.extend(engine::begun(&loaded.plan, &loaded.state));
        all.push(run);
        if all.len() > MOST {
            return Err(Error::new(exit::REFUSED, format!("it began more than {MOST} runs")));
        }
    }
    Ok(all)
}

/// Checks every bundle of a folder, and that they belong together.
///
/// # Errors
/// When the folder or one of its bundles cannot be read.
pub(super) fn verify(folder: &Path, trusted: &[PublicKey], noted: Option<&Hash>) -> Result<Family, Error> {
    let wrong = |error: std::io::Error| Error::new(exit::USAGE, format!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.extension().is_some_and(|ending| ending == "tar") {
            files.push(path);
        }
        if files.len() > MOST {
            return Err(Error::new(exit::USAGE, format!("{} has too many bundles", folder.display())));
        }
    }
    if files.is_empty() {
        return Err(Error::new(exit::USAGE, format!("{} holds no bundle", folder.display()))
            .help("name a file, or a folder with bundles, whose names end in .tar"));
    }
    files.sort();
    let mut family = Family::default();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        family.add(&name, &read(file, seal::BYTES as u64)?, trusted, noted);
    }
    family.finish();
    Ok(family)
}

/// One line for each bundle, and what is wrong.
pub(super) fn text(family: &Family) -> String {
    let bundles = family.bundles.len();
    let mut text = match (family.sound, family.signature()) {
        (true, Signature::Trusted) => {
            format!(
                "\x1b[32mTRUSTED\x1b[0m: {bundles} bundles, sound, complete and signed by a key you trust"
            )
        }
        (true, Signature::UnknownKey | Signature::Bad) => format!(
            "\x1b[33mSOUND, KEY UNKNOWN\x1b[0m: {bundles} bundles are whole and complete, but anybody may have \
             signed them\n--trust KEY.pub says whose signature counts"
        ),
        (false, _) => format!("\x1b[1;31mDAMAGED\x1b[0m: {bundles} bundles"),
    };
    // Writing into a string cannot fail.
    for member in &family.bundles {
        let verified = &member.verified;
        let word = if verified.sound { "\x1b[32mok    \x1b[0m" } else { "\x1b[1;31mFAILED\x1b[0m" };
        let run = verified.run.as_deref().unwrap_or("no run");
        let _ = write!(text, "\n  {word} {}: {}", first_line(&member.file), first_line(run));
        for check in verified.checks.iter().filter(|check| !check.holds) {
            for found in &check.found {
                let _ = write!(text, "\n         {:9}  {}", check.check, first_line(found));
            }
        }
    }
    for wrong in &family.wrong {
        let _ = write!(text, "\n  \x1b[1;31mFAILED\x1b[0m {}", first_line(wrong));
    }
    text
}
