//! What the flags of `drctl init` say: every fault at once, and what they add up to.

use std::path::PathBuf;

use super::{Arguments, store};
use crate::cli::{Error, exit};
use crate::compile::scaffold::Wanted;
use crate::model::address::http_fault;
use crate::model::component::{ComponentKind, ComponentRole};
use crate::model::id::ServiceName;
use crate::model::runbook::Strategy;
use crate::model::shell;
use crate::model::values::Objectives;
use crate::plan::Problem;

/// Providers of which drctl knows which parts run there.
const KNOWN: [&str; 3] = ["aws", "azure", "gcp"];

/// Refuses what was given before anything is asked: every fault at once.
///
/// # Errors
/// When a value cannot be used, whatever is answered to the questions; or is missing and nobody can be asked.
pub(super) fn check(given: &Arguments, asks: bool) -> Result<(), Error> {
    let mut problems = values(given);
    if !asks {
        problems.extend(missing(given).map(is_missing));
    }
    problems.extend(roles(given));
    match problems.len() {
        0 => {}
        1 => {
            let Problem { what, help } = problems.remove(0);
            return Err(Error { help, ..Error::new(exit::USAGE, what) });
        }
        _ => {
            let error = Error::new(exit::USAGE, "these flags cannot be used; nothing was written");
            return Err(error.details(problems));
        }
    }
    if let Some(error) = given.strategy.and_then(|strategy| misfit(given, strategy)) {
        return Err(error);
    }
    let path = given.name.as_ref().map(|name| path(given, name)).or_else(|| given.write.clone());
    path.and_then(|path| store::refusal(&path, given.force)).map_or(Ok(()), Err)
}

/// Values that are none.
fn values(given: &Arguments) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let (Some(from), Some(to)) = (&given.from, &given.to)
        && from == to
    {
        problems.push(Problem::new(format!("--from and --to are both {from}"), "name two regions"));
    }
    if let Some(owner) = given.owner.as_deref().filter(|owner| owner.trim().is_empty()) {
        let what = format!("--owner `{owner}` names nobody");
        problems.push(Problem::new(what, "name a team, or leave the flag out: it is marked to fill in"));
    }
    if let Some(fault) = given.public_url.as_deref().and_then(address_fault) {
        let what = format!("--public-url is no address: {fault}");
        problems.push(Problem::new(what, "write it like https://shop.example.com/health"));
    }
    if let Some(fault) = given.health.as_deref().and_then(health_fault) {
        let what = format!("--health is no address: {fault}");
        problems.push(Problem::new(what, "write it like https://{site}.shop.example.com/health"));
    }
    problems.extend(given.provider.as_deref().and_then(|provider| provider_fault(given, provider)));
    problems
}

/// What keeps a text from being an address of the service; nothing fills in anything there.
fn address_fault(text: &str) -> Option<&'static str> {
    if text.contains(['{', '}']) {
        Some("it holds a brace, and nothing is filled in there")
    } else {
        http_fault(text)
    }
}

/// What keeps a text from being the address of a site's health.
pub(super) fn health_fault(text: &str) -> Option<String> {
    let filled = text.replace("{site}", "site");
    let braces =
        filled.contains(['{', '}']).then_some("only {site} is filled in, and it holds another brace");
    braces.or_else(|| http_fault(&filled)).map(str::to_owned)
}

/// The address that is proposed.
pub(super) fn usual_health(name: &str) -> String {
    format!("https://{{site}}.{name}.example.com/health")
}

fn provider_fault(given: &Arguments, provider: &str) -> Option<Problem> {
    let usual = provider.trim().to_ascii_lowercase();
    if KNOWN.contains(&usual.as_str()) && usual != provider {
        return Some(Problem::new(
            format!("--provider `{provider}` is written {usual}"),
            format!("--provider={usual}"),
        ));
    }
    let is_word = provider.starts_with(|c: char| c.is_ascii_alphanumeric())
        && provider.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    if !is_word {
        let what = format!("--provider `{provider}` is no word of a-z, 0-9, `-` and `_`");
        return Some(Problem::new(what, "write aws, azure, gcp, on_premises, or a word of your own"));
    }
    let runs = given.database.iter().chain(&given.compute);
    let homes: Vec<&str> = runs.filter_map(|kind| home(*kind)).collect();
    if !KNOWN.contains(&provider) || homes.is_empty() || homes.contains(&provider) {
        return None;
    }
    let what =
        format!("--provider {provider}: --database and --compute are parts of {}", homes.join(" and "));
    Some(Problem::new(what, format!("write --provider={}, or leave it out", homes[0])))
}

/// The provider that a kind is of; nothing for kinds that run anywhere.
fn home(kind: ComponentKind) -> Option<&'static str> {
    let family = kind.as_str().split('.').next();
    KNOWN.into_iter().find(|known| family == Some(known))
}

/// Kinds that are given for what they are not.
fn roles(given: &Arguments) -> Vec<Problem> {
    let database = given.database.iter().map(|kind| ("--database", *kind, ComponentRole::Data));
    let compute = given.compute.iter().map(|kind| ("--compute", *kind, ComponentRole::Compute));
    let traffic = given.traffic.iter().map(|kind| ("--traffic", *kind, ComponentRole::Traffic));
    let wrong = database.chain(compute).chain(traffic).filter(|(_, kind, role)| kind.role() != *role);
    let problem = |(flag, kind, role): (&str, ComponentKind, ComponentRole)| {
        let what = format!("{flag}: {kind} is of the role {}, not {role}", kind.role());
        Problem::new(what, format!("there are: {}", list(given.strategy, role)))
    };
    wrong.map(problem).collect()
}

/// The kinds of a role, of one strategy where it is known.
fn list(strategy: Option<Strategy>, role: ComponentRole) -> String {
    let fits = |kind: &&ComponentKind| strategy.is_none_or(|strategy| kind.fits(strategy));
    let kinds = ComponentKind::ALL.iter().filter(|kind| kind.role() == role).filter(fits);
    kinds.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Why a given kind cannot be a part of a strategy.
pub(super) fn misfit(given: &Arguments, strategy: Strategy) -> Option<Error> {
    let all = given.database.iter().chain(&given.compute).chain(&given.traffic).chain(&given.with);
    let kind = all.copied().find(|kind| !kind.fits(strategy))?;
    let error = Error::new(exit::USAGE, format!("{kind} cannot be a part of {strategy}"));
    Some(error.help(format!("there are: {}", list(Some(strategy), kind.role()))))
}

/// What must be known and is not.
fn missing(given: &Arguments) -> Option<String> {
    let needed = [
        ("--name", given.name.is_some()),
        ("--strategy", given.strategy.is_some()),
        ("--from", given.from.is_some()),
        ("--to", given.to.is_some()),
        ("--database", given.database.is_some()),
        ("--traffic", given.traffic.is_some()),
    ];
    let missing: Vec<_> = needed.into_iter().filter(|(_, given)| !given).map(|(flag, _)| flag).collect();
    match missing.as_slice() {
        [] => None,
        [only] => Some(format!("{only} is missing")),
        [rest @ .., last] => Some(format!("{} and {last} are missing", rest.join(", "))),
    }
}

/// The file to write.
pub(super) fn path(given: &Arguments, name: &ServiceName) -> PathBuf {
    given.write.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.yaml")))
}

/// What the flags and answers add up to.
///
/// # Errors
/// When something is still missing, or a part cannot be one.
pub(super) fn wanted(said: &Arguments) -> Result<Wanted, Error> {
    let (Some(name), Some(strategy), Some(from), Some(to), Some(database), Some(traffic)) =
        (&said.name, said.strategy, &said.from, &said.to, said.database, said.traffic)
    else {
        let problem = is_missing(missing(said).unwrap_or_default());
        return Err(Error { help: problem.help, ..Error::new(exit::USAGE, problem.what) });
    };
    if let Some(error) = misfit(said, strategy) {
        return Err(error);
    }
    let is_health = |kind: &&ComponentKind| kind.role() == ComponentRole::Health;
    let mut components = vec![database];
    components.extend(&said.compute);
    components.extend(said.with.iter().filter(|kind| !is_health(kind)));
    components.push(traffic);
    components.extend(said.with.iter().filter(is_health));
    if !components.contains(&ComponentKind::HttpEndpoint) {
        components.push(ComponentKind::HttpEndpoint);
    }
    let usual = Wanted::usual(strategy);
    let provider = said.provider.clone().unwrap_or_else(|| Wanted::provider_of(&components).to_owned());
    Ok(Wanted {
        provider,
        name: name.clone(),
        owner: said.owner.clone(),
        strategy,
        objectives: Objectives { rto: said.rto.or(usual.rto), rpo: said.rpo.or(usual.rpo), mtd: None },
        sites: [from.clone(), to.clone()],
        components,
        health: said.health.clone().unwrap_or_else(|| usual_health(name.as_str())),
        public_url: said.public_url.clone(),
    })
}

fn is_missing(what: String) -> Problem {
    Problem::new(what, "give what is missing, or run `drctl init` on a terminal: it asks for it")
}

/// The command that says all of this without a question.
pub(super) fn command(said: &Arguments) -> String {
    let mut words = vec!["drctl".to_owned(), "init".to_owned()];
    let mut add =
        |flag: &str, value: Option<String>| words.extend(value.map(|value| format!("--{flag}={value}")));
    add("name", said.name.as_ref().map(ToString::to_string));
    add("owner", said.owner.clone());
    add("strategy", said.strategy.map(|it| it.to_string()));
    add("from", said.from.as_ref().map(ToString::to_string));
    add("to", said.to.as_ref().map(ToString::to_string));
    add("provider", said.provider.clone());
    add("database", said.database.map(|it| it.to_string()));
    for kind in &said.compute {
        add("compute", Some(kind.to_string()));
    }
    add("traffic", said.traffic.map(|it| it.to_string()));
    for kind in &said.with {
        add("with", Some(kind.to_string()));
    }
    add("health", said.health.clone());
    add("public-url", said.public_url.clone());
    add("rto", said.rto.map(|it| it.to_string()));
    add("rpo", said.rpo.map(|it| it.to_string()));
    add("write", said.write.as_ref().map(|path| path.display().to_string()));
    if said.force {
        words.push("--force".to_owned());
    }
    shell::command(&words, &[])
}

/// An error after which nothing that was answered has to be answered again.
pub(super) fn with_answers(error: Error, said: &Arguments) -> Error {
    let again = format!("what you have answered is kept in this command: {}", command(said));
    let help = error.help.as_ref().map_or_else(|| again.clone(), |help| format!("{help}\n{again}"));
    Error { help: Some(help), ..error }
}

/// What to type once the file is there.
pub(super) fn next(wanted: &Wanted, file: &str) -> String {
    let file = shell::word(file);
    let from = match wanted.strategy {
        Strategy::ActiveActive => format!(" --from {}", wanted.sites[0]),
        Strategy::BackupRestore | Strategy::PilotLight | Strategy::WarmStandby => String::new(),
    };
    format!("next: drctl plan {file}{from}, then drctl failover {file}{from} --simulate")
}
