//! `drctl.toml`: what may stand in it, and where it is looked for. Must never show a value that stands in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    AuthSection, AwsSection, ClientSection, Error, Flags, LintLevel, NotifySection, ServerSection,
    TelemetrySection, WebhookSection, environment, notify,
};

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
pub(super) struct File {
    /// Where runs are recorded.
    pub(super) journal: JournalSection,
    /// The server that commands talk to, in place of a journal of this machine.
    pub(super) client: ClientSection,
    /// Where runbooks are found.
    pub(super) runbooks: RunbooksSection,
    /// Names of the people who have each role that approvals ask for.
    pub(super) roles: BTreeMap<String, Vec<String>>,
    /// How AWS is reached.
    pub(super) aws: AwsSection,
    /// How much findings in runbooks matter: levels by code, such as `DR0601 = "error"`.
    pub(super) lints: BTreeMap<String, LintLevel>,
    /// What every runbook and run is held to.
    pub(super) policy: PolicySection,
    /// How `drctl serve` listens.
    pub(super) server: ServerSection,
    /// Who may use it.
    pub(super) auth: AuthSection,
    /// Who is told what runs do.
    pub(super) notify: Vec<NotifySection>,
    /// Where traces go.
    pub(super) telemetry: TelemetrySection,
    /// Webhooks that deliveries arrive at, by name: what triggers of runbooks listen to.
    pub(super) webhooks: BTreeMap<String, WebhookSection>,
}

/// Where runs are recorded.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct JournalSection {
    /// A path, `sqlite:PATH`, `memory:` or `postgres://USER@HOST,HOST/DATABASE`; default: journal.db in the
    /// state folder. The password of a database is better given as `PGPASSWORD`.
    pub(super) url: Option<String>,
}

/// Where runbooks are found.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RunbooksSection {
    /// Folders in which runbooks are looked up by name; default: ./runbooks.
    pub(super) paths: Vec<PathBuf>,
}

/// What every runbook and run is held to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PolicySection {
    /// File with the policy, a `kind: Policy` document; seen from the folder of this file. `DRCTL_POLICY` is
    /// stronger.
    pub(super) file: Option<PathBuf>,
}

/// The file in force, if any, and what it says.
pub(super) fn open(flags: &Flags) -> Result<(Option<PathBuf>, File), Error> {
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

pub(super) fn read(path: &Path) -> Result<File, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let invalid = |message: String| Error::Invalid { path: path.to_owned(), message };
    let file: File = toml::from_str(&text).map_err(|error| invalid(told(&text, &error)))?;
    notify::check(&file.notify).and_then(|()| file.telemetry.check()).map_err(invalid)?;
    let problem = |(name, webhook): (&String, &WebhookSection)| {
        webhook.problem(name).map(|problem| format!("webhooks.{name}: {problem}"))
    };
    let problem = file.webhooks.iter().find_map(problem).or_else(|| file.auth.problem());
    problem.map_or(Ok(()), |problem| Err(invalid(problem)))?;
    Ok(file)
}

/// Where and what is wrong in a text. Its lines are not shown, nor texts found in them: they may be secrets.
fn told(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    let message = match message.split_once(": string \"") {
        Some((what, rest)) => {
            let after = rest.rsplit_once('"').map_or("", |(_, after)| after);
            format!("{what}: a text{after}")
        }
        None => message.to_owned(),
    };
    let before = error.span().and_then(|span| text.get(..span.start));
    let Some(before) = before else { return message };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_without_what_stands_there() {
        for (text, expected) in [
            ("[journal]\nurll = 'x'\n", "line 2, column 1: unknown field `urll`, expected `url`"),
            ("notify = 'hunter2'\n", "line 1, column 10: invalid type: a text, expected a sequence"),
            ("[server]\nlisten = 'a' # \u{fc}\n[journal]\nurl = 'postgres://u:hunter2@h", "line 4, column"),
        ] {
            let error = toml::from_str::<File>(text).unwrap_err();
            let said = told(text, &error);
            assert!(said.starts_with(expected) && !said.contains("hunter2"), "{said}");
        }
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
