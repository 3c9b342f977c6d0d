//! Every runbook of the configured folders that has triggers. One that does not compile is named: what it
//! listens to would silently start nothing.

use std::path::PathBuf;

use serde::Serialize;

use super::{files, source};
use crate::app::Error;
use crate::compile;
use crate::config::Config;
use crate::model::runbook::Runbook;

/// All of them.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) runbooks: Vec<Runbook>,
    /// What should have triggers and cannot be used, and why.
    pub(crate) broken: Vec<Broken>,
}

/// A file whose triggers cannot be used.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Broken {
    pub(crate) path: PathBuf,
    pub(crate) why: String,
}

impl Board {
    /// Reads the configured folders.
    ///
    /// # Errors
    /// When the configuration sets a level that cannot be set.
    pub(crate) fn read(config: &Config) -> Result<Self, Error> {
        let options = source::options(config)?;
        let mut board = Self::default();
        for path in files::all(config.runbooks.iter().map(PathBuf::as_path)) {
            board.put(path, &options);
        }
        Ok(board)
    }

    fn put(&mut self, path: PathBuf, options: &compile::Options) {
        let text = match source::read(&path) {
            Ok(text) => text,
            Err(error) => return self.broken.push(Broken { path, why: error.message }),
        };
        if files::is_scenario(&text) || files::is_fleet(&text) || !text.contains("triggers") {
            return;
        }
        match compile::compile_with(&text, options).0 {
            None => {
                let why = format!("it does not compile: see `drctl validate {}`", path.display());
                self.broken.push(Broken { path, why });
            }
            Some(found) if found.triggers.is_empty() => {}
            Some(found) => self.runbooks.push(found),
        }
    }
}
