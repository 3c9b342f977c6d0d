//! `drctl bundle`: one file with everything a recovery needs when nothing else can be reached. Never holds
//! a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::schema::{self, What};
use super::{Error, Global, exit, output, plan, session};
use crate::app::launch::files;
use crate::app::launch::shelf::{self, Records, Shelf};
use crate::app::launch::source::{self, Source};
use crate::cli::output::Terminal;
use crate::compile;
use crate::config::Config;
use crate::journal::record::{digest, hex};
use crate::model::run::{Intent, Operation};
use crate::plan::{Choices, FleetChoices, Plan, render};

/// Arguments of `bundle`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// File to write, a tar archive; must not exist.
    file: PathBuf,
}

/// What goes into the archive, by path.
#[derive(Default)]
struct Contents {
    files: BTreeMap<String, Vec<u8>>,
    /// What a reader should know: what could not be planned, and why.
    remarks: Vec<String>,
    /// Names of the services, which are what commands take.
    services: BTreeSet<String>,
}

/// Runs the command.
///
/// # Errors
/// When there is no runbook, or the file cannot be written.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let (config, _borrowed) = session::config_and_runbooks(global)?;
    let options = source::options(&config)?;
    let mut contents = Contents::default();
    let mut runbooks = 0;
    if let Some((path, why)) = config.unlent.iter().flatten().next() {
        return Err(Error::new(exit::INVALID, format!("{} of the server {why}", path.display()))
            .help("what is left out of a bundle is missing on the bad day: mend it at the server"));
    }
    for folder in config.runbooks.iter().filter(|folder| folder.is_dir()) {
        for path in files::files(folder)? {
            let inside = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            let text = source::read(&path)?;
            if files::is_fleet(&text) {
                add_fleet(&mut contents, &config, &options, &path, &text);
                runbooks += 1;
            } else if !files::is_scenario(&text) {
                add_runbook(&mut contents, &path, &text, &options);
                runbooks += 1;
            }
            contents.files.insert(format!("runbooks/{inside}"), text.into_bytes());
        }
    }
    if runbooks == 0 {
        return Err(no_runbooks(&config));
    }
    for what in What::value_variants() {
        let name = what.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let text = serde_json::to_vec_pretty(&schema::schema(*what))
            .map_err(|error| Error::new(exit::BUG, error.to_string()))?;
        contents.files.insert(format!("schemas/{name}.schema.json"), text);
    }
    contents.files.insert("drctl".to_owned(), std::fs::read(std::env::current_exe()?)?);
    contents.files.insert("drctl.toml".to_owned(), configuration(&config).into_bytes());
    let readme = readme(&contents, runbooks);
    contents.files.insert("README.txt".to_owned(), readme.into_bytes());
    contents.files.insert("SHA256SUMS".to_owned(), sums(&contents).into_bytes());
    write(&arguments.file, &contents)?;
    for remark in &contents.remarks {
        output::say(&format!("note: {remark}"));
    }
    let bytes = std::fs::metadata(&arguments.file)?.len();
    let done = json!({
        "file": arguments.file, "bytes": bytes, "runbooks": runbooks, "files": contents.files.len(),
        "remarks": contents.remarks
    });
    output::print(global.output, &done, || {
        format!("{}: {}, {} MiB", arguments.file.display(), many(runbooks), bytes.div_ceil(1024 * 1024))
    })?;
    Ok(exit::SUCCESS)
}

/// What a runbook compiles with here, it must compile with there.
fn configuration(config: &Config) -> String {
    let mut text = "[runbooks]\npaths = [\"runbooks\"]\n".to_owned();
    if !config.lints.is_empty() {
        text.push_str("\n[lints]\n");
    }
    for (code, level) in &config.lints {
        let _ = writeln!(text, "{code} = \"{}\"", level.as_str());
    }
    text
}

fn no_runbooks(config: &Config) -> Error {
    let folders: Vec<_> = config.runbooks.iter().map(|folder| folder.display().to_string()).collect();
    Error::new(exit::USAGE, format!("there are no runbooks in {}", folders.join(", ")))
        .help("name the folders in drctl.toml: [runbooks] paths = [\"…\"]")
}

fn add_runbook(contents: &mut Contents, path: &Path, text: &str, options: &compile::Options) {
    let (Some(found), _) = compile::compile_with(text, options) else {
        return contents.remarks.push(format!("{} does not compile: it has no plan here", path.display()));
    };
    let source =
        Source { path: path.to_owned(), text: text.to_owned(), runbook: found, findings: Vec::new() };
    contents.services.insert(source.runbook.metadata.name.to_string());
    let mut operations = vec![Operation::Failover];
    if source.runbook.workflows.failback.is_some() {
        operations.push(Operation::Failback);
    }
    for operation in operations {
        add_plan(contents, &source, operation);
    }
}

/// A fleet is planned as a failover, by where the runbooks say that its members are.
fn add_fleet(contents: &mut Contents, config: &Config, options: &compile::Options, path: &Path, text: &str) {
    let shelf = Shelf::read(&config.runbooks, options, path);
    let planned = || -> Result<Plan, Error> {
        let roster = shelf::fleet(&shelf, path, text, &Terminal)?;
        let choices = FleetChoices {
            operation: Operation::Failover,
            mode: None,
            intent: Intent::Simulate,
            from: None,
            to: None,
        };
        let plan = crate::plan::bind_fleet(&roster, &choices)
            .map_err(|problems| Error::new(exit::INVALID, "the fleet cannot be planned").details(problems))?;
        Ok(shelf.nest(path, plan, &Records::new())?.0)
    };
    match planned() {
        Ok(plan) => {
            contents.services.insert(plan.runbook.name.to_string());
            put_plan(contents, &plan, Operation::Failover);
        }
        Err(error) => {
            let why = error.details.first().map_or_else(String::new, |problem| format!(": {}", problem.what));
            contents.remarks.push(format!("{}: {}{why}", path.display(), error.message));
        }
    }
}

fn add_plan(contents: &mut Contents, source: &Source, operation: Operation) {
    let name = &source.runbook.metadata.name;
    let choices = Choices {
        operation,
        mode: None,
        intent: Intent::Real,
        from: None,
        to: None,
        unready: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    let simulated = Choices { intent: Intent::Simulate, ..choices.clone() };
    let bind = |choices: &Choices| crate::plan::bind(&source.runbook, choices);
    let bound = bind(&choices).or_else(|problems| bind(&simulated).map_err(|_| problems));
    let bound = match bound {
        Ok(plan) => plan,
        Err(problems) => {
            let why = problems.first().map_or_else(String::new, |problem| format!(": {}", problem.what));
            return contents.remarks.push(format!("{name}: its {operation} could not be planned{why}"));
        }
    };
    if bound.intent == Intent::Simulate {
        contents.remarks.push(format!("{name}: its {operation} can only be simulated by this build"));
    }
    put_plan(contents, &bound, operation);
}

fn put_plan(contents: &mut Contents, plan: &Plan, operation: Operation) {
    let Ok(index) = plan::index(plan) else { return };
    let folder = format!("plans/{}", plan.runbook.name);
    let json = serde_json::to_vec_pretty(plan).unwrap_or_default();
    contents.files.insert(format!("{folder}/{operation}.json"), json);
    contents.files.insert(format!("{folder}/{operation}.txt"), render::text(plan, &index).into_bytes());
    contents.files.insert(format!("{folder}/{operation}-by-hand.txt"), render::manual(plan).into_bytes());
}

fn readme(contents: &Contents, runbooks: usize) -> String {
    let mut text = format!(
        "drctl {}: everything a recovery needs when nothing else can be reached.\n\
         Made {}, with {}. Holds no secrets: they are read from where each runbook says.\n\n\
         drctl          the program, for Linux on this kind of machine\n\
         drctl.toml     makes it find the runbooks beside it\n\
         runbooks/      the runbooks\n\
         plans/         each plan as a table, as JSON, and as steps by hand (-by-hand.txt)\n\
         schemas/       JSON Schemas of everything drctl reads and writes\n\
         SHA256SUMS     check the files with: sha256sum -c SHA256SUMS\n\n\
         In this folder, keeping the journal here too:\n\n\
         \x20 ./drctl --local doctor\n\
         \x20 ./drctl --local plan NAME\n\
         \x20 ./drctl --local check NAME\n\
         \x20 ./drctl --local failover NAME --reason \"...\"\n\
         \x20 ./drctl --local resume latest\n\n\
         NAME is that of a service: {}.\n\n\
         Nobody else sees a journal that is kept here, and no lock keeps another operator from starting the\n\
         same failover elsewhere: agree on who does it. Without the program, follow\n\
         plans/NAME/failover-by-hand.txt.\n",
        env!("CARGO_PKG_VERSION"),
        session::now(),
        many(runbooks),
        contents.services.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    );
    if !contents.remarks.is_empty() {
        text.push_str("\nMind:\n");
        for remark in &contents.remarks {
            let _ = writeln!(text, "- {remark}");
        }
    }
    text
}

fn many(runbooks: usize) -> String {
    format!("{runbooks} runbook{}", if runbooks == 1 { "" } else { "s" })
}

fn sums(contents: &Contents) -> String {
    contents.files.iter().fold(String::new(), |mut text, (name, bytes)| {
        let _ = writeln!(text, "{}  {name}", hex(&digest(bytes)));
        text
    })
}

fn write(file: &Path, contents: &Contents) -> Result<(), Error> {
    let refuse = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::new(exit::USAGE, format!("{} exists already", file.display()))
                .help("a bundle overwrites nothing: name a new file")
        }
        _ => Error::new(exit::UNREACHABLE, format!("{}: {error}", file.display())),
    };
    let out = OpenOptions::new().write(true).create_new(true).open(file).map_err(refuse)?;
    archive(&out, contents).map_err(|error| {
        // Half a bundle must not lie around under the name of a whole one.
        let _ = std::fs::remove_file(file);
        refuse(error)
    })
}

fn archive(out: &File, contents: &Contents) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(std::io::BufWriter::new(out));
    let made = u64::try_from(session::now().as_millis() / 1_000).unwrap_or(0);
    for (name, bytes) in &contents.files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(if name == "drctl" { 0o755 } else { 0o644 });
        header.set_mtime(made);
        archive.append_data(&mut header, format!("drctl-bundle/{name}"), bytes.as_slice())?;
    }
    let mut buffer = archive.into_inner()?;
    std::io::Write::flush(&mut buffer)?;
    out.sync_all()
}
