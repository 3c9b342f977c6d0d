//! The thread of a journal: opens it, writes, renews, and closes it. Never ends before what is queued has.

use std::sync::{Arc, OnceLock, PoisonError, mpsc as blocking};

use tokio::sync::{mpsc, oneshot};

use super::filling::Filling;
use super::inbox::Quiet;
use super::lease::{self, Own};
use super::link::{Link, Target};
use super::place::Place;
use super::writer::{self, Waiting, Writer};
use super::{CLOSES_WITHIN, Core, PostgresJournal, schema};
use crate::journal::OpenMode;
use crate::journal::changes::Changes;
use crate::ports::JournalError;

/// Settings of a session that only reads.
const READER: &str = "set default_transaction_isolation = 'read committed'; \
                      set default_transaction_read_only = on; set statement_timeout = '60s'; \
                      set client_min_messages = warning; set jit = off";
/// Settings of the session that renews leases: it must fail while there is still time for another try.
const KEEPER: &str = "set default_transaction_isolation = 'read committed'; set statement_timeout = '2s'; \
                      set lock_timeout = '2s'; set jit = off; set client_min_messages = warning";

/// What a journal is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Use(OpenMode),
    /// To be filled by a copy.
    Fill,
}

/// What the thread begins with.
pub(super) struct Start {
    pub(super) place: Arc<Place>,
    pub(super) purpose: Purpose,
    pub(super) own: Arc<Own>,
    pub(super) queued: mpsc::UnboundedReceiver<Waiting>,
    pub(super) closed: oneshot::Receiver<()>,
}

impl Start {
    /// The thread. Tells whether the journal could be opened.
    pub(super) fn run(self, opened: &blocking::Sender<Result<Arc<Core>, JournalError>>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let error = self.place.unavailable(&format!("its runtime could not be made ({error})"));
                drop(opened.send(Err(error)));
                return;
            }
        };
        runtime.block_on(async {
            match self.open().await {
                Ok(core) => {
                    drop(opened.send(Ok(Arc::clone(&core))));
                    self.serve(core).await;
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        });
        runtime.shutdown_background();
    }

    async fn open(&self) -> Result<Arc<Core>, JournalError> {
        let mode = match self.purpose {
            Purpose::Use(mode) => mode,
            Purpose::Fill => OpenMode::ReadWrite,
        };
        let target = match mode {
            OpenMode::ReadWrite => Target::Primary,
            OpenMode::ReadOnly => Target::Any,
        };
        let link = |target, setup| Link::new(Arc::clone(&self.place), target, setup);
        let reading = link(target, READER);
        let writing = link(Target::Primary, writer::SETUP);
        let first = match mode {
            OpenMode::ReadWrite => &writing,
            OpenMode::ReadOnly => &reading,
        };
        let explain = |fault| self.place.explain(fault);
        let session = first.session().await.map_err(explain)?;
        let filling = match self.purpose {
            Purpose::Use(mode) => schema::prepare(&session, mode).await.map(|()| None),
            Purpose::Fill => Filling::begin(&self.place).await,
        };
        let filling = filling.map_err(explain)?;
        let described = schema::describe(&session).await.map_err(explain)?;
        Ok(Arc::new(Core {
            place: Arc::clone(&self.place),
            mode,
            handle: tokio::runtime::Handle::current(),
            writing: Arc::new(writing),
            reading,
            own: Arc::clone(&self.own),
            changes: Arc::new(Changes::new()),
            quiet: Arc::new(Quiet::default()),
            listening: OnceLock::new(),
            described,
            filling: tokio::sync::Mutex::new(filling),
        }))
    }

    async fn serve(self, core: Arc<Core>) {
        let (place, own) = (Arc::clone(&self.place), Arc::clone(&self.own));
        let Ok(id) = lease::id() else { return };
        let (link, changes) = (Arc::clone(&core.writing), Arc::clone(&core.changes));
        let writer = Writer::new(link, Arc::clone(&place), Arc::clone(&own), changes, id);
        let mut writing = tokio::spawn(writer.serve(self.queued));
        let renewing = Arc::new(Link::new(Arc::clone(&place), Target::Primary, KEEPER));
        let keeper = tokio::spawn(lease::keep(place, renewing, Arc::clone(&own)));
        // Nobody sends: it ends when the journal is dropped.
        let _ = self.closed.await;
        let _ = tokio::time::timeout(CLOSES_WITHIN, &mut writing).await;
        keeper.abort();
        lease::leave(&core.writing, &own).await;
    }
}

impl PostgresJournal {
    /// Does some work on the journal's thread.
    pub(super) async fn on_thread<T, W>(&self, work: impl FnOnce(Arc<Core>) -> W) -> Result<T, JournalError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, JournalError>> + Send + 'static,
    {
        let done = self.core.handle.spawn(work(Arc::clone(&self.core))).await;
        done.map_err(|error| self.core.place.unavailable(&format!("a call did not end ({error})")))?
    }
}

impl std::fmt::Debug for PostgresJournal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PostgresJournal").field("place", &self.core.place).finish_non_exhaustive()
    }
}

impl Drop for PostgresJournal {
    /// Lets the thread finish what is queued, and gives the leases of this process up.
    fn drop(&mut self) {
        drop(self.queue.take());
        drop(self.close.take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}
