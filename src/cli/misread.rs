//! A command line that cannot be read: told in the format that it asks for, as far as that can be known.

use std::process::ExitCode;

use super::{Error, Format, exit, output};

/// Help and versions are no errors. Of a line that cannot be read only the format it asks for is known.
pub(super) fn report(error: &clap::Error) -> ExitCode {
    let words: Vec<_> = std::env::args().collect();
    let json = words.iter().any(|word| matches!(word.as_str(), "-ojson" | "-o=json" | "--output=json"))
        || words
            .windows(2)
            .any(|pair| matches!(pair, [flag, to] if to == "json" && (flag == "-o" || flag == "--output")));
    if !json || !error.use_stderr() {
        error.exit();
    }
    let message = error.render().to_string();
    let message = message.trim().trim_start_matches("error: ");
    output::report(&Error::new(exit::USAGE, message).reason("usage"), Format::Json);
    ExitCode::from(exit::USAGE)
}
