//! Where a recorded run is read from: the journal, an export of it, or a bundle. Trusts none of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use crate::cli::session::{self, Session};
use crate::cli::{Error, Global, exit};
use crate::engine::event::Event;
use crate::journal::OpenMode;
use crate::journal::export::{self, Line};
use crate::plan;
use crate::ports::{Record, StreamName};
use crate::seal::{self, Retold};

/// Records read at once.
const PAGE: usize = 1_000;
/// Where the archive of a bundle says that it is one.
const MAGIC: (usize, &[u8]) = (257, b"ustar");

/// Opens the run that a word names: a file that is there, else a run of the journal.
///
/// # Errors
/// When there is none, or it cannot be told from what is there.
pub(super) fn open(global: &Global, word: &str) -> Result<Retold, Error> {
    let file = Path::new(word);
    if file.is_file() { of_file(file) } else { of_journal(global, word) }
}

fn of_journal(global: &Global, word: &str) -> Result<Retold, Error> {
    let session = Session::open_as(global, OpenMode::ReadOnly)?;
    session::block_on(async {
        let run = session.find_run(word, false).await?;
        let stream = StreamName::run(&run);
        let mut records: Vec<Record> = Vec::new();
        loop {
            let after = records.last().map_or(0, |record| record.sequence);
            let page = session.journal.read(&stream, after, PAGE).await?;
            let last = page.len() < PAGE;
            records.extend(page);
            if last {
                break;
            }
        }
        if records.first().is_some_and(|record| record.body.is_empty()) {
            return Err(Error::new(exit::USAGE, format!("what {run} did was pruned")).reason("run_pruned"));
        }
        let plan = session.journal.blob(&plan_of(&records)).await?.unwrap_or_default();
        retell(&records.iter().collect::<Vec<_>>(), &plan)
    })
}

fn retell(records: &[&Record], plan: &[u8]) -> Result<Retold, Error> {
    seal::retell(records, plan).map_err(|why| {
        Error::new(exit::DAMAGED, format!("the run cannot be told from its records: {why}")).reason("damaged")
    })
}

/// The digest of the plan that a run was created with.
fn plan_of(records: &[Record]) -> String {
    let first = records.first().map(|record| serde_json::from_str::<Event>(&record.body));
    match first {
        Some(Ok(Event::RunCreated(created))) => created.plan,
        _ => String::new(),
    }
}

fn of_file(file: &Path) -> Result<Retold, Error> {
    let most = seal::BYTES as u64;
    let mut bytes = Vec::new();
    let wrong = |error: std::io::Error| Error::new(exit::USAGE, format!("{}: {error}", file.display()));
    std::fs::File::open(file).map_err(wrong)?.take(most + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > most {
        return Err(Error::new(exit::USAGE, format!("{} is larger than 256 MiB", file.display())));
    }
    let (at, magic) = MAGIC;
    if bytes.get(at..at + magic.len()) == Some(magic) {
        return seal::open(&bytes).map_err(|why| {
            Error::new(exit::DAMAGED, format!("{}: {why}", file.display()))
                .help("`drctl evidence verify` says everything that is wrong with it")
        });
    }
    of_export(file, &bytes)
}

fn of_export(file: &Path, bytes: &[u8]) -> Result<Retold, Error> {
    let wrong = |what: String| Error::new(exit::USAGE, format!("{}: {what}", file.display()));
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is no text".to_owned()))?;
    let is_export = text.lines().any(|line| export::parse(line).is_ok());
    // What is an export in part was one: it was changed.
    let changed = |what: String| {
        let code = if is_export { exit::DAMAGED } else { exit::USAGE };
        let error = Error::new(code, format!("{}: {what}", file.display()));
        if is_export { error.reason("damaged") } else { error }
    };
    let (mut records, mut blobs) = (Vec::<Record>::new(), BTreeMap::new());
    for (number, line) in (1..).zip(text.lines()) {
        match export::parse(line).map_err(|error| changed(format!("line {number}: {error}")))? {
            Line::Record(record) if record.stream.as_str().starts_with("run/") => records.push(*record),
            Line::Record(_) => {}
            Line::Blob(name, content) => {
                if !is_named_after(&name, &content) {
                    let what = format!("line {number}: the content of blob {name} is not what it was");
                    return Err(changed(what));
                }
                blobs.insert(name, content);
            }
        }
    }
    let runs: BTreeSet<&StreamName> = records.iter().map(|record| &record.stream).collect();
    let begun = records.iter().filter(|record| record.sequence == 1).count();
    if begun < runs.len() {
        return Err(changed(format!("of {} runs in it only {begun} begin", runs.len())));
    }
    if runs.len() != 1 {
        return Err(wrong(format!("it holds {} runs", runs.len()))
            .help("`drctl journal export --run RUN --blobs` writes one"));
    }
    let plan = blobs.remove(&plan_of(&records)).ok_or_else(|| {
        if !blobs.is_empty() {
            return changed("the plan that the run was created with is not among its blobs".to_owned());
        }
        wrong("the plan of the run is not in it".to_owned())
            .help("`drctl journal export --run RUN --blobs` writes it, too")
    })?;
    retell(&records.iter().collect::<Vec<_>>(), &plan)
}

/// Whether a blob is what its name says. One that was no text when it was exported is not the same any more.
fn is_named_after(name: &str, content: &[u8]) -> bool {
    let was_text = std::str::from_utf8(content).is_ok_and(|text| !text.contains('\u{fffd}'));
    !was_text || plan::of_bytes(content) == name
}
