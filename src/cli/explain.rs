//! `drctl explain`: what a diagnostic code means, with a wrong and a right example.

use clap::Args;
use serde_json::json;

use super::table::{Table, Yield::Wrap};
use super::{Error, Global, exit, output};
use crate::compile::Code;

/// Arguments of `explain`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Code, such as DR0301; absent: all of them, one line each.
    code: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When there is no such code.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    if let Some(text) = &arguments.code {
        let code: Code = text.parse().map_err(|message: String| {
            Error::new(exit::USAGE, message).help("`drctl explain` lists every code")
        })?;
        output::print(global.output, &entry(code), || code.explanation())?;
    } else {
        let all: Vec<_> = Code::ALL.iter().copied().map(entry).collect();
        output::print(global.output, &all, list)?;
    }
    Ok(exit::SUCCESS)
}

fn entry(code: Code) -> serde_json::Value {
    let mut value = serde_json::to_value(code.entry()).unwrap_or_default();
    value["code"] = json!(code);
    value
}

fn list() -> String {
    let mut table = Table::new(&["CODE", "SEVERITY", "WHAT IS WRONG"]);
    for code in Code::ALL {
        table.row([code.as_str(), code.entry().severity.as_str(), code.entry().title]);
    }
    table.fit("", output::width(), &[Wrap(2)])
}
