//! `drctl token create`: makes a token for the API. Only its digest is written anywhere.

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
    /// How long it is good for, such as 90d; default: for ever.
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<Duration>,
}

/// Runs the command.
///
/// # Errors
/// When this machine has no randomness.
pub(crate) fn run(global: &Global, command: &Command) -> Result<u8, Error> {
    let Command::Create(arguments) = command;
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random)
        .map_err(|error| Error::new(exit::UNREACHABLE, format!("no randomness: {error}")))?;
    let token = format!("{TOKEN_PREFIX}{}", hex(&random));
    let sha256 = hex(&digest(token.as_bytes()));
    let expires = arguments.expires_in.map(|time| session::now().plus(time));
    let entry = entry(arguments, &sha256, expires);
    let document = json!({
        "token": token, "name": arguments.name, "roles": arguments.roles, "sha256": sha256, "expires": expires,
    });
    output::print(global.output, &document, || token.clone())?;
    if global.output == super::Format::Text {
        output::say(&format!("shown once; add this to drctl.toml and start `drctl serve` again:\n\n{entry}"));
    }
    Ok(exit::SUCCESS)
}

fn entry(arguments: &Create, sha256: &str, expires: Option<Timestamp>) -> String {
    let roles: Vec<_> = arguments.roles.iter().map(|role| quoted(role)).collect();
    let mut text = format!(
        "[[auth.tokens]]\nname = {}\nroles = [{}]\nsha256 = \"{sha256}\"\n",
        quoted(&arguments.name),
        roles.join(", ")
    );
    if let Some(at) = expires {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "expires = \"{at}\"");
    }
    text
}

/// A basic string of TOML; JSON escapes the same characters in the same way.
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
