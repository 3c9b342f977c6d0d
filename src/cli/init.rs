//! `drctl init`: writes a first runbook, from flags and, on a terminal, questions. Never overwrites a file
//! unasked.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{Error, Format, Global, exit, output};
use crate::app::launch::source;
use crate::compile::scaffold::{MARK, Wanted, scaffold};
use crate::compile::{self, Code, Diagnostic, Severity};
use crate::model::component::{ComponentKind, ComponentRole};
use crate::model::id::{ServiceName, SiteName};
use crate::model::runbook::Strategy;
use crate::model::time::Duration;
use crate::plan::Problem;

/// Most times one question is asked.
const ASKED: usize = 5;

/// Arguments of `init`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Arguments {
    /// Name of the service.
    #[arg(long)]
    name: Option<ServiceName>,
    /// Team that answers for it.
    #[arg(long, value_name = "TEAM")]
    owner: Option<String>,
    /// `backup_restore`, `pilot_light`, `warm_standby` or `active_active`.
    #[arg(long)]
    strategy: Option<Strategy>,
    /// Region the service runs in; also the name of that site.
    #[arg(long, value_name = "REGION")]
    from: Option<SiteName>,
    /// Region it can move to.
    #[arg(long, value_name = "REGION")]
    to: Option<SiteName>,
    /// Provider of the sites, such as aws, azure, gcp; default: as the components say.
    #[arg(long)]
    provider: Option<String>,
    /// Kind of the database: docs/reference/components.md lists all kinds.
    #[arg(long, value_name = "KIND")]
    database: Option<ComponentKind>,
    /// Kind of what runs the service; may be given several times.
    #[arg(long, value_name = "KIND")]
    compute: Vec<ComponentKind>,
    /// Kind of what sends users to a site.
    #[arg(long, value_name = "KIND")]
    traffic: Option<ComponentKind>,
    /// Kind of another part: a queue, a link, backups, alarms; may be given several times.
    #[arg(long, value_name = "KIND")]
    with: Vec<ComponentKind>,
    /// Direct address of a site's health; `{site}` stands for the name of the site.
    #[arg(long, value_name = "URL")]
    health: Option<String>,
    /// Address users have.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Recovery time objective, such as 15m.
    #[arg(long)]
    rto: Option<Duration>,
    /// Recovery point objective, such as 60s.
    #[arg(long)]
    rpo: Option<Duration>,
    /// File to write, or `-` for standard output; default: the name of the service with `.yaml`.
    #[arg(long, short, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Overwrite the file.
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// When something is not known and nobody can be asked, the parts do not go together, or the file is there.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let mut stdin = std::io::stdin().lock();
    let mut stderr = std::io::stderr();
    let mut person = Person { answers: &mut stdin, questions: &mut stderr };
    let asks = std::io::stdin().is_terminal();
    if !asks {
        complete(arguments)?;
    }
    let wanted = wanted(arguments, asks.then_some(&mut person))?;
    let text = scaffold(&wanted);
    let marks = text.lines().filter(|line| !line.starts_with('#') && line.contains(MARK)).count();
    sound(&text)?;
    let path = arguments.write.clone().unwrap_or_else(|| PathBuf::from(format!("{}.yaml", wanted.name)));
    if path.as_os_str() == "-" {
        output::line(text.trim_end())?;
        return Ok(exit::SUCCESS);
    }
    store(&path, &text, arguments.force)?;
    let shown = path.display().to_string();
    let document =
        json!({"file": shown, "name": wanted.name, "strategy": wanted.strategy, "to_fill_in": marks});
    output::print(global.output, &document, || format!("{shown}: {marks} lines marked {MARK} to fill in"))?;
    if global.output == Format::Text {
        let from = if wanted.strategy == Strategy::ActiveActive {
            format!(" --from {}", wanted.sites[0])
        } else {
            String::new()
        };
        output::say(&format!("next: drctl plan {shown}{from}, then drctl failover {shown}{from} --simulate"));
    }
    Ok(exit::SUCCESS)
}

/// What is written compiles without a finding but those about values to fill in, or is not written.
fn sound(text: &str) -> Result<(), Error> {
    let (_, found) = compile::compile(text, source::today());
    let is_shown =
        |finding: &Diagnostic| finding.severity != Severity::Note && finding.code != Code::Placeholder;
    let found: Vec<_> = found.into_iter().filter(is_shown).collect();
    if found.is_empty() {
        return Ok(());
    }
    // There is no file to point into: what can be changed are the flags.
    let problem = |finding: &Diagnostic| {
        let said = format!("{} [{}]", finding.message, finding.code);
        Problem::new(said, format!("change {}", flags(finding)))
    };
    Err(Error::new(exit::INVALID, "these values do not go together; nothing was written")
        .help("`drctl explain CODE` says more about each")
        .reason("invalid_runbook")
        .details(found.iter().map(problem).collect()))
}

/// The flags that a finding in what they make comes from.
fn flags(finding: &Diagnostic) -> &'static str {
    match finding.code {
        Code::BeyondRto | Code::TtlBeyondRto => "--rto",
        Code::RpoUnmeasured | Code::ReadingAsksLostSite | Code::BackupsBeyondRpo => "--rpo or --database",
        Code::BrokenObjectives => "--rto or --rpo",
        Code::SameAddress => "--health: `{site}` in it stands for the name of the site",
        Code::SharedFailureDomain => "--from or --to",
        Code::LostControlPlane => "--traffic, or --from",
        Code::BrokenSites => "--provider, --from or --to",
        code if code.is_survivability() => "--from, --to or the kind it is about",
        _ => {
            "--database, --compute, --traffic or --with: docs/reference/components.md says what goes together"
        }
    }
}

/// Names every flag that is missing at once: nobody is there to be asked.
fn complete(arguments: &Arguments) -> Result<(), Error> {
    let needed = [
        ("--name", arguments.name.is_some()),
        ("--strategy", arguments.strategy.is_some()),
        ("--from", arguments.from.is_some()),
        ("--to", arguments.to.is_some()),
        ("--database", arguments.database.is_some()),
        ("--traffic", arguments.traffic.is_some()),
    ];
    let missing: Vec<_> = needed.into_iter().filter(|(_, given)| !given).map(|(flag, _)| flag).collect();
    let list = match missing.as_slice() {
        [] => return Ok(()),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    };
    let error = is_missing(&list);
    match (&arguments.from, &arguments.to) {
        (Some(from), Some(to)) if from == to => {
            Err(Error { message: format!("{}; {}", error.message, both(from)), ..error })
        }
        _ => Err(error),
    }
}

fn both(site: &SiteName) -> String {
    format!("--from and --to are both {site}")
}

fn is_missing(flags: &str) -> Error {
    let verb = if flags.contains(' ') { "are" } else { "is" };
    Error::new(exit::USAGE, format!("{flags} {verb} missing"))
        .help("give what is missing, or run `drctl init` on a terminal: it asks for it")
}

fn store(path: &Path, text: &str, force: bool) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    let options = if force { options.create(true).truncate(true) } else { options.create_new(true) };
    let refuse = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::new(exit::REFUSED, format!("{} is there already; nothing was written", path.display()))
                .help("name another file with --write, or overwrite it with --force")
                .reason("file_exists")
        }
        _ => Error::new(exit::USAGE, format!("{} cannot be written: {error}", path.display())),
    };
    let mut file = options.open(path).map_err(refuse)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(refuse)
}

/// Somebody who can be asked.
struct Person<'a> {
    answers: &'a mut dyn BufRead,
    questions: &'a mut dyn Write,
}

impl Person<'_> {
    /// Asks until the answer can be read; an empty one is the default.
    fn ask<T>(
        &mut self,
        question: &str,
        default: Option<&str>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        for _ in 0..ASKED {
            let shown = default.map_or_else(String::new, |default| format!(" [{default}]"));
            write!(self.questions, "{question}{shown}: ").and_then(|()| self.questions.flush())?;
            let mut line = String::new();
            if self.answers.read_line(&mut line)? == 0 {
                break;
            }
            let answer = match (line.trim(), default) {
                ("", Some(default)) => default,
                (answer, _) => answer,
            };
            match read(answer) {
                Ok(value) => return Ok(value),
                Err(problem) => writeln!(self.questions, "  {problem}")?,
            }
        }
        Err(Error::new(exit::USAGE, format!("no answer to: {question}")))
    }

    /// Lets one of some words be chosen, by its number or itself.
    fn choose<T: Copy>(
        &mut self,
        question: &str,
        choices: &[(String, T)],
        default: usize,
    ) -> Result<T, Error> {
        for (number, (text, _)) in (1..).zip(choices) {
            writeln!(self.questions, "  {number:>2}  {text}")?;
        }
        let default = (default + 1).to_string();
        self.ask(question, Some(&default), |answer| {
            let by_number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let word = |text: &str| text.split_whitespace().next() == Some(answer);
            let at = by_number.or_else(|| choices.iter().position(|(text, _)| word(text)));
            let chosen = at.and_then(|at| choices.get(at)).map(|(_, value)| *value);
            chosen.ok_or_else(|| format!("choose 1 to {}, or a name", choices.len()))
        })
    }
}

/// Puts together what the flags say and, where they do not and somebody is there, answers.
fn wanted(arguments: &Arguments, mut person: Option<&mut Person<'_>>) -> Result<Wanted, Error> {
    let name = given(arguments.name.clone(), &mut person, "--name", |person| {
        person.ask("Name of the service", None, |text| {
            ServiceName::new(text).map_err(|error| error.to_string())
        })
    })?;
    let strategy = given(arguments.strategy, &mut person, "--strategy", |person| {
        let all: Vec<_> = Strategy::ALL.iter().map(|it| (it.to_string(), *it)).collect();
        person.choose("How is the standby kept?", &all, 2)
    })?;
    let site = |text: &str| SiteName::new(text).map_err(|error| error.to_string());
    let from = given(arguments.from.clone(), &mut person, "--from", |person| {
        person.ask("Region the service runs in", None, site)
    })?;
    let to = given(arguments.to.clone(), &mut person, "--to", |person| {
        person.ask("Region it can move to", None, site)
    })?;
    if from == to {
        return Err(Error::new(exit::USAGE, both(&from)));
    }
    let components = components(arguments, strategy, &mut person)?;
    let usual = Wanted::usual(strategy);
    let health = format!("https://{{site}}.{name}.example.com/health");
    let health = match (&arguments.health, person) {
        (Some(health), _) => health.clone(),
        (None, Some(person)) => {
            let url = |text: &str| {
                let sound = text.contains("://").then(|| text.to_owned());
                sound.ok_or_else(|| "write it with https://".to_owned())
            };
            person.ask("Direct address of a site's health; {site} is its name", Some(&health), url)?
        }
        (None, None) => health,
    };
    let provider = arguments.provider.clone();
    Ok(Wanted {
        provider: provider.unwrap_or_else(|| Wanted::provider_of(&components).to_owned()),
        name,
        owner: arguments.owner.clone(),
        strategy,
        objectives: crate::model::values::Objectives {
            rto: arguments.rto.or(usual.rto),
            rpo: arguments.rpo.or(usual.rpo),
            mtd: None,
        },
        sites: [from, to],
        components,
        health,
        public_url: arguments.public_url.clone(),
    })
}

fn given<T>(
    flag: Option<T>,
    person: &mut Option<&mut Person<'_>>,
    name: &str,
    ask: impl FnOnce(&mut Person<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    match (flag, person) {
        (Some(value), _) => Ok(value),
        (None, Some(person)) => ask(person),
        (None, None) => Err(is_missing(name)),
    }
}

fn components(
    arguments: &Arguments,
    strategy: Strategy,
    person: &mut Option<&mut Person<'_>>,
) -> Result<Vec<ComponentKind>, Error> {
    let kinds = |role: ComponentRole| -> Vec<(String, ComponentKind)> {
        Wanted::kinds(strategy, role).map(|kind| (format!("{kind:<28} {}", kind.summary()), kind)).collect()
    };
    let database = given(arguments.database, person, "--database", |person| {
        person.choose("What holds the data?", &kinds(ComponentRole::Data), 0)
    })?;
    let mut compute = arguments.compute.clone();
    if let (true, Some(person)) = (compute.is_empty(), &mut *person) {
        let mut choices: Vec<_> = vec![("none".to_owned(), None)];
        choices.extend(kinds(ComponentRole::Compute).into_iter().map(|(text, kind)| (text, Some(kind))));
        compute.extend(person.choose("What runs the service?", &choices, 0)?);
    }
    let traffic = given(arguments.traffic, person, "--traffic", |person| {
        person.choose("What sends users to a site?", &kinds(ComponentRole::Traffic), 0)
    })?;
    for (flag, kind, role) in
        [("--database", database, ComponentRole::Data), ("--traffic", traffic, ComponentRole::Traffic)]
            .into_iter()
            .chain(compute.iter().map(|kind| ("--compute", *kind, ComponentRole::Compute)))
    {
        if kind.role() != role {
            let known: Vec<_> = Wanted::kinds(strategy, role).map(|kind| kind.to_string()).collect();
            let message = format!("{flag}: {kind} is of the role {}, not {role}", kind.role());
            return Err(Error::new(exit::USAGE, message).help(format!("there are: {}", known.join(", "))));
        }
    }
    let mut all = vec![database];
    all.extend(compute);
    all.extend(arguments.with.iter().filter(|kind| kind.role() != ComponentRole::Health));
    all.push(traffic);
    all.extend(arguments.with.iter().filter(|kind| kind.role() == ComponentRole::Health));
    if !all.contains(&ComponentKind::HttpEndpoint) {
        all.push(ComponentKind::HttpEndpoint);
    }
    if let Some(kind) = all.iter().find(|kind| !kind.fits(strategy)) {
        let known: Vec<_> = Wanted::kinds(strategy, kind.role()).map(|kind| kind.to_string()).collect();
        return Err(Error::new(exit::USAGE, format!("{kind} cannot be a part of {strategy}"))
            .help(format!("there are: {}", known.join(", "))));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(answers: &str, arguments: &Arguments) -> (Result<Wanted, Error>, String) {
        let (mut answers, mut questions) = (answers.as_bytes(), Vec::new());
        let mut person = Person { answers: &mut answers, questions: &mut questions };
        let wanted = wanted(arguments, Some(&mut person));
        (wanted, String::from_utf8(questions).unwrap())
    }

    #[test]
    fn what_no_flag_says_is_asked_until_it_can_be_read() {
        let answers =
            "Shop!\nshop\nwarm_standby\nus-east-1\nus-west-2\n2\naws.ecs.service\n99\n1\nnowhere\n\n";
        let (wanted, questions) = asked(answers, &Arguments::default());
        let wanted = wanted.unwrap();
        assert_eq!((wanted.name.as_str(), wanted.strategy), ("shop", Strategy::WarmStandby));
        assert_eq!(wanted.sites.each_ref().map(SiteName::as_str), ["us-east-1", "us-west-2"]);
        let kinds: Vec<_> = Wanted::kinds(Strategy::WarmStandby, ComponentRole::Data).collect();
        assert_eq!(wanted.components[..2], [kinds[1], ComponentKind::EcsService]);
        assert_eq!(wanted.health, "https://{site}.shop.example.com/health");
        for part in ["Name of the service: ", " 3  warm_standby", "choose 1 to", "write it with https://"] {
            assert!(questions.contains(part), "{part} in\n{questions}");
        }
    }

    #[test]
    fn flags_are_not_asked_about_and_silence_is_no_answer() {
        let arguments = Arguments {
            name: Some(ServiceName::new("shop").unwrap()),
            strategy: Some(Strategy::ActiveActive),
            from: Some(SiteName::new("a").unwrap()),
            to: Some(SiteName::new("b").unwrap()),
            database: Some(ComponentKind::GlobalTable),
            compute: vec![ComponentKind::EcsService],
            traffic: Some(ComponentKind::WeightedRecords),
            health: Some("https://{site}/".to_owned()),
            ..Arguments::default()
        };
        let (wanted, questions) = asked("", &arguments);
        assert_eq!((wanted.is_ok(), questions.as_str()), (true, ""));
        let (nothing, _) = asked("\n\n\n\n\n\n\n", &Arguments::default());
        assert_eq!(nothing.unwrap_err().code, exit::USAGE);
        let error = super::wanted(&Arguments { database: None, ..arguments }, None).unwrap_err();
        assert_eq!(error.message, "--database is missing");
    }
}
