//! Configuration: flags over environment over `drctl.toml` over defaults. The only reader of the environment.

mod notify;
mod server;
mod telemetry;
mod webhooks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::server::{AuthSection, ServerSection, TlsFiles, TokenEntry};
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
        "a journal at `{0}:…` is of no known kind: use a path, `sqlite:PATH`, `memory:` or `postgres://…`"
    )]
    Journal(String),
    /// There is no place for the journal.
    #[error("there is no home directory to keep the journal in: set HOME, or use --local or --journal PATH")]
    NoHome,
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
}

/// Where the journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalPlace {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// Nowhere: it is gone with the process.
    Memory,
    /// A PostgreSQL database.
    Postgres(DatabaseUrl),
}

impl JournalPlace {
    /// Reads an address: a path, `sqlite:PATH`, `memory:` or `postgres://…`, with the password in the address
    /// or in `PGPASSWORD`.
    ///
    /// # Errors
    /// When it is of no known kind.
    pub fn read(url: &str) -> Result<Self, Error> {
        place(url)
    }
}

/// Address of a database. It may hold a password, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    /// As it was given.
    pub text: String,
    /// Password to use where it holds none.
    pub password: Option<String>,
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DatabaseUrl(not shown)")
    }
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

/// JSON Schema of the configuration file.
#[must_use]
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.into_generator().into_root_schema_for::<File>().to_value()
}

/// Configuration of drctl.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "drctl.toml")]
struct File {
    /// Where runs are recorded.
    journal: JournalSection,
    /// Where runbooks are found.
    runbooks: RunbooksSection,
    /// Names of the people who have each role that approvals ask for.
    roles: BTreeMap<String, Vec<String>>,
    /// How AWS is reached.
    aws: AwsSection,
    /// How much findings in runbooks matter: levels by code, such as `DR0601 = "error"`.
    lints: BTreeMap<String, LintLevel>,
    /// What every runbook and run is held to.
    policy: PolicySection,
    /// How `drctl serve` listens.
    server: ServerSection,
    /// Who may use it.
    auth: AuthSection,
    /// Who is told what runs do.
    notify: Vec<NotifySection>,
    /// Where traces go.
    telemetry: TelemetrySection,
    /// Webhooks that deliveries arrive at, by name: what triggers of runbooks listen to.
    webhooks: BTreeMap<String, WebhookSection>,
}

/// Where runs are recorded.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct JournalSection {
    /// A path, `sqlite:PATH`, `memory:` or `postgres://USER@HOST,HOST/DATABASE`; default: journal.db in the
    /// state folder. The password of a database is better given as `PGPASSWORD`.
    url: Option<String>,
}

/// Where runbooks are found.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RunbooksSection {
    /// Folders in which runbooks are looked up by name; default: ./runbooks.
    paths: Vec<PathBuf>,
}

/// What every runbook and run is held to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct PolicySection {
    /// File with the policy, a `kind: Policy` document; seen from the folder of this file. `DRCTL_POLICY` is
    /// stronger.
    file: Option<PathBuf>,
}

/// How AWS is reached. Without it: the credentials, profiles and addresses that the AWS tools use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsSection {
    /// Named profile of the shared AWS configuration; default: `AWS_PROFILE`, else `default`.
    pub profile: Option<String>,
    /// Address of every service in every region, such as that of an emulator; default: `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
    /// Addresses by `service` or `service.region`, such as those of VPC endpoints; stronger than
    /// `endpoint_url`.
    pub endpoints: BTreeMap<String, String>,
    /// Region whose STS gives out credentials; default: the region that is recovered into.
    pub sts_region: Option<String>,
    /// Requests sent to Route 53 in a second, for each account; default 5. Other tools of the account
    /// share its quota.
    #[schemars(range(min = 1, max = 50))]
    pub route53_requests_per_second: Option<u32>,
    /// How to get into each account, by its twelve digits.
    pub accounts: BTreeMap<String, AwsAccount>,
    /// Other ways in, by the names that `drill.credentials` of runbooks call them.
    pub credentials: BTreeMap<String, AwsCredentials>,
}

/// A way into AWS that stands for itself: nothing of `[aws]` and of the environment takes its place where it
/// says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsCredentials {
    /// Named profile of the shared AWS configuration.
    pub profile: Option<String>,
    /// How to get into each account, by its twelve digits.
    pub accounts: BTreeMap<String, AwsAccount>,
}

/// How to get into an AWS account. Without a role, the profile's own credentials must belong to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsAccount {
    /// Named profile the role is assumed from, or that belongs to the account.
    pub profile: Option<String>,
    /// ARN of the role that is assumed.
    pub role_arn: Option<String>,
    /// External id the role asks for.
    pub external_id: Option<String>,
    /// Name of the session, as CloudTrail shows it; default `drctl`.
    pub session_name: Option<String>,
    /// File with a web identity token, with which the role is assumed.
    pub web_identity_token_file: Option<PathBuf>,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// When a file that was named is missing, a file holds anything unknown, or the journal has no place.
    pub fn load(flags: &Flags) -> Result<Self, Error> {
        let (file, content) = open(flags)?;
        let state = state_directory(flags.local)?;
        let url = flags.journal.clone().or_else(|| environment("DRCTL_JOURNAL"));
        let url = if flags.local { url } else { url.or(content.journal.url) };
        let journal = match url {
            Some(url) => place(&url)?,
            None => JournalPlace::Sqlite(state.join("journal.db")),
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
    /// The roles of a person, by the name that was asserted.
    #[must_use]
    pub fn roles_of(&self, name: &str) -> Vec<String> {
        let has = |names: &Vec<String>| names.iter().any(|it| it == name);
        self.roles.iter().filter(|(_, names)| has(names)).map(|(role, _)| role.clone()).collect()
    }
}

/// Where runbooks are, unless the configuration says otherwise.
fn folders(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    if paths.is_empty() { vec![PathBuf::from("runbooks")] } else { paths }
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

fn place(url: &str) -> Result<JournalPlace, Error> {
    match url.split_once(':') {
        Some(("sqlite", path)) => Ok(JournalPlace::Sqlite(PathBuf::from(path.trim_start_matches("//")))),
        Some(("memory", "")) => Ok(JournalPlace::Memory),
        Some(("postgres" | "postgresql", _)) => {
            let password = environment("PGPASSWORD");
            Ok(JournalPlace::Postgres(DatabaseUrl { text: url.to_owned(), password }))
        }
        Some((scheme, _)) if scheme.len() > 1 && scheme.bytes().all(|c| c.is_ascii_alphabetic()) => {
            // The rest may hold a password.
            Err(Error::Journal(scheme.to_owned()))
        }
        Some(_) | None => Ok(JournalPlace::Sqlite(PathBuf::from(url))),
    }
}

fn state_directory(local: bool) -> Result<PathBuf, Error> {
    if local {
        return Ok(PathBuf::from(".drctl"));
    }
    if let Some(state) = environment("XDG_STATE_HOME") {
        return Ok(Path::new(&state).join("drctl"));
    }
    let home = environment("HOME").ok_or(Error::NoHome)?;
    Ok(Path::new(&home).join(".local/state/drctl"))
}

/// The file in force, if any, and what it says.
fn open(flags: &Flags) -> Result<(Option<PathBuf>, File), Error> {
    let named = flags.config.clone().or_else(|| environment("DRCTL_CONFIG").map(PathBuf::from));
    let Some(path) = named else { return find() };
    let content = read(&path)?;
    Ok((Some(path), content))
}

fn find() -> Result<(Option<PathBuf>, File), Error> {
    let here = PathBuf::from("drctl.toml");
    let folder = environment("XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| environment("HOME").map(|home| Path::new(&home).join(".config")));
    let candidates = std::iter::once(here).chain(folder.map(|folder| folder.join("drctl/drctl.toml")));
    for path in candidates {
        if path.is_file() {
            let content = read(&path)?;
            return Ok((Some(path), content));
        }
    }
    Ok((None, File::default()))
}

fn read(path: &Path) -> Result<File, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let invalid = |message: String| Error::Invalid { path: path.to_owned(), message };
    let file: File = toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    notify::check(&file.notify).and_then(|()| file.telemetry.check()).map_err(invalid)?;
    let problem = |(name, webhook): (&String, &WebhookSection)| {
        webhook.problem(name).map(|problem| format!("webhooks.{name}: {problem}"))
    };
    file.webhooks.iter().find_map(problem).map_or(Ok(()), |problem| Err(invalid(problem)))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_a_path_or_has_a_known_scheme() {
        assert_eq!(place("/var/lib/j.db").unwrap(), JournalPlace::Sqlite("/var/lib/j.db".into()));
        assert_eq!(place("sqlite:///var/lib/j.db").unwrap(), JournalPlace::Sqlite("/var/lib/j.db".into()));
        assert_eq!(place("memory:").unwrap(), JournalPlace::Memory);
        assert!(matches!(place("postgres://a:hunter2@h/d"), Ok(JournalPlace::Postgres(_))));
        assert!(!format!("{:?}", place("postgres://a:hunter2@h/d")).contains("hunter2"));
        let error = place("mysql://a:hunter2@host/db").unwrap_err().to_string();
        assert!(error.contains("`mysql:…`") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_account_is_found_by_its_number() {
        let accounts = "root:x:0:0::/root:/bin/sh\nbroken\n:x:7:7::/:\nann:x:1000:100::/home/ann:/bin/sh\n";
        assert_eq!(name_of(accounts, 1000).as_deref(), Some("ann"));
        assert_eq!((name_of(accounts, 7), name_of(accounts, 100), name_of("", 0)), (None, None, None));
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<File>("[journal]\nurl = 'x'\n").is_ok());
        assert!(toml::from_str::<File>("[lints]\nDR0601 = 'error'\n").is_ok());
        assert!(
            toml::from_str::<File>("[lints]\nDR0601 = 'loud'\n").unwrap_err().to_string().contains("`off`")
        );
        assert!(toml::from_str::<File>("[jurnal]\nurl = 'x'\n").unwrap_err().to_string().contains("jurnal"));
    }
}
