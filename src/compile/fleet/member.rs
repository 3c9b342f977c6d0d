//! What a member says about its service against what the runbook of the service has: sites, parameters, and
//! which of two runbooks is meant.

use std::collections::BTreeSet;

use super::Listed;
use super::resolve::Resolver;
use crate::compile::diagnostic::Code;
use crate::compile::suggest;
use crate::compile::tree::{Part, escape};
use crate::model::given;
use crate::model::id::{ServiceName, SiteName};
use crate::model::values::Parameter;

/// Something that is wrong with a member for one of its services.
struct Fault {
    code: Code,
    pointer: String,
    part: Part,
    /// What it is about, so that many services say it once.
    about: String,
    message: String,
    help: String,
}

impl Resolver<'_, '_, '_> {
    /// Services of members, and those their runbooks run, that two files are about.
    pub(super) fn ambiguous(&mut self) {
        for at in 0..self.services.len() {
            let mut open: Vec<&ServiceName> = self.services[at].iter().collect();
            let mut seen: BTreeSet<&ServiceName> = BTreeSet::new();
            let mut found = Vec::new();
            while let Some(service) = open.pop() {
                let Some(listed) = self.directory.get(service).filter(|_| seen.insert(service)) else {
                    continue;
                };
                open.extend(&listed.runs);
                found.extend(listed.twice.as_ref().map(|twice| (service.clone(), twice.places.clone())));
            }
            let key = if self.fleet.members[at].select.is_some() { "select" } else { "runbook" };
            let pointer = format!("{}/{key}", self.pointers[at]);
            for (service, [one, other]) in found {
                let message = format!("`{service}` has two runbooks: {one} and {other}");
                let finding = self.reporter.value(Code::AmbiguousMember, &pointer, message);
                finding.help("keep one of the two, or give one of them another `metadata.name`");
            }
        }
    }

    /// Compares what members say with the runbooks of their services.
    pub(super) fn members(&mut self) {
        for at in 0..self.services.len() {
            let mut faults: Vec<(Fault, usize)> = Vec::new();
            for service in &self.services[at] {
                let known = |listed: &&Listed| listed.twice.is_none() && listed.broken.is_none();
                let known = self.directory.get(service).filter(known);
                let Some(listed) = known else { continue };
                for fault in
                    self.places(at, service, listed).into_iter().chain(self.values(at, service, listed))
                {
                    let same = |(other, _): &&mut (Fault, usize)| {
                        (&other.pointer, &other.about) == (&fault.pointer, &fault.about)
                    };
                    match faults.iter_mut().find(same) {
                        Some((_, others)) => *others += 1,
                        None => faults.push((fault, 0)),
                    }
                }
            }
            for (fault, others) in faults {
                let more = if others == 0 { String::new() } else { format!(" (and so for {others} more)") };
                let message = format!("{}{more}", fault.message);
                let finding = match fault.part {
                    Part::Key => self.reporter.key(fault.code, &fault.pointer, message),
                    Part::Value => self.reporter.value(fault.code, &fault.pointer, message),
                };
                finding.help(fault.help);
            }
        }
        self.nowhere();
    }

    /// Sites that the service does not have.
    fn places(&self, at: usize, service: &ServiceName, listed: &Listed) -> Vec<Fault> {
        let member = &self.fleet.members[at];
        let given = [("from", &member.from), ("to", &member.to)];
        let given = given.into_iter().filter_map(|(key, site)| Some((key, site.as_ref()?)));
        let unknown = given.filter(|(_, site)| !listed.sites.contains(*site));
        let fault = |(key, site): (&str, &SiteName)| {
            let names = || listed.sites.iter().map(SiteName::as_str);
            let help = match suggest::nearest(site.as_str(), names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", suggest::list(names())),
            };
            Fault {
                code: Code::MisplacedMember,
                pointer: format!("{}/{key}", self.pointers[at]),
                part: Part::Value,
                about: key.to_owned(),
                message: format!("`{service}` has no site `{site}`"),
                help,
            }
        };
        unknown.map(fault).collect()
    }

    /// Members that would stay where they are.
    fn nowhere(&mut self) {
        for (at, member) in self.fleet.members.iter().enumerate() {
            if let (Some(from), Some(to)) = (&member.from, &member.to)
                && from == to
            {
                let message = format!("the member leaves `{from}` and goes there");
                let finding =
                    self.reporter.value(Code::MisplacedMember, &format!("{}/to", self.pointers[at]), message);
                finding.help("name another site, or leave one of the two out");
            }
        }
    }

    /// Values of parameters that do not fit, and those that are missing.
    fn values(&self, at: usize, service: &ServiceName, listed: &Listed) -> Vec<Fault> {
        let (member, pointer) = (&self.fleet.members[at], &self.pointers[at]);
        if self.gaps.touches(&format!("{pointer}/with")) {
            return Vec::new();
        }
        let mut faults = Vec::new();
        for (name, value) in &member.with {
            let pointer = format!("{pointer}/with/{}", escape(name));
            let names = || listed.parameters.keys().map(String::as_str);
            let (part, message, help) = match listed.parameters.get(name) {
                None => {
                    let help = match suggest::nearest(name, names()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None if listed.parameters.is_empty() => {
                            "its runbook has none: leave it out".to_owned()
                        }
                        None => format!("there are: {}", suggest::list(names())),
                    };
                    (Part::Key, format!("`{service}` has no parameter `{name}`"), help)
                }
                Some(parameter) if parameter.sensitive => continue,
                Some(parameter) => match given::typed(parameter, value) {
                    Ok(_) => continue,
                    Err(help) => {
                        let shown = given::brief(value);
                        let message = format!("parameter `{name}` of `{service}` cannot be {shown}");
                        (Part::Value, message, help)
                    }
                },
            };
            let code = Code::BrokenMember;
            faults.push(Fault { code, pointer, part, about: name.clone(), message, help });
        }
        let absent = listed.parameters.iter().filter_map(|(name, parameter)| {
            missing(service, name, parameter, member.with.contains_key(name))
        });
        faults.extend(absent.map(|(name, code, message, help)| {
            let given = member.with.contains_key(&name);
            let pointer = if given { format!("{pointer}/with/{}", escape(&name)) } else { pointer.clone() };
            Fault { code, pointer, part: Part::Value, about: name, message, help }
        }));
        faults
    }
}

/// What a parameter needs that nobody gives or can give.
fn missing(
    service: &ServiceName,
    name: &str,
    parameter: &Parameter,
    given: bool,
) -> Option<(String, Code, String, String)> {
    let has_value = given || parameter.default.is_some();
    if parameter.sensitive {
        let message =
            format!("parameter `{name}` of `{service}` is sensitive: nothing can hand it to a member");
        let help = "make it a secret of that runbook, which is read when the run begins".to_owned();
        return (has_value || parameter.required)
            .then(|| (name.to_owned(), Code::SensitiveMember, message, help));
    }
    let meaning = parameter.description.as_deref().map_or_else(String::new, |text| format!(" ({text})"));
    let help = format!("add `with: {{{name}: …}}`: {}{meaning}", parameter.kind);
    let message = format!("`{service}` needs parameter `{name}`");
    (parameter.required && !has_value).then(|| (name.to_owned(), Code::BrokenMember, message, help))
}
