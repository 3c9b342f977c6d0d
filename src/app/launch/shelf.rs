//! The runbooks that a fleet or a `runbook.run` can mean: those of the configured folders, and those beside
//! the file itself. Reads them once, and says of each that is wanted what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::source::{self, Broken, Source};
use super::{Binding, files, quarantine, route};
use crate::app::{Error, Session, Voice, exit};
use crate::compile::{self, Directory, Listed, Severity, Twice};
use crate::config::Config;
use crate::engine::service::ServiceRecord;
use crate::model::id::ServiceName;
use crate::model::run::{Intent, Operation};
use crate::plan::{self, Known, Library, Nested, Plan, Problem};
use crate::runtime;

/// Most broken files that are named.
const BROKEN_NAMED: usize = 10;

/// Every runbook there is, by service.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    sound: BTreeMap<ServiceName, Source>,
    /// Those that do not compile.
    broken: BTreeMap<ServiceName, PathBuf>,
    /// Those that do not even say which service they are about.
    nameless: Vec<PathBuf>,
    /// Those that cannot be read, and folders that nobody can look into: any service may be in them.
    unreadable: Vec<Broken>,
    /// Those that another file is about as well, with the labels of that one where it compiles.
    twice: BTreeMap<ServiceName, Twins>,
}

/// Two files about one service.
#[derive(Debug)]
struct Twins {
    one: PathBuf,
    other: PathBuf,
    labels: Option<BTreeMap<String, String>>,
}

/// What service records say, of the services somebody has asked about.
pub(crate) type Records = BTreeMap<ServiceName, ServiceRecord>;

impl Shelf {
    /// As [`Shelf::read`], as a configuration says.
    ///
    /// # Errors
    /// When it sets a level that cannot be set.
    pub(crate) fn of(config: &Config, beside: &Path) -> Result<Self, Error> {
        let mut shelf = Self::read(&config.runbooks, &source::options(config)?, beside);
        shelf.unreadable = source::unreadable(config, shelf.unreadable);
        Ok(shelf)
    }

    /// Reads the runbooks of the configured folders and those in the folder of a file. What cannot be read
    /// keeps nothing else from being read, and is kept with the reason.
    #[must_use]
    pub(crate) fn read(folders: &[PathBuf], options: &compile::Options, beside: &Path) -> Self {
        let own = beside.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let found = files::all(folders, Some(own));
        let mut shelf = Self { unreadable: found.unreadable, ..Self::default() };
        for file in found.files {
            shelf.put(file, options);
        }
        shelf
    }

    /// The runbook of a service.
    #[must_use]
    pub(crate) fn source(&self, service: &ServiceName) -> Option<&Source> {
        self.sound.get(service)
    }

    /// Every service with the files about it, and its runbook where it compiles.
    #[must_use]
    pub(crate) fn services(&self) -> Vec<(&ServiceName, Vec<&Path>, Option<&Source>)> {
        let names: BTreeSet<_> = self.sound.keys().chain(self.broken.keys()).collect();
        let service = |name| {
            let source = self.sound.get(name);
            let one = source.map(|source| source.path.as_path());
            let one = one.or_else(|| self.broken.get(name).map(PathBuf::as_path));
            let paths = match self.twice.get(name) {
                Some(Twins { one, other, .. }) => vec![one.as_path(), other.as_path()],
                None => one.into_iter().collect(),
            };
            (name, paths, source)
        };
        names.into_iter().map(service).collect()
    }

    /// Files that do not even say which service they are about.
    #[must_use]
    pub(crate) fn nameless(&self) -> &[PathBuf] {
        &self.nameless
    }

    /// Files and folders that cannot be read, with the reason.
    #[must_use]
    pub(crate) fn unreadable(&self) -> &[Broken] {
        &self.unreadable
    }

    fn put(&mut self, path: PathBuf, options: &compile::Options) {
        let text = match source::read(&path) {
            Ok(text) => text,
            Err(error) => return self.unreadable.push(files::unread(&path, &error)),
        };
        if files::kind(&text).is_some_and(|kind| kind != "Runbook") {
            return;
        }
        let (runbook, findings) = files::compiled::compiled(&text, options);
        let name = match &runbook {
            Some(runbook) => runbook.metadata.name.clone(),
            None => match name_of(&text) {
                Some(name) => name,
                None => return self.nameless.push(path),
            },
        };
        let other = self.sound.get(&name).map(|source| &source.path).or_else(|| self.broken.get(&name));
        if let Some(one) = other {
            let labels = runbook.map(|runbook| runbook.metadata.labels);
            self.twice.insert(name, Twins { one: one.clone(), other: path, labels });
        } else if let Some(runbook) = runbook {
            self.sound.insert(name, Source { path, text, runbook, findings });
        } else {
            self.broken.insert(name, path);
        }
    }

    /// What a fleet can know of them.
    #[must_use]
    pub(crate) fn directory(&self) -> Directory {
        let listed = |source: &Source| Listed::of(&source.runbook, plan::runs(&source.runbook));
        let sound = self.sound.iter().map(|(name, source)| (name.clone(), listed(source)));
        let broken = self.broken.iter().map(|(name, path)| {
            let broken = Some(path.display().to_string());
            (name.clone(), Listed { broken, ..Listed::default() })
        });
        let mut directory: Directory = sound.chain(broken).collect();
        for (name, Twins { one, other, labels }) in &self.twice {
            let places = [one.display().to_string(), other.display().to_string()];
            directory.entry(name.clone()).or_default().twice = Some(Twice { places, labels: labels.clone() });
        }
        directory
    }

    /// Why a fleet that selects members cannot know whom it moves: what does not compile, or cannot be read,
    /// may belong to it.
    #[must_use]
    pub(crate) fn unsure(&self, fleet: &str) -> Option<String> {
        let document = serde_saphyr::from_str::<Value>(fleet).unwrap_or_default();
        let mut members = document.get("members").and_then(Value::as_array).into_iter().flatten();
        let selects = members.any(|member| member.get("select").is_some());
        let broken = self.broken.values().chain(&self.nameless).map(|path| path.display().to_string());
        let unread = self.unreadable.iter().map(|it| format!("{} {}", it.path.display(), it.why));
        let told = [
            listed(
                "these files do not compile, so that nobody knows whether they belong to it",
                broken.collect(),
            ),
            listed("nobody knows what is in these", unread.collect()),
        ];
        let told: Vec<_> = told.into_iter().flatten().collect();
        (selects && !told.is_empty()).then(|| format!("it selects members, and {}", told.join("; and ")))
    }

    /// These services and all whose runbooks theirs run.
    fn closure(&self, wanted: BTreeSet<ServiceName>) -> BTreeSet<ServiceName> {
        let mut open: Vec<ServiceName> = wanted.into_iter().collect();
        let mut all = BTreeSet::new();
        while let Some(name) = open.pop() {
            if all.insert(name.clone()) {
                open.extend(self.sound.get(&name).into_iter().flat_map(|source| plan::runs(&source.runbook)));
            }
        }
        all
    }

    /// The runbooks that runs inside a plan need, with where each service goes.
    fn library(
        &self,
        wanted: BTreeSet<ServiceName>,
        operation: Operation,
        intent: Intent,
        records: &Records,
    ) -> Result<Library, Vec<Problem>> {
        let (mut library, mut problems) = (Library::new(), Vec::new());
        for name in self.closure(wanted) {
            let refuse = |what: String, help: &str| Problem { what, help: Some(help.to_owned()) };
            if let Some(Twins { one, other, .. }) = self.twice.get(&name) {
                let what = format!("{} and {} are both about `{name}`", one.display(), other.display());
                problems.push(refuse(what, "names are unique among the runbook folders"));
            }
            if let Some(path) = self.broken.get(&name) {
                let what = format!("the runbook of `{name}` does not compile");
                problems.push(refuse(what, &format!("see `drctl validate {}`", path.display())));
            }
            let Some(source) = self.sound.get(&name) else { continue };
            let record = records.get(&name).cloned().unwrap_or_default();
            match route::choices(&binding(&name), operation, intent, &source.runbook, &record) {
                Ok(choices) => {
                    let (runbook, text) = (source.runbook.clone(), source.text.clone());
                    let (from, to, unready) = (choices.from, choices.to, choices.unready);
                    library.insert(name, Known { runbook, text, from, to, unready });
                }
                Err(error) => problems.push(Problem { what: error.message, help: error.help }),
            }
        }
        if problems.is_empty() { Ok(library) } else { Err(problems) }
    }

    /// Plans the runs inside a plan.
    ///
    /// # Errors
    /// When one of them cannot be planned; the error names every problem.
    pub(crate) fn nest(&self, path: &Path, plan: Plan, records: &Records) -> Result<(Plan, Nested), Error> {
        let refused = |problems: Vec<Problem>| {
            Error::new(exit::INVALID, format!("{} cannot be planned", path.display()))
                .reason("invalid_plan")
                .details(problems)
        };
        let library = self.library(begun_by(&plan), plan.operation, plan.intent, records).map_err(refused)?;
        let (plan, nested) = plan::nest(plan, &library).map_err(refused)?;
        for planned in nested.values() {
            let record = records.get(&planned.plan.runbook.name).cloned().unwrap_or_default();
            quarantine::refuse(&record, &planned.plan)?;
        }
        Ok((plan, nested))
    }

    /// Where the services of the runs inside a plan are, by the journal; a simulation begins where the
    /// runbooks say.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) async fn records(&self, session: &Session, plan: &Plan) -> Result<Records, Error> {
        let mut records = Records::new();
        if plan.intent == Intent::Real {
            for name in self.closure(begun_by(plan)) {
                let record = runtime::service_record(session.journal.as_ref(), &name).await?;
                records.insert(name, record);
            }
        }
        Ok(records)
    }
}

/// What is wrong with these; nothing where there are none.
fn listed(what: &str, mut names: Vec<String>) -> Option<String> {
    let more = names.len().saturating_sub(BROKEN_NAMED);
    names.truncate(BROKEN_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{what}: {}{more}", names.join(", ")))
}

/// The services whose runbooks a plan runs.
#[must_use]
pub(crate) fn begun_by(plan: &Plan) -> BTreeSet<ServiceName> {
    plan::begun(plan)
}

/// Nothing was said about this service on the command line.
fn binding(name: &ServiceName) -> Binding {
    Binding {
        runbook: name.to_string(),
        mode: None,
        from: None,
        to: None,
        values: BTreeMap::new(),
        accept_lint: Vec::new(),
    }
}

/// The service a runbook is about, whether or not it compiles.
pub(crate) fn name_of(text: &str) -> Option<ServiceName> {
    let document = serde_saphyr::from_str::<Value>(text).unwrap_or_default();
    let name = document.pointer("/metadata/name").and_then(Value::as_str)?;
    ServiceName::new(name).ok()
}

/// Compiles a fleet and shows what is wrong with it. Warnings do not stop.
///
/// # Errors
/// When it does not compile.
pub(crate) fn fleet(
    shelf: &Shelf,
    path: &Path,
    text: &str,
    voice: &dyn Voice,
) -> Result<crate::model::fleet::Roster, Error> {
    let (roster, found) = compile::fleet(text, &shelf.directory());
    let shown: Vec<_> = found.into_iter().filter(|found| found.severity != Severity::Note).collect();
    if !shown.is_empty() {
        voice.say(compile::render(&path.display().to_string(), text, &shown, voice.is_coloured()).trim_end());
    }
    if let Some(why) = shelf.unsure(text) {
        let lost = "a service that is left out of an evacuation is lost";
        let way_on = match shelf.unreadable.as_slice() {
            [] => "put them right, or move them elsewhere",
            _ => files::TO_BE_READ,
        };
        return Err(Error::new(exit::INVALID, format!("{}: {why}", path.display()))
            .help(format!("{lost}: {way_on}"))
            .reason("invalid_runbook"));
    }
    roster.ok_or_else(|| {
        let mut error = Error::new(exit::INVALID, format!("{} does not compile", path.display()))
            .reason("invalid_runbook");
        let broken = shelf.broken.values().map(|path| format!("{} does not compile", path.display()));
        let unread = shelf.unreadable.iter().map(|it| format!("{} {}", it.path.display(), it.why));
        let broken: Vec<_> = broken.chain(unread).collect();
        if !broken.is_empty() {
            error = error.help(format!("not counted: {}", broken.join(", ")));
        }
        error
    })
}
