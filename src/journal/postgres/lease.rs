//! Leases of runs: rows on the clock of the database. The holder renews them in the background, and stops
//! trusting them by its own clock before they can have passed. Never trusts the time of another machine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::Row;

use super::link::{Link, Session};
use super::place::{Fault, Place};
use super::{PATIENCE, READS, nodes};
use crate::journal::HolderFacts;
use crate::model::id::RunId;
use crate::ports::{Holder, JournalError, Lease, NodeFacts, StreamName};

/// This process as a holder.
#[derive(Debug)]
pub(super) struct Own {
    state: Mutex<State>,
    lease: Duration,
    granted: Notify,
}

#[derive(Debug)]
struct State {
    holder: Holder,
    /// When the last renewal that succeeded was sent, by [`since_boot`]; absent before the first grant.
    renewed: Option<Duration>,
    /// Runs that this holder drives.
    tokens: HashMap<RunId, u64>,
    /// What it tells as a node, and under which id.
    node: Option<(String, NodeFacts)>,
}

/// Time since this machine was started, with the time it was suspended: a clock that stands still meanwhile
/// would call a lease good that has long passed.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(CLOCK);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0));
    Duration::new(seconds, nanos)
}

/// Draws an id nobody ever had.
pub(super) fn id() -> Result<String, JournalError> {
    let number = getrandom::u64()
        .map_err(|error| JournalError::Unavailable(format!("no id could be drawn ({error})")))?;
    Ok(format!("{number:016x}"))
}

impl Own {
    pub(super) fn new(facts: HolderFacts, lease: Duration) -> Result<Self, JournalError> {
        let holder = Holder { id: id()?, pid: std::process::id(), host: facts.host, name: facts.name };
        let state = State { holder, renewed: None, tokens: HashMap::new(), node: None };
        Ok(Self { state: Mutex::new(state), lease, granted: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn id(&self) -> String {
        self.state().holder.id.clone()
    }

    pub(super) fn holder(&self) -> Holder {
        self.state().holder.clone()
    }

    /// How long a lease lasts.
    pub(super) const fn lease(&self) -> Duration {
        self.lease
    }

    /// Makes it a node; the leases it is granted from now on bear that name.
    pub(super) fn serve_as(&self, id: String, node: NodeFacts) {
        let mut state = self.state();
        state.holder.name.clone_from(&node.name);
        state.node = Some((id, node));
        self.granted.notify_one();
    }

    /// Makes it no node any more.
    pub(super) fn serves_no_longer(&self) -> Option<(String, NodeFacts)> {
        self.state().node.take()
    }

    /// What it tells as a node; absent: it is none.
    pub(super) fn node(&self) -> Option<(String, NodeFacts)> {
        self.state().node.clone()
    }

    /// Whether it holds, or ever held, a lease under its present id.
    pub(super) fn holds(&self) -> bool {
        self.state().renewed.is_some()
    }

    /// For how long its leases are good for sure; nothing once that is over.
    pub(super) fn left(&self) -> Duration {
        let renewed = self.state().renewed;
        renewed.map_or(Duration::ZERO, |at| (at + self.lease).saturating_sub(since_boot()))
    }

    /// Time that must be left for an effect to be begun.
    pub(super) fn margin(&self) -> Duration {
        self.lease / 5
    }

    /// Notes a renewal, sent at a time, that succeeded.
    fn renewed(&self, id: &str, sent: Duration) {
        let mut state = self.state();
        if state.holder.id == id {
            state.renewed = state.renewed.max(Some(sent));
        }
    }

    /// Notes that a holder is dead by the clock of the database: this process goes on under another id, and
    /// holds nothing.
    fn lapsed(&self, id: &str) -> Result<(), JournalError> {
        let new = self::id()?;
        let mut state = self.state();
        if state.holder.id == id {
            tracing::warn!(holder = %id, "the leases of this process have lapsed: it was held up, or cut off");
            (state.holder.id, state.renewed) = (new, None);
            state.tokens.clear();
        }
        Ok(())
    }

    /// Whether a lease is good for long enough that the database need not be asked.
    pub(super) fn is_good(&self, run: &RunId, token: u64) -> bool {
        self.knows(run, token) && self.left() >= self.margin()
    }

    fn knows(&self, run: &RunId, token: u64) -> bool {
        self.state().tokens.get(run) == Some(&token)
    }
}

/// Grants the lease of a run to this process again, or from nobody, or from the dead.
pub(super) async fn grant(link: &Link, own: &Own, run: &RunId) -> Result<u64, JournalError> {
    loop {
        let (holder, sent) = (own.state().holder.clone(), since_boot());
        let me = &holder;
        let granted = link
            .retry(PATIENCE, |session| {
                Box::pin(async move { grant_once(&session, me, own.lease, run).await })
            })
            .await?;
        match granted {
            Granted::Token(token) => {
                let mut state = own.state();
                if state.holder.id == holder.id {
                    state.renewed = state.renewed.max(Some(sent));
                    state.tokens.insert(run.clone(), token);
                    own.granted.notify_one();
                }
                return Ok(token);
            }
            Granted::Held(holder) => return Err(JournalError::Held { run: run.clone(), holder }),
            Granted::Lapsed => own.lapsed(&holder.id)?,
        }
    }
}

enum Granted {
    Token(u64),
    Held(Holder),
    Lapsed,
}

async fn grant_once(session: &Session, me: &Holder, lease: Duration, run: &RunId) -> Result<Granted, Fault> {
    const GRANT: &str = "select * from drctl.grant_lease($1, $2, $3, $4, $5, \
                         $6::bigint * interval '1 millisecond')";
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
        [&run.as_str(), &me.id, &i64::from(me.pid), &me.host, &me.name, &millis(lease)];
    let row = session.one(GRANT, &values).await?;
    match session.get::<String>(&row, "verdict")?.as_str() {
        "granted" => Ok(Granted::Token(unsigned(session.get(&row, "token")?))),
        "held" => Ok(Granted::Held(holder(session, &row)?)),
        _ => Ok(Granted::Lapsed),
    }
}

/// Reads a holder from the columns `held_*`.
fn holder(session: &Session, row: &Row) -> Result<Holder, Fault> {
    let pid = u32::try_from(session.get::<i64>(row, "held_pid")?).unwrap_or(0);
    let (id, host) = (session.get(row, "held_by")?, session.get(row, "held_host")?);
    Ok(Holder { id, pid, host, name: session.get(row, "held_name")? })
}

/// Gives a lease back. Once more changes nothing.
pub(super) async fn release(link: &Link, own: &Own, run: &RunId, token: u64) -> Result<(), JournalError> {
    const RELEASE: &str = "select drctl.release_lease($1, $2) as token";
    let current: Option<i64> = link
        .retry(PATIENCE, |session| {
            Box::pin(async move {
                session.get(&session.one(RELEASE, &[&run.as_str(), &signed(token)]).await?, "token")
            })
        })
        .await?;
    match current.map(unsigned) {
        None => Err(JournalError::UnknownRun(run.to_string())),
        Some(current) if current != token => {
            Err(JournalError::Fenced { stream: StreamName::run(run), held: token, current })
        }
        Some(_) => {
            own.state().tokens.remove(run);
            Ok(())
        }
    }
}

/// Who holds a lease.
pub(super) async fn lease(link: &Link, run: &RunId) -> Result<Option<Lease>, JournalError> {
    const LEASE: &str = "\
        select l.token, l.holder as held_by, coalesce(o.pid, 0) as held_pid, \
        coalesce(o.host, '') as held_host, coalesce(o.name, '') as held_name, \
        coalesce(o.expires_at > clock_timestamp(), false) as alive \
        from drctl.lease l left join drctl.holder o on o.id = l.holder where l.run = $1";
    link.retry(READS, |session| {
        Box::pin(async move {
            let rows = session.query(LEASE, &[&run.as_str()]).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let held: Option<String> = session.get(row, "held_by")?;
            let holder = held.map(|_| holder(&session, row)).transpose()?;
            let token = unsigned(session.get(row, "token")?);
            Ok(Some(Lease { token, holder, alive: session.get(row, "alive")? }))
        })
    })
    .await
}

/// Makes sure that the lease of a run is good for a while longer. Asks the database only where this process
/// has not heard from it for long.
pub(super) async fn confirm(link: &Link, own: &Own, run: &RunId, token: u64) -> Result<(), JournalError> {
    let lapsed = || JournalError::Lapsed { stream: StreamName::run(run), token };
    if !own.knows(run, token) {
        return Err(lapsed());
    }
    if own.is_good(run, token) {
        return Ok(());
    }
    renew(link, own, PATIENCE).await?;
    // The answer itself may have come late.
    if own.is_good(run, token) { Ok(()) } else { Err(lapsed()) }
}

/// Renews once, on new sessions until it is answered.
async fn renew(link: &Link, own: &Own, patience: Duration) -> Result<(), JournalError> {
    const RENEW: &str = "select drctl.renew($1, $2::bigint * interval '1 millisecond') as alive";
    let id = &own.id();
    let (alive, sent) = link
        .retry(patience, |session| {
            Box::pin(async move {
                let sent = since_boot();
                let row = session.one(RENEW, &[id, &millis(own.lease)]).await?;
                Ok((session.get::<bool>(&row, "alive")?, sent))
            })
        })
        .await?;
    if alive {
        own.renewed(id, sent);
        return Ok(());
    }
    own.lapsed(id)
}

/// Renews the leases of this process for as long as it lives.
pub(super) async fn keep(place: Arc<Place>, link: Arc<Link>, own: Arc<Own>) {
    loop {
        while !own.holds() && own.node().is_none() {
            own.granted.notified().await;
        }
        tokio::time::sleep(own.lease / 4).await;
        let renewing = async {
            if !own.holds() {
                return;
            }
            // A server that does not answer is asked again, on another session, well before the lease has
            // passed.
            if let Err(error) = renew(&link, &own, own.lease / 4).await {
                tracing::warn!(%error, %place, "the leases of this process could not be renewed");
            }
        };
        // Side by side: leases wait for nothing else.
        let (announced, ()) = tokio::join!(nodes::announce(&link, &own, own.lease / 4), renewing);
        if let Err(error) = announced {
            tracing::debug!(%error, %place, "the other nodes could not be told that this one serves");
        }
    }
}

/// Ends the life of this process as a holder.
pub(super) async fn leave(link: &Link, own: &Own) {
    const LEAVE: &str = "update drctl.holder set expires_at = '-infinity' where id = $1";
    // Nobody can come back under these ids any more.
    const TIDY: &str = "\
        delete from drctl.writer where seen_at < clock_timestamp() - interval '7 days'; \
        delete from drctl.holder h where expires_at < clock_timestamp() - interval '7 days' \
        and not exists (select 1 from drctl.lease l where l.holder = h.id); \
        select pg_notify('drctl_journal', '')";
    let _ = nodes::end(link, own).await;
    if !own.holds() {
        return;
    }
    let id = own.id();
    let left = async {
        let session = link.session().await?;
        session.query(LEAVE, &[&id]).await?;

        session.batch(TIDY).await
    };
    // Otherwise others wait until the lease has passed.
    let _ = tokio::time::timeout(Duration::from_secs(2), left).await;
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// PostgreSQL's integers are signed; ours never reach that far.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A negative number is never written; read back it is 0, and the hash does not fit it.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
