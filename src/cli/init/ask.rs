//! The questions of `drctl init`: each is asked until its answer can be used with what is known already.

use std::io::{BufRead, Write};

use super::{Arguments, given, store};
use crate::cli::{Error, exit};
use crate::compile::scaffold::Wanted;
use crate::model::component::{ComponentKind, ComponentRole};
use crate::model::id::{ServiceName, SiteName};
use crate::model::runbook::Strategy;

/// Most times one question is asked.
const ASKED: usize = 5;

/// Asks for what no flag says, and lays it where the flag would have.
///
/// # Errors
/// When a question is not answered. What was answered before it stays.
pub(super) fn complete(said: &mut Arguments, person: &mut Person<'_>) -> Result<(), Error> {
    if said.name.is_none() {
        let name = person.ask("Name of the service", None, |text| free_name(said, text))?;
        said.name = Some(name);
    }
    let strategy = if let Some(strategy) = said.strategy {
        strategy
    } else {
        let all: Vec<_> = Strategy::ALL.iter().map(|it| (it.to_string(), *it)).collect();
        let fits = |strategy| given::misfit(said, strategy).map_or(Ok(strategy), |error| Err(error.message));
        person.choose("How is the standby kept?", &all, 2, fits)?
    };
    said.strategy = Some(strategy);
    sites(said, person)?;
    components(said, strategy, person)?;
    if said.health.is_none() {
        let name = said.name.as_ref().map_or("", ServiceName::as_str);
        let usual = given::usual_health(name);
        let read = |text: &str| given::health_fault(text).map_or_else(|| Ok(text.to_owned()), Err);
        let health =
            person.ask("Direct address of a site's health; {site} is its name", Some(&usual), read)?;
        said.health = Some(health);
    }
    Ok(())
}

/// A name whose file is not there yet.
fn free_name(said: &Arguments, text: &str) -> Result<ServiceName, String> {
    let name = ServiceName::new(text).map_err(|error| error.to_string())?;
    match store::refusal(&given::path(said, &name), said.force) {
        None => Ok(name),
        Some(error) => {
            Err(format!("{}; choose another name, or begin again with --write FILE", error.message))
        }
    }
}

fn sites(said: &mut Arguments, person: &mut Person<'_>) -> Result<(), Error> {
    let other = |text: &str, taken: Option<&SiteName>, which: &str| {
        let site = SiteName::new(text).map_err(|error| error.to_string())?;
        let is_same = taken == Some(&site);
        if is_same { Err(format!("{site} is the region {which}: name another one")) } else { Ok(site) }
    };
    if said.from.is_none() {
        let to = said.to.clone();
        let read = |text: &str| other(text, to.as_ref(), "it can move to");
        said.from = Some(person.ask("Region the service runs in", None, read)?);
    }
    if said.to.is_none() {
        let from = said.from.clone();
        let read = |text: &str| other(text, from.as_ref(), "the service runs in");
        said.to = Some(person.ask("Region it can move to", None, read)?);
    }
    Ok(())
}

fn components(said: &mut Arguments, strategy: Strategy, person: &mut Person<'_>) -> Result<(), Error> {
    let kinds = |role: ComponentRole| -> Vec<(String, ComponentKind)> {
        Wanted::kinds(strategy, role).map(|kind| (format!("{kind:<28} {}", kind.summary()), kind)).collect()
    };
    if said.database.is_none() {
        let kinds = kinds(ComponentRole::Data);
        said.database = Some(person.choose("What holds the data?", &kinds, 0, Ok)?);
    }
    if said.compute.is_empty() {
        let mut choices: Vec<_> = vec![("none".to_owned(), None)];
        choices.extend(kinds(ComponentRole::Compute).into_iter().map(|(text, kind)| (text, Some(kind))));
        said.compute.extend(person.choose("What runs the service?", &choices, 0, Ok)?);
    }
    if said.traffic.is_none() {
        let kinds = kinds(ComponentRole::Traffic);
        said.traffic = Some(person.choose("What sends users to a site?", &kinds, 0, Ok)?);
    }
    Ok(())
}

/// Somebody who can be asked.
pub(super) struct Person<'a> {
    pub(super) answers: &'a mut dyn BufRead,
    pub(super) questions: &'a mut dyn Write,
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

    /// Lets one of some words be chosen, by its number or itself; `read` may still say why not that one.
    fn choose<T: Copy>(
        &mut self,
        question: &str,
        choices: &[(String, T)],
        default: usize,
        read: impl Fn(T) -> Result<T, String>,
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
            chosen.ok_or_else(|| format!("choose 1 to {}, or a name", choices.len())).and_then(&read)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(answers: &str, arguments: &Arguments) -> (Result<Wanted, Error>, Arguments, String) {
        let (mut answers, mut questions) = (answers.as_bytes(), Vec::new());
        let mut person = Person { answers: &mut answers, questions: &mut questions };
        let mut said = arguments.clone();
        let wanted = complete(&mut said, &mut person).and_then(|()| given::wanted(&said));
        (wanted, said, String::from_utf8(questions).unwrap())
    }

    #[test]
    fn what_no_flag_says_is_asked_until_it_can_be_read() {
        let answers =
            "Shop!\nshop\nwarm_standby\nus-east-1\nus-west-2\n2\naws.ecs.service\n99\n1\nnowhere\n\n";
        let (wanted, _, questions) = asked(answers, &Arguments::default());
        let wanted = wanted.unwrap();
        assert_eq!((wanted.name.as_str(), wanted.strategy), ("shop", Strategy::WarmStandby));
        assert_eq!(wanted.sites.each_ref().map(SiteName::as_str), ["us-east-1", "us-west-2"]);
        let kinds: Vec<_> = Wanted::kinds(Strategy::WarmStandby, ComponentRole::Data).collect();
        assert_eq!(wanted.components[..2], [kinds[1], ComponentKind::EcsService]);
        assert_eq!(wanted.health, "https://{site}.shop.example.com/health");
        for part in
            ["Name of the service: ", " 3  warm_standby", "choose 1 to", "does not begin with https://"]
        {
            assert!(questions.contains(part), "{part} in\n{questions}");
        }
    }

    #[test]
    fn a_region_given_twice_is_asked_again_and_nothing_else_is() {
        let answers = "shop\n\nus-east-1\nus-east-1\nus-west-2\n\n\n\n\n";
        let (wanted, _, questions) = asked(answers, &Arguments::default());
        assert_eq!(wanted.unwrap().sites.each_ref().map(SiteName::as_str), ["us-east-1", "us-west-2"]);
        let why = "us-east-1 is the region the service runs in: name another one";
        assert_eq!(questions.matches(why).count(), 1, "{questions}");
        assert_eq!(questions.matches("Name of the service").count(), 1, "{questions}");
        let to = Arguments { to: Some(SiteName::new("us-east-1").unwrap()), ..Arguments::default() };
        let (wanted, _, questions) = asked("shop\n\nus-east-1\neu-west-1\n\n\n\n\n", &to);
        assert_eq!(wanted.unwrap().sites.each_ref().map(SiteName::as_str), ["eu-west-1", "us-east-1"]);
        assert!(questions.contains("us-east-1 is the region it can move to"), "{questions}");
    }

    #[test]
    fn a_strategy_that_a_given_part_does_not_fit_is_asked_again() {
        let table = Arguments { database: Some(ComponentKind::GlobalTable), ..Arguments::default() };
        let (wanted, _, questions) = asked("shop\n3\nactive_active\na\nb\n\n\n\n", &table);
        assert_eq!(wanted.unwrap().strategy, Strategy::ActiveActive);
        assert!(
            questions.contains("aws.dynamodb.global_table cannot be a part of warm_standby"),
            "{questions}"
        );
    }

    #[test]
    fn answers_before_silence_are_kept_in_a_command() {
        let (nothing, said, _) = asked("shop\nwarm_standby\nus-east-1\n", &Arguments::default());
        let error = given::with_answers(nothing.unwrap_err(), &said);
        let command = "drctl init --name=shop --strategy=warm_standby --from=us-east-1";
        assert_eq!((error.code, error.help.unwrap().ends_with(command)), (exit::USAGE, true));
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
        let (wanted, _, questions) = asked("", &arguments);
        assert_eq!((wanted.is_ok(), questions.as_str()), (true, ""));
        let (nothing, ..) = asked("\n\n\n\n\n\n\n", &Arguments::default());
        assert_eq!(nothing.unwrap_err().code, exit::USAGE);
        let error = given::wanted(&Arguments { database: None, ..arguments }).unwrap_err();
        assert_eq!(error.message, "--database is missing");
    }
}
