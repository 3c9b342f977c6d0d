//! Finds the services of each member, and says of each name what is wrong with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Directory;
use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::compile::schema::Gaps;
use crate::compile::suggest;
use crate::compile::tree::Part;
use crate::model::fleet::{Fleet, Member, Placed, Roster};
use crate::model::id::ServiceName;
use crate::model::shell;

/// Finds the services of each member.
pub(super) struct Resolver<'a, 'r, 't> {
    pub(super) fleet: &'a Fleet,
    pub(super) directory: &'a Directory,
    pub(super) reporter: &'r mut Reporter<'t>,
    /// Where each member stands in the text, which may hold broken ones as well.
    pub(super) pointers: Vec<String>,
    pub(super) gaps: &'a Gaps,
    /// Services of each member.
    pub(super) services: Vec<Vec<ServiceName>>,
    /// The member of each name.
    by_name: HashMap<&'a str, usize>,
}

impl<'a, 'r, 't> Resolver<'a, 'r, 't> {
    pub(super) fn new(
        fleet: &'a Fleet,
        gaps: &'a Gaps,
        directory: &'a Directory,
        reporter: &'r mut Reporter<'t>,
    ) -> Self {
        let mut at = 0;
        let pointers = fleet.members.iter().map(|_| {
            while gaps.contains(&format!("/members/{at}")) {
                at += 1;
            }
            at += 1;
            format!("/members/{}", at - 1)
        });
        let (pointers, services) = (pointers.collect(), Vec::new());
        Self { fleet, directory, reporter, pointers, gaps, services, by_name: HashMap::new() }
    }

    pub(super) fn resolve(mut self) -> Roster {
        let fleet = self.fleet;
        if fleet.objectives.rpo.is_some() {
            let message = "a fleet has no data of its own, so `rpo` has no effect";
            let finding = self.reporter.key(Code::KeyWithoutMeaning, "/objectives/rpo", message);
            finding.help("each member measures its own data loss against its own objective");
        }
        self.names();
        self.named_twice();
        self.find();
        self.twice();
        self.ambiguous();
        self.members();
        self.circles();
        self.run_inside();
        let needs: Vec<Vec<usize>> = (0..fleet.members.len()).map(|at| self.needs(at)).collect();
        self.cycles(&needs);
        let mut members = Vec::new();
        for (at, member) in fleet.members.iter().enumerate() {
            let before = needs[at].iter().flat_map(|need| &self.services[*need]);
            let before: BTreeSet<&ServiceName> = before.collect();
            members.extend(self.services[at].iter().map(|service| Placed {
                service: service.clone(),
                needs: before.iter().map(|need| (*need).clone()).collect(),
                with: member.with.clone(),
                from: member.from.clone(),
                to: member.to.clone(),
            }));
        }
        Roster {
            metadata: fleet.metadata.clone(),
            objectives: fleet.objectives,
            max_parallel: fleet.max_parallel,
            on_member_failure: fleet.on_member_failure,
            members,
        }
    }

    /// What each member is called: each name once.
    fn names(&mut self) {
        for (at, member) in self.fleet.members.iter().enumerate() {
            let Some(name) = name(member) else { continue };
            let Some(first) = self.by_name.get(name).copied() else {
                self.by_name.insert(name, at);
                continue;
            };
            let label = self.reporter.label(&self.pointers[first], Part::Value, "first here");
            let message = format!("two members are called `{name}`");
            let finding = self.reporter.value(Code::DuplicateMember, &self.pointers[at], message);
            finding.also(label).help("take one of them out; of a selection, give it another `id`");
        }
    }

    /// Services that are named by two members, or that another member's runbook runs by itself.
    fn named_twice(&mut self) {
        let mut first: BTreeMap<&ServiceName, usize> = BTreeMap::new();
        let members = &self.fleet.members;
        for (at, service) in
            members.iter().enumerate().filter_map(|(at, it)| Some((at, it.runbook.as_ref()?)))
        {
            let Some(other) = first.get(service).copied() else {
                first.insert(service, at);
                continue;
            };
            // Two of one name are told so already.
            if name(&members[at]) == name(&members[other]) {
                continue;
            }
            let label = self.reporter.label(&self.pointers[other], Part::Value, "first here");
            let message = format!("`{service}` is a member twice: it would be moved twice");
            let finding = self.reporter.value(
                Code::DuplicateMember,
                &format!("{}/runbook", self.pointers[at]),
                message,
            );
            finding.also(label).help("take one of them out; a service is moved once, by one runbook");
        }
    }

    /// Members whose service is moved by the runbook of another member as well.
    fn run_inside(&mut self) {
        // Whoever runs itself, or may mean two runbooks, is told so.
        if [Code::RunsItself, Code::AmbiguousMember].into_iter().any(|code| self.reporter.has_any(code)) {
            return;
        }
        let mut member: BTreeMap<ServiceName, usize> = BTreeMap::new();
        for (at, services) in self.services.iter().enumerate() {
            for service in services {
                member.entry(service.clone()).or_insert(at);
            }
        }
        for (service, at) in &member {
            let inside = self.inside(service);
            let Some((other, own)) = inside.iter().find_map(|run| Some((run, *member.get(run)?))) else {
                continue;
            };
            let label = self.reporter.label(&self.pointers[own], Part::Value, "a member by itself");
            let message = format!("`{service}` runs the runbook of `{other}`, which is a member by itself");
            let finding = self.reporter.value(Code::DuplicateMember, &self.pointers[*at], message);
            finding.also(label).help(format!(
                "it would be moved twice: leave the member `{other}` out, or the `runbook.run`, and let \
                 `{service}` need it"
            ));
        }
    }

    /// The services that the runbook of a service runs, and those that theirs run.
    fn inside(&self, service: &ServiceName) -> BTreeSet<ServiceName> {
        let runs = |service: &ServiceName| self.directory.get(service).map(|listed| listed.runs.clone());
        let mut open: Vec<ServiceName> = runs(service).into_iter().flatten().collect();
        let mut all = BTreeSet::new();
        while let Some(next) = open.pop() {
            if next != *service && all.insert(next.clone()) {
                open.extend(runs(&next).into_iter().flatten());
            }
        }
        all
    }

    /// The services each member stands for.
    fn find(&mut self) {
        let named: HashSet<&ServiceName> =
            self.fleet.members.iter().filter_map(|member| member.runbook.as_ref()).collect();
        for (at, member) in self.fleet.members.iter().enumerate() {
            let pointer = self.pointers[at].clone();
            let lost = ["runbook", "select"].iter().any(|key| self.gaps.touches(&format!("{pointer}/{key}")));
            let services = match (&member.runbook, &member.select) {
                (Some(service), None) => {
                    self.known(service, &pointer);
                    vec![service.clone()]
                }
                (None, Some(select)) if select.labels.is_empty() => {
                    if !self.gaps.touches(&format!("{pointer}/select")) {
                        let message = "the selection names no label: every service there is would be moved";
                        let finding =
                            self.reporter.value(Code::EmptySelection, &format!("{pointer}/select"), message);
                        finding.help("name the labels of the services that are meant, such as `tier: \"2\"`");
                    }
                    Vec::new()
                }
                (None, Some(select)) => {
                    let carry = self.directory.iter().filter(|(_, listed)| listed.carries(&select.labels));
                    let found = carry.map(|(service, _)| service).filter(|service| !named.contains(service));
                    let found: Vec<ServiceName> = found.cloned().collect();
                    if found.is_empty() {
                        self.empty(&select.labels, &pointer);
                    }
                    found
                }
                (None, None) if lost => Vec::new(),
                (None, None) | (Some(_), Some(_)) => {
                    let message = "a member is either one `runbook` or a `select`";
                    let finding = self.reporter.value(Code::UnclearMember, &pointer, message);
                    finding.help("write `runbook: NAME`, or `select: {labels: {…}}`");
                    Vec::new()
                }
            };
            self.services.push(services);
        }
    }

    /// A member is moved by a runbook that compiles.
    fn known(&mut self, service: &ServiceName, pointer: &str) {
        let (message, help) = match self.directory.get(service).map(|listed| &listed.broken) {
            Some(None) => return,
            Some(Some(file)) => (
                format!("the runbook of `{service}` does not compile: {file}"),
                format!("`drctl validate {}` says what is wrong with it", shell::word(file)),
            ),
            None => {
                let names = || self.directory.keys().map(ServiceName::as_str);
                let near = suggest::nearest(service.as_str(), names());
                let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
                let there = match self.directory.len() {
                    0 => "there are none in the runbook folders or beside this file".to_owned(),
                    _ => format!("there are: {}", suggest::list(names())),
                };
                (format!("there is no runbook with `metadata.name: {service}`"), near + &there)
            }
        };
        self.reporter.value(Code::UnknownMember, &format!("{pointer}/runbook"), message).help(help);
    }

    fn empty(&mut self, labels: &BTreeMap<String, String>, pointer: &str) {
        let wanted: Vec<_> = labels.iter().map(|(label, value)| format!("{label}: {value}")).collect();
        let known = self.directory.values().flat_map(|listed| &listed.labels);
        let known: BTreeSet<String> = known
            .filter(|(label, _)| labels.contains_key(*label))
            .map(|(label, value)| format!("{label}: {value}"))
            .collect();
        let help = if known.is_empty() {
            "no runbook has such a label; labels stand under `metadata.labels`".to_owned()
        } else {
            format!("there are: {}", suggest::list(known.iter().map(String::as_str)))
        };
        let message = format!("no other runbook is labelled {}", wanted.join(", "));
        self.reporter.value(Code::EmptySelection, &format!("{pointer}/select"), message).help(help);
    }

    /// Services that two selections stand for: nobody could say which of them counts.
    fn twice(&mut self) {
        let mut first: BTreeMap<&ServiceName, usize> = BTreeMap::new();
        for (at, services) in self.services.iter().enumerate() {
            if self.fleet.members[at].select.is_none() {
                continue;
            }
            let known = services.iter().find_map(|service| Some((service, *first.get(service)?)));
            if let Some((service, other)) = known {
                let label = self.reporter.label(&self.pointers[other], Part::Value, "selected here");
                let message = format!("`{service}` is selected twice");
                let finding = self.reporter.value(Code::DuplicateMember, &self.pointers[at], message);
                finding
                    .also(label)
                    .help("narrow one of the selections, or name the service in a member of its own");
            }
            for service in services {
                first.entry(service).or_insert(at);
            }
        }
    }

    fn needs(&mut self, at: usize) -> Vec<usize> {
        let mut needs = Vec::new();
        for (number, need) in self.fleet.members[at].needs.iter().enumerate() {
            let pointer = format!("{}/needs/{number}", self.pointers[at]);
            match self.by_name.get(need.as_str()) {
                Some(target) if needs.contains(target) => {
                    let message = format!("`{need}` is needed twice");
                    let finding = self.reporter.value(Code::RepeatedNeed, &pointer, message);
                    finding.help("name another member, or leave it out");
                }
                Some(target) => needs.push(*target),
                None if self.gaps.lost(need.as_str()) => {}
                None => {
                    let help = match suggest::nearest(need.as_str(), self.by_name.keys().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => {
                            "a need is the runbook of another member, or the `id` of a selection".to_owned()
                        }
                    };
                    let message = format!("there is no member `{need}`");
                    self.reporter.value(Code::UnknownNeed, &pointer, message).help(help);
                }
            }
        }
        needs
    }
}

/// What other members call a member.
pub(super) fn name(member: &Member) -> Option<&str> {
    let id = member.id.as_ref().map(crate::model::id::StepId::as_str);
    id.or_else(|| member.runbook.as_ref().map(ServiceName::as_str))
}
