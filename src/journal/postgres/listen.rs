//! Hears of changes that other processes make: the server tells (LISTEN), and where it cannot, time does.
//! Reads no rows.

use std::sync::Arc;
use std::time::Duration;

use super::inbox::Quiet;
use super::link::{Target, open};
use super::place::Place;
use crate::journal::changes::Changes;

/// While the server tells, everybody looks again after this long all the same.
const SWEEP: Duration = Duration::from_secs(5);
/// While it does not, after this long.
const POLL: Duration = Duration::from_millis(250);
/// Between two tries to hear from the server.
const AGAIN: Duration = Duration::from_secs(1);

/// Listens for as long as the journal is open.
pub(super) async fn listen(place: Arc<Place>, target: Target, changes: Arc<Changes>, quiet: Arc<Quiet>) {
    loop {
        if let Ok((session, mut told)) = open(&place, target).await
            && session.batch("set statement_timeout = 0; listen drctl_journal").await.is_ok()
        {
            // Whatever happened before somebody listened.
            quiet.listens(true);
            changes.bump();
            loop {
                match tokio::time::timeout(SWEEP, told.recv()).await {
                    Ok(Some(notification)) => {
                        if !notification.payload().is_empty() {
                            quiet.heard(notification.payload());
                        }
                        changes.bump();
                    }
                    Err(_) if session.batch("select").await.is_ok() => changes.bump(),
                    Ok(None) | Err(_) => break,
                }
            }
            quiet.listens(false);
        }
        let end = tokio::time::Instant::now() + AGAIN;
        while tokio::time::Instant::now() < end {
            changes.bump();
            tokio::time::sleep(POLL).await;
        }
    }
}
