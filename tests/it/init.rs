//! First runbooks: for every strategy and every kind of component that goes with it, what is written
//! compiles without a finding, is planned, and succeeds on the simulated estate.

#![expect(clippy::unwrap_used, reason = "parts of tests")]

use std::collections::BTreeMap;

use drctl::compile;
use drctl::compile::scaffold::{MARK, Wanted, scaffold};
use drctl::model::component::{ComponentKind, ComponentRole};
use drctl::model::id::{ServiceName, SiteName};
use drctl::model::run::Operation;
use drctl::model::runbook::Strategy;
use drctl::plan;

use crate::support::binary::Drctl;

/// The parts of a service that has a kind, beside what every service needs.
fn parts(strategy: Strategy, kind: ComponentKind) -> Vec<ComponentKind> {
    let first = |role: ComponentRole| Wanted::kinds(strategy, role).next().unwrap();
    let of = |role: ComponentRole| if kind.role() == role { kind } else { first(role) };
    let mut parts = vec![of(ComponentRole::Data)];
    parts.push(of(ComponentRole::Compute));
    if matches!(kind.role(), ComponentRole::Queue | ComponentRole::Path | ComponentRole::Backup) {
        parts.push(kind);
    }
    parts.push(of(ComponentRole::Traffic));
    parts.push(ComponentKind::HttpEndpoint);
    if kind.role() == ComponentRole::Health && kind != ComponentKind::HttpEndpoint {
        parts.push(kind);
    }
    parts
}

fn wanted(strategy: Strategy, components: Vec<ComponentKind>) -> Wanted {
    Wanted {
        name: ServiceName::new("shop").unwrap(),
        owner: None,
        strategy,
        objectives: Wanted::usual(strategy),
        provider: Wanted::provider_of(&components).to_owned(),
        sites: ["eu-west-1", "eu-central-1"].map(|name| SiteName::new(name).unwrap()),
        components,
        health: "https://{site}.shop.example.com/health".to_owned(),
        public_url: Some("https://shop.example.com".to_owned()),
    }
}

/// Every strategy with every kind that goes with it.
fn all() -> Vec<(String, Strategy, String)> {
    let pairs = Strategy::ALL
        .iter()
        .flat_map(|strategy| ComponentKind::ALL.iter().map(move |kind| (*strategy, *kind)));
    let fitting = pairs.filter(|(strategy, kind)| kind.fits(*strategy));
    fitting
        .map(|(strategy, kind)| {
            let text = scaffold(&wanted(strategy, parts(strategy, kind)));
            (format!("{strategy} {kind}"), strategy, text)
        })
        .collect()
}

#[test]
fn every_kind_of_every_strategy_compiles_and_is_planned() {
    let all = all();
    assert!(all.len() >= ComponentKind::ALL.len(), "{}", all.len());
    let mut wrong = Vec::new();
    for (name, _, text) in &all {
        let (runbook, found) = compile::compile(text, jiff::civil::date(2026, 1, 1));
        if !found.is_empty() {
            wrong.push(format!("{name}\n{}", compile::render(name, text, &found, false)));
            continue;
        }
        let runbook = runbook.unwrap_or_else(|| panic!("{name}"));
        for case in plan::cases(&runbook) {
            if let Err(problems) = plan::plan_of(&runbook, &case, &BTreeMap::new()) {
                wrong.push(format!("{name} {case:?}: {problems:?}"));
            }
        }
        assert!(text.contains(MARK) && text.lines().all(|line| !line.ends_with(' ')), "{name}\n{text}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_one_succeeds_on_the_simulated_estate() {
    let drctl = Drctl::new();
    let mut wrong = Vec::new();
    for (name, strategy, text) in all() {
        drctl.write("shop.yaml", &text);
        let from = if strategy == Strategy::ActiveActive { " --from eu-west-1" } else { "" };
        let output = drctl.run(&format!("{} shop.yaml --simulate{from}", Operation::Failover));
        if output.code != 0 {
            wrong.push(format!("{name} = {}\n{}{}", output.code, output.stdout, output.stderr));
        }
    }
    assert!(wrong.is_empty(), "{} failed\n{}", wrong.len(), wrong.join("\n"));
}
