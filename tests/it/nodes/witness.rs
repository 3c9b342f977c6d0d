//! A record of who did what that drctl has no part in: triggers of the database write down which session
//! changed a lease and which appended, and when. The checker judges by it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use drctl::journal::ownership::{Grant, Ownership, Written};
use drctl::journal::{HolderFacts, OpenMode, PostgresJournal, PostgresUrl};
use drctl::ports::{Journal as _, JournalAdmin as _, RunFilter, RunSummary, StreamName};
use drctl::runtime;
use tokio_postgres::{Client, NoTls};

use super::target::Asked;

/// Written by the sessions themselves, inside the transaction that does it.
const TRIGGERS: &str = "
create schema witness;
create table witness.granted(
  run text, token bigint, by text, at timestamptz, position bigint, from_expired timestamptz);
create table witness.written(position bigint, by text, at timestamptz, lease_until timestamptz);
create function witness.grants() returns trigger language plpgsql as $$
declare v_expired timestamptz;
begin
  if tg_op = 'UPDATE' then
    if new.token = old.token then return null; end if;
    select expires_at into v_expired from drctl.holder where id = old.holder;
  end if;
  insert into witness.granted select new.run, new.token, current_setting('application_name'),
    clock_timestamp(), t.position, v_expired from drctl.tip t;
  return null;
end $$;
create trigger witness after insert or update on drctl.lease for each row execute function witness.grants();
create function witness.writes() returns trigger language plpgsql as $$
begin
  insert into witness.written select new.position, current_setting('application_name'), clock_timestamp(),
    o.expires_at from drctl.stream s left join drctl.lease l on l.run = substr(s.name, 5)
    left join drctl.holder o on o.id = l.holder where s.id = new.stream;
  return null;
end $$;
create trigger witness after insert on drctl.event for each row execute function witness.writes();
";

/// A record of a database.
pub(super) struct Witness {
    client: Client,
    pub(super) journal: PostgresJournal,
}

/// A run that passed on.
#[derive(Debug)]
pub(super) struct Passed {
    /// Seconds since 1970 when the lease before had passed, and when the next was granted.
    pub(super) expired: f64,
    pub(super) granted: f64,
}

impl Witness {
    /// Makes the schema of the journal, and begins to write down.
    pub(super) async fn begin(url: &str) -> Self {
        let this = Self::look(url).await;
        this.client.batch_execute(TRIGGERS).await.unwrap();
        this
    }

    /// Looks at a database without writing anything down.
    pub(super) async fn look(url: &str) -> Self {
        let facts = HolderFacts { name: "witness".to_owned(), host: "test".to_owned() };
        let journal =
            PostgresJournal::open(&PostgresUrl::new(url, None), facts, OpenMode::ReadWrite).unwrap();
        let plain = url.split('?').next().unwrap();
        let (client, connection) = tokio_postgres::connect(plain, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self { client, journal }
    }

    /// The runs that are not over.
    pub(super) async fn open(&self) -> Vec<RunSummary> {
        let open = RunFilter { open: true, ..RunFilter::default() };
        self.journal.runs(&open).await.unwrap()
    }

    /// Waits until all runs are over; those that are not within this time are told with the end of what
    /// their record says.
    pub(super) async fn until_all_ended(&self, what: &str, within: Duration) {
        let began = Instant::now();
        loop {
            let open = self.open().await;
            if open.is_empty() {
                return;
            }
            if began.elapsed() >= within {
                let mut told = String::new();
                for run in &open {
                    told += &self.end_of(run).await;
                }
                panic!("{what}: {} runs have not ended within {within:?}:\n{told}", open.len());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn end_of(&self, run: &RunSummary) -> String {
        let mut told = format!("{} is {}\n", run.run, run.status.as_str());
        let records = self.journal.read(&StreamName::run(&run.run), 0, 10_000).await.unwrap();
        for record in &records[records.len().saturating_sub(12)..] {
            let (at, token, kind, body) = (record.recorded_at, record.token, &record.kind, &record.body);
            let _ = writeln!(told, "  {at} token {token} {kind} {body}");
        }
        told
    }

    /// Checks everything: chains, ownership by what drctl keeps and by what was written down here, leases at
    /// the time of each append, what the runs add up to, and that no effect began before the fact that it
    /// would be was durable.
    pub(super) async fn check(&self, effects: &[Asked], runs: &BTreeMap<String, String>) {
        let found = self.journal.verify().await.unwrap();
        assert_eq!(found.damage, Vec::<String>::new());
        self.check_owners().await;
        self.check_leases().await;
        for (service, run) in runs {
            self.check_run(service, run, effects).await;
        }
    }

    async fn check_owners(&self) {
        let mut ownership = Ownership::default();
        let mut wrong = Vec::new();
        let sql = "select run, token, by, position from witness.granted order by run, token";
        for row in self.client.query(sql, &[]).await.unwrap() {
            let (token, position): (i64, i64) = (row.get(1), row.get(3));
            wrong.extend(ownership.grant(Grant {
                run: row.get(0),
                token: u64::try_from(token).unwrap(),
                holder: row.get(2),
                position: u64::try_from(position).unwrap(),
            }));
        }
        let sql = "select substr(s.name, 5), e.position, e.sequence, e.token, w.by from drctl.event e \
                   join drctl.stream s on s.id = e.stream join witness.written w on w.position = e.position \
                   where s.name like 'run/%' order by e.position";
        let rows = self.client.query(sql, &[]).await.unwrap();
        assert!(!rows.is_empty(), "nothing was written down");
        for row in rows {
            let number = |at| u64::try_from(row.get::<_, i64>(at)).unwrap();
            let (position, sequence, token) = (number(1), number(2), number(3));
            wrong.extend(ownership.written(Written {
                run: row.get(0),
                position,
                sequence,
                token,
                by: row.get(4),
            }));
        }
        assert_eq!(wrong, Vec::<String>::new());
    }

    /// Whoever appended to a run had a lease that had not passed, by the clock of the database.
    async fn check_leases(&self) {
        let sql = "select count(*) from witness.written w join drctl.event e on e.position = w.position \
                   join drctl.stream s on s.id = e.stream where s.name like 'run/%' \
                   and (w.lease_until is null or w.lease_until < w.at - interval '250 milliseconds')";
        let late: i64 = self.client.query_one(sql, &[]).await.unwrap().get(0);
        assert_eq!(late, 0, "appends under a lease that had passed");
    }

    async fn check_run(&self, service: &str, run: &str, effects: &[Asked]) {
        let id = drctl::model::id::RunId::new(run).unwrap();
        let loaded = runtime::load(&self.journal, &id).await.unwrap();
        assert_eq!(loaded.state.status.as_str(), "succeeded", "{run}");
        let records = self.journal.read(&StreamName::run(&id), 0, 10_000).await.unwrap();
        let mut token = 0;
        for record in &records {
            // Whoever drives on says so first.
            let first = record.token != token && token != 0;
            assert!(!first || record.kind == "took_over", "{run}: {record:?}");
            token = record.token;
        }
        let count = |kind: &str| records.iter().filter(|record| record.kind == kind).count();
        let steps = loaded.plan.plan.nodes.len();
        assert_eq!(count("node_succeeded"), steps, "{run}: each step is done once");
        for effect in effects.iter().filter(|effect| effect.service == service && effect.accepted) {
            // A driver says that it drives, and what it is about to do, before it does anything.
            let known = records.iter().any(|record| record.token == effect.token);
            assert!(known, "{run}: {effect:?} by a driver the journal does not know");
        }
    }

    /// The runs that passed from a holder whose lease had run out.
    pub(super) async fn passed(&self) -> Vec<Passed> {
        let sql = "select extract(epoch from from_expired)::float8, extract(epoch from at)::float8 \
                   from witness.granted where from_expired is not null and isfinite(from_expired) \
                   and from_expired < at order by at";
        let rows = self.client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| Passed { expired: row.get(0), granted: row.get(1) }).collect()
    }
}
