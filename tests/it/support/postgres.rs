//! A real PostgreSQL primary with a streaming standby, in a folder of their own, on free ports of 127.0.0.1.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// A primary and its standby. Both are stopped when this is dropped.
pub(crate) struct PostgresPair {
    pub(crate) primary: PostgresServer,
    pub(crate) standby: PostgresServer,
    _folder: TempDir,
}

/// A server by itself. Stopped when this is dropped.
#[cfg(feature = "postgres")]
pub(crate) struct PostgresAlone {
    pub(crate) server: PostgresServer,
    _folder: TempDir,
}

#[cfg(feature = "postgres")]
impl PostgresAlone {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        own(folder.path());
        let server = PostgresServer::make(folder.path(), "alone");
        server.initialise(folder.path());
        server.start();
        Self { server, _folder: folder }
    }
}

/// One server.
pub(crate) struct PostgresServer {
    binaries: PathBuf,
    data: PathBuf,
    port: u16,
}

impl PostgresPair {
    /// Starts both and waits until the standby streams.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        own(folder.path());
        let server = |name: &str| PostgresServer::make(folder.path(), name);
        let (primary, standby) = (server("primary"), server("standby"));
        primary.initialise(folder.path());
        primary.start();
        let source = format!("host=127.0.0.1 port={} user=postgres", primary.port);
        run(&primary.as_postgres(
            "pg_basebackup",
            &["-D", standby.data(), "-d", &source, "-X", "stream", "-R", "-c", "fast"],
        ));
        standby.start();
        let pair = Self { primary, standby, _folder: folder };
        pair.wait_until_streaming().await;
        pair
    }

    async fn wait_until_streaming(&self) {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
        for _ in 0..500 {
            if self.primary.number(sql).await == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the standby does not stream; {}", self.standby.log());
    }

    /// Waits until the standby has replayed all the primary has written.
    pub(crate) async fn wait_until_replayed(&self) {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()";
        for _ in 0..500 {
            if self.primary.number(sql).await == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the standby does not catch up; {}", self.standby.log());
    }
}

impl PostgresServer {
    fn make(folder: &Path, name: &str) -> Self {
        Self { binaries: binaries(), data: folder.join(name), port: free_port() }
    }

    fn initialise(&self, folder: &Path) {
        run(&self.as_postgres("initdb", &["-D", self.data(), "-A", "trust", "-U", "postgres", "-N"]));
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nfsync = off\n\
             wal_log_hints = on\n\
             wal_keep_size = '128MB'\nshared_buffers = '16MB'\nmax_connections = 80\n\
             wal_receiver_timeout = '5s'\n\
             wal_retrieve_retry_interval = '100ms'\n",
            folder.display()
        );
        let file = self.data.join("postgresql.conf");
        let text = std::fs::read_to_string(&file).unwrap() + &settings;
        std::fs::write(&file, text).unwrap();
    }

    /// Address of a database, for a journal.
    #[cfg(feature = "postgres")]
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Port it listens on.
    #[cfg(feature = "postgres")]
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Connection string.
    pub(crate) fn connection(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port)
    }

    /// Data directory.
    pub(crate) fn data(&self) -> &str {
        self.data.to_str().unwrap()
    }

    /// Program and arguments that start it.
    pub(crate) fn start_command(&self) -> Vec<String> {
        // The port is an argument: pg_rewind copies the configuration of the other server.
        let (log, options) = (format!("{}.log", self.data()), format!("-p {}", self.port));
        self.as_postgres(
            "pg_ctl",
            &["-D", self.data(), "-l", &log, "-o", &options, "-w", "-t", "30", "start"],
        )
    }

    /// Program and arguments that stop it.
    pub(crate) fn stop_command(&self) -> Vec<String> {
        self.as_postgres("pg_ctl", &["-D", self.data(), "-m", "fast", "-w", "stop"])
    }

    /// Program and arguments that rewind it onto another server.
    pub(crate) fn rewind_command(&self, source: &Self) -> Vec<String> {
        self.as_postgres("pg_rewind", &["-D", self.data(), "--source-server", &source.connection(), "-R"])
    }

    /// Starts it.
    pub(crate) fn start(&self) {
        for _ in 0..40 {
            if succeeded(&self.start_command()) {
                return;
            }
            // A killed server is taken for a live one until init has waited for it.
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!("{} does not start; {}", self.data(), self.log());
    }

    /// Stops it in order.
    pub(crate) fn stop(&self) {
        run(&self.stop_command());
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub(crate) fn kill9(&self) {
        let pid = self.pid().expect("the server runs");
        run(&["kill".to_owned(), "-9".to_owned(), pid.to_string()]);
        // Until nobody listens any more and it has ended; init may wait for it later.
        for _ in 0..500 {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let ended = stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ");
            if ended && std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} survives kill -9", self.data());
    }

    /// A session.
    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.connection(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Runs statements.
    pub(crate) async fn run(&self, sql: &str) {
        self.client().await.batch_execute(sql).await.unwrap();
    }

    /// Makes a standby a primary. Never waits inside the statement: its own snapshot would be in the way of
    /// what is still to be replayed.
    pub(crate) async fn promote(&self) {
        self.run("select pg_promote(false)").await;
        while self.number("select pg_is_in_recovery()::int::bigint").await == 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The one number a statement returns.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Offers TLS from the next session on.
    pub(crate) async fn serve_tls(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data.join(name);
            std::fs::write(&path, text).unwrap();
            own(&path);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let loaded = "SELECT (extract(epoch FROM pg_conf_load_time()) * 1000000)::bigint";
        let before = self.number(loaded).await;
        self.run("ALTER SYSTEM SET ssl = on").await;
        self.run("SELECT pg_reload_conf()").await;
        // A session has what the server had read when it began.
        while self.number(loaded).await == before {}
    }

    fn pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(format!("{}.log", self.data())).unwrap_or_default()
    }

    /// A program of PostgreSQL, run as the user `postgres` where the tests run as root, which it refuses.
    fn as_postgres(&self, program: &str, arguments: &[&str]) -> Vec<String> {
        let mut argv = Vec::new();
        if is_root() {
            argv.extend(
                ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"].map(str::to_owned),
            );
        }
        argv.push(self.binaries.join(program).to_str().unwrap().to_owned());
        argv.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        argv
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.pid().is_some() {
            succeeded(
                &self
                    .as_postgres("pg_ctl", &["-D", self.data(), "-m", "immediate", "-w", "-t", "10", "stop"]),
            );
        }
    }
}

/// Where the programs of PostgreSQL are; those of a version's own folder first.
fn binaries() -> PathBuf {
    let versions = (13..=19).rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        versions.chain(std::env::split_paths(&path)).find(|folder| folder.join("pg_rewind").is_file());
    found.expect("PostgreSQL is not installed: these tests need initdb, pg_ctl, pg_basebackup and pg_rewind")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives a folder to the user the servers run as.
fn own(folder: &Path) {
    if is_root() {
        let id = |option: &str| -> u32 {
            let output = Command::new("id").args([option, "postgres"]).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            text.trim().parse().expect("the user `postgres` exists")
        };
        chown(folder, Some(id("-u")), Some(id("-g"))).unwrap();
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(argv: &[String]) {
    assert!(succeeded(argv), "{argv:?} failed");
}

fn succeeded(argv: &[String]) -> bool {
    // The current folder may be closed to the other user. Output goes nowhere: a server keeps its streams
    // open.
    let null = std::process::Stdio::null;
    let (program, arguments) = argv.split_first().unwrap();
    let status = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdout(null())
        .stderr(null())
        .stdin(null())
        .status();
    status.unwrap_or_else(|error| panic!("{program}: {error}")).success()
}
