//! What declared components add up to: sizes and weights, somewhere to run, somebody who can be asked. Judges
//! components as they were typed, not the steps made of them.

use serde_json::{Value, json};

use super::declared::{Declared, Entry};
use super::same;
use crate::compile::diagnostic::Code;
use crate::compile::placeholder::holds_placeholder;
use crate::compile::reporter::Reporter;
use crate::compile::suggest;
use crate::compile::tree::escape;
use crate::model::action::network::SwitchMethod;
use crate::model::component::{
    Capacity, Component, ComponentKind, ComponentRole, Link, SiteValue, Way, WeightedRecords,
};
use crate::model::expression::{self, Context};
use crate::model::program::line_does_nothing;
use crate::model::run::Phase;
use crate::model::runbook::Strategy;
use crate::model::time::Duration;

/// Judges all components of a document, and what is not among them.
pub(super) fn check(document: &Value, declared: &Declared, reporter: &mut Reporter<'_>) {
    for (at, entry) in declared.entries.iter().enumerate() {
        let pointer = format!("/components/{at}");
        if let Some((capacity, max)) = sizes(&entry.component) {
            let everywhere = declared.strategy == Strategy::ActiveActive;
            size((&entry.id, everywhere), &known(document, capacity), max, &pointer, reporter);
        }
        if let Component::WeightedRecords(records) = &entry.component {
            weights(records, declared.strategy, &pointer, reporter);
        }
        if let Component::HttpEndpoint(endpoint) = &entry.component {
            addresses(document, &endpoint.url, &format!("{pointer}/url"), reporter);
        }
        if let Component::Link(link) = &entry.component {
            self::link(&entry.id, link, &pointer, reporter);
        }
        if let Some(stop) = fence_of(&entry.component) {
            stops(document, (&entry.id, stop), &format!("{pointer}/stop"), reporter);
        }
        if matches!(entry.component.kind(), ComponentKind::PostgresServer | ComponentKind::ReadReplica) {
            followers(document, entry, &pointer, reporter);
        }
        if matches!(entry.component.kind(), ComponentKind::BackupResource | ComponentKind::AutomatedBackup) {
            way_back(document, entry, &pointer, reporter);
        }
    }
    same::check(document, declared, reporter);
    somewhere_to_run(document, declared, reporter);
    traffic(document, declared, reporter);
}

const fn sizes(component: &Component) -> Option<(&Capacity, Option<&Value>)> {
    match component {
        Component::EcsService(it) => Some((&it.capacity, None)),
        Component::AutoscalingGroup(it) => Some((&it.capacity, Some(&it.max))),
        Component::NodeGroup(it) => Some((&it.capacity, Some(&it.max))),
        Component::Workload(it) => Some((&it.capacity, None)),
        Component::ScaleSet(it) => Some((&it.capacity, None)),
        Component::InstanceGroup(it) => Some((&it.capacity, None)),
        _ => None,
    }
}

/// The sizes of a component, with what its parameters are unless somebody gives them.
fn known(document: &Value, capacity: &Capacity) -> Capacity {
    let parameters = document.get("parameters").and_then(Value::as_object).into_iter().flatten();
    let defaults: serde_json::Map<String, Value> = parameters
        .filter_map(|(name, parameter)| Some((name.clone(), parameter.get("default")?.clone())))
        .collect();
    let context = Context::new(&json!({"params": defaults}));
    let known = |value: &Value| {
        let plain = value.as_str().is_some_and(|text| expression::is_template(text) && !text.contains("{%"));
        if plain { expression::render(value, &context).unwrap_or(Value::Null) } else { value.clone() }
    };
    Capacity {
        active: known(&capacity.active),
        standby: capacity.standby.as_ref().map(known),
        enough: capacity.enough.as_ref().map(known),
    }
}

/// Sizes that are written down, or are what they are unless somebody gives a parameter.
fn size(
    (id, everywhere): (&str, bool),
    capacity: &Capacity,
    max: Option<&Value>,
    pointer: &str,
    reporter: &mut Reporter<'_>,
) {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    let active = number(Some(&capacity.active));
    let mut wrong = |key: &str, message: String, help: &str| {
        reporter.value(Code::BrokenComponent, &format!("{pointer}/{key}"), message).help(help);
    };
    if active.is_some_and(|active| active < 1.0) {
        let message = format!("`{id}` would run nothing where it serves everybody");
        wrong("capacity/active", message, "`active` is the size of a site that serves everybody");
    }
    let smaller = [
        ("standby", &capacity.standby, "a site that waits is not larger than one that serves everybody"),
        ("enough", &capacity.enough, "`enough` is how much of `active` must run before the recovery goes on"),
    ];
    for (key, value, help) in smaller {
        let Some(size) = number(value.as_ref()) else { continue };
        if key == "enough" && size < 1.0 {
            wrong("capacity/enough", format!("with `enough: 0` nobody waits for `{id}` to run"), help);
        } else if key == "standby" && everywhere && size < 1.0 {
            let message = format!("with `standby: 0`, `{id}` would run nothing in a site that is taken back");
            let help = "in active_active it is the size of each site while all of them serve; leave it out \
                        where that is `active`";
            wrong("capacity/standby", message, help);
        } else if size < 0.0 {
            wrong(&format!("capacity/{key}"), format!("`{key}` of `{id}` is below 0"), help);
        } else if let Some(active) = active.filter(|active| size > *active) {
            let message = format!("`{key}` of `{id}` ({size}) is more than its `active` ({active})");
            wrong(&format!("capacity/{key}"), message, help);
        }
    }
    if let (Some(active), Some(max)) = (active, number(max))
        && active > max
    {
        let message = format!("`active` of `{id}` ({active}) is more than the group may have (`max: {max}`)");
        wrong("capacity/active", message, "raise `max`, or lower `active`");
    }
}

/// The program by which a component's writers are stopped.
const fn fence_of(component: &Component) -> Option<&SiteValue> {
    match component {
        Component::PostgresServer(it) => Some(&it.stop),
        Component::ProgramScheduler(it) => Some(&it.stop),
        Component::ProgramService(it) if it.writes => Some(&it.stop),
        _ => None,
    }
}

/// Whether compute writes by itself, so that stopping it is a fence.
const fn writes(component: &Component) -> bool {
    match component {
        Component::EcsService(it) => it.writes,
        Component::AutoscalingGroup(it) => it.writes,
        Component::Workload(it) => it.writes,
        Component::ScaleSet(it) => it.writes,
        Component::InstanceGroup(it) => it.writes,
        Component::ProgramService(it) => it.writes,
        _ => false,
    }
}

/// A program that does nothing is no fence, and would be taken for one.
fn stops(document: &Value, (id, program): (&str, &SiteValue), pointer: &str, reporter: &mut Reporter<'_>) {
    let found = match program {
        SiteValue::List(argv) => line_does_nothing(&Value::from(argv.clone())).then(|| pointer.to_owned()),
        SiteValue::Each(each) => {
            let idle = each.iter().find(|(_, argv)| line_does_nothing(argv));
            idle.map(|(site, _)| format!("{pointer}/{}", escape(site.as_str())))
        }
        SiteValue::One(_) => None,
    };
    let step = format!("{id}-fence");
    // An own step of that id stands in place of the derived one.
    if let Some(at) = found.filter(|_| !any_own(document, &|own| own.get("id") == Some(&json!(step)))) {
        let message = format!("the `stop` of `{id}` does nothing, so its old site would go on writing");
        reporter.value(Code::BrokenComponent, &at, message).help(format!(
            "write the program that stops it there; where something else does, write that as an own step with \
             the id `{step}`, which takes the place of the derived one"
        ));
    }
}

/// Users can be sent by a weight of 0 to nobody.
fn weights(records: &WeightedRecords, strategy: Strategy, pointer: &str, reporter: &mut Reporter<'_>) {
    let everywhere = strategy == Strategy::ActiveActive;
    for (site, _) in records.weights.iter().filter(|(_, weight)| **weight == 0) {
        let at = format!("{pointer}/weights/{}", escape(site.as_str()));
        let alone = records.weights.iter().filter(|(_, weight)| **weight > 0).count() < 2;
        if everywhere && alone {
            let message =
                format!("`{site}` has weight 0: the weight of a lost site could be spread over nothing");
            reporter.value(Code::BrokenComponent, &at, message).help(
                "give at least two sites a weight; those that are left share the lost one's in proportion",
            );
            return;
        }
        if !everywhere {
            let message = format!("`{site}` has weight 0, so nobody would be sent there");
            reporter
                .value(Code::BrokenComponent, &at, message)
                .help("it is the weight of a site while it serves; drctl gives the others 0 meanwhile");
        }
    }
}

/// A link that nothing can switch is no second path.
fn link(id: &str, link: &Link, pointer: &str, reporter: &mut Reporter<'_>) {
    let missing: Vec<(&str, bool)> = match link.method {
        SwitchMethod::Command => vec![("switch_command", link.switch_command.is_empty())],
        SwitchMethod::AwsRoute | SwitchMethod::AwsTransitGatewayRoute => vec![
            ("region", link.region.is_none()),
            ("route_table_ids", link.route_table_ids.is_empty()),
            ("destinations", link.destinations.is_empty()),
        ],
    };
    let missing: Vec<_> = missing.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect();
    if !missing.is_empty() {
        let message =
            format!("`{id}` is switched by `{}`, which needs {}", link.method, suggest::list(missing));
        reporter
            .value(Code::BrokenComponent, &format!("{pointer}/method"), message)
            .help("without them the step that takes the other path could never do anything");
    }
    let route = |way: &Way| way.route.clone().unwrap_or_else(|| way.name.clone());
    let unknown = [&link.primary, &link.standby].iter().any(|way| holds_placeholder(&route(way).into()));
    if unknown {
        return;
    }
    if link.primary.name == link.standby.name || route(&link.primary) == route(&link.standby) {
        let message =
            format!("both paths of `{id}` are `{}`: nothing could be switched", route(&link.standby));
        reporter
            .key(Code::BrokenComponent, &format!("{pointer}/standby"), message)
            .help("give each path a name, and each gateway or attachment its own `route`");
    }
}

/// The same direct address for two sites says nothing about either.
fn addresses(document: &Value, url: &SiteValue, pointer: &str, reporter: &mut Reporter<'_>) {
    let all: Vec<(&str, Value)> = match url {
        SiteValue::Each(each) => each.iter().map(|(site, url)| (site.as_str(), url.clone())).collect(),
        SiteValue::One(text) => sites(document)
            .filter_map(|(name, site)| Some((name, same::rendered(&Value::from(text.as_str()), name, site)?)))
            .collect(),
        SiteValue::List(_) => return,
    };
    let second = all.iter().enumerate().find_map(|(at, (site, url))| {
        let (other, _) = all.iter().take(at).find(|(_, other)| other == url)?;
        Some((*other, *site))
    });
    let Some((other, site)) = second else { return };
    let pointer = match url {
        SiteValue::Each(_) => format!("{pointer}/{}", escape(site)),
        SiteValue::One(_) | SiteValue::List(_) => pointer.to_owned(),
    };
    let message =
        format!("`{other}` and `{site}` are asked at the same address: nobody knows which one answers");
    reporter.value(Code::SameAddress, &pointer, message).help(
        "give the direct address of each site, such as \"https://{{ site.name }}.shop.example.com/health\"; \
         `public_url` is the one users have",
    );
}

fn sites(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let sites = document.get("sites").and_then(Value::as_object).into_iter().flatten();
    sites.map(|(name, site)| (name.as_str(), site))
}

/// A standby that is neither left nor moved to goes on following the primary that is no more.
fn followers(document: &Value, entry: &Entry, pointer: &str, reporter: &mut Reporter<'_>) {
    let count = entry.sites.as_ref().map_or_else(|| sites(document).count(), Vec::len);
    if count < 3 || has_own(document, Phase::Reprotect) {
        return;
    }
    let message = format!(
        "`{}` is in {count} sites: after a move nothing makes the other standby follow the new primary, and it keeps \
         the data of that moment",
        entry.id
    );
    reporter.value(Code::StandbyLeftBehind, &format!("{pointer}/kind"), message).help(
        "add an own step of phase `reprotect` to `workflows.failover` that does it, with `for_each` over the \
         survivors but `to`; until then it protects nothing: a second failover there would lose every write \
         since the first one",
    );
}

/// What was restored has another name than before, and the old one may still be there.
fn way_back(document: &Value, entry: &Entry, pointer: &str, reporter: &mut Reporter<'_>) {
    if document.pointer("/workflows/failback").is_some() {
        return;
    }
    let message = format!("there is no way back: from backups such as `{}` no failback is derived", entry.id);
    reporter
        .value(Code::NoWayBack, &format!("{pointer}/kind"), message)
        .help("write `workflows.failback` by hand, be it one `manual.task` that names the procedure");
}

/// Where all compute is restricted to some sites, it must be in those that may have to run the service.
fn somewhere_to_run(document: &Value, declared: &Declared, reporter: &mut Reporter<'_>) {
    let compute =
        || declared.entries.iter().filter(|it| it.component.kind().role() == ComponentRole::Compute);
    if compute().next().is_none() || has_own(document, Phase::Scale) {
        return;
    }
    let runs = |site: &str| {
        compute()
            .any(|it| it.sites.as_ref().is_none_or(|names| names.iter().any(|name| name.as_str() == site)))
    };
    let is = |site: &Value, role: &str| site.get("role").and_then(Value::as_str) == Some(role);
    for (name, site) in sites(document) {
        let pointer = format!("/sites/{}", escape(name));
        if declared.strategy == Strategy::ActiveActive {
            let lost = is(site, "active");
            if lost && runs(name) && !sites(document).any(|(other, _)| other != name && runs(other)) {
                let message = format!("all compute is in `{name}`: when it is lost, nothing runs anywhere");
                reporter.key(Code::NothingRunsThere, &pointer, message).help(
                    "declare the compute of the other sites as well, or leave `sites` out of a component",
                );
            }
        } else if is(site, "standby") && !runs(name) {
            let message =
                format!("no compute component is in `{name}`, so nothing would run the service there");
            reporter
                .key(Code::NothingRunsThere, &pointer, message)
                .help("declare its compute, name it in the `sites` of a component, or add an own step of phase `scale`");
        }
    }
}

fn traffic(document: &Value, declared: &Declared, reporter: &mut Reporter<'_>) {
    if document.get("workflows").is_some_and(|workflows| !workflows.is_object()) {
        return;
    }
    let moved = declared.has(ComponentRole::Traffic) || has_own(document, Phase::Shift);
    // An active-active estate without a drain has a finding of its own.
    if !moved && declared.strategy != Strategy::ActiveActive {
        let message =
            "nothing sends the users to the new site: the recovery would end where nobody looks for it";
        reporter.key(Code::NoTraffic, "/components", message).help(declared.lacks(ComponentRole::Traffic));
    }
}

/// Whether the author has a step of a phase in the failover.
fn has_own(document: &Value, phase: Phase) -> bool {
    let is = |step: &Value, key: &str| step.get(key).and_then(Value::as_str) == Some(phase.as_str());
    any_own(document, &|step| is(step, "phase") || is(step, "id"))
}

/// Whether the author has such a step in the failover, in groups too.
fn any_own(document: &Value, is: &dyn Fn(&Value) -> bool) -> bool {
    fn inside(steps: Option<&Value>, is: &dyn Fn(&Value) -> bool) -> bool {
        let steps = steps.and_then(Value::as_array).into_iter().flatten();
        steps.into_iter().any(|step| is(step) || inside(step.get("parallel"), is))
    }
    inside(document.pointer("/workflows/failover/steps"), is)
}

impl Declared {
    fn has(&self, role: ComponentRole) -> bool {
        self.entries.iter().any(|entry| entry.component.kind().role() == role)
    }

    /// What follows from a role that no component has, and what to do about it.
    fn lacks(&self, role: ComponentRole) -> String {
        let (lack, phases) = match role {
            ComponentRole::Data => (self.lacks_data(), "`fence` and `promote`"),
            ComponentRole::Traffic => ("no component sends users to a site", "`shift`"),
            ComponentRole::Compute => ("no component runs the service, so nothing is started", "`scale`"),
            ComponentRole::Health => (
                "no component says whether a site serves, so nobody asks before and after the move",
                "`verify` and `validate`",
            ),
            ComponentRole::Queue | ComponentRole::Path | ComponentRole::Backup => ("", ""),
        };
        let fits = |kind: &&ComponentKind| kind.role() == role && kind.fits(self.strategy);
        let kinds = suggest::list(ComponentKind::ALL.iter().filter(fits).map(|kind| kind.as_str()));
        format!("{lack}: add one ({kinds}), or write own steps of phase {phases}")
    }

    /// What follows where no component holds data: who else writes is all that can be fenced.
    fn lacks_data(&self) -> &'static str {
        if self.entries.iter().any(|entry| writes(&entry.component)) {
            "no component holds data: the fence is that of the compute that `writes`, and no promotion is derived; \
             a service without data says so by `objectives` with an `rto` and without an `rpo`"
        } else {
            "no component holds data, so neither a fence nor a promotion is derived; compute that writes by itself \
             says `writes: true`, and stopping it is a fence then; a service without data says so by \
             `objectives` with an `rto` and without an `rpo`"
        }
    }

    /// The longest time in which users follow a move: until health checks notice, and until answers are asked
    /// for again.
    pub(super) fn users_follow(&self) -> Option<(Duration, String)> {
        let of = |(at, entry): (usize, &Entry)| {
            let (detection, ttl) = match &entry.component {
                Component::RoutingControls(it) => (it.detection, it.ttl),
                Component::WeightedRecords(it) => (it.detection, it.ttl),
                Component::FailoverRecord(it) => (it.detection, it.ttl),
                Component::HealthChecks(it) => (it.detection, it.ttl),
                Component::TrafficManager(it) => (it.detection, it.ttl),
                _ => (None, None),
            };
            let key = if detection > ttl { "detection" } else { "ttl" };
            let time = detection.unwrap_or_default().plus(ttl.unwrap_or_default());
            (time > Duration::ZERO).then(|| (time, format!("/components/{at}/{key}")))
        };
        self.entries.iter().enumerate().filter_map(of).max_by_key(|(time, _)| *time)
    }

    /// Says of each missing step which component it would have come from.
    pub(super) fn advise(&self, reporter: &mut Reporter<'_>) {
        for finding in reporter.findings_mut().iter_mut() {
            if finding.pointer != "/workflows/failover" {
                continue;
            }
            let role = match finding.code {
                Code::MissingPhase if finding.message.contains("`shift`") => ComponentRole::Traffic,
                Code::MissingPhase => ComponentRole::Data,
                Code::NoDrain => ComponentRole::Traffic,
                Code::NoValidation | Code::NotVerified => ComponentRole::Health,
                Code::NothingStarted | Code::NoHeadroom => ComponentRole::Compute,
                _ => continue,
            };
            if !self.has(role) {
                finding.help(self.lacks(role));
            }
        }
    }
}
