//! Leases between real processes: one is killed with SIGKILL, the other takes over at once.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use drctl::ports::{Journal, JournalError, StreamName};

use super::{bodies, create, open_sqlite, run_id, sound, to_run};

/// Where the helper below finds its journal.
const JOURNAL: &str = "DRCTL_TEST_JOURNAL";

/// Not a test: the other process. Takes a lease, appends, and waits to be killed.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it is told its journal, and tells its parent"
)]
#[ignore = "started by killing_the_holder_frees_its_lease_at_once"]
async fn hold_until_killed() {
    let Ok(path) = std::env::var(JOURNAL) else { return };
    let journal = open_sqlite(path.as_ref());
    let token = create(&journal, &run_id("shop-1")).await;
    println!("\nholding {token}");
    // A child of the holder must not keep the lock alive.
    let mut child = Command::new("sleep").arg("30").spawn().unwrap();
    println!("\nready");
    child.wait().unwrap();
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the other process is this program again")]
async fn killing_the_holder_frees_its_lease_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "journal::process::hold_until_killed", "--nocapture"])
        .env(JOURNAL, &path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group_of_its_own()
        .spawn()
        .unwrap();
    let group = rustix::process::Pid::from_child(&child);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.map_while(Result::ok).any(|line| line == "ready");
    assert!(ready, "the other process did not come up");

    let journal = open_sqlite(&path);
    let run = run_id("shop-1");
    let held = journal.grant(&run).await.unwrap_err();
    assert!(matches!(&held, JournalError::Held { holder, .. } if holder.pid == child.id()), "{held}");
    assert!(journal.lease(&run).await.unwrap().unwrap().alive);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!journal.lease(&run).await.unwrap().unwrap().alive);
    let token = journal.grant(&run).await.unwrap();
    assert_eq!(token, 2);
    assert_eq!(bodies(&journal, &StreamName::run(&run)).await.len(), 3);
    journal.append(vec![to_run(&run, token, 3, &["x"])]).await.unwrap();
    sound(&journal).await;
    // The dead one's lock file is gone; ours is there as long as we are.
    let holders = folder.path().join("journal.db.holders");
    let files = || std::fs::read_dir(&holders).unwrap().count();
    assert_eq!(files(), 1);
    drop(journal);
    assert_eq!(files(), 0);
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
}

trait OwnGroup {
    fn process_group_of_its_own(&mut self) -> &mut Self;
}

impl OwnGroup for Command {
    fn process_group_of_its_own(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::process_group(self, 0)
    }
}
