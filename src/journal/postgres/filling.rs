//! A database that a copy fills. It is marked from the first write until the copy was verified, so that
//! nobody takes a part for a journal. Never empties what has no mark, nor writes once its session is lost.
//!
//! The mark is a negative format, which every drctl refuses, and a tip that is missing: whoever had opened
//! the journal while it was empty appends nothing to it meanwhile.

use std::sync::Arc;

use super::admin;
use super::lease::signed;
use super::link::{Session, Target, open};
use super::place::{Fault, Place};
use super::schema::{self, FORMAT, Found};
use super::{copy, writer};
use crate::journal::record::{NO_HASH, Tip};
use crate::model::time::Timestamp;
use crate::ports::{JournalError, Part, Verification};

/// Empties what a copy has left that was not finished.
const EMPTY: &str = "truncate drctl.event, drctl.stream, drctl.run, drctl.checkpoint, drctl.blob, drctl.inbox, \
                     drctl.lease, drctl.granted";

/// A copy that is under way. One session does it all and holds a lock, so that no other copy begins.
pub(super) struct Filling {
    session: Session,
    /// Of what was filled so far; in the database once the copy is whole.
    tip: Tip,
}

impl Filling {
    /// Marks an empty database, or one that a copy has left unfinished, which is emptied. Absent: it holds a
    /// journal; nothing was changed.
    pub(super) async fn begin(place: &Arc<Place>) -> Result<Option<Self>, Fault> {
        const TAKE: &str = "select pg_try_advisory_lock(431298536557) as mine";
        let (session, _) = open(place, Target::Primary).await?;
        session.batch(writer::SETUP).await?;
        let taken = session.one(TAKE, &[]).await?;
        if !session.get::<bool>(&taken, "mine")? {
            return Err(refusal(&session).await?.into());
        }
        session.batch("begin").await?;
        let marked = mark(&session).await;
        session.batch(if matches!(marked, Ok(true)) { "commit" } else { "rollback" }).await?;
        let tip = Tip { position: 0, chain: NO_HASH, recorded_at: Timestamp::from_millis(0) };
        Ok(marked?.then_some(Self { session, tip }))
    }

    /// Takes a part.
    pub(super) async fn fill(&mut self, part: &Part) -> Result<(), JournalError> {
        let filled = async {
            self.session.batch("begin").await?;
            let tip = copy::fill(&self.session, self.tip.clone(), part).await?;
            self.session.batch("commit").await?;
            Ok(tip)
        };
        self.tip = filled.await.map_err(|fault: Fault| self.session.place().explain(fault))?;
        Ok(())
    }

    /// Checks everything that was filled.
    pub(super) async fn verify(&self) -> Result<Verification, JournalError> {
        let look = async {
            self.session.batch("begin isolation level repeatable read read only").await?;
            let found = admin::audit(&self.session, &self.tip).await?;
            self.session.batch("commit").await?;
            Ok(found)
        };
        look.await.map_err(|fault: Fault| self.session.place().explain(fault))
    }

    /// Takes the mark away, in one commit.
    pub(super) async fn end(&self) -> Result<(), JournalError> {
        const TIP: &str = "insert into drctl.tip(position, chain, recorded_at) values ($1, $2, $3)";
        const WHOLE: &str = "update drctl.format set version = -version where version < 0";
        let (session, Tip { position, chain, recorded_at }) = (&self.session, &self.tip);
        let ended = async {
            session.batch("begin").await?;
            session.query(TIP, &[&signed(*position), &chain.as_slice(), &recorded_at.as_millis()]).await?;
            session.query(WHOLE, &[]).await?;
            session.batch("commit").await
        };
        ended.await.map_err(|fault| match fault {
            Fault::Refused(error) => error,
            Fault::Lost(why) => session.place().unavailable(&format!(
                "{why}; the connection was lost while a verified copy was declared whole: \
                 `drctl journal verify` says whether it is"
            )),
        })
    }
}

/// Whether the database is marked now.
async fn mark(session: &Session) -> Result<bool, Fault> {
    session.batch(schema::LOCK).await?;
    match schema::found(session).await? {
        Found::Nothing => schema::make(session, 0).await?,
        Found::Journal(format) => {
            if !is_empty(session).await? {
                return Ok(false);
            }
            schema::make(session, format).await?;
        }
        Found::Part(format) => {
            schema::make(session, format).await?;
            session.batch(EMPTY).await?;
        }
    }
    let mark = format!("delete from drctl.tip; update drctl.format set version = -{FORMAT}");
    session.batch(&mark).await?;
    Ok(true)
}

/// Whether nothing was ever appended; whoever does so now waits for the mark.
async fn is_empty(session: &Session) -> Result<bool, Fault> {
    const ASK: &str = "\
        select position = 0 and not exists (select from drctl.event) \
        and not exists (select from drctl.stream) and not exists (select from drctl.run) as empty \
        from drctl.tip for update";
    let rows = session.query(ASK, &[]).await?;
    rows.first().map_or(Ok(false), |row| session.get(row, "empty"))
}

/// What to tell whoever wants to use a database that is marked.
pub(super) async fn refusal(session: &Session) -> Result<JournalError, Fault> {
    const WHO: &str = "\
        select pid from pg_locks where locktype = 'advisory' and objsubid = 1 and granted \
        and classid::bigint << 32 | objid::bigint = 431298536557 \
        and database = (select oid from pg_database where datname = current_database())";
    let rows = session.query(WHO, &[]).await?;
    let what = if let Some(row) = rows.first() {
        let pid: i32 = session.get(row, "pid")?;
        format!(
            "`drctl journal copy` is filling it and it is no journal before that has ended; where that process is \
             gone, end its session on the server: select pg_terminate_backend({pid})"
        )
    } else {
        "it is a part of a journal, of a copy that was not finished: the same `drctl journal copy` into it begins \
         anew; to use it for a new journal, drop its schema `drctl`"
            .to_owned()
    };
    Ok(session.place().unavailable(&what))
}
