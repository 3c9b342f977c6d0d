//! Text to roster: a fleet with every member found, and everything that is wrong with it at once. Knows
//! runbooks only as far as they are handed in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};

use super::diagnostic::{Code, Diagnostic};
use super::reporter::Reporter;
use super::schema::{self, Gaps};
use super::tree::Part;
use super::{document, suggest};
use crate::model::fleet::{Fleet, Member, Placed, Roster};
use crate::model::id::ServiceName;

/// What a fleet can know of a runbook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Services whose runbooks its steps run.
    pub runs: BTreeSet<ServiceName>,
}

/// Runbooks that can be members, by service.
pub type Directory = BTreeMap<ServiceName, Listed>;

/// Compiles the text of a fleet against the runbooks there are. The roster is there only when no finding is
/// an error; findings are in the order of the text.
#[must_use]
pub fn fleet(text: &str, directory: &Directory) -> (Option<Roster>, Vec<Diagnostic>) {
    let (document, findings) = document::read(text);
    let Some(document) = document else { return (None, findings) };
    let mut reporter = Reporter::new(text, document.places, findings);
    let roster = lower(document.value, &mut reporter)
        .map(|(fleet, gaps)| Resolver::new(&fleet, &gaps, directory, &mut reporter).resolve());
    let sound = !reporter.has_errors();
    (roster.filter(|_| sound), reporter.finish())
}

fn lower(mut document: Value, reporter: &mut Reporter<'_>) -> Option<(Fleet, Gaps)> {
    if !document.is_object() {
        let finding = reporter.value(Code::WrongType, "", "a fleet is a mapping");
        finding.help("begin with `apiVersion: drctl/v1` and `kind: Fleet`");
        return None;
    }
    let (_, gaps) = schema::validate(&mut document, schema::fleet(), reporter);
    if let Value::Object(fields) = &mut document {
        for (key, value) in [
            ("apiVersion", json!("drctl/v1")),
            ("kind", json!("Fleet")),
            ("metadata", json!({"name": "unnamed"})),
            ("members", json!([])),
        ] {
            fields.entry(key).or_insert(value);
        }
    }
    match serde_json::from_value(document) {
        Ok(fleet) => Some((fleet, gaps)),
        Err(error) => {
            if !reporter.has_errors() {
                reporter.key(Code::Malformed, "", format!("the document cannot be taken over: {error}"));
            }
            None
        }
    }
}

/// Finds the services of each member.
struct Resolver<'a, 'r, 't> {
    fleet: &'a Fleet,
    directory: &'a Directory,
    reporter: &'r mut Reporter<'t>,
    /// Where each member stands in the text, which may hold broken ones as well.
    pointers: Vec<String>,
    gaps: &'a Gaps,
    /// Services of each member.
    services: Vec<Vec<ServiceName>>,
    /// The member of each name.
    by_name: HashMap<&'a str, usize>,
}

impl<'a, 'r, 't> Resolver<'a, 'r, 't> {
    fn new(
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

    fn resolve(mut self) -> Roster {
        let fleet = self.fleet;
        if fleet.objectives.rpo.is_some() {
            let message = "a fleet has no data of its own, so `rpo` has no effect";
            let finding = self.reporter.key(Code::KeyWithoutMeaning, "/objectives/rpo", message);
            finding.help("each member measures its own data loss against its own objective");
        }
        self.names();
        self.find();
        self.twice();
        self.circles();
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

    /// The services each member stands for.
    fn find(&mut self) {
        let named: HashSet<&ServiceName> =
            self.fleet.members.iter().filter_map(|member| member.runbook.as_ref()).collect();
        for (at, member) in self.fleet.members.iter().enumerate() {
            let pointer = self.pointers[at].clone();
            let lost = ["runbook", "select"].iter().any(|key| self.gaps.touches(&format!("{pointer}/{key}")));
            let services = match (&member.runbook, &member.select) {
                (Some(service), None) => {
                    if !self.directory.contains_key(service) {
                        self.unknown(service, &pointer);
                    }
                    vec![service.clone()]
                }
                (None, Some(select)) => {
                    let fits = |listed: &Listed| {
                        select.labels.iter().all(|(label, value)| listed.labels.get(label) == Some(value))
                    };
                    let carry = self.directory.iter().filter(|(_, listed)| fits(listed));
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

    fn unknown(&mut self, service: &ServiceName, pointer: &str) {
        let names = || self.directory.keys().map(ServiceName::as_str);
        let help = match suggest::nearest(service.as_str(), names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "a member is called like the service of a sound runbook in the runbook folders".to_owned()
            }
        };
        let message = format!("there is no runbook `{service}`");
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

    /// Members that would run themselves, or this fleet.
    fn circles(&mut self) {
        let own = self.fleet.metadata.name.clone();
        for at in 0..self.services.len() {
            for service in self.services[at].clone() {
                let Some(path) = self.circle(&service, &own) else { continue };
                let message = if path.len() == 1 {
                    format!("the fleet and its member `{service}` have one name: it would run itself")
                } else {
                    let path: Vec<_> = path.iter().map(ServiceName::as_str).collect();
                    format!("`{service}` would run itself: {}", path.join(" → "))
                };
                let finding = self.reporter.value(Code::RunsItself, &self.pointers[at], message);
                finding.help("no run may lie inside itself: rename the fleet, or take a `runbook.run` out");
            }
        }
    }

    /// A way from a service through the runbooks it runs back to one on the way, or to the fleet.
    fn circle(&self, service: &ServiceName, own: &ServiceName) -> Option<Vec<ServiceName>> {
        let mut path: Vec<(ServiceName, Vec<ServiceName>)> = Vec::new();
        let mut done: BTreeSet<ServiceName> = BTreeSet::new();
        let mut next = Some(service.clone());
        loop {
            if let Some(service) = next.take() {
                let on_way = path.iter().any(|(other, _)| *other == service);
                if service == *own || on_way {
                    let way = path.into_iter().map(|(service, _)| service).chain([service]);
                    return Some(way.collect());
                }
                if done.insert(service.clone()) {
                    let runs =
                        self.directory.get(&service).map(|listed| listed.runs.iter().cloned().collect());
                    path.push((service, runs.unwrap_or_default()));
                }
            }
            let (_, runs) = path.last_mut()?;
            next = runs.pop();
            if next.is_none() {
                path.pop();
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

    /// Members that wait for each other: one circle is enough to say so.
    fn cycles(&mut self, needs: &[Vec<usize>]) {
        let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
        for (at, needs) in needs.iter().enumerate() {
            for need in needs {
                after[*need].push(at);
            }
        }
        let mut ready: Vec<usize> = (0..open.len()).filter(|at| open[*at] == 0).collect();
        while let Some(done) = ready.pop() {
            for at in &after[done] {
                open[*at] -= 1;
                if open[*at] == 0 {
                    ready.push(*at);
                }
            }
        }
        let Some(begin) = (0..open.len()).find(|at| open[*at] > 0) else { return };
        let (mut way, mut at) = (Vec::new(), begin);
        while !way.contains(&at) {
            way.push(at);
            at = needs[at].iter().copied().find(|need| open[*need] > 0).unwrap_or(at);
        }
        let circle = way.split_off(way.iter().position(|other| *other == at).unwrap_or(0));
        let names = circle.iter().chain(circle.first());
        let names: Vec<_> = names.map(|at| name(&self.fleet.members[*at]).unwrap_or("a selection")).collect();
        let message = format!("members wait for each other: {}", names.join(" → "));
        let pointer = format!("{}/needs", self.pointers[at]);
        self.reporter.value(Code::Cycle, &pointer, message).help("take one of these needs out");
    }
}

/// What other members call a member.
fn name(member: &Member) -> Option<&str> {
    let id = member.id.as_ref().map(crate::model::id::StepId::as_str);
    id.or_else(|| member.runbook.as_ref().map(ServiceName::as_str))
}
