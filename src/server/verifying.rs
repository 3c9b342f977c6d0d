//! Verifying the journal on demand: one look at a time, however many ask. Whoever asks while one is under way
//! hears what comes of it, so that a client that gave up waiting can ask again.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::ports::{JournalAdmin, JournalError, Verification};

type Found = Result<Verification, JournalError>;

/// The look that is under way, or was the last one.
#[derive(Default)]
pub(super) struct Verifying(Mutex<Option<watch::Receiver<Option<Found>>>>);

impl Verifying {
    /// Verifies, or waits for whoever does already.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) async fn look(&self, journal: &Arc<dyn JournalAdmin>) -> Found {
        let mut look = self.join(journal);
        match look.wait_for(Option::is_some).await {
            Ok(found) => found.clone().unwrap_or_else(|| Err(given_up())),
            Err(_) => Err(given_up()),
        }
    }

    fn join(&self, journal: &Arc<dyn JournalAdmin>) -> watch::Receiver<Option<Found>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = last.as_ref().filter(|look| look.has_changed().is_ok() && look.borrow().is_none());
        if let Some(look) = under_way {
            return look.clone();
        }
        let (sender, look) = watch::channel(None);
        let journal = Arc::clone(journal);
        // It goes on when whoever asked is gone.
        tokio::spawn(async move {
            let found = journal.verify().await;
            sender.send_replace(Some(found));
        });
        *last = Some(look.clone());
        look
    }
}

fn given_up() -> JournalError {
    JournalError::Unavailable("looking at the journal was given up".to_owned())
}
