//! What the writer knows of the file without asking: where the journal and its streams end, and the tokens in
//! force. Never outlives a write of another connection, nor a transaction that came to nothing.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::append::{head, tip, unsigned};
use crate::journal::record::Tip;
use crate::journal::rules::empty_head;
use crate::ports::Head;

/// Streams kept at most; then all are forgotten.
const MOST: usize = 4_096;

/// End of a stream.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    /// Its row; absent before its first record.
    pub(super) id: Option<i64>,
    pub(super) head: Head,
    /// Token in force, where it is a run's; else 0.
    pub(super) token: u64,
}

/// What is known inside one transaction and, where nobody else wrote, in the next.
#[derive(Debug)]
pub(super) struct Known {
    version: Option<i64>,
    pub(super) tip: Tip,
    streams: HashMap<String, Ends>,
}

impl Known {
    pub(super) fn nothing() -> Self {
        Self { version: None, tip: Tip::empty(), streams: HashMap::new() }
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        *self = Self::nothing();
    }

    /// Asks inside a transaction whether another connection has written since the last one; then everything
    /// is read anew.
    pub(super) fn refresh(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let version =
            connection.prepare_cached("pragma data_version")?.query_row([], |row| row.get::<_, i64>(0))?;
        if self.version != Some(version) {
            *self = Self { version: Some(version), tip: tip(connection)?, streams: HashMap::new() };
        }
        Ok(())
    }

    /// Where a stream ends; `run` where it is a run's.
    pub(super) fn ends(
        &mut self,
        connection: &Connection,
        name: &str,
        run: Option<&str>,
    ) -> Result<Ends, rusqlite::Error> {
        if let Some(known) = self.streams.get(name) {
            return Ok(known.clone());
        }
        let ends = read(connection, name, run)?;
        self.end(name, ends.clone());
        Ok(ends)
    }

    /// Notes where a stream ends now.
    pub(super) fn end(&mut self, name: &str, ends: Ends) {
        if let Some(known) = self.streams.get_mut(name) {
            *known = ends;
            return;
        }
        if self.streams.len() >= MOST {
            self.streams.clear();
        }
        self.streams.insert(name.to_owned(), ends);
    }

    /// Notes the token that was granted for the run of a stream.
    pub(super) fn grant(&mut self, name: &str, token: u64) {
        if let Some(known) = self.streams.get_mut(name) {
            known.token = token;
        }
    }
}

fn read(connection: &Connection, name: &str, run: Option<&str>) -> Result<Ends, rusqlite::Error> {
    const STREAM: &str = "select id, sequence, hash, recorded_at from stream where name = ?1 and id > 0";
    const TOKEN: &str = "select token from lease where run = ?1";
    let row = connection
        .prepare_cached(STREAM)?
        .query_row([name], |row| Ok((row.get(0)?, head(row, 1)?)))
        .optional()?;
    let token = connection
        .prepare_cached(TOKEN)?
        .query_row(params![run], |row| row.get(0))
        .optional()?
        .map_or(0, unsigned);
    let (id, head) = row.map_or_else(|| (None, empty_head()), |(id, head)| (Some(id), head));
    Ok(Ends { id, head, token })
}
