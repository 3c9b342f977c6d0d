//! A server as the command line sees it: what is asked of it beside the `Journal` port. Never decides who
//! may.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::Value;

use super::link::{Ask, Link};
use super::wire::Sheet;
use super::{Access, Events, answer, chain, wire};
use crate::engine::input::Request;
use crate::model::id::RunId;
use crate::model::trigger::TriggerSource;
use crate::ports::Refusal;

/// Most runbooks that are taken from a server.
const SHEETS: usize = 20_000;

/// A journal that a server keeps.
pub struct RemoteJournal {
    pub(super) link: Arc<Link>,
    pub(super) seen: Mutex<chain::Seen>,
}

/// What came of asking a server to start something.
#[derive(Debug)]
pub struct Begun {
    /// The run.
    pub run: RunId,
    /// It did not exist before.
    pub new: bool,
    /// What matters beside it, for people.
    pub notes: Vec<String>,
}

/// Checks that a server has begun.
#[derive(Debug)]
pub struct ChecksBegun {
    /// The service or fleet.
    pub subject: String,
    /// There is one for each member of a fleet.
    pub fleet: bool,
    /// By service.
    pub checks: Vec<CheckBegun>,
}

/// The checks of one service.
#[derive(Debug, Deserialize)]
pub struct CheckBegun {
    /// The service.
    pub service: String,
    /// The run that makes them; absent where they cannot be made.
    #[serde(default)]
    pub run: Option<RunId>,
    /// Why they cannot be made.
    #[serde(default)]
    pub refused: Option<String>,
}

impl RemoteJournal {
    /// Makes ready to speak to a server. It is not asked for anything yet.
    ///
    /// # Errors
    /// When the address is none, would carry the token where others can read it, or TLS cannot be set up.
    pub fn open(access: &Access<'_>) -> Result<Self, Refusal> {
        Ok(Self { link: Arc::new(Link::new(access)?), seen: Mutex::default() })
    }

    /// The address of the server, without anything secret.
    #[must_use]
    pub fn address(&self) -> &str {
        self.link.shown()
    }

    /// Version of the server's drctl.
    ///
    /// # Errors
    /// When it cannot be asked, or is not one.
    pub async fn version(&self) -> Result<String, Refusal> {
        Ok(self.link.about().await?.version)
    }

    /// Puts a request into the inbox of a run. Who asks, and from where, is for the server to say. Returns
    /// what the server says beside it.
    ///
    /// # Errors
    /// When the server refuses, or cannot be asked.
    pub async fn ask(&self, run: &RunId, request: &Request) -> Result<Vec<String>, Refusal> {
        let asked =
            wire::Asked { id: &request.id, reason: request.reason.as_deref(), control: &request.control };
        // Sent again with the same id it is the same request.
        let ask = Ask::post(format!("journal/inbox/{run}"), &asked)?;
        let taken: wire::Taken = self.link.read(ask).await?;
        Ok(answer::lines(&taken.notes))
    }

    /// Asks for a run, or a drill: `what` is the last part of the endpoint's path. The same key starts it
    /// once.
    ///
    /// # Errors
    /// When the server refuses, or cannot be asked.
    pub async fn begin(&self, what: &str, key: &str, wanted: &Value) -> Result<Begun, Refusal> {
        let ask = Ask::post(what.to_owned(), wanted)?.keyed(key);
        let wire::Started { run, new, notes } = self.link.read(ask).await?;
        let run = RunId::new(run.id).map_err(|_| self.link.garbled("it names no run"))?;
        Ok(Begun { run, new, notes: answer::lines(&notes) })
    }

    /// Asks for checks, and returns what the server says beside them. The same key makes them once.
    ///
    /// # Errors
    /// When the server refuses, or cannot be asked.
    pub async fn begin_checks(
        &self,
        key: &str,
        wanted: &Value,
    ) -> Result<(ChecksBegun, Vec<String>), Refusal> {
        let ask = Ask::post("checks".to_owned(), wanted)?.keyed(key);
        let wire::Checking { subject, fleet, checks, notes } = self.link.read(ask).await?;
        Ok((ChecksBegun { subject, fleet, checks }, answer::lines(&notes)))
    }

    /// Sends a document to an endpoint that sets something; the path is seen from `/api/v1/`. Returns what
    /// the server says beside it.
    ///
    /// # Errors
    /// When the server refuses, or cannot be asked.
    pub async fn put(&self, path: &str, document: &Value) -> Result<Vec<String>, Refusal> {
        let noted: wire::Noted = self.link.read(Ask::put(path.to_owned(), document)?).await?;
        Ok(answer::lines(&noted.notes))
    }

    /// Sends a document to an endpoint that adds something, and returns its answer; the same key adds it
    /// once.
    ///
    /// # Errors
    /// When the server refuses, or cannot be asked.
    pub async fn add(&self, path: &str, key: &str, document: &Value) -> Result<Value, Refusal> {
        self.link.read(Ask::post(path.to_owned(), document)?.keyed(key)).await
    }

    /// The runbooks, fleets and scenarios that the server knows, each as it lies there.
    ///
    /// # Errors
    /// When the server refuses, or cannot be asked.
    pub async fn shelf(&self) -> Result<Vec<Sheet>, Refusal> {
        let mut sheets = Vec::new();
        loop {
            let page: wire::Shelf = self.link.read(Ask::get("shelf").with("after", &sheets.len())).await?;
            let last = !page.more || page.sheets.is_empty();
            sheets.extend(page.sheets);
            if sheets.len() > SHEETS {
                return Err(self.link.garbled("it has more runbooks than anybody"));
            }
            if last {
                return Ok(sheets);
            }
        }
    }

    /// The webhooks that the server listens at: by name, who delivers there.
    ///
    /// # Errors
    /// When the server refuses, or cannot be asked.
    pub async fn webhooks(&self) -> Result<BTreeMap<String, TriggerSource>, Refusal> {
        let listed: Vec<wire::Webhook> = self.link.read(Ask::get("webhooks")).await?;
        Ok(listed.into_iter().map(|hook| (answer::line(&hook.name), hook.kind)).collect())
    }

    /// The events of a run from a sequence on, for as long as somebody listens.
    #[must_use]
    pub fn events(&self, run: &RunId, after: u64) -> Events {
        Events::of(&self.link, run, after)
    }
}
