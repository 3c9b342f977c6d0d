//! `drctl evidence`: signed bundles that prove what a run did to people without the journal, and the keys
//! that sign them.

mod family;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::session::{self, Session};
use super::{Error, Global, exit, output, runs};
use crate::engine::event::Event;
use crate::evidence::first_line;
use crate::journal::OpenMode;
use crate::journal::export;
use crate::journal::record::{Hash, Tip, unhex};
use crate::model::id::RunId;
use crate::ports::{Record, StreamName};
use crate::seal::{self, Chain, Contents, PackError, Pair, PublicKey, Signature, Verified};

/// Records read at once.
const PAGE: usize = 1_000;
/// Largest file of a key, in bytes.
const KEY_FILE: u64 = 4_096;

/// What to do with evidence.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Write one signed file with everything that proves what a run did.
    Bundle(BundleArguments),
    /// Make a pair of keys: the private one signs bundles, the public one is given to those who check them.
    Key(KeyArguments),
    /// Check a bundle, without journal and network: signature, hashes, chains, and the report against them.
    Verify(VerifyArguments),
}

/// Arguments of `evidence bundle`.
#[derive(Debug, Clone, Args)]
pub(crate) struct BundleArguments {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
    /// Also one of every run that it began, such as the members of a fleet, all in a new folder.
    #[arg(long)]
    members: bool,
    /// File to write, with --members the folder; must not exist. Default: evidence-RUN.tar, evidence-RUN.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Private key that signs. Default: evidence.pem beside the journal.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Arguments of `evidence key`.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeyArguments {
    /// File of the private key; must not exist. The public one is written beside it, with `.pub` at its end.
    /// Default: evidence.pem beside the journal.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Arguments of `evidence verify`.
#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyArguments {
    /// Bundle, or a folder with all those of a run and of what it began.
    bundle: PathBuf,
    /// Public key that must have signed it; may be given several times.
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Head of the journal that was noted elsewhere, as `drctl journal verify` prints it: the bundle must
    /// agree with it.
    #[arg(long, value_name = "HASH", value_parser = hash)]
    head: Option<Hash>,
}

fn hash(text: &str) -> Result<Hash, String> {
    unhex(text).ok_or_else(|| "a head is 64 hexadecimal digits".to_owned())
}

/// Runs the command.
///
/// # Errors
/// When the journal, a key or the bundle cannot be used; damage has an exit code of its own.
pub(crate) fn run(global: &Global, command: &Command) -> Result<u8, Error> {
    match command {
        Command::Bundle(arguments) => bundle(global, arguments),
        Command::Key(arguments) => key(global, arguments),
        Command::Verify(arguments) => verify(global, arguments),
    }
}

fn bundle(global: &Global, arguments: &BundleArguments) -> Result<u8, Error> {
    let session = Session::open_as(global, OpenMode::ReadOnly)?;
    let place = arguments.key.clone().unwrap_or_else(|| session.config.state.join("evidence.pem"));
    let pair = private_key(&place)?;
    if arguments.members {
        return bundles(global, &session, arguments, &pair);
    }
    let (run, bytes) = session::block_on(async {
        let run = session.find_run(&arguments.run, false).await?;
        let bytes = pack(&session, &run, &pair, None).await?;
        Ok((run, bytes))
    })?;
    let file = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("evidence-{run}.tar")));
    runs::write(&file, &bytes)?;
    let key = pair.public().fingerprint();
    let done = json!({"file": file, "run": run.as_str(), "bytes": bytes.len(), "key": key});
    output::print(global.output, &done, || {
        let size = bytes.len().div_ceil(1024);
        let name = file.display();
        format!(
            "{name}: {size} KiB, signed with key {key}\ncheck it with: drctl evidence verify {name} --trust KEY.pub"
        )
    })?;
    Ok(exit::SUCCESS)
}

fn bundles(
    global: &Global,
    session: &Session,
    arguments: &BundleArguments,
    pair: &Pair,
) -> Result<u8, Error> {
    let (folder, runs) = session::block_on(async {
        let run = session.find_run(&arguments.run, false).await?;
        family::write(session, &run, pair, arguments.out.as_deref()).await
    })?;
    let key = pair.public().fingerprint();
    let done = json!({"folder": folder, "runs": runs, "key": key});
    output::print(global.output, &done, || {
        let name = folder.display();
        format!(
            "{name}: {} bundles, signed with key {key}\ncheck them with: drctl evidence verify {name} --trust KEY.pub",
            runs.len()
        )
    })?;
    Ok(exit::SUCCESS)
}

/// The bundle of a run. `whole`: the journal's chain from before the run on, where it is known already.
async fn pack(session: &Session, run: &RunId, pair: &Pair, whole: Option<&Chain>) -> Result<Vec<u8>, Error> {
    let mut records = stream(session, &StreamName::run(run)).await?;
    records.extend(stream(session, &StreamName::evidence(run)).await?);
    records.sort_by_key(|record| record.position);
    let Some(Ok(Event::RunCreated(created))) =
        records.first().map(|record| serde_json::from_str::<Event>(&record.body))
    else {
        return Err(Error::new(exit::USAGE, format!("what {run} did was pruned: there is nothing to prove"))
            .reason("run_pruned"));
    };
    let mut blobs = BTreeMap::new();
    for name in records.iter().flat_map(|record| export::blobs(&record.body)) {
        if name != created.plan && name != created.runbook && !blobs.contains_key(&name) {
            let bytes = blob(session, run, &name).await?;
            blobs.insert(name, bytes);
        }
    }
    let after = records.first().map_or(0, |record| record.position).saturating_sub(1);
    let contents = Contents {
        run: run.clone(),
        chain: match whole {
            Some(whole) => whole.later(after),
            None => chain(session, after).await?,
        },
        plan: blob(session, run, &created.plan).await?,
        runbook: blob(session, run, &created.runbook).await?,
        records: &records,
        blobs,
        drctl: env!("CARGO_PKG_VERSION"),
    };
    seal::pack(&contents, pair).map_err(|error| match error {
        PackError::Records(_) => Error::new(exit::DAMAGED, error.to_string()),
        PackError::TooLarge => Error::new(exit::REFUSED, error.to_string())
            .help("`drctl journal export --run RUN --blobs` has no limit, and no signature"),
        PackError::Archive(_) => Error::new(exit::BUG, error.to_string()),
    })
}

async fn stream(session: &Session, name: &StreamName) -> Result<Vec<Record>, Error> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let after = records.last().map_or(0, |record| record.sequence);
        let page = session.journal.read(name, after, PAGE).await?;
        let last = page.len() < PAGE;
        records.extend(page);
        if last {
            return Ok(records);
        }
    }
}

async fn blob(session: &Session, run: &RunId, name: &str) -> Result<Vec<u8>, Error> {
    let bytes = session.journal.blob(name).await?;
    bytes.ok_or_else(|| Error::new(exit::DAMAGED, format!("{run}: blob {name} is missing from the journal")))
}

/// The hashes of the journal after a position, up to its end.
async fn chain(session: &Session, after: u64) -> Result<Chain, Error> {
    let (mut tip, mut chain) =
        (Tip::empty(), Chain { after, start: Tip::empty().chain, records: Vec::new() });
    loop {
        let records = session.journal.read_after(tip.position, PAGE).await?;
        for record in &records {
            tip.extend(&record.hash, record.recorded_at);
            if tip.position <= after {
                chain.start = tip.chain;
            } else {
                chain.records.push(record.hash);
            }
        }
        let long = chain.records.len() as u64 >= seal::CHAIN;
        if records.len() < PAGE || long {
            return Ok(chain);
        }
    }
}

fn key(global: &Global, arguments: &KeyArguments) -> Result<u8, Error> {
    let config = session::config(global)?;
    let file = arguments.out.clone().unwrap_or_else(|| config.state.join("evidence.pem"));
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| Error::new(exit::UNREACHABLE, format!("no random numbers can be had: {error}")))?;
    let pair = Pair::of_seed(seed).map_err(|error| Error::new(exit::BUG, error.to_string()))?;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let refuse = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::new(exit::USAGE, format!("{} exists already", file.display()))
                .help("a key overwrites nothing: what it signed could not be checked any more")
        }
        _ => Error::new(exit::UNREACHABLE, format!("{}: {error}", file.display())),
    };
    let mut private =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).map_err(refuse)?;
    private.write_all(pair.private_pem().as_bytes()).and_then(|()| private.sync_all()).map_err(refuse)?;
    let public = beside(&file);
    runs::write(&public, pair.public().pem().as_bytes())?;
    let fingerprint = pair.public().fingerprint();
    let done = json!({"private": file, "public": public, "key": fingerprint});
    output::print(global.output, &done, || {
        format!(
            "private  {}  keep it: whoever has it can sign\npublic   {}  give it to those who check bundles\n\
             key      {fingerprint}",
            file.display(),
            public.display()
        )
    })?;
    Ok(exit::SUCCESS)
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn private_key(file: &Path) -> Result<Pair, Error> {
    if !file.exists() {
        return Err(Error::new(exit::USAGE, format!("there is no key {}", file.display()))
            .help("`drctl evidence key` makes one; --key FILE names another")
            .reason("no_key"));
    }
    let open = std::fs::metadata(file)?.permissions().mode() & 0o077 != 0;
    if open {
        output::say(&format!(
            "\x1b[33mwarning\x1b[0m: others can read {}: whoever has it can sign (chmod 600)",
            file.display()
        ));
    }
    let text = read(file, KEY_FILE)?;
    Pair::parse(&String::from_utf8_lossy(&text)).map_err(|error| not_a_key(file, &error))
}

fn not_a_key(file: &Path, error: &seal::KeyError) -> Error {
    Error::new(exit::USAGE, format!("{}: {error}", file.display()))
        .help("`drctl evidence key` makes a pair; `openssl genpkey -algorithm ed25519` does as well")
}

/// Reads a file that is not larger than it may be.
fn read(file: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let wrong = |error: std::io::Error| {
        Error::new(exit::USAGE, format!("{}: {error}", file.display()))
            .help("name a file that is there and can be read")
    };
    let mut bytes = Vec::new();
    std::fs::File::open(file).map_err(wrong)?.take(most + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > most {
        let what = format!("{} is larger than {} KiB", file.display(), most / 1024);
        return Err(Error::new(exit::USAGE, what).help("it cannot be what this command reads"));
    }
    Ok(bytes)
}

fn verify(global: &Global, arguments: &VerifyArguments) -> Result<u8, Error> {
    let mut trusted = Vec::new();
    for file in &arguments.trust {
        let text = read(file, KEY_FILE)?;
        let key = PublicKey::parse(&String::from_utf8_lossy(&text));
        trusted.push(key.map_err(|error| not_a_key(file, &error))?);
    }
    let (sound, signature) = if arguments.bundle.is_dir() {
        let family = family::verify(&arguments.bundle, &trusted, arguments.head.as_ref())?;
        output::print(global.output, &family, || family::text(&family))?;
        (family.sound, family.signature())
    } else {
        let bytes = read(&arguments.bundle, seal::BYTES as u64)?;
        let verified = seal::verify(&bytes, &trusted, arguments.head.as_ref());
        output::print(global.output, &verified, || text(&verified))?;
        (verified.sound, verified.signature)
    };
    if !sound {
        output::say(&format!(
            "{} proves nothing as it is: keep it, and ask for another copy where it was made",
            arguments.bundle.display()
        ));
        return Ok(exit::DAMAGED);
    }
    if signature == Signature::UnknownKey && !trusted.is_empty() {
        return Err(Error::new(exit::REFUSED, "the bundle is sound, but another key has signed it")
            .help("ask whoever gave it to you which key they sign with, by another way than the bundle")
            .reason("key_unknown"));
    }
    Ok(exit::SUCCESS)
}

fn text(verified: &Verified) -> String {
    let run = verified.run.as_deref().unwrap_or("whose run it is cannot be told");
    let mut text = match (verified.sound, verified.signature) {
        (true, Signature::Trusted) => {
            format!("\x1b[32mTRUSTED\x1b[0m: {run}, sound and signed by a key you trust")
        }
        (true, Signature::UnknownKey | Signature::Bad) => format!(
            "\x1b[33mSOUND, KEY UNKNOWN\x1b[0m: {run} is whole, but anybody may have signed it\n\
             --trust KEY.pub says whose signature counts"
        ),
        (false, _) => format!("\x1b[1;31mDAMAGED\x1b[0m: {run}"),
    };
    for check in &verified.checks {
        let word = if check.holds { "\x1b[32mok    \x1b[0m" } else { "\x1b[1;31mFAILED\x1b[0m" };
        for found in &check.found {
            // Writing into a string cannot fail.
            let _ = write!(text, "\n  {word} {:9}  {}", check.check, first_line(found));
        }
    }
    if let (Some(head), Some(position)) = (&verified.head, verified.position) {
        let _ = write!(text, "\n  head of the journal at position {position}: {head}");
    }
    text
}
