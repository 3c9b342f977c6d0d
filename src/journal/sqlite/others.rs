//! Looks whether another process has written to the file, while somebody waits for a change. Reads no rows.

use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fault::Place;
use super::format::open_reader;
use crate::journal::changes::Changes;

/// How often other processes are looked for.
pub(super) const POLL: Duration = Duration::from_millis(50);

/// When other processes were last looked for, and what was seen.
#[derive(Debug)]
pub(super) struct Others(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    at: Option<Instant>,
    connection: Option<(Connection, i64)>,
}

impl Others {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Seen { at: None, connection: None }))
    }

    /// Wakes all who wait when the file has changed. However many wait, one of them looks.
    pub(super) async fn look(&self, place: &Place, changes: &Changes) {
        let Ok(mut seen) = self.0.try_lock() else { return };
        if seen.at.is_some_and(|at| at.elapsed() < POLL / 2) {
            return;
        }
        // The number means something on its own connection only. Where that is lost, because the caller gave
        // up in the middle, everything counts as changed.
        let (place, known) = (place.clone(), seen.connection.take());
        let look = tokio::task::spawn_blocking(move || {
            let (connection, before) = match known {
                Some((connection, version)) => (connection, Some(version)),
                None => (open_reader(&place).ok()?, None),
            };
            let version =
                connection.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0)).ok()?;
            Some((connection, version, before != Some(version)))
        });
        // A file that cannot be asked shows at the next read; waiting for changes is not the place to say so.
        if let Ok(Some((connection, version, changed))) = look.await {
            *seen = Seen { at: Some(Instant::now()), connection: Some((connection, version)) };
            if changed {
                changes.bump();
            }
        }
    }
}
