//! A folder with a service whose steps are programs, a journal of its own, and the built drctl.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drctl::journal::{HolderFacts, OpenMode, SqliteJournal};
use drctl::model::id::RunId;
use drctl::ports::{Journal as _, RunFilter};

/// The program of every step.
const STEP: &str = include_str!("step.sh");

/// The folder.
pub(crate) struct Service {
    folder: tempfile::TempDir,
}

/// How a command ended.
pub(crate) struct Ended {
    /// Exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed and complained about.
    pub(crate) said: String,
}

impl Service {
    /// Makes the folder with a runbook.
    pub(crate) fn new(runbook: &str) -> Self {
        let service = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(service.path("runbooks")).unwrap();
        std::fs::write(service.path("runbooks/pay.yaml"), runbook).unwrap();
        std::fs::write(service.path("step"), STEP).unwrap();
        std::fs::set_permissions(service.path("step"), std::fs::Permissions::from_mode(0o755)).unwrap();
        service
    }

    /// A file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the journal is.
    pub(crate) fn journal(&self) -> PathBuf {
        self.path(".drctl/journal.db")
    }

    /// What the steps have written.
    pub(crate) fn effects(&self) -> String {
        std::fs::read_to_string(self.path("effects")).unwrap_or_default()
    }

    /// Waits until the steps have written something.
    pub(crate) fn wait_until(&self, what: &str, is_there: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !is_there(&self.effects()) {
            assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain: {what}\n{}", self.account());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Starts drctl, and leaves it alone.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_drctl")));
        command.arg("--local").args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs drctl to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_drctl")));
        ended(command.arg("--local").args(words))
    }

    /// Runs drctl to its end so that no file it writes grows beyond a number of blocks of 512 bytes.
    pub(crate) fn run_limited(&self, blocks: u64, words: &[&str]) -> Ended {
        let mut command = self.command(Path::new("/bin/sh"));
        let script = format!("ulimit -f {blocks}; exec \"$@\"");
        ended(command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_drctl"), "--local"]).args(words))
    }

    #[expect(clippy::disallowed_methods, reason = "the built program is what is tested")]
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        command
    }

    /// The journal as somebody who only looks; `None` while there is none.
    pub(crate) fn look(&self) -> Option<SqliteJournal> {
        match SqliteJournal::open(self.journal(), HolderFacts::here("chaos"), OpenMode::ReadOnly) {
            Ok(journal) => Some(journal),
            Err(error) if error.to_string().contains("no journal") => None,
            Err(error) => panic!("after a kill the journal cannot be read: {error}"),
        }
    }

    /// The run that was started with a key.
    pub(crate) async fn run_of(&self, key: &str) -> Option<RunId> {
        let runs = self.look()?.runs(&RunFilter::default()).await.unwrap();
        runs.into_iter().find(|run| run.idempotency_key.as_deref() == Some(key)).map(|run| run.run)
    }

    /// Says what a person needs to find out why a test fails.
    pub(crate) fn account(&self) -> String {
        format!("{}\n{}", self.effects(), self.run(&["runs", "events", "latest"]).said)
    }
}

fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Ended { code: output.status.code(), said: String::from_utf8_lossy(&said).into_owned() }
}
