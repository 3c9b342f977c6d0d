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
    let sites = match Wanted::provider_of(&components) {
        "aws" => ["eu-west-1", "eu-central-1"],
        "azure" => ["westeurope", "northeurope"],
        "gcp" => ["europe-west1", "europe-west4"],
        _ => ["hall-a", "hall-b"],
    };
    Wanted {
        name: ServiceName::new("shop").unwrap(),
        owner: None,
        strategy,
        objectives: Wanted::usual(strategy),
        provider: Wanted::provider_of(&components).to_owned(),
        sites: sites.map(|name| SiteName::new(name).unwrap()),
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
        // What only the owner knows is marked, and each mark is found; nothing else is.
        let (marks, found): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|finding| finding.code == compile::Code::Placeholder);
        assert!(marks.iter().all(|mark| !mark.is_error()) && !marks.is_empty(), "{name}");
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

/// Names that YAML would take for something else.
const NASTY: [&str; 25] = [
    "1",
    "0",
    "007",
    "0x1",
    "0o17",
    "0b1",
    "1e3",
    "1-1",
    "2026-01-01",
    "true",
    "false",
    "null",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "nan",
    "inf",
    "infinity",
    "e1",
    "x-",
    "todo",
    "true-1",
];

/// What is written says what was typed, whatever YAML would like to make of it.
fn says_what_was_typed(name: &str, sites: [&str; 2], owner: &str) -> Result<(), String> {
    let kinds = parts(Strategy::WarmStandby, ComponentKind::EcsService);
    let mut wanted = wanted(Strategy::WarmStandby, kinds);
    wanted.name = ServiceName::new(name).unwrap();
    wanted.owner = Some(owner.to_owned());
    "onprem".clone_into(&mut wanted.provider);
    wanted.sites = sites.map(|site| SiteName::new(site).unwrap());
    let text = scaffold(&wanted);
    let (runbook, found) = compile::compile(&text, jiff::civil::date(2026, 1, 1));
    let shown = || format!("{name} {sites:?}\n{}", compile::render(name, &text, &found, false));
    let runbook = runbook.ok_or_else(shown)?;
    let written: Vec<_> =
        runbook.sites.iter().map(|(name, site)| (name.as_str(), site.region.as_deref())).collect();
    let mut typed: Vec<_> = sites.iter().map(|site| (*site, Some(*site))).collect();
    typed.sort_unstable();
    let same = runbook.metadata.name.as_str() == name && written == typed;
    let same = same && runbook.metadata.owner.as_deref() == Some(owner);
    if same { Ok(()) } else { Err(format!("{written:?} of {typed:?}\n{}", shown())) }
}

#[test]
fn names_that_look_like_something_else_stay_names() {
    for (one, other) in NASTY.iter().zip(NASTY.iter().cycle().skip(1)) {
        says_what_was_typed(one, [one, other], one).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_is_typed_is_what_is_written(
        name in "[a-z0-9][a-z0-9-]{0,6}",
        one in "[a-z0-9][a-z0-9-]{0,4}",
        other in "[a-z0-9][a-z0-9-]{5,8}",
        owner in "[ -~\u{e0}-\u{ff}]{1,12}",
    ) {
        proptest::prop_assert_eq!(says_what_was_typed(&name, [&one, &other], &owner), Ok(()));
    }
}

#[test]
fn every_one_succeeds_on_the_simulated_estate() {
    let drctl = Drctl::new();
    let mut wrong = Vec::new();
    for (name, strategy, text) in all() {
        drctl.write("shop.yaml", &text);
        // The site that comes first in the text is the one that is left.
        let first = text.split("\nsites:\n").nth(1).unwrap().trim_start().split(':').next().unwrap();
        let from =
            if strategy == Strategy::ActiveActive { format!(" --from {first}") } else { String::new() };
        let output = drctl.run(&format!("{} shop.yaml --simulate{from}", Operation::Failover));
        if output.code != 0 {
            wrong.push(format!("{name} = {}\n{}{}", output.code, output.stdout, output.stderr));
        }
    }
    assert!(wrong.is_empty(), "{} failed\n{}", wrong.len(), wrong.join("\n"));
}
