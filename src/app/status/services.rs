//! The services whose status is asked for: those that were named, or all of the configured folders.

use std::path::PathBuf;

use crate::app::launch::files::compiled::compiled;
use crate::app::launch::shelf::{self, Shelf};
use crate::app::launch::source::{self, Broken, Source};
use crate::app::{Error, Voice, exit};
use crate::config::Config;
use crate::evidence::readiness::{Definition, FRESHNESS};
use crate::model::id::ServiceName;
use crate::model::runbook::Runbook;
use crate::plan;

/// Services, and what may be about others: files that do not even say which, and what cannot be read.
pub(crate) struct Found {
    pub(crate) services: Vec<Service>,
    nameless: Vec<PathBuf>,
    unreadable: Vec<Broken>,
}

/// A service with its runbook, as far as there is one that compiles.
pub(crate) struct Service {
    pub(crate) name: ServiceName,
    /// Where it is defined, more than once where that is so.
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) sound: Option<Source>,
}

/// Finds the services.
///
/// # Errors
/// When one that was named is not there.
pub(crate) fn found(config: &Config, named: &[String]) -> Result<Found, Error> {
    if named.is_empty() {
        return all(config);
    }
    let services = named.iter().map(|name| one(config, name));
    let services = services.collect::<Result<_, _>>()?;
    Ok(Found { services, nameless: Vec::new(), unreadable: Vec::new() })
}

fn all(config: &Config) -> Result<Found, Error> {
    // What lies beside a configured folder is none of its runbooks.
    let beside =
        config.runbooks.first().map_or_else(|| PathBuf::from("runbooks/any"), |path| path.join("any"));
    let shelf = Shelf::of(config, &beside)?;
    let services = shelf.services().into_iter().map(|(name, paths, sound)| {
        let paths = paths.into_iter().map(|path| config.shown(path)).collect();
        Service { name: name.clone(), paths, sound: sound.cloned() }
    });
    let nameless = shelf.nameless().iter().map(|path| config.shown(path)).collect();
    Ok(Found { services: services.collect(), nameless, unreadable: shelf.unreadable().to_vec() })
}

fn one(config: &Config, named: &str) -> Result<Service, Error> {
    let path = source::find(config, named)?;
    let text = source::read(&path)?;
    let shown = config.shown(&path);
    let (runbook, findings) = compiled(&text, &source::options(config)?);
    let name = runbook.as_ref().map(|runbook| runbook.metadata.name.clone());
    let name = name.or_else(|| shelf::name_of(&text)).ok_or_else(|| {
        Error::new(exit::INVALID, format!("{} does not say which service it is about", shown.display()))
            .help(format!("see `drctl validate {}`", shown.display()))
    })?;
    let sound = runbook.map(|runbook| Source { path, text, runbook, findings });
    Ok(Service { name, paths: vec![shown], sound })
}

impl Found {
    /// Whether every file could be shown as a service.
    pub(crate) fn is_whole(&self) -> bool {
        self.nameless.is_empty() && self.unreadable.is_empty()
    }

    /// Files that cannot be shown as a service are not passed over in silence.
    pub(crate) fn say_nameless(&self, voice: &dyn Voice) {
        for path in &self.nameless {
            let path = path.display();
            voice.say(&format!(
                "\x1b[1;31maction required\x1b[0m: {path} does not compile, and does not say which service it is about"
            ));
        }
        for Broken { path, why } in &self.unreadable {
            let path = path.display();
            voice.say(&format!(
                "\x1b[1;31maction required\x1b[0m: {path} {why}: the services of the runbooks there are not shown"
            ));
        }
    }
}

impl Service {
    /// The runbook, where it is the only one and compiles.
    pub(crate) fn runbook(&self) -> Option<&Runbook> {
        self.source().map(|source| &source.runbook)
    }

    /// The same with its text.
    pub(crate) fn source(&self) -> Option<&Source> {
        self.sound.as_ref().filter(|_| self.paths.len() == 1)
    }

    /// What its readiness depends on.
    pub(crate) fn definition(&self) -> Definition {
        let shown = |path: &PathBuf| path.display().to_string();
        match (&self.sound, self.paths.as_slice()) {
            (_, [_, _, ..]) => Definition::Twice { paths: self.paths.iter().map(shown).collect() },
            (Some(Source { runbook, .. }), _) => Definition::Sound {
                digest: plan::of_runbook(runbook),
                freshness: runbook.drill.as_ref().and_then(|drill| drill.freshness).unwrap_or(FRESHNESS),
                level: runbook.drill.as_ref().map(|drill| drill.level),
                bounded: runbook.drill.as_ref().is_some_and(|drill| drill.boundary.is_some()),
            },
            (None, paths) => Definition::Broken { path: paths.first().map(shown).unwrap_or_default() },
        }
    }
}
