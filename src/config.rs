//! Configuration: flags over environment over `drctl.toml` over defaults. The only reader of the environment.

mod auth;
mod aws;
mod client;
mod file;
mod notify;
mod place;
mod server;
mod telemetry;
mod webhooks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use self::file::{PolicySection, open, read};
use self::place::{place, state_directory};

pub use self::auth::{AuthSection, OidcGrant, OidcSection, Scope, TokenEntry};
pub use self::aws::{AwsAccount, AwsCredentials, AwsSection};
pub use self::client::{ClientSection, ServerPlace, Token};
pub use self::file::schema;
pub use self::place::{DatabaseUrl, JournalPlace};
pub use self::server::{ServerSection, TlsFiles};
pub use notify::{MailProtection, NotifySection, TemplateSection};
pub use telemetry::TelemetrySection;
pub use webhooks::{BasicSection, SecretReference, WebhookKind, WebhookSection};

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file named cannot be read.
    #[error("configuration {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("configuration {}: {message}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and what.
        message: String,
    },
    /// The journal's address is of no known kind.
    #[error(
        "a journal at `{0}…` is of no known kind: use a path, `sqlite:PATH`, `memory:` or `postgres://…`"
    )]
    Journal(String),
    /// There is no place for the journal.
    #[error("there is no home directory to keep the journal in: set HOME, or use --local or --journal PATH")]
    NoHome,
    /// What is said about a server cannot be used.
    #[error("{0}")]
    Server(String),
}

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// Configuration file.
    pub config: Option<PathBuf>,
    /// Journal.
    pub journal: Option<String>,
    /// Keep everything below `./.drctl/`.
    pub local: bool,
    /// Address of a server.
    pub server: Option<String>,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// File it was read from, if any.
    pub file: Option<PathBuf>,
    /// The journal.
    pub journal: JournalPlace,
    /// Folders in which runbooks are looked up by name.
    pub runbooks: Vec<PathBuf>,
    /// Those of them that stand in for folders of a server, and what these are called there.
    pub borrowed: Vec<(PathBuf, PathBuf)>,
    /// What the server that lent its runbooks could not read of them: where, by its path there, and why.
    /// Absent: the runbooks are those of this machine.
    pub unlent: Option<Vec<(PathBuf, String)>>,
    /// Where output of programs and simulated estates are kept.
    pub state: PathBuf,
    /// Name of the person at this terminal.
    pub user: String,
    /// Who has which role, as far as names that are only asserted go: names by role.
    pub roles: BTreeMap<String, Vec<String>>,
    /// How AWS is reached.
    pub aws: AwsSection,
    /// How much findings in runbooks matter here, by their code.
    pub lints: BTreeMap<String, LintLevel>,
    /// File with the policy every runbook and run is held to.
    pub policy: Option<PathBuf>,
    /// How `drctl serve` listens.
    pub server: ServerSection,
    /// Who may use it.
    pub auth: AuthSection,
    /// Who is told what runs do.
    pub notify: Vec<NotifySection>,
    /// Where traces go.
    pub telemetry: TelemetrySection,
    /// Webhooks that deliveries arrive at, by name.
    pub webhooks: BTreeMap<String, WebhookSection>,
}

/// What a configuration says about the review of runbooks.
#[derive(Debug, Clone)]
pub struct RuleFiles {
    /// The configuration, if there is one.
    pub file: Option<PathBuf>,
    /// How much findings matter, by their code.
    pub lints: BTreeMap<String, LintLevel>,
    /// File with the policy.
    pub policy: Option<PathBuf>,
    /// Folders with runbooks.
    pub runbooks: Vec<PathBuf>,
}

/// What becomes of findings of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LintLevel {
    /// They keep the runbook from being used.
    Error,
    /// They are shown.
    Warning,
    /// They are not looked for.
    Off,
}

impl LintLevel {
    /// The level as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Off => "off",
        }
    }
}

impl Config {
    /// The folder in which runbooks are where nothing says otherwise.
    pub const RUNBOOKS: &str = "runbooks";

    /// Reads the configuration.
    ///
    /// # Errors
    /// When a file that was named is missing, a file holds anything unknown, or the journal has no place.
    pub fn load(flags: &Flags) -> Result<Self, Error> {
        let (file, content) = open(flags)?;
        let state = state_directory(flags.local)?;
        let journal = match journal_of(flags, content.journal.url.as_deref(), &content.client)? {
            Chosen::Server(url) => JournalPlace::Server(content.client.place(&url, file.as_deref())?),
            Chosen::Journal(url) => place(&url)?,
            Chosen::None => JournalPlace::Sqlite(state.join("journal.db")),
        };
        let runbooks = folders(content.runbooks.paths);
        let user =
            environment("DRCTL_USER").or_else(|| environment("USER")).or_else(|| environment("LOGNAME"));
        let user = user.unwrap_or_else(account);
        let policy = policy_file(file.as_deref(), content.policy);
        let mut aws = content.aws;
        aws.endpoint_url = environment("AWS_ENDPOINT_URL").or(aws.endpoint_url);
        let (lints, notify, mut telemetry) = (content.lints, content.notify, content.telemetry);
        telemetry.complete(environment);
        let (server, auth, roles) = (content.server, content.auth, content.roles);
        let webhooks = content.webhooks;
        Ok(Self {
            file,
            journal,
            runbooks,
            borrowed: Vec::new(),
            unlent: None,
            state,
            user,
            roles,
            aws,
            lints,
            policy,
            server,
            auth,
            notify,
            telemetry,
            webhooks,
        })
    }

    /// Reads no more than what runbooks are held to: needs neither home nor journal.
    ///
    /// # Errors
    /// When a file that was named is missing, or a file holds anything unknown.
    pub fn rules(flags: &Flags) -> Result<RuleFiles, Error> {
        let (file, content) = open(flags)?;
        let policy = policy_file(file.as_deref(), content.policy);
        let runbooks = folders(content.runbooks.paths);
        Ok(RuleFiles { file, lints: content.lints, policy, runbooks })
    }
}

impl Config {
    /// Reads again who may use the server; everything else stays.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read_auth(&mut self) -> Result<(), Error> {
        if let Some(path) = &self.file {
            let content = read(path)?;
            (self.auth, self.roles) = (content.auth, content.roles);
        }
        Ok(())
    }

    /// The address of the server that commands would talk to, if one is named: needs neither token nor home.
    ///
    /// # Errors
    /// When a file that was named is missing or holds anything unknown, or both a server and a journal are
    /// named.
    pub fn server_named(flags: &Flags) -> Result<Option<String>, Error> {
        let (_, content) = open(flags)?;
        Ok(match journal_of(flags, content.journal.url.as_deref(), &content.client)? {
            Chosen::Server(url) => Some(url),
            Chosen::Journal(_) | Chosen::None => None,
        })
    }

    /// A path as it is told to people: of a runbook of a server, its path there.
    #[must_use]
    pub fn shown(&self, path: &Path) -> PathBuf {
        let there = |(here, there): &(PathBuf, PathBuf)| Some(there.join(path.strip_prefix(here).ok()?));
        self.borrowed.iter().find_map(there).unwrap_or_else(|| path.to_owned())
    }

    /// The roles of a person, by the name that was asserted.
    #[must_use]
    pub fn roles_of(&self, name: &str) -> Vec<String> {
        let has = |names: &Vec<String>| names.iter().any(|it| it == name);
        self.roles.iter().filter(|(_, names)| has(names)).map(|(role, _)| role.clone()).collect()
    }
}

/// What keeps the journal.
enum Chosen {
    /// A server at this address.
    Server(String),
    /// A journal at this address.
    Journal(String),
    /// Nothing is said.
    None,
}

/// What keeps the journal: the flags decide over the environment, and that over the file. Where both a
/// server and a journal are named in one place, nobody can know which of them was meant.
fn journal_of(flags: &Flags, in_file: Option<&str>, client: &ClientSection) -> Result<Chosen, Error> {
    let both = |server: &str, journal: &str| {
        Error::Server(format!("{server} and {journal} exclude each other: the runs are in one of them"))
    };
    match (&flags.server, &flags.journal) {
        (Some(_), Some(_)) => return Err(both("--server", "--journal")),
        (Some(url), None) => return Ok(Chosen::Server(url.clone())),
        (None, Some(url)) => return Ok(Chosen::Journal(url.clone())),
        (None, None) => {}
    }
    match (environment("DRCTL_SERVER"), environment("DRCTL_JOURNAL")) {
        (Some(_), Some(_)) => return Err(both("DRCTL_SERVER", "DRCTL_JOURNAL")),
        (Some(_), None) if flags.local => return Err(both("DRCTL_SERVER", "--local")),
        (Some(url), None) => return Ok(Chosen::Server(url)),
        (None, Some(url)) => return Ok(Chosen::Journal(url)),
        (None, None) => {}
    }
    match (&client.server, in_file) {
        _ if flags.local => Ok(Chosen::None),
        (Some(_), Some(_)) => Err(both("[client] server", "[journal] url")),
        (Some(url), None) => Ok(Chosen::Server(url.clone())),
        (None, Some(url)) => Ok(Chosen::Journal(url.to_owned())),
        (None, None) => Ok(Chosen::None),
    }
}

/// Where runbooks are, unless the configuration says otherwise. The default by itself stands for nothing
/// configured, and need not be there; whoever names the same folder has asked for it, and is told where it
/// is not there: so it is kept in another way of writing.
fn folders(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let default = [PathBuf::from(Config::RUNBOOKS)];
    match paths {
        paths if paths.is_empty() => default.into(),
        paths if paths == default => vec![Path::new(".").join(Config::RUNBOOKS)],
        paths => paths,
    }
}

/// Where the policy is: beside the configuration, unless the environment says otherwise.
fn policy_file(file: Option<&Path>, section: PolicySection) -> Option<PathBuf> {
    let beside = |path: PathBuf| match file.and_then(Path::parent) {
        Some(folder) => folder.join(path),
        None => path,
    };
    environment("DRCTL_POLICY").map(PathBuf::from).or(section.file.map(beside))
}

/// The account this process runs as: its name where this machine's own list of accounts has it, else its
/// number.
fn account() -> String {
    let uid = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&accounts, uid).unwrap_or_else(|| format!("uid {uid}"))
}

/// The first name of an account in the format of `/etc/passwd`: name, password, number, and more.
fn name_of(accounts: &str, uid: u32) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
    })
}

/// Reads one variable of the environment; one that is not UTF-8 counts as absent.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_number() {
        let accounts = "root:x:0:0::/root:/bin/sh\nbroken\n:x:7:7::/:\nann:x:1000:100::/home/ann:/bin/sh\n";
        assert_eq!(name_of(accounts, 1000).as_deref(), Some("ann"));
        assert_eq!((name_of(accounts, 7), name_of(accounts, 100), name_of("", 0)), (None, None, None));
    }
}
