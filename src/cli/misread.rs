//! A command line that cannot be read: told in the format that it asks for, as far as that can be known.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{Error, Format, exit, output};

/// Help and versions are no errors. Of a line that cannot be read only the format it asks for is known.
pub(super) fn report(error: &clap::Error) -> ExitCode {
    let words: Vec<_> = std::env::args().collect();
    let json = words.iter().any(|word| matches!(word.as_str(), "-ojson" | "-o=json" | "--output=json"))
        || words
            .windows(2)
            .any(|pair| matches!(pair, [flag, to] if to == "json" && (flag == "-o" || flag == "--output")));
    if !json || !error.use_stderr() {
        let Some(hint) = hint(error) else { error.exit() };
        // Nobody is left to be told when standard error is gone.
        let _ = error.print();
        output::say(&format!("\n \x1b[1mhelp\x1b[0m: {hint}"));
        return ExitCode::from(exit::USAGE);
    }
    let message = error.render().to_string();
    let message = message.trim().trim_start_matches("error: ");
    let usage = Error::new(exit::USAGE, message).reason("usage");
    let usage = match hint(error) {
        Some(hint) => usage.help(hint),
        None => usage,
    };
    output::report(&usage, Format::Json);
    ExitCode::from(exit::USAGE)
}

/// Where what is missing can be found.
fn hint(error: &clap::Error) -> Option<&'static str> {
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return None;
    }
    let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else { return None };
    let lacks = |name: &str| missing.iter().any(|argument| argument == name);
    if lacks("<RUNBOOK>") {
        return Some("RUNBOOK is a path, or the name of a service: `drctl status` shows those there are");
    }
    lacks("<RUN>").then_some("RUN is an id, how one begins, or `latest`: `drctl runs list` shows them")
}
