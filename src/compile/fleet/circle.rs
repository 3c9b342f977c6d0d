//! Members that would run themselves or wait for each other.

use std::collections::BTreeSet;

use super::resolve::{Resolver, name};
use crate::compile::diagnostic::Code;
use crate::model::id::ServiceName;

impl Resolver<'_, '_, '_> {
    /// Members that would run themselves, or this fleet.
    pub(super) fn circles(&mut self) {
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

    /// Members that wait for each other: one circle is enough to say so.
    pub(super) fn cycles(&mut self, needs: &[Vec<usize>]) {
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
