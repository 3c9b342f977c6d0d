//! Follows the journal for metrics and traces. Never delays what it follows: it reads, and sends elsewhere.

use std::sync::Arc;
use std::time::Duration;

use super::metrics::Metrics;
use super::trace::Tracer;
use crate::ports::{CancelSignal, Clock, Journal, JournalError, Record, RunFilter};
use crate::tail::{self, Fact, Tail};

/// Records read at once.
const PAGE: usize = 500;
/// Pause between two looks at the journal.
const POLL: Duration = Duration::from_millis(300);
/// Pause when the journal cannot be read.
const HINDERED: Duration = Duration::from_secs(5);

/// Follows a journal.
pub struct Follower {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What makes spans, where there are to be some.
    pub tracer: Option<Tracer>,
    /// Position it begins after; absent: the end of the journal, as it is then.
    pub begin: Option<u64>,
}

impl Follower {
    /// Follows until it is told to end, and then to the end of the journal. Never fails: what is in the way
    /// is logged, and tried again.
    pub async fn run(mut self, ended: CancelSignal) {
        let mut tail: Option<Tail> = None;
        loop {
            let over = ended.is_cancelled();
            let turn = match &mut tail {
                Some(tail) => self.advance(tail).await,
                none => self.catch_up().await.map(|begun| *none = Some(begun)),
            };
            let pause = match turn {
                Ok(()) => POLL,
                Err(error) => {
                    tracing::warn!("metrics wait for the journal: {error}");
                    HINDERED
                }
            };
            if over {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = ended.cancelled() => {}
            }
        }
    }

    /// Begins at its position, with the runs that are open then.
    async fn catch_up(&mut self) -> Result<Tail, JournalError> {
        let position = match self.begin {
            Some(position) => position,
            None => tail::end(self.journal.as_ref()).await?,
        };
        let mut tail = Tail::after(Arc::clone(&self.journal), position);
        let open = self.journal.runs(&RunFilter { open: true, ..RunFilter::default() }).await?;
        for run in open {
            let tracer = &mut self.tracer;
            let mut take = |record: &Record, fact: Fact<'_>| {
                if let Some(tracer) = tracer {
                    tracer.take(record, &fact, false);
                }
            };
            tail.retell(&run.run, &mut take).await?;
        }
        self.advance(&mut tail).await?;
        Ok(tail)
    }

    async fn advance(&mut self, tail: &mut Tail) -> Result<(), JournalError> {
        let Self { metrics, tracer, .. } = self;
        let mut take = |record: &Record, fact: Fact<'_>| {
            metrics.count(record, &fact);
            if let Some(tracer) = tracer {
                tracer.take(record, &fact, true);
            }
        };
        while tail.advance(PAGE, &mut take).await? > 0 {}
        metrics.open(tail.runs(), self.clock.now());
        Ok(())
    }
}
