//! `drctl serve`: the process that stays. Drives runs, keeps schedules, and answers over HTTP.

use clap::Args;

use super::session::Session;
use super::{Error, Global, exit, output};
use crate::config::ServerSection;
use crate::server;

/// Arguments of `serve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Address and port; stronger than `[server] listen`.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// How many threads answer and drive; default: one for each processor, at least two.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=512))]
    threads: Option<u16>,
}

/// Runs the command until it is told to end.
///
/// # Errors
/// When the configuration or the journal cannot be used, or the address is taken.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let mut session = Session::open(global)?;
    let section = &mut session.config.server;
    *section = ServerSection {
        listen: arguments.listen.clone().unwrap_or_else(|| section.listen.clone()),
        ..section.clone()
    };
    if let Some(node) = &section.node {
        // What it drives is driven by the node, whichever account it runs as.
        session.config.user.clone_from(node);
    }
    if session.config.auth.tokens.is_empty() && session.config.auth.oidc.is_empty() {
        output::say(
            "\x1b[33mnote\x1b[0m: neither a token nor an identity provider is configured: the API lets nobody in; `drctl token create` makes one",
        );
    }
    let found = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = arguments.threads.map_or(found.max(2), usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| Error::new(exit::UNREACHABLE, error.to_string()))?;
    let ended = runtime.block_on(server::serve(session));
    // A program that is adopted by the next process must not be waited for.
    runtime.shutdown_background();
    ended
}
