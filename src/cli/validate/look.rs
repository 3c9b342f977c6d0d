//! Looks at one file and says everything that is wrong with it, or among several.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{is_fleet, is_scenario, kind};
use crate::app::launch::plannable::{self, Beside};
use crate::app::launch::policy::Rules;
use crate::app::launch::shelf::Shelf;
use crate::app::launch::source;
use crate::cli::{Error, exit};
use crate::compile::{self, Diagnostic};
use crate::model::id::{ServiceName, SiteName};
use crate::model::runbook::Runbook;
use crate::providers::simulated::Scenario;

/// What was found in one file.
#[derive(Default)]
pub(super) struct Report {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) found: Vec<Diagnostic>,
    /// Errors that have no code: unreadable files, scenarios, names used twice.
    pub(super) other: Vec<String>,
    service: Option<ServiceName>,
    /// What was found in the runbooks of its members.
    pub(super) members: Vec<Report>,
    /// Sites of its members.
    pub(super) sites: BTreeSet<String>,
}

/// What a file is looked at with.
pub(super) struct Look<'a> {
    pub(super) options: &'a compile::Options,
    /// Sites that are taken for lost, one after the other.
    pub(super) lost: &'a [SiteName],
    pub(super) rules: Option<&'a Rules>,
    pub(super) runbooks: &'a [PathBuf],
}

impl Look<'_> {
    /// Looks at a file.
    pub(super) fn at(&self, path: &Path) -> Report {
        let name = path.display().to_string();
        let mut report = Report { path: name, ..Report::default() };
        match source::read(path) {
            Err(error) => report.other.push(error.message),
            Ok(text) if is_scenario(&text) => {
                report.other.extend(Scenario::parse(&text).err().map(|error| format!("scenario: {error}")));
                report.text = text;
            }
            Ok(text) if kind(&text) == Some("Policy") => {
                (report.found, report.text) = (compile::policy(&text).1, text);
            }
            Ok(text) if is_fleet(&text) => self.fleet(path, text, &mut report),
            Ok(text) => {
                let beside = Beside { folders: self.runbooks, options: self.options, path };
                let (runbook, found) = plannable::judged(&text, self.compile(&text), self.rules, &beside);
                report.service = runbook.map(|runbook| runbook.metadata.name);
                (report.text, report.found) = (text, found);
            }
        }
        report
    }

    /// A fleet; where sites are taken for lost, its members with such a site as well.
    fn fleet(&self, path: &Path, text: String, report: &mut Report) {
        let runbooks = Shelf::read(self.runbooks, self.options, path);
        let roster;
        (roster, report.found) = compile::fleet(&text, &runbooks.directory());
        report.other.extend(runbooks.unsure(&text));
        if let Some(roster) = &roster {
            report.found.extend(plannable::fleet(&text, roster, &runbooks, path));
        }
        report.text = text;
        if self.lost.is_empty() {
            return;
        }
        for member in roster.iter().flat_map(|roster| &roster.members) {
            let Some(source) = runbooks.source(&member.service) else { continue };
            report.sites.extend(source.runbook.sites.keys().map(ToString::to_string));
            if !self.lost.iter().any(|site| source.runbook.sites.contains_key(site)) {
                continue;
            }
            let (_, found) = self.compile(&source.text);
            let found = found.into_iter().filter(|found| found.code.is_survivability());
            report.members.push(Report {
                path: source.path.display().to_string(),
                text: source.text.clone(),
                found: found.collect(),
                ..Report::default()
            });
        }
    }

    /// Compiles a runbook, once for each site of it that is taken for lost.
    fn compile(&self, text: &str) -> (Option<Runbook>, Vec<Diagnostic>) {
        let sites = sites_of(text);
        let lost: Vec<_> = self.lost.iter().filter(|site| sites.contains(site.as_str())).collect();
        let Some((first, others)) = lost.split_first() else {
            return compile::compile_with(text, self.options);
        };
        let assumed = |site: &SiteName| {
            let options = compile::Options { assume_down: Some(site.clone()), ..self.options.clone() };
            compile::compile_with(text, &options)
        };
        let (mut runbook, mut all) = assumed(first);
        for site in others {
            let (other, found) = assumed(site);
            runbook = runbook.and(other);
            let new: Vec<_> = found.into_iter().filter(|found| !all.contains(found)).collect();
            all.extend(new);
        }
        (runbook, all)
    }
}

/// The names of the sites of a runbook, whether or not it compiles.
fn sites_of(text: &str) -> BTreeSet<String> {
    let document = serde_saphyr::from_str::<Value>(text).unwrap_or_default();
    let sites = document.get("sites").and_then(Value::as_object);
    sites.into_iter().flat_map(|sites| sites.keys().cloned()).collect()
}

/// A mistyped site would be survived by every runbook.
pub(super) fn refuse_unknown_site(site: &SiteName, reports: &[Report]) -> Result<(), Error> {
    let sites = |report: &Report| sites_of(&report.text).into_iter().chain(report.sites.clone());
    let known: BTreeSet<String> = reports.iter().flat_map(sites).collect();
    if known.contains(site.as_str()) {
        return Ok(());
    }
    let known: Vec<_> = known.into_iter().collect();
    let error = Error::new(exit::USAGE, format!("--assume-down: no runbook here has a site `{site}`"));
    Err(error.help(format!("there are: {}", known.join(", "))))
}

/// A name is what people type: in one folder it must lead to one runbook.
pub(super) fn refuse_same_names(reports: &mut [Report]) {
    let mut first: BTreeMap<ServiceName, String> = BTreeMap::new();
    for report in reports {
        let Some(service) = &report.service else { continue };
        if let Some(other) = first.get(service) {
            report
                .other
                .push(format!("the name `{service}` is taken by {other}; names are unique in a folder"));
        } else {
            first.insert(service.clone(), report.path.clone());
        }
    }
}

/// Every report, those of members behind that of their fleet, each file once.
pub(super) fn flat(reports: Vec<Report>) -> Vec<Report> {
    let place =
        |report: &Report| std::fs::canonicalize(&report.path).unwrap_or_else(|_| (&report.path).into());
    let mut seen: BTreeSet<PathBuf> = reports.iter().map(place).collect();
    let mut all = Vec::new();
    for mut report in reports {
        let members = std::mem::take(&mut report.members);
        all.push(report);
        all.extend(members.into_iter().filter(|member| seen.insert(place(member))));
    }
    all
}
