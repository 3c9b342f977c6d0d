//! `drctl token create`: makes a token for the API. Only its digest is written anywhere.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Error, Global, exit, output, session};
use crate::journal::record::{digest, hex};
use crate::model::time::{Duration, Timestamp};
use crate::server::TOKEN_PREFIX;

/// What to do with tokens.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Make a token, print it once, and say what to add to drctl.toml.
    Create(Create),
}

/// Arguments of `token create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Create {
    /// Whose it is; the journal names it.
    #[arg(long)]
    name: String,
    /// What it may do: viewer, operator, approver, admin, or a role that approvals ask for; may be given
    /// often.
    #[arg(long = "role", value_name = "ROLE", required = true)]
    roles: Vec<String>,
    /// Services the roles count for, by name; `*` stands for any characters; may be given often;
    /// default: all.
    #[arg(long = "service", value_name = "PATTERN")]
    services: Vec<String>,
    /// Label of the services the roles count for; may be given often; default: any.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// How long it is good for, such as 90d; default: for ever.
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<Duration>,
}

/// Runs the command.
///
/// # Errors
/// When this machine has no randomness, or the roles cannot be limited so.
pub(crate) fn run(global: &Global, command: &Command) -> Result<u8, Error> {
    let Command::Create(arguments) = command;
    let limited = !(arguments.services.is_empty() && arguments.labels.is_empty());
    if limited && arguments.roles.iter().any(|role| role == "viewer") {
        let message = "the role viewer is not limited to services: whoever may look may look at everything";
        return Err(Error::new(exit::USAGE, message).help("leave out --role viewer: every role may look"));
    }
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random)
        .map_err(|error| Error::new(exit::UNREACHABLE, format!("no randomness: {error}")))?;
    let token = format!("{TOKEN_PREFIX}{}", hex(&random));
    let sha256 = hex(&digest(token.as_bytes()));
    let expires = arguments.expires_in.map(|time| session::now().plus(time));
    let entry = entry(arguments, &sha256, expires);
    let labels: BTreeMap<_, _> = arguments.labels.iter().cloned().collect();
    let document = json!({
        "token": token, "name": arguments.name, "roles": arguments.roles, "services": arguments.services,
        "labels": labels, "sha256": sha256, "expires": expires,
    });
    output::print(global.output, &document, || token.clone())?;
    if global.output == super::Format::Text {
        output::say(&format!(
            "shown once; add this to drctl.toml and have `drctl serve` read it again (SIGHUP):\n\n{entry}"
        ));
    }
    Ok(exit::SUCCESS)
}

fn entry(arguments: &Create, sha256: &str, expires: Option<Timestamp>) -> String {
    let list = |texts: &[String]| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
    // Writing into a string cannot fail.
    let mut text = format!(
        "[[auth.tokens]]\nname = {}\nroles = [{}]\nsha256 = \"{sha256}\"\n",
        quoted(&arguments.name),
        list(&arguments.roles)
    );
    if !arguments.services.is_empty() {
        let _ = writeln!(text, "services = [{}]", list(&arguments.services));
    }
    if !arguments.labels.is_empty() {
        let labels =
            arguments.labels.iter().map(|(name, value)| format!("{} = {}", quoted(name), quoted(value)));
        let _ = writeln!(text, "labels = {{{}}}", labels.collect::<Vec<_>>().join(", "));
    }
    if let Some(at) = expires {
        let _ = writeln!(text, "expires = \"{at}\"");
    }
    text
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() {
        Err("the name is empty".to_owned())
    } else {
        Ok((name.to_owned(), value.to_owned()))
    }
}

/// A basic string of TOML; JSON escapes the same characters in the same way.
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
