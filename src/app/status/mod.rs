//! How services stand: for the command line, the API and the server's own eyes, the same. Writes nothing.

mod line;
mod services;

pub(crate) use line::{Line, Measured};
pub(crate) use services::{Service, found};

use super::launch::policy::Rules;
use super::{Error, Listed, Standing, Subject, standing};
use crate::engine::readings::Readings;
use crate::model::time::Timestamp;
use crate::ports::JournalAdmin;

/// How services stand, in their order.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn lines(
    journal: &dyn JournalAdmin,
    services: &[Service],
    rules: Option<&Rules>,
    readings: &Readings,
    now: Timestamp,
) -> Result<Vec<Line>, Error> {
    let only = match services {
        [one] => Some(one.name.clone()),
        _ => None,
    };
    let listed = Listed::read(journal, only).await?;
    let mut lines = Vec::new();
    for service in services {
        let standing = stands(journal, &listed, service, rules, now).await?;
        lines.push(Line::of(service, standing, readings.0.get(&service.name), now));
    }
    Ok(lines)
}

/// How one service stands.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn stands(
    journal: &dyn JournalAdmin,
    listed: &Listed,
    service: &Service,
    rules: Option<&Rules>,
    now: Timestamp,
) -> Result<Standing, Error> {
    let subject = Subject {
        service: &service.name,
        definition: service.definition(),
        runbook: service.runbook(),
        policy: rules.map(Rules::policy),
    };
    Ok(standing(journal, listed, &subject, now).await?)
}
