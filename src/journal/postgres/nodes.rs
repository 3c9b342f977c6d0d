//! Who serves on the database, and which runs passed from one to another. Never says who may append: leases
//! do.

use tokio_postgres::Row;

use super::lease::{Own, millis, signed, unsigned};
use super::link::{Link, Session};
use super::place::Fault;
use super::{PATIENCE, READS};
use crate::model::id::RunId;
use crate::model::time::{Duration, Timestamp};
use crate::ports::{JournalError, Node, NodeFacts, Takeover};

/// How long the others are tried to be told that this process ends.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(2);

/// Makes this process a node, and tells the others for the first time.
pub(super) async fn begin(link: &Link, own: &Own, node: NodeFacts) -> Result<(), JournalError> {
    own.serve_as(super::lease::id()?, node);
    tell(link, own, true, PATIENCE).await.map(|_| ())
}

/// Tells the others that this process serves on, if it does.
pub(super) async fn announce(
    link: &Link,
    own: &Own,
    patience: std::time::Duration,
) -> Result<(), JournalError> {
    if !tell(link, own, false, patience).await? {
        // It was away for so long that it was struck off the list.
        tell(link, own, true, patience).await?;
    }
    Ok(())
}

/// Tells the others that this process serves no longer.
pub(super) async fn end(link: &Link, own: &Own) -> Result<(), JournalError> {
    const CLOSE: &str = "delete from drctl.node where id = $1";
    let Some((id, _)) = own.serves_no_longer() else { return Ok(()) };
    let id = &id;
    link.retry(FAREWELL, |session| Box::pin(async move { session.query(CLOSE, &[id]).await.map(|_| ()) }))
        .await
}

/// Says whether the process is on the list afterwards; one that is no node has no business there.
async fn tell(
    link: &Link,
    own: &Own,
    begins: bool,
    patience: std::time::Duration,
) -> Result<bool, JournalError> {
    const ANNOUNCE: &str = "select drctl.announce($1, $2, $3, $4, $5, $6, $7, $8, \
                            $9::bigint * interval '1 millisecond') as there";
    let Some((id, node)) = own.node() else { return Ok(true) };
    let (id, node, me, lease) = (&id, &node, &own.holder(), millis(own.lease()));
    link.retry(patience, |session| {
        Box::pin(async move {
            let NodeFacts { name, address, version } = node;
            let pid = i64::from(me.pid);
            let row = session
                .one(ANNOUNCE, &[&begins, id, name, address, version, &pid, &me.host, &me.id, &lease])
                .await?;
            session.get(&row, "there")
        })
    })
    .await
}

/// Nodes, by name.
pub(super) async fn list(link: &Link) -> Result<Vec<Node>, JournalError> {
    const READ: &str = "\
        select n.id, n.name, n.address, n.version, n.pid, n.host, \
        floor(extract(epoch from n.since) * 1000)::bigint as since, \
        floor(extract(epoch from n.seen_at) * 1000)::bigint as seen, n.expires_at > clock_timestamp() \
        and coalesce(h.expires_at > clock_timestamp(), true) as up, \
        (select count(*) from drctl.lease l join drctl.run r on r.id = l.run \
        join drctl.holder o on o.id = l.holder and o.expires_at > clock_timestamp() \
        where l.holder = n.holder and not r.terminal) as driving, \
        (select count(*) from drctl.granted g where g.from_name is not null and g.name = n.name \
        and g.at >= n.since) as takeovers \
        from drctl.node n left join drctl.holder h on h.id = n.holder order by n.name, n.since";
    link.retry(READS, |session| {
        Box::pin(
            async move { session.query(READ, &[]).await?.iter().map(|row| node(&session, row)).collect() },
        )
    })
    .await
}

fn node(session: &Session, row: &Row) -> Result<Node, Fault> {
    let text = |name| session.get::<String>(row, name);
    let time = |name| session.get::<i64>(row, name).map(Timestamp::from_millis);
    let number = |name| session.get::<i64>(row, name).map(unsigned);
    Ok(Node {
        id: text("id")?,
        name: text("name")?,
        address: text("address")?,
        version: text("version")?,
        host: text("host")?,
        pid: u32::try_from(number("pid")?).unwrap_or(0),
        since: time("since")?,
        seen: time("seen")?,
        up: session.get(row, "up")?,
        driving: number("driving")?,
        takeovers: number("takeovers")?,
    })
}

/// Runs that were taken over from the lost, newest first.
pub(super) async fn takeovers(link: &Link, limit: usize) -> Result<Vec<Takeover>, JournalError> {
    const READ: &str = "\
        select run, token, floor(extract(epoch from at) * 1000)::bigint as at, from_name, name, \
        ceil(extract(epoch from at - from_expired) * 1000)::bigint as after \
        from drctl.granted where from_name is not null order by at desc, run limit $1";
    let limit = signed(u64::try_from(limit).unwrap_or(u64::MAX));
    link.retry(READS, |session| {
        Box::pin(async move {
            let rows = session.query(READ, &[&limit]).await?;
            rows.iter().map(|row| takeover(&session, row)).collect()
        })
    })
    .await
}

fn takeover(session: &Session, row: &Row) -> Result<Takeover, Fault> {
    let run: String = session.get(row, "run")?;
    let broken = |_| session.place().damaged("the list of grants names a run that cannot be one");
    Ok(Takeover {
        run: RunId::new(run).map_err(broken)?,
        token: unsigned(session.get(row, "token")?),
        at: Timestamp::from_millis(session.get(row, "at")?),
        from: session.get(row, "from_name")?,
        to: session.get(row, "name")?,
        after: session.get::<Option<i64>>(row, "after")?.map(|after| Duration::from_millis(unsigned(after))),
    })
}
