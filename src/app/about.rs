//! What a request is about: a service with its labels, for roles that count for some services only.

use std::collections::BTreeMap;

use super::launch::files::compiled::compiled;
use super::launch::source;
use super::{Error, Session};
use crate::compile;
use crate::model::id::{RunId, ServiceName};
use crate::model::runbook::Metadata;
use crate::runtime;

/// A service with its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub service: ServiceName,
    /// Its labels, as its runbook has them.
    pub labels: BTreeMap<String, String>,
}

impl About {
    /// Of a runbook or fleet.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self { service: metadata.name.clone(), labels: metadata.labels.clone() }
    }

    /// Of a service. Its labels are those of the runbook at hand; without one it has none.
    #[must_use]
    pub(crate) fn service(session: &Session, service: &ServiceName) -> Self {
        let read = || {
            let path = source::find_named(&session.config, service.as_str()).ok()?;
            let options = source::options(&session.config).ok()?;
            compiled(&source::read(&path).ok()?, &options).0
        };
        let metadata = read().map(|runbook| runbook.metadata).filter(|metadata| metadata.name == *service);
        Self { service: service.clone(), labels: metadata.map(|it| it.labels).unwrap_or_default() }
    }

    /// Of a run. Its labels are those of the text it was made of, and are only looked up where they matter;
    /// a text that does not compile any more has none.
    ///
    /// # Errors
    /// When the run cannot be loaded.
    pub(crate) async fn run(session: &Session, run: &RunId, labels: bool) -> Result<Self, Error> {
        let journal = session.journal.as_ref();
        let created = runtime::load(journal, run).await?.state.created;
        let mut about = Self { service: created.service.clone(), labels: BTreeMap::new() };
        if labels {
            let text = journal.blob(&created.runbook).await?.unwrap_or_default();
            let (runbook, _) =
                compile::compile_with(&String::from_utf8_lossy(&text), &source::options(&session.config)?);
            about.labels = runbook.map(|runbook| runbook.metadata.labels).unwrap_or_default();
        }
        Ok(about)
    }
}
