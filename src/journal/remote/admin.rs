//! What a person does to a journal as a whole: of a server's journal the names of its streams are known
//! here, and the server verifies it.

use std::path::Path;

use serde_json::Map;

use super::RemoteJournal;
use super::journal::{elsewhere, refused};
use super::link::Ask;
use crate::model::time::Timestamp;
use crate::ports::{BoxFuture, JournalAdmin, JournalError, Part, StreamName, Verification};

impl JournalAdmin for RemoteJournal {
    fn dump(&self, _: tokio::sync::mpsc::Sender<Part>) -> BoxFuture<'_, Result<String, JournalError>> {
        Box::pin(std::future::ready(elsewhere("copying a journal")))
    }

    fn fill(&self, _: Part) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(std::future::ready(elsewhere("copying a journal")))
    }

    fn verify(&self) -> BoxFuture<'_, Result<Verification, JournalError>> {
        Box::pin(async move {
            // A large one takes longer than an answer may: asked again, the server waits for the same look.
            let ask = Ask::post("journal/verify".to_owned(), &Map::new()).map_err(refused)?;
            self.link.read(ask).await.map_err(refused)
        })
    }

    fn backup<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(std::future::ready(elsewhere("a backup of a journal")))
    }

    fn streams<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<StreamName>, JournalError>> {
        Box::pin(async move {
            let ask = Ask::get("journal/streams").with("prefix", &prefix);
            let names: Vec<String> = self.link.read(ask).await.map_err(refused)?;
            let fits = names.into_iter().filter(|name| name.starts_with(prefix));
            Ok(fits.map(StreamName::typed).collect())
        })
    }

    fn prune(&self, _: Timestamp, _: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>> {
        Box::pin(std::future::ready(elsewhere("pruning a journal")))
    }

    fn prune_streams(&self, _: Timestamp, _: Timestamp) -> BoxFuture<'_, Result<u64, JournalError>> {
        Box::pin(std::future::ready(elsewhere("pruning a journal")))
    }

    fn describe(&self) -> String {
        format!("at the server {}", self.address())
    }
}
