//! What starts runs from outside: what could never fire, fire for the wrong reason, or start what cannot be
//! run. Asks no sender.

use std::collections::BTreeSet;

use crate::compile::diagnostic::Code;
use crate::compile::expression;
use crate::compile::reporter::Reporter;
use crate::compile::schema::Gaps;
use crate::compile::suggest;
use crate::model::expression::Expression;
use crate::model::id::SiteName;
use crate::model::run::{Mode, Operation};
use crate::model::runbook::Runbook;
use crate::model::trigger::{HowToStart, Trigger};

pub(super) fn check(runbook: &Runbook, gaps: &Gaps, reporter: &mut Reporter<'_>) {
    let mut names = BTreeSet::new();
    let mut at = 0;
    for trigger in &runbook.triggers {
        // What could not be read was taken out of the list.
        while gaps.contains(&format!("/triggers/{at}")) {
            at += 1;
        }
        let pointer = format!("/triggers/{at}");
        at += 1;
        if !names.insert(trigger.name.as_str()) {
            let message = format!("there are two triggers `{}`", trigger.name);
            reporter
                .value(Code::BrokenTrigger, &format!("{pointer}/name"), message)
                .help("rename one of them");
        }
        if gaps.touches(&pointer) {
            continue;
        }
        form(trigger, &pointer, reporter);
        conditions(trigger, &pointer, reporter);
        start(trigger, &pointer, runbook, gaps, reporter);
        alone(trigger, &pointer, reporter);
    }
}

/// Whether it says, in one of the two ways, where it listens.
fn form(trigger: &Trigger, pointer: &str, reporter: &mut Reporter<'_>) {
    let name = &trigger.name;
    let mut broken = |key: &str, message: String, help: &str| {
        reporter.key(Code::BrokenTrigger, &format!("{pointer}{key}"), message).help(help);
    };
    let one = "leave it out: each of the signals has its own";
    match (trigger.on, trigger.signals.as_slice()) {
        (None, []) => {
            broken("", format!("`{name}` does not say where it listens"), "write `on`, or several `signals`");
        }
        (Some(_), [_, ..]) => broken("/on", format!("`{name}` has `on` and `signals`"), one),
        (None, [_, ..]) if trigger.when.is_some() => {
            broken("/when", format!("`{name}` has `when` beside its `signals`"), one);
        }
        (None, [_, ..]) if trigger.webhook.is_some() => {
            broken("/webhook", format!("`{name}` has `webhook` beside its `signals`"), one);
        }
        (Some(_), []) | (None, [_, ..]) => {}
    }
    let mut names = BTreeSet::new();
    let mut sources = BTreeSet::new();
    for (at, signal) in trigger.signals.iter().enumerate() {
        let pointer = format!("{pointer}/signals/{at}");
        if !names.insert(signal.name.as_str()) {
            let message = format!("`{name}` has two signals `{}`", signal.name);
            reporter
                .value(Code::BrokenTrigger, &format!("{pointer}/name"), message)
                .help("rename one of them");
        }
        if !sources.insert((signal.on, signal.webhook.as_ref())) {
            let message = format!("another signal of `{name}` listens to {} as well", signal.on);
            let help = "take another source, or name the two webhooks with `webhook`";
            reporter.value(Code::SameSource, &format!("{pointer}/on"), message).help(help);
        }
    }
    quorum(trigger, pointer, reporter);
}

fn quorum(trigger: &Trigger, pointer: &str, reporter: &mut Reporter<'_>) {
    let Some(quorum) = trigger.quorum else { return };
    let signals = trigger.listening().len();
    let message = if quorum == 0 {
        "a quorum of 0 needs nobody".to_owned()
    } else if trigger.signals.is_empty() {
        "a quorum is for a trigger with `signals`".to_owned()
    } else if usize::try_from(quorum).is_ok_and(|quorum| quorum > signals) {
        format!("{quorum} of {signals} signals can never be red")
    } else {
        return;
    };
    let help = if trigger.signals.is_empty() {
        "leave it out, or write `signals`".to_owned()
    } else {
        format!("a number from 1 to {signals}")
    };
    reporter.value(Code::BrokenQuorum, &format!("{pointer}/quorum"), message).help(help);
}

fn conditions(trigger: &Trigger, pointer: &str, reporter: &mut Reporter<'_>) {
    if trigger.on.is_some() {
        condition(trigger.when.as_ref(), pointer, reporter);
    }
    for (at, signal) in trigger.signals.iter().enumerate() {
        condition(signal.when.as_ref(), &format!("{pointer}/signals/{at}"), reporter);
    }
}

fn condition(when: Option<&Expression>, pointer: &str, reporter: &mut Reporter<'_>) {
    if let Some(when) = when {
        return expression::event(when.as_str(), &format!("{pointer}/when"), reporter);
    }
    let message = "everything that is reported as wrong there counts, whatever it is about";
    reporter
        .key(Code::AnyEventStarts, &format!("{pointer}/on"), message)
        .help("say which service, alarm or label is meant, with `when`");
}

fn start(trigger: &Trigger, pointer: &str, runbook: &Runbook, gaps: &Gaps, reporter: &mut Reporter<'_>) {
    let start = &trigger.start;
    let at = |key: &str| format!("{pointer}/start/{key}");
    let has_steps = match start.operation {
        Operation::Failover | Operation::Switchover => runbook.workflows.failover.is_some(),
        Operation::Failback => runbook.workflows.failback.is_some(),
    };
    let whole = !gaps.touches("/workflows") && runbook.components.is_empty();
    if !has_steps && whole {
        let message = format!("the runbook has no steps of a {}", start.operation);
        reporter
            .value(Code::BrokenStart, &at("operation"), message)
            .help("start what the runbook has a workflow for");
    }
    if start.operation != Operation::Failover && start.mode == Some(Mode::Ungraceful) {
        let message = format!("a {} begins gracefully", start.operation);
        reporter.value(Code::BrokenStart, &at("mode"), message).help("leave `mode` out, or start a failover");
    }
    if let Some(to) = &start.to
        && !gaps.touches("/sites")
        && !runbook.sites.contains_key(to)
    {
        let names = || runbook.sites.keys().map(SiteName::as_str);
        let help = match suggest::nearest(to.as_str(), names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", suggest::list(names())),
        };
        reporter.value(Code::BrokenStart, &at("to"), format!("`{to}` is no site of this runbook")).help(help);
    }
    if trigger.how() == HowToStart::Immediate {
        let missing: Vec<_> =
            [("`start.to`", start.to.is_none()), ("`cooldown`", trigger.cooldown.is_none())]
                .into_iter()
                .filter_map(|(key, missing)| missing.then_some(key))
                .collect();
        if !missing.is_empty() {
            let message =
                format!("`{}` starts runs by itself, without {}", trigger.name, missing.join(" and "));
            reporter
                .value(Code::StartWithoutBounds, &at("how"), message)
                .help(format!("add {}, or stage the run", missing.join(" and ")));
        }
    }
}

/// A start without a person for which one source is enough.
fn alone(trigger: &Trigger, pointer: &str, reporter: &mut Reporter<'_>) {
    if trigger.how() != HowToStart::Immediate || trigger.shadow || trigger.listening().is_empty() {
        return;
    }
    if trigger.quorum() < 2 {
        let message = format!("one source is enough for `{}` to start a run without a person", trigger.name);
        reporter
            .value(Code::OneSourceDecides, &format!("{pointer}/start/how"), message)
            .help("let two of several `signals` agree for some time, or stage the run");
    }
}
