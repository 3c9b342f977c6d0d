//! Leases that run out: of a process that was stopped, of one whose rows are gone, and those that do not.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use drctl::ports::{Journal, JournalError, StreamName};
use rustix::process::{Pid, Signal, kill_process};

use super::super::{bodies, create, run_id, sound, to_run};
use super::{Databases, open};

/// Where the helper below finds its journal.
const JOURNAL: &str = "DRCTL_TEST_POSTGRES";

/// Not a test: the other process. Takes a lease, appends, and tries again at every line it is sent.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it is told its journal, and tells its parent"
)]
#[ignore = "started by others"]
async fn hold_and_append() {
    let Ok(url) = std::env::var(JOURNAL) else { return };
    let (journal, run) = (open(&url), run_id("shop-1"));
    let token = create(&journal, &run).await;
    println!("\nready");
    for _ in std::io::stdin().lines() {
        let confirmed = journal.confirm(&run, token).await;
        let appended = journal.append(vec![to_run(&run, token, 3, &["{\"stale\":true}"])]).await;
        println!("\n{confirmed:?} {appended:?}");
    }
}

/// The other process.
struct Other {
    child: Child,
    input: ChildStdin,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Other {
    #[expect(clippy::disallowed_methods, reason = "the other process is this program again")]
    fn start(url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "journal::postgres::leases::hold_and_append", "--nocapture"])
            .env(JOURNAL, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let input = child.stdin.take().unwrap();
        let mut other = Self { child, input, lines };
        other.wait_for("ready");
        other
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn wait_for(&mut self, text: &str) -> String {
        let line = self.lines.by_ref().map_while(Result::ok).find(|line| line.contains(text));
        assert!(line.is_some(), "the other process did not say `{text}`");
        line.unwrap_or_default()
    }

    /// Lets it append, and returns what it says.
    fn append(&mut self) -> String {
        writeln!(self.input, "go").unwrap();
        self.wait_for("Err(")
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn until_dead(journal: &impl Journal) -> Duration {
    let began = Instant::now();
    while journal.lease(&run_id("shop-1")).await.unwrap().unwrap().alive {
        assert!(began.elapsed() < Duration::from_secs(20), "its lease does not run out");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

#[tokio::test]
async fn a_stopped_process_cannot_append_once_its_lease_has_passed() {
    let databases = Databases::start();
    for taken_over in [false, true] {
        let url = databases.url(if taken_over { "taken" } else { "passed" }).await + "?lease_ttl=1s";
        let (mut other, journal, run) = (Other::start(&url), open(&url), run_id("shop-1"));
        let held = journal.grant(&run).await.unwrap_err();
        assert!(
            matches!(&held, JournalError::Held { holder, .. } if holder.pid == other.child.id()),
            "{held}"
        );
        other.signal(Signal::STOP);
        let lasted = until_dead(&journal).await;
        assert!(lasted < Duration::from_secs(2), "it took {lasted:?}");
        if taken_over {
            assert_eq!(journal.grant(&run).await.unwrap(), 2);
        }
        other.signal(Signal::CONT);
        let said = other.append();
        assert!(said.starts_with("Err(Lapsed"), "an effect would have been begun: {said}");
        let refused = if taken_over { "Err(Fenced" } else { "Err(Lapsed" };
        assert_eq!(said.matches("Err(").count(), 2, "{said}");
        assert!(said.contains(&format!(" {refused}")), "{said}");
        assert_eq!(bodies(&journal, &StreamName::run(&run)).await.len(), 3);
        if taken_over {
            journal.append(vec![to_run(&run, 2, 3, &["{}"])]).await.unwrap();
        }
        sound(&journal).await;
    }
}

#[tokio::test]
async fn a_killed_process_loses_its_lease_in_its_time() {
    let databases = Databases::start();
    let url = databases.url("killed").await + "?lease_ttl=1s";
    let (mut other, journal, run) = (Other::start(&url), open(&url), run_id("shop-1"));
    assert_eq!(journal.undriven(9).await.unwrap(), []);
    other.child.kill().unwrap();
    let lasted = until_dead(&journal).await;
    assert!(lasted < Duration::from_secs(2), "it took {lasted:?}");
    let undriven = journal.undriven(9).await.unwrap();
    assert_eq!(undriven.iter().map(|run| run.run.as_str()).collect::<Vec<_>>(), ["shop-1"]);
    let token = journal.grant(&run).await.unwrap();
    assert_eq!(journal.undriven(9).await.unwrap(), []);
    journal.confirm(&run, token).await.unwrap();
    journal.append(vec![to_run(&run, token, 3, &["{}"])]).await.unwrap();
}

#[tokio::test]
async fn leases_are_renewed_while_their_holder_works() {
    let databases = Databases::start();
    let url = databases.url("renewed").await + "?lease_ttl=1s";
    let (journal, other, run) = (open(&url), open(&url), run_id("shop-1"));
    let token = create(&journal, &run).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(3_500) {
        assert!(other.lease(&run).await.unwrap().unwrap().alive);
        journal.confirm(&run, token).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    journal.append(vec![to_run(&run, token, 3, &["{}"])]).await.unwrap();
}

#[tokio::test]
async fn a_renewal_under_way_is_waited_for_before_its_holder_is_taken_for_dead() {
    let databases = Databases::start();
    let url = databases.url("underway").await;
    let (journal, run) = (open(&url), run_id("shop-1"));
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let granted = "select drctl.grant_lease('shop-1', 'other', 1, 'host', 'name', '1 second')";
    client.batch_execute(granted).await.unwrap();
    // Begun in time, and committed after the lease would have passed.
    let renewed = "begin; update drctl.holder set expires_at = clock_timestamp() + interval '1 minute' \
                   where id = 'other' and expires_at > clock_timestamp()";
    client.batch_execute(renewed).await.unwrap();
    let later = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        client.batch_execute("commit").await.unwrap();
    };
    let taken = async {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        journal.grant(&run).await
    };
    let (taken, ()) = tokio::join!(taken, later);
    assert!(matches!(taken, Err(JournalError::Held { .. })), "{taken:?}");
    assert!(journal.lease(&run).await.unwrap().unwrap().alive);
}

#[tokio::test]
async fn a_database_that_keeps_one_snapshot_for_a_transaction_weakens_no_fence() {
    let databases = Databases::start();
    let url = databases.url("snapshots").await;
    let asked = "alter database snapshots set default_transaction_isolation = 'repeatable read'";
    databases.0.server.run(asked).await;
    let journal = std::sync::Arc::new(open(&url));
    let run = run_id("shop-1");
    let token = create(&*journal, &run).await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // The append waits behind a grant that has not been committed yet.
    let regranted = "begin isolation level read committed; select from drctl.tip for update; \
                 update drctl.lease set token = token + 1, holder = null";
    client.batch_execute(regranted).await.unwrap();
    let later = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        client.batch_execute("commit").await.unwrap();
    };
    let (appended, ()) = tokio::join!(journal.append(vec![to_run(&run, token, 3, &["{}"])]), later);
    assert!(matches!(appended, Err(JournalError::Fenced { .. })), "{appended:?}");
    assert_eq!(bodies(&*journal, &StreamName::run(&run)).await.len(), 3);
}

#[tokio::test]
async fn a_process_whose_leases_have_passed_goes_on_under_new_ones() {
    let databases = Databases::start();
    let (server, url) = (&databases.0.server, databases.url("passed").await + "?lease_ttl=1s");
    let (journal, run) = (open(&url), run_id("shop-1"));
    let token = create(&journal, &run).await;
    let address = server.url("passed");
    let (client, connection) = tokio_postgres::connect(&address, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("update drctl.holder set expires_at = '-infinity'").await.unwrap();
    let refused = journal.append(vec![to_run(&run, token, 3, &["{}"])]).await.unwrap_err();
    assert_eq!(refused, JournalError::Lapsed { stream: StreamName::run(&run), token });
    let began = Instant::now();
    while journal.confirm(&run, token).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(5), "it does not notice");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let next = journal.grant(&run).await.unwrap();
    assert_eq!(next, token + 1);
    journal.confirm(&run, next).await.unwrap();
    journal.append(vec![to_run(&run, next, 3, &["{}"])]).await.unwrap();
}
