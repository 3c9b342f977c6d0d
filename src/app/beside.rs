//! Work beside a run, on a thread of its own: whatever becomes of it, the run neither waits for it nor hears
//! of it.

use std::future::Future;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::ports::{CancelSignal, CancelSwitch};

/// Work that goes on until it is told to end.
#[derive(Debug)]
pub struct Beside {
    switch: CancelSwitch,
    over: oneshot::Receiver<()>,
}

impl Beside {
    /// Begins work. It is given what tells it to end.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub fn begin<F>(work: impl FnOnce(CancelSignal) -> F + Send + 'static) -> std::io::Result<Self>
    where
        F: Future<Output = ()>,
    {
        let (switch, signal) = CancelSwitch::new();
        let (ended, over) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("beside".to_owned()).spawn(move || {
            runtime.block_on(work(signal));
            // Who has given up waiting need not know.
            let _ = ended.send(());
            runtime.shutdown_background();
        })?;
        Ok(Self { switch, over })
    }

    /// Tells the work to end and waits for that, for a time. `false`: it had not ended by then.
    pub async fn end(self, within: Duration) -> bool {
        self.switch.cancel();
        tokio::time::timeout(within, self.over).await.is_ok()
    }
}
