//! Flags that say what a plan is bound to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::session::Session;
use super::{Error, exit};
use crate::app::launch::interrupt::DrillFate;
use crate::app::launch::{Binding, source};
use crate::compile::Code;
use crate::model::id::{ServiceName, SiteName};
use crate::model::run::Mode;

/// What a plan is bound to, on the command line.
#[derive(Debug, Clone, Args)]
pub(crate) struct BindingFlags {
    /// Runbook: a path, or the name of a service or file in the configured folders.
    pub runbook: String,
    /// graceful or ungraceful; default: ungraceful for a failover, else graceful.
    #[arg(long)]
    pub mode: Option<Mode>,
    /// Site the service leaves; default: where the service record says it is.
    #[arg(long, value_name = "SITE")]
    pub from: Option<SiteName>,
    /// Site the service moves to.
    #[arg(long, value_name = "SITE")]
    pub to: Option<SiteName>,
    /// Value of a parameter; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// YAML or JSON file with values of parameters.
    #[arg(long, value_name = "FILE")]
    pub values: Option<PathBuf>,
    /// Go on against an error that the runbook itself could accept, for this once; may be given often.
    /// Recorded, and shown in the report.
    #[arg(long, value_name = "CODE", value_parser = source::acceptable)]
    pub accept_lint: Vec<Code>,
}

impl BindingFlags {
    /// The binding.
    ///
    /// # Errors
    /// When a value cannot be read.
    pub(crate) fn binding(&self) -> Result<Binding, Error> {
        Ok(Binding {
            runbook: self.runbook.clone(),
            mode: self.mode,
            from: self.from.clone(),
            to: self.to.clone(),
            values: values(self.values.as_deref(), &self.set)?,
            accept_lint: self.accept_lint.clone(),
        })
    }
}

impl ValueEnum for DrillFate {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Promote, Self::CleanUp]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Auto => ("auto", "What the real run would do itself stays, the rest is taken back"),
            Self::Promote => ("promote", "All it has done stays"),
            Self::CleanUp => ("clean-up", "All it has done is taken back"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl std::str::FromStr for ServiceName {
    type Err = crate::model::id::InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl std::str::FromStr for SiteName {
    type Err = crate::model::id::InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// Values that no journal keeps, for a command that may take a run over.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SensitiveFlags {
    /// Value of a sensitive parameter, which is not stored; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl SensitiveFlags {
    /// The values, for a run that is taken over here.
    ///
    /// # Errors
    /// When one cannot be read, or a server drives the runs.
    pub(crate) fn values(&self, session: &Session) -> Result<BTreeMap<String, Value>, Error> {
        if session.server.is_some() && !self.set.is_empty() {
            return Err(not_through_a_server("--set is"));
        }
        typed(&self.set)
    }
}

/// The refusal of flags that are about a run which this process drives.
pub(crate) fn not_through_a_server(flags: &str) -> Error {
    Error::new(exit::USAGE, format!("{flags} about a run that is driven here, not at a server"))
        .help("without `--server`, where drctl reaches the journal itself, that is heeded")
        .reason("not_through_a_server")
}

/// The values of a file and of pairs, the latter winning.
///
/// # Errors
/// When the file cannot be read or a pair is not `name=value`.
pub(crate) fn values(file: Option<&Path>, pairs: &[String]) -> Result<BTreeMap<String, Value>, Error> {
    let mut values = BTreeMap::new();
    if let Some(path) = file {
        let text = source::read(path)?;
        let file: BTreeMap<String, Value> = serde_saphyr::from_str(&text)
            .map_err(|error| Error::new(exit::USAGE, format!("{}: {error}", path.display())))?;
        values.extend(file);
    }
    values.extend(typed(pairs)?);
    Ok(values)
}

/// The values of pairs.
///
/// # Errors
/// When a pair is not `name=value`.
pub(crate) fn typed(pairs: &[String]) -> Result<BTreeMap<String, Value>, Error> {
    let one = |pair: &String| {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::new(exit::USAGE, format!("--set {pair}: write it as name=value")))?;
        Ok((name.to_owned(), Value::String(value.to_owned())))
    };
    pairs.iter().map(one).collect()
}
