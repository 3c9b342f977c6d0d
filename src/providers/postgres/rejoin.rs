//! `postgres.rejoin`: makes a stopped old primary a standby of the new one. Must never let it start
//! read-write: `standby.signal` lies in its data directory before anything else happens and whatever goes
//! wrong afterwards. Must never call a server rejoined that does not receive from a primary.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::connection::{Server, Session, Unconnected, time_left};
use super::role::{self, Found};
use super::{Outputs, live_program, permanent, refused, unless_cancelled};
use crate::engine::input::Observation;
use crate::model::action::postgres::Rejoin;
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;
use crate::providers::child::{Presence, ProgramEnd, ProgramRunner, presence};

/// Longest time of the start command, and of the wait for the server to answer and to receive afterwards.
const START_LIMIT: Duration = Duration::from_mins(1);
/// What is left of the attempt's time to say why the server does not receive.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How long init may take to wait for a killed server.
const REAP_LIMIT: Duration = Duration::from_secs(10);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// Names of the programs' files.
const REWIND: &str = "rewind";
const START: &str = "start";
/// Why a failed attempt is safe.
const GUARDED: &str = "standby.signal is in place, so the server cannot start read-write";

/// Why there is no second rewind.
const CUT_OFF: &str = "a rewind of this step was cut off while nobody watched, and how far it came is not \
                       known: such a data directory cannot be trusted; make a new one (pg_basebackup), start \
                       it as a standby, then retry the step";

/// Rewinds and starts the server, and waits until it follows.
pub(super) async fn apply(
    programs: &ProgramRunner,
    rejoin: &Rejoin,
    context: &AttemptContext,
) -> Result<Outputs, Failure> {
    let server = Server::one(&rejoin.standby, context)?;
    let found =
        unless_cancelled(context, FailureClass::TimedOut, async { Ok(role::find(&server).await) }).await?;
    match found {
        Found::Standby(_) => {
            let follows = wait_until_it_follows(&server, context);
            return unless_cancelled(context, FailureClass::InDoubt, follows).await;
        }
        Found::Primary(_) => return Err(runs_as_primary(&server)),
        Found::Unclear(failure) | Found::Nobody(Unconnected::Rejected(failure)) => return Err(failure),
        Found::Nobody(Unconnected::Stopped(_) | Unconnected::Unreachable(_)) => {}
    }
    let cluster =
        unless_cancelled(context, FailureClass::TimedOut, Cluster::open(&rejoin.data_directory)).await?;
    cluster.guard()?;
    // A second rewind recovers the cluster first, with records of its own that no primary has.
    if !cluster.is_rewound() {
        if programs.was_cut_off(REWIND, context) {
            return Err(permanent(format!("{CUT_OFF}; {GUARDED}")));
        }
        let rewound = rewind(programs, &cluster, rejoin, context).await;
        // pg_rewind removes what the new primary does not have, standby.signal too, unless it is told to
        // write its own.
        cluster.guard()?;
        let end = rewound?;
        if !end.success {
            return Err(permanent(format!("the rewind command failed: {}; {GUARDED}", end.account)));
        }
    }
    let end = programs.run(START, &rejoin.start_command, Some(START_LIMIT), context).await?;
    if !end.success {
        let message = format!("rewound, but the start command failed: {}; {GUARDED}", end.account);
        return Err(Failure::new(FailureClass::Transient, message));
    }
    unless_cancelled(context, FailureClass::InDoubt, wait_until_it_follows(&server, context)).await
}

/// Runs the rewind command. It recovers a crashed cluster first, by a single-user server that refuses to run
/// beside `standby.signal`; the signal is put back as soon as that server has ended. No other server can
/// start while it runs, because it holds `postmaster.pid`.
async fn rewind(
    programs: &ProgramRunner,
    cluster: &Cluster,
    rejoin: &Rejoin,
    context: &AttemptContext,
) -> Result<ProgramEnd, Failure> {
    let command = programs.run(REWIND, &rejoin.rewind_command, None, context);
    if cluster.was_shut_down() {
        return command.await;
    }
    cluster.lift_guard()?;
    let guard_again = async {
        while !cluster.was_shut_down() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let _ = cluster.guard();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        end = command => end,
        () = guard_again => Err(permanent("invariant: the guard never ends first")),
    }
}

/// Waits until the server receives from its primary. A server that does not is no standby anybody could
/// promote.
async fn wait_until_it_follows(server: &Server, context: &AttemptContext) -> Result<Outputs, Failure> {
    let until = Instant::now() + time_left(context).saturating_sub(LAST_WORD).min(START_LIMIT);
    loop {
        let not_yet = match role::find(server).await {
            Found::Standby(session) => match streams_by(&session, until).await {
                Ok(true) => return Ok(outputs()),
                Ok(false) => receives_nothing(server),
                Err(failure) => failure,
            },
            Found::Primary(_) => return Err(runs_as_primary(server)),
            Found::Nobody(why) => {
                let message =
                    format!("started, and it does not answer as a standby: {}; {GUARDED}", why.message());
                Failure::new(FailureClass::InDoubt, message)
            }
            Found::Unclear(failure) => failure,
        };
        if Instant::now() >= until {
            return Err(not_yet);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Looks until a standby receives, at least once.
async fn streams_by(session: &Session, until: Instant) -> Result<bool, Failure> {
    loop {
        let streams = role::is_streaming(session).await?;
        if streams || Instant::now() >= until {
            return Ok(streams);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// It may still come: a server replays what it has before it asks for more.
fn receives_nothing(server: &Server) -> Failure {
    let message = format!(
        "{} runs as a standby, but receives nothing from a primary; its log says why: primary_conninfo, \
         pg_hba.conf, or a history that the new primary does not have, for which it must be stopped and \
         rejoined again; {GUARDED}",
        server.shown()
    );
    Failure::new(FailureClass::Transient, message)
}

fn runs_as_primary(server: &Server) -> Failure {
    refused(format!(
        "{} runs and accepts writes; fence it before it is rejoined, or two primaries diverge further",
        server.shown()
    ))
}

fn outputs() -> Outputs {
    [("in_recovery".to_owned(), json!(true)), ("streaming".to_owned(), json!(true))].into_iter().collect()
}

/// Looks whether the server follows.
pub(super) async fn observe(
    programs: &ProgramRunner,
    rejoin: &Rejoin,
    context: &AttemptContext,
) -> Observation {
    if let Some(running) = live_program(programs, &[REWIND, START], context) {
        return running;
    }
    let server = match Server::one(&rejoin.standby, context) {
        Ok(server) => server,
        Err(failure) => return Observation::Unknown(failure.message),
    };
    match role::find(&server).await {
        Found::Standby(session) => match role::is_streaming(&session).await {
            Ok(true) => Observation::Applied(outputs()),
            // The next attempt finds the standby and waits for it.
            Ok(false) => Observation::NotApplied,
            Err(failure) => Observation::Unknown(failure.message),
        },
        // The next attempt goes on from wherever the last one stopped.
        Found::Primary(_) | Found::Nobody(Unconnected::Stopped(_)) => Observation::NotApplied,
        Found::Nobody(why) => Observation::Unknown(why.message().to_owned()),
        Found::Unclear(failure) => Observation::Unknown(failure.message),
    }
}

/// A data directory on this host.
struct Cluster {
    directory: PathBuf,
}

impl Cluster {
    /// Takes a data directory in which no server runs.
    ///
    /// # Errors
    /// Permanent, when it is none; refused, when a server runs in it.
    async fn open(directory: &str) -> Result<Self, Failure> {
        let cluster = Self { directory: PathBuf::from(directory) };
        let shown = cluster.directory.display();
        if !cluster.directory.join("PG_VERSION").is_file() {
            return Err(permanent(format!(
                "`{shown}` is not a PostgreSQL data directory that drctl can read on this host"
            )));
        }
        let until = Instant::now() + REAP_LIMIT;
        loop {
            match cluster.server() {
                None => return Ok(cluster),
                Some((pid, Presence::Alive)) => {
                    return Err(refused(format!(
                        "a server (pid {pid}) runs in `{shown}` and does not answer at `standby`; \
                         stop it first"
                    )));
                }
                // PostgreSQL takes a killed server for a live one until init has waited for it.
                Some((pid, _)) if Instant::now() >= until => {
                    return Err(refused(format!(
                        "the server (pid {pid}) of `{shown}` has ended, but init does not wait for it; \
                         restart init"
                    )));
                }
                Some(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// The server that holds the directory.
    fn server(&self) -> Option<(u32, Presence)> {
        let text = std::fs::read_to_string(self.directory.join("postmaster.pid")).ok()?;
        let pid: u32 = text.lines().next()?.trim().parse().ok()?;
        // The pid of a crashed server may belong to another program by now.
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let presence = presence(pid);
        (presence != Presence::Gone && name.starts_with("post")).then_some((pid, presence))
    }

    /// Puts `standby.signal` there, durably, owned by the owner of the directory.
    fn guard(&self) -> Result<(), Failure> {
        let place = || -> io::Result<()> {
            let path = self.signal();
            let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
            file.sync_all()?;
            let owner = std::fs::metadata(&self.directory)?;
            if owner.uid() != file.metadata()?.uid() {
                std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid()))?;
            }
            sync_directory(&self.directory)
        };
        place().map_err(|error| {
            let shown = self.signal();
            permanent(format!(
                "`{}` could not be written, so nothing else was done: {error}",
                shown.display()
            ))
        })
    }

    fn lift_guard(&self) -> Result<(), Failure> {
        match std::fs::remove_file(self.signal()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(permanent(format!("`{}` could not be moved aside: {error}", self.signal().display())))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether the cluster was shut down cleanly: field `state` of `pg_control` (after an 8-byte identifier
    /// and two 4-byte versions, in the server's byte order) is 1 (shut down) or 2 (shut down in recovery).
    fn was_shut_down(&self) -> bool {
        let read = || -> io::Result<u32> {
            let mut head = [0_u8; 20];
            File::open(self.directory.join("global/pg_control"))?.read_exact(&mut head)?;
            let [.., a, b, c, d] = head;
            Ok(u32::from_ne_bytes([a, b, c, d]))
        };
        matches!(read(), Ok(1 | 2))
    }

    /// Whether `pg_rewind` has come to its end here and no server was started since: the last thing it writes
    /// is a backup label of its own kind, which the next server to start takes away.
    fn is_rewound(&self) -> bool {
        std::fs::read_to_string(self.directory.join("backup_label"))
            .is_ok_and(|label| label.lines().any(|line| line == "BACKUP METHOD: pg_rewind"))
    }

    fn signal(&self) -> PathBuf {
        self.directory.join("standby.signal")
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
