//! Printing: data to standard output, everything else to standard error.

use std::io::Write;

use serde::Serialize;

use super::{Error, Format, exit};
use crate::app::Voice;
use crate::plan::Problem;

/// Nothing is laid out for less than this.
const NARROWEST: usize = 40;

/// Prints data in the format asked for; `text` makes the form for people.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print<T: Serialize>(
    format: Format,
    data: &T,
    text: impl FnOnce() -> String,
) -> Result<(), Error> {
    let rendered = match format {
        Format::Text => text(),
        Format::Json => serde_json::to_string_pretty(data).map_err(|error| bug(&error))?,
        Format::Yaml => serde_saphyr::to_string(data).map_err(|error| bug(&error))?,
    };
    line(rendered.trim_end_matches('\n'))
}

/// Prints one line or block to standard output.
///
/// # Errors
/// When standard output cannot be written. A reader that has gone away is no error.
pub(crate) fn line(text: &str) -> Result<(), Error> {
    match writeln!(anstream::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Says something to the person, on standard error.
pub(crate) fn say(text: &str) {
    // Nobody is left to be told when standard error is gone.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// The person at this terminal, or whoever reads standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal;

impl Voice for Terminal {
    fn say(&self, text: &str) {
        say(text);
    }

    fn is_coloured(&self) -> bool {
        is_terminal()
    }
}

/// Reports an error on standard error: as text, or as one line of JSON where JSON was asked for.
pub(crate) fn report(error: &Error, format: Format) {
    match format {
        Format::Json => say(&json(error)),
        Format::Text | Format::Yaml => {
            let mut details = error.details.iter().peekable();
            while let Some(problem) = details.next() {
                // What helps against several in a row is said behind the last of them.
                let again = details.peek().is_some_and(|next| next.help == problem.help);
                text(&problem.what, problem.help.as_deref().filter(|_| !again));
            }
            text(&error.message, error.help.as_deref());
        }
    }
}

fn text(message: &str, help: Option<&str>) {
    say(&format!("\x1b[1;31merror\x1b[0m: {message}"));
    if let Some(help) = help {
        say(&format!(" \x1b[1mhelp\x1b[0m: {}", help.replace('\n', "\n       ")));
    }
}

fn json(error: &Error) -> String {
    let Error { code, message, help, reason, details } = error;
    let mut fields = serde_json::json!({"code": code, "reason": reason, "message": message, "help": help});
    if !details.is_empty() {
        let one = |problem: &Problem| serde_json::json!({"message": problem.what, "help": problem.help});
        fields["details"] = details.iter().map(one).collect();
    }
    serde_json::json!({ "error": fields }).to_string()
}

fn bug(error: &dyn std::fmt::Display) -> Error {
    Error::new(exit::BUG, format!("the result cannot be printed: {error}"))
}

/// Says whether a person sees standard error as it is written.
#[must_use]
pub(crate) fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

/// Columns there are for standard output: those of `COLUMNS`, else of the terminal, else no limit.
#[must_use]
pub(crate) fn width() -> usize {
    let told = crate::config::environment("COLUMNS").and_then(|text| text.parse().ok());
    let terminal =
        || rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    told.or_else(terminal).filter(|columns| *columns > 0).unwrap_or(usize::MAX).max(NARROWEST)
}
