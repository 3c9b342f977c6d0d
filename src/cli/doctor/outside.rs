//! What `drctl doctor` says about whom drctl speaks with: targets of notifications, webhooks, the server.
//! Sends nothing and listens nowhere.

use super::{Findings, State};
use crate::app;
use crate::cli::session;
use crate::config::{Config, ServerSection, TokenEntry};
use crate::server;

/// Looks at all of them. What is not configured is not mentioned.
pub(super) fn look(config: &Config, findings: &mut Findings) {
    targets(config, findings);
    webhooks(config, findings);
    if !config.auth.tokens.is_empty() || config.server != ServerSection::default() {
        served(config, findings);
    }
}

fn targets(config: &Config, findings: &mut Findings) {
    if let Err(error) = app::configured_targets(config) {
        findings.add("notify", State::Problem, error.message);
        findings.help(error.help.unwrap_or_default());
    }
    for section in &config.notify {
        let reached = session::block_on(async { Ok(app::reach(section).await) });
        let (name, kind) = (&section.name, section.kind);
        match reached {
            Ok(Ok(host)) => {
                findings.add("notify", State::Ok, format!("{name} ({kind}): secrets are there, {host}"));
            }
            Ok(Err(why)) => {
                findings.add("notify", State::Problem, format!("{name} ({kind}): {why}"));
                findings.help(format!("`drctl notify test {name}` sends a notice once this is put right"));
            }
            Err(error) => findings.add("notify", State::Problem, error.message),
        }
    }
}

fn webhooks(config: &Config, findings: &mut Findings) {
    for (name, section) in &config.webhooks {
        let kind = section.kind.as_str();
        match session::block_on(async { Ok(app::webhook_problem(section).await) }) {
            Ok(None) => findings.add("webhook", State::Ok, format!("{name} ({kind}): secrets are there")),
            Ok(Some(why)) => {
                findings.add("webhook", State::Problem, format!("{name} ({kind}): {why}"));
                findings.help("`drctl serve` does not start like this");
            }
            Err(error) => findings.add("webhook", State::Problem, error.message),
        }
    }
}

fn served(config: &Config, findings: &mut Findings) {
    let listen = &config.server.listen;
    let looked = session::block_on(async { Ok(tokio::net::lookup_host(listen.as_str()).await) });
    let found = looked.ok().and_then(Result::ok).and_then(|mut found| found.next());
    let now = app::now();
    let expired = |token: &&TokenEntry| token.expires.is_some_and(|at| at <= now);
    let tokens = config.auth.tokens.len();
    let gone: Vec<_> = config.auth.tokens.iter().filter(expired).map(|it| it.name.as_str()).collect();
    let problems = server::problems(config);
    match found {
        None => {
            findings.add("server", State::Problem, format!("{listen} is no address to listen on"));
            findings.help("write [server] listen as ADDRESS:PORT");
        }
        Some(address) if !address.ip().is_loopback() && config.server.tls.is_none() => {
            let text = format!("{listen}: tokens can be read on the way, as there is no TLS");
            findings.add("server", State::Note, text);
            findings.help("set [server] tls, or put a proxy with TLS in front and listen on 127.0.0.1");
        }
        Some(_) => findings.add("server", State::Ok, format!("{listen}, {tokens} tokens")),
    }
    for problem in problems {
        findings.add("server", State::Problem, problem);
    }
    if tokens == 0 {
        findings.add("server", State::Note, "no token is configured: the API lets nobody in");
        findings.help("`drctl token create` makes one");
    }
    if !gone.is_empty() {
        findings.add("server", State::Note, format!("expired tokens: {}", gone.join(", ")));
    }
}
