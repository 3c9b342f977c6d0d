//! What was found in a run and has to be put right: written down beside its record, and closed. The same for
//! a person at a terminal and for the API.

use jiff::civil::Date;

use super::launch::source;
use super::{Error, Session, exit, now};
use crate::model::evidence::{EvidenceFact, FINDINGS};
use crate::model::id::RunId;
use crate::model::limits::REASON_CHARS;
use crate::ports::JournalError;
use crate::runtime::{self, Told};

/// Longest name of an owner, in characters.
pub(crate) const OWNER_CHARS: usize = 100;

/// A finding that is to be written down.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    text: String,
    owner: String,
    due: Date,
    key: Option<String>,
}

impl Found {
    /// Takes what was found, who puts it right and until when. The same key writes it down once.
    ///
    /// # Errors
    /// When a text says nothing, or is too long, or the day is over.
    pub(crate) fn new(text: &str, owner: &str, due: Date, key: Option<String>) -> Result<Self, Error> {
        let (text, owner) =
            (words("a finding", text, REASON_CHARS)?, words("the owner", owner, OWNER_CHARS)?);
        let today = source::today();
        if due < today {
            return Err(Error::new(exit::USAGE, format!("{due} is over: nobody can put it right by then"))
                .help(format!("give the last day to do so, from {today} on; days are counted in UTC"))
                .reason("day_over"));
        }
        Ok(Self { text, owner, due, key })
    }

    /// Who puts it right.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// The last day to do so.
    pub(crate) const fn due(&self) -> Date {
        self.due
    }
}

/// A text that a person gave.
fn words(what: &str, text: &str, most: usize) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::new(exit::USAGE, format!("{what} needs words")));
    }
    if text.chars().count() > most {
        return Err(Error::new(exit::USAGE, format!("{what} is longer than {most} characters")));
    }
    Ok(text.to_owned())
}

/// Why nothing is added.
enum Nothing {
    /// It was added before, under this number.
    Before(u32),
    Refused(Error),
}

impl From<JournalError> for Nothing {
    fn from(error: JournalError) -> Self {
        Self::Refused(error.into())
    }
}

/// Writes a finding down, and returns its number and whether it is new.
///
/// # Errors
/// When the run has too many, or the journal refuses.
pub(crate) async fn add(session: &Session, run: &RunId, found: &Found) -> Result<(u32, bool), Error> {
    let make = |before: &[Told]| {
        let mut next = 1_u32;
        for told in before {
            let EvidenceFact::FindingOpened { id, key, .. } = &told.fact else { continue };
            if found.key.is_some() && found.key == *key {
                return Err(Nothing::Before(*id));
            }
            next = next.saturating_add(1);
        }
        if next > FINDINGS {
            let what = format!("{run} has {FINDINGS} findings already");
            return Err(Nothing::Refused(Error::new(exit::REFUSED, what)));
        }
        let Found { text, owner, due, key } = found.clone();
        Ok(EvidenceFact::FindingOpened { id: next, text, owner, due, by: session.identity.clone(), key })
    };
    match runtime::tell(session.journal.as_ref(), run, now(), make).await {
        Ok(EvidenceFact::FindingOpened { id, .. }) => Ok((id, true)),
        Ok(EvidenceFact::FindingClosed { .. }) => Err(Error::new(exit::BUG, "it was closed, not opened")),
        Err(Nothing::Before(id)) => Ok((id, false)),
        Err(Nothing::Refused(error)) => Err(error),
    }
}

/// Says that a finding was put right, or is none. The same key again changes nothing.
///
/// # Errors
/// When there is no such finding, somebody has closed it already, or the journal refuses.
pub(crate) async fn close(
    session: &Session,
    run: &RunId,
    finding: u32,
    (how, key): (&str, Option<&str>),
) -> Result<(), Error> {
    let make = |before: &[Told]| {
        let mut state = None;
        for told in before {
            match &told.fact {
                EvidenceFact::FindingOpened { id, .. } if *id == finding => state = Some(None),
                EvidenceFact::FindingClosed { id, how, by, key } if *id == finding => {
                    state = Some(Some((told.at, how, by, key.as_deref())));
                }
                EvidenceFact::FindingOpened { .. } | EvidenceFact::FindingClosed { .. } => {}
            }
        }
        let by = session.identity.clone();
        match state {
            Some(None) => {
                let key = key.map(str::to_owned);
                Ok(EvidenceFact::FindingClosed { id: finding, how: how.to_owned(), by, key })
            }
            // A request that was sent again because its answer was lost.
            Some(Some((.., before))) if key.is_some() && key == before => Err(Nothing::Before(finding)),
            Some(Some((at, said, who, _))) => Err(Nothing::Refused(
                Error::new(
                    exit::REFUSED,
                    format!("finding {finding} is closed already: {} closed it at {at}: {said}", who.name),
                )
                .help(format!(
                    "nothing was recorded; if it has come back, write it down anew: `drctl runs finding add {run}`"
                ))
                .reason("finding_closed"),
            )),
            None => Err(Nothing::Refused(
                Error::new(exit::USAGE, format!("{run} has no finding {finding}"))
                    .help(format!("`drctl runs finding list {run}` shows them"))
                    .reason("unknown_finding"),
            )),
        }
    };
    match runtime::tell(session.journal.as_ref(), run, now(), make).await {
        Ok(_) | Err(Nothing::Before(_)) => Ok(()),
        Err(Nothing::Refused(error)) => Err(error),
    }
}
