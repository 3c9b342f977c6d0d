//! The services whose status is shown: those that were named, or all of the configured folders.

use std::path::{Path, PathBuf};

use crate::app::launch::shelf::Shelf;
use crate::app::launch::source;
use crate::cli::{Error, exit, output};
use crate::compile;
use crate::config::Config;
use crate::evidence::readiness::{Definition, FRESHNESS};
use crate::model::id::ServiceName;
use crate::model::runbook::Runbook;
use crate::plan;

/// Services, and files that do not even say which service they are about.
pub(super) struct Found {
    pub(super) services: Vec<Service>,
    pub(super) nameless: Vec<PathBuf>,
}

/// A service with its runbook, as far as there is one that compiles.
pub(super) struct Service {
    pub(super) name: ServiceName,
    /// Where it is defined, more than once where that is so.
    pub(super) paths: Vec<PathBuf>,
    pub(super) sound: Option<Runbook>,
}

/// Finds the services.
///
/// # Errors
/// When one that was named is not there.
pub(super) fn found(config: &Config, named: &[String]) -> Result<Found, Error> {
    if named.is_empty() {
        return all(config);
    }
    let services = named.iter().map(|name| one(config, name));
    Ok(Found { services: services.collect::<Result<_, _>>()?, nameless: Vec::new() })
}

fn all(config: &Config) -> Result<Found, Error> {
    // What lies beside a configured folder is none of its runbooks.
    let beside =
        config.runbooks.first().map_or_else(|| PathBuf::from("runbooks/any"), |path| path.join("any"));
    let shelf = Shelf::of(config, &beside)?;
    let services = shelf.services().into_iter().map(|(name, paths, sound)| {
        let paths = paths.into_iter().map(Path::to_owned).collect();
        Service { name: name.clone(), paths, sound: sound.map(|source| source.runbook.clone()) }
    });
    Ok(Found { services: services.collect(), nameless: shelf.nameless().to_vec() })
}

fn one(config: &Config, named: &str) -> Result<Service, Error> {
    let path = source::find(config, named)?;
    let text = source::read(&path)?;
    let (sound, _) = compile::compile_with(&text, &source::options(config)?);
    let name = sound.as_ref().map(|runbook| runbook.metadata.name.clone());
    let name = name.or_else(|| crate::app::launch::shelf::name_of(&text)).ok_or_else(|| {
        Error::new(exit::INVALID, format!("{} does not say which service it is about", path.display()))
            .help(format!("see `drctl validate {}`", path.display()))
    })?;
    Ok(Service { name, paths: vec![path], sound })
}

impl Found {
    /// Files that cannot be shown as a service are not passed over in silence.
    pub(super) fn say_nameless(&self) {
        for path in &self.nameless {
            let path = path.display();
            output::say(&format!(
                "\x1b[1;31maction required\x1b[0m: {path} does not compile, and does not say which service it is about"
            ));
        }
    }
}

impl Service {
    /// The runbook, where it is the only one and compiles.
    pub(super) fn runbook(&self) -> Option<&Runbook> {
        self.sound.as_ref().filter(|_| self.paths.len() == 1)
    }

    /// What its readiness depends on.
    pub(super) fn definition(&self) -> Definition {
        let shown = |path: &PathBuf| path.display().to_string();
        match (&self.sound, self.paths.as_slice()) {
            (_, [_, _, ..]) => Definition::Twice { paths: self.paths.iter().map(shown).collect() },
            (Some(runbook), _) => Definition::Sound {
                digest: plan::of_runbook(runbook),
                freshness: runbook.drill.as_ref().and_then(|drill| drill.freshness).unwrap_or(FRESHNESS),
                level: runbook.drill.as_ref().map(|drill| drill.level),
            },
            (None, paths) => Definition::Broken { path: paths.first().map(shown).unwrap_or_default() },
        }
    }
}
