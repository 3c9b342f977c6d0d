//! `DR04xx`: what a failover needs while a site is gone. Judges what must succeed, never what may fail.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::call::{self, Call};
use super::cloud;
use super::scene::{self, Scene};
use crate::compile::diagnostic::Code;
use crate::compile::outline::Outline;
use crate::compile::reporter::Reporter;
use crate::compile::tree::escape;
use crate::model::action::{ActionName, ApiHome, Effect, traits};
use crate::model::id::SiteName;
use crate::model::program::{self, Program};
use crate::model::runbook::{Dependency, Runbook};
use crate::model::values::SecretSourceKind;

/// Parameters that name a thing without reaching for it, or that are told to somebody else.
const NAMES: [&str; 17] = [
    "resource_arn",
    "plan_arn",
    "cluster_endpoints",
    "source_region",
    "comment",
    "message",
    "instructions",
    "json",
    "body",
    "headers",
    "payload",
    "argv",
    "env",
    "stdin",
    // What a record was before, and what somebody else's automation is told.
    "expect",
    "parameters",
    "tags",
];
const SECRETS: [&str; 6] = ["secret", "secrets", "secrets_manager", "secret_store", "vault", "credentials"];
const JOURNALS: [&str; 4] = ["journal", "orchestrator", "drctl", "bastion"];

/// Checks the blocks beside the workflows.
pub(super) fn blocks(runbook: &Runbook, scenes: &[Scene<'_>], reporter: &mut Reporter<'_>) {
    domains(runbook, scenes, reporter);
    dependencies(runbook, scenes, reporter);
    secrets(runbook, scenes, reporter);
}

/// Checks the failover.
pub(super) fn workflow(outline: &Outline<'_>, scenes: &[Scene<'_>], reporter: &mut Reporter<'_>) {
    let mut told = BTreeSet::new();
    for scene in scenes {
        for call in call::needed(outline, scene) {
            let step = outline.entries.get(call.step).map(|entry| entry.step);
            for item in scene.items(step.and_then(|step| step.for_each.as_ref())) {
                let with = scene.render(&call.with, item.as_ref());
                let mut survey = Survey { scene, call: &call, id: step.map_or("", |step| step.id.as_str()) };
                if let Some(found) = survey.look(&with, item.as_ref())
                    && told.insert((found.code, call.step))
                {
                    reporter.value(found.code, &found.pointer, found.message).help(found.help);
                }
            }
        }
    }
}

struct Found {
    code: Code,
    pointer: String,
    message: String,
    help: String,
}

struct Survey<'a, 'r> {
    scene: &'a Scene<'a>,
    call: &'a Call<'r>,
    id: &'a str,
}

impl Survey<'_, '_> {
    /// The first reason why the call cannot succeed; the others would say the same again.
    fn look(&mut self, with: &Map<String, Value>, item: Option<&Value>) -> Option<Found> {
        let found = self.region(with);
        let found = found.or_else(|| self.program(with));
        let found = found.or_else(|| self.address(item));
        let found = found.or_else(|| self.endpoints(with));
        found.or_else(|| self.resource(with))
    }

    fn found(&self, code: Code, key: &str, message: String, help: &str) -> Found {
        Found { code, pointer: self.call.place(key), message, help: help.to_owned() }
    }

    fn region(&self, with: &Map<String, Value>) -> Option<Found> {
        let (lost, region) = (self.scene.lost, self.scene.region?);
        let (id, action) = (self.id, self.call.action);
        let is = |key: &str| with.get(key).and_then(Value::as_str) == Some(region);
        let copies = match action {
            ActionName::AwsBackupCopyRecoveryPoint => is("region").then_some("region"),
            ActionName::AwsRdsCopySnapshot => is("source_region").then_some("source_region"),
            _ => None,
        };
        if let Some(key) = copies {
            let message = format!("`{id}` starts a copy in {region}, which is lost with `{lost}`");
            let help = "copy before the bad day, on a schedule, and find the newest copy where it is needed";
            return Some(self.found(Code::CopyFromLostSite, key, message, help));
        }
        match action.spec().home {
            ApiHome::Region(home) if home == region && self.scene.is_at("aws") => {
                let message = format!(
                    "`{id}` needs {action}, whose control plane lives in {region} and is lost with `{lost}`"
                );
                let help = "move traffic by something that works without it, such as \
                            `aws.arc.set_routing_controls` or records with health checks";
                Some(self.found(Code::LostControlPlane, "", message, help))
            }
            ApiHome::Parameter(key) if is(key) => {
                let does = if traits::effect(action, with) == Effect::Mutate { "calls" } else { "asks" };
                let message = format!("`{id}` {does} {region}, which is lost with `{lost}`");
                let help = "call the region recovered into, or add `ungraceful: skip`";
                Some(self.found(Code::LostRegion, key, message, help))
            }
            _ => None,
        }
    }

    /// The vendor's own command line, called by a step.
    fn program(&self, with: &Map<String, Value>) -> Option<Found> {
        let region = self.scene.region?;
        self.lines(with).into_iter().find_map(|(key, programs)| self.line(region, key, &programs))
    }

    /// The programs that a call runs, by the parameter that names them.
    fn lines<'w>(&self, with: &'w Map<String, Value>) -> Vec<(&'w str, Vec<Program>)> {
        if self.call.action == ActionName::CommandRun {
            return vec![("argv", program::of_call(with))];
        }
        let commands = with.iter().filter(|(key, value)| key.ends_with("_command") && value.is_array());
        // What takes a step back is not performed by a recovery that goes on.
        let forward = commands.filter(|(key, _)| *key != "undo_command");
        let of = |(key, argv): (&'w String, &Value)| {
            (key.as_str(), program::of_argv(argv, false, program::Variables::new()))
        };
        forward.map(of).collect()
    }

    fn line(&self, region: &str, key: &str, programs: &[Program]) -> Option<Found> {
        let (id, lost) = (self.id, self.scene.lost);
        if self.scene.is_at("aws") && programs.iter().any(|program| cloud::home_of(program) == Some(region)) {
            let message = format!(
                "`{id}` calls a service whose control plane lives in {region} and is lost with `{lost}`"
            );
            let help = "prepare it before the bad day, so that the failover need not change it";
            return Some(self.found(Code::LostControlPlane, key, message, help));
        }
        programs.iter().any(|program| cloud::region_of(program) == Some(region)).then(|| {
            let message = format!("`{id}` calls {region}, which is lost with `{lost}`");
            let help = "call the region recovered into, or add `ungraceful: skip`";
            self.found(Code::LostRegion, key, message, help)
        })
    }

    /// Servers and addresses that are the lost site's own.
    fn address(&self, item: Option<&Value>) -> Option<Found> {
        let keys: &[&str] = match self.call.action.as_str().split('.').next() {
            Some("http") => &["url"],
            Some("postgres") => &["connection", "primary", "standby"],
            Some("kubernetes") => &["context", "kubeconfig"],
            Some("dns") => &["server"],
            _ => &[],
        };
        let leads = |key: &&&str| {
            let text = self.call.with.get(**key).and_then(Value::as_str);
            text.is_some_and(|text| self.scene.leads_there(text, item))
        };
        let key = keys.iter().find(leads)?;
        let message = format!("`{}` needs an answer of `{}`, which is lost", self.id, self.scene.lost);
        let help = "ask the site recovered into, or add `ungraceful: skip`";
        Some(self.found(Code::LostAddress, key, message, help))
    }

    fn endpoints(&self, with: &Map<String, Value>) -> Option<Found> {
        let region = self.scene.region?;
        let endpoints = with.get("cluster_endpoints")?.as_array().filter(|list| !list.is_empty())?;
        let gone = |endpoint: &Value| endpoint.get("region").and_then(Value::as_str) == Some(region);
        endpoints.iter().all(gone).then(|| {
            let message = format!("`{}` knows only endpoints in {region}, which is lost", self.id);
            let help = "name all five endpoints of the routing control cluster";
            self.found(Code::LostEndpoints, "cluster_endpoints", message, help)
        })
    }

    /// Resources of the lost region, by ARN or address.
    fn resource(&self, with: &Map<String, Value>) -> Option<Found> {
        let region = self.scene.region?;
        let (key, text) = with
            .iter()
            .filter(|(key, _)| !NAMES.contains(&key.as_str()))
            .find_map(|(key, value)| Some((key, cloud::names_region(value, region)?)))?;
        let (id, lost) = (self.id, self.scene.lost);
        let help = "name the one in the region recovered into";
        if text.contains(":kms:") {
            let message = format!(
                "`{id}` needs a key of {region}, which is lost with `{lost}`: nothing can be decrypted"
            );
            return Some(self.found(Code::LostKey, key, message, help));
        }
        let message = format!("`{id}` needs something in {region}, which is lost with `{lost}`");
        Some(self.found(Code::LostResource, key, message, help))
    }
}

fn domains(runbook: &Runbook, scenes: &[Scene<'_>], reporter: &mut Reporter<'_>) {
    let mut told: BTreeSet<[&SiteName; 2]> = BTreeSet::new();
    for scene in scenes {
        for (name, site) in runbook.sites.iter().filter(|(name, _)| *name != scene.lost) {
            let Some(key) = scene::shared_domain(scene.site, site) else { continue };
            let mut pair = [scene.lost, name];
            pair.sort();
            if !told.insert(pair) {
                continue;
            }
            let message = format!("`{name}` fails together with `{}`: they share one {key}", scene.lost);
            let pointer = format!("/sites/{}/{key}", escape(name.as_str()));
            reporter.value(Code::SharedFailureDomain, &pointer, message).help(
                "move it elsewhere; where two halves of one region are meant, give each its `failure_domain`",
            );
        }
    }
}

fn dependencies(runbook: &Runbook, scenes: &[Scene<'_>], reporter: &mut Reporter<'_>) {
    for (at, dependency) in runbook.dependencies.iter().enumerate() {
        let gone = |scene: &&Scene<'_>, dependency: &Dependency| {
            let site = runbook.sites.get_key_value(&dependency.site);
            site.is_some_and(|(name, site)| scene.takes_along(name, site))
        };
        // What lies in several places is there as long as one of them is.
        let copies = |scene: &&Scene<'_>| {
            (runbook.dependencies.iter())
                .filter(|other| other.kind == dependency.kind && other.name == dependency.name)
                .all(|other| gone(scene, other))
        };
        let Some(scene) = scenes.iter().find(|scene| gone(scene, dependency) && copies(scene)) else {
            continue;
        };
        let kind = dependency.kind.to_ascii_lowercase().replace('-', "_");
        let (code, what) = match kind.as_str() {
            kind if JOURNALS.contains(&kind) => (Code::LostJournal, "where drctl runs and keeps its journal"),
            kind if SECRETS.contains(&kind) => (Code::LostSecret, "which the recovery reads secrets from"),
            _ => (Code::LostDependency, "which the recovery needs"),
        };
        let message = format!("`{}`, {what}, is lost with `{}`", dependency.name, scene.lost);
        reporter
            .value(code, &format!("/dependencies/{at}/site"), message)
            .help("keep one in each site, or outside of both");
    }
}

/// Secrets that a command reads in the lost region.
fn secrets(runbook: &Runbook, scenes: &[Scene<'_>], reporter: &mut Reporter<'_>) {
    for (name, secret) in
        runbook.secrets.iter().filter(|(_, secret)| secret.from == SecretSourceKind::Command)
    {
        let argv = Value::from(secret.argv.clone());
        let gone = |scene: &&Scene<'_>| {
            let Some(region) = scene.region else { return false };
            let programs = program::of_argv(&argv, false, program::Variables::new());
            programs.iter().any(|program| cloud::region_of(program) == Some(region))
                || cloud::names_region(&argv, region).is_some()
        };
        if let Some(scene) = scenes.iter().find(gone) {
            let message =
                format!("the secret `{name}` is read in the region that is lost with `{}`", scene.lost);
            reporter
                .value(Code::LostSecret, &format!("/secrets/{}/argv", escape(name)), message)
                .help("replicate the secret, and read it in the region recovered into");
        }
    }
}
