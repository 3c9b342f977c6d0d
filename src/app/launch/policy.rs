//! Reads the policy that is configured and asks it about runbooks, plans and beginnings. Decides nothing of
//! its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::source::{self, Source};
use crate::app::{self, Error, Session, Voice, exit};
use crate::compile::{self, Code, Diagnostic, Severity};
use crate::config::LintLevel;
use crate::engine::overrides::AGAINST_POLICY;
use crate::model::governance::Policy;
use crate::model::run::{Intent, RunStatus};
use crate::model::runbook::Runbook;
use crate::plan::{Plan, Problem};
use crate::policy::{self, Begin, Finding};
use crate::runtime::Loaded;

/// Longest note that a report shows, in characters.
const NOTE: usize = 190;

/// Begins the names of the notes of what a run goes on against, before their number.
pub(crate) const OVERRIDE: &str = "policy_override_";

/// Note of a run that may begin outside of its window.
const ANY_TIME: &str = "policy_override_windows";

/// How a run is created.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// It waits for a person to begin it: only then its window counts.
    pub stage: bool,
    /// It goes on against the policy.
    pub break_glass: bool,
}

/// The policy in force.
pub(crate) struct Rules {
    path: PathBuf,
    policy: Policy,
    /// Codes of findings that the configuration does not look for.
    off: Vec<String>,
}

/// Reads the policy that is configured, if one is. `lints`: how much findings matter by the configuration.
///
/// # Errors
/// When it cannot be read or does not compile.
pub(crate) fn load(
    file: Option<&Path>,
    lints: &BTreeMap<String, LintLevel>,
    voice: &dyn Voice,
) -> Result<Option<Rules>, Error> {
    let Some(path) = file.map(Path::to_owned) else { return Ok(None) };
    let text = source::read(&path).map_err(|error| {
        let help = "`[policy] file` of drctl.toml or DRCTL_POLICY names it";
        Error::new(exit::INVALID, format!("the policy cannot be read: {}", error.message))
            .help(help)
            .reason("invalid_policy")
    })?;
    let (policy, found) = compile::policy(&text);
    if !found.is_empty() {
        let drawn = compile::render(&path.display().to_string(), &text, &found, voice.is_coloured());
        voice.say(drawn.trim_end());
    }
    let policy = policy.ok_or_else(|| {
        Error::new(exit::INVALID, format!("the policy {} does not compile", path.display()))
            .help("without a policy that can be read nobody knows what is allowed")
            .reason("invalid_policy")
    })?;
    let off = lints.iter().filter(|(_, level)| **level == LintLevel::Off);
    let off = off.map(|(code, _)| code.clone()).collect();
    Ok(Some(Rules { path, policy, off }))
}

impl Rules {
    /// The policy itself.
    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What the policy says to a runbook, as findings with their places. `found`: what the compiler found.
    pub(crate) fn to_runbook(&self, text: &str, runbook: &Runbook, found: &[Diagnostic]) -> Vec<Diagnostic> {
        let mut findings = policy::lints(&self.policy, found, &self.off);
        findings.extend(policy::runbook(&self.policy, runbook));
        findings.into_iter().map(|finding| self.diagnostic(text, finding)).collect()
    }

    /// Says what the policy has against a plan, and would have against its beginning now.
    pub(crate) fn say_to_plan(&self, source: &Source, plan: &Plan, voice: &dyn Voice) {
        let plan = &Plan { intent: policy::stands_for(plan.intent), ..plan.clone() };
        let mut findings = policy::lints(&self.policy, &source.findings, &self.off);
        findings.extend(policy::plan(&self.policy, &source.runbook, plan));
        let begin = Begin { operation: plan.operation, intent: plan.intent, at: app::now() };
        findings.extend(policy::window(&self.policy, &source.runbook, begin));
        self.say(&findings, voice);
        if findings.iter().any(Finding::is_error) {
            voice.say("note: the policy would refuse this run now");
        }
    }

    fn diagnostic(&self, text: &str, finding: Finding) -> Diagnostic {
        let span = compile::locate(text, &finding.pointer);
        let message = format!("{} [{}]", finding.message, self.named(&finding));
        let mut diagnostic = Diagnostic::new(finding.code, finding.pointer, span, message);
        (diagnostic.severity, diagnostic.help) = (finding.severity, finding.help);
        diagnostic
    }

    /// Where in the policy a finding comes from.
    fn named(&self, finding: &Finding) -> String {
        format!("{}: {}", self.path.display(), finding.rule)
    }

    fn say(&self, findings: &[Finding], voice: &dyn Voice) {
        for finding in findings {
            let colour = match finding.severity {
                Severity::Error => "\x1b[1;31merror",
                Severity::Warning => "\x1b[1;33mwarning",
                Severity::Note => "\x1b[1mnote",
            };
            let place = self.named(finding);
            voice.say(&format!("{colour}[{}]\x1b[0m: {} [{place}]", finding.code, finding.message));
            if let Some(help) = &finding.help {
                voice.say(&format!(" \x1b[1mhelp\x1b[0m: {help}"));
            }
        }
    }
}

/// Asks the policy about a run that is about to be created. Gives what the run's journal keeps of it.
///
/// # Errors
/// When it refuses, and the glass is not broken; or it cannot be read.
pub(crate) async fn ruled(
    session: &Session,
    source: &Source,
    plan: &Plan,
    Manner { stage, break_glass }: Manner,
) -> Result<BTreeMap<String, String>, Error> {
    let voice = session.voice.as_ref();
    let mut notes = BTreeMap::new();
    let rules = match load(session.config.policy.as_deref(), &session.config.lints, voice) {
        Ok(None) => return Ok(notes),
        Ok(Some(rules)) => rules,
        // On the bad day a policy that nobody can read must not be what stands in the way.
        Err(error) if break_glass || plan.intent == Intent::Simulate => {
            if plan.intent == Intent::Real {
                broken(&error.message, voice);
                notes.insert(AGAINST_POLICY.to_owned(), note(&error.message));
            }
            return Ok(notes);
        }
        Err(error) => return Err(error.help("correct it, or go on without it with --break-glass")),
    };
    let digest = policy::digest(&rules.policy);
    notes.insert("policy".to_owned(), format!("{} {digest}", rules.policy.metadata.name));
    let mut findings = rules.findings(session, source, plan).await?;
    if stage {
        findings.retain(|finding| finding.code != Code::OutsideWindow);
        if break_glass {
            notes.insert(ANY_TIME.to_owned(), "may begin outside of its window".to_owned());
        }
    }
    let refuses: Vec<&Finding> = findings.iter().filter(|finding| finding.is_error()).collect();
    if plan.intent == Intent::Simulate {
        rules.say(&findings, voice);
        if !refuses.is_empty() {
            voice.say("note: the policy would refuse this run for real");
        }
        return Ok(notes);
    }
    if refuses.is_empty() {
        rules.say(&findings, voice);
        return Ok(notes);
    }
    if !break_glass {
        let help = "put it right; --break-glass goes on against the policy, and is recorded with the run";
        return Err(rules.refused("the policy refuses this run; nothing was started", help, &refuses));
    }
    rules.say(&findings, voice);
    broken("the policy refuses this run", voice);
    for (number, finding) in (1..).zip(refuses) {
        let text = format!("{} {}: {}", finding.code, finding.rule, finding.message);
        notes.insert(format!("{OVERRIDE}{number}"), note(&text));
    }
    Ok(notes)
}

fn broken(why: &str, voice: &dyn Voice) {
    voice.say(&format!(
        "\x1b[1;31mBREAK GLASS\x1b[0m: {why}. It goes on all the same; this stands in its journal and report."
    ));
}

fn note(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= NOTE {
        line
    } else {
        line.chars().take(NOTE - 3).chain("...".chars()).collect()
    }
}

impl Rules {
    fn refused(&self, message: &str, help: &str, refuses: &[&Finding]) -> Error {
        let problem = |finding: &&Finding| Problem {
            what: format!("{} {} [{}]", finding.code, finding.message, self.named(finding)),
            help: finding.help.clone(),
        };
        Error::new(exit::REFUSED, message)
            .help(help)
            .reason("policy_refused")
            .details(refuses.iter().map(problem).collect())
    }

    async fn findings(&self, session: &Session, source: &Source, plan: &Plan) -> Result<Vec<Finding>, Error> {
        let runbook = &source.runbook;
        let now = app::now();
        let judged = Plan { intent: policy::stands_for(plan.intent), ..plan.clone() };
        let mut findings = policy::lints(&self.policy, &source.findings, &self.off);
        findings.extend(policy::plan(&self.policy, runbook, &judged));
        let begin = Begin { operation: plan.operation, intent: plan.intent, at: now };
        findings.extend(policy::window(&self.policy, runbook, begin));
        if !self.policy.drills.is_empty() && plan.intent == Intent::Real {
            let journal = session.journal.as_ref();
            findings
                .extend(app::exercise_findings(journal, &self.policy, runbook, plan.operation, now).await?);
        }
        Ok(findings)
    }
}

/// Asks the windows about a staged run that is about to begin.
///
/// # Errors
/// When it may not begin now, or the policy cannot be read.
pub(crate) async fn may_begin(session: &Session, loaded: &Loaded) -> Result<(), Error> {
    let created = &loaded.state.created;
    if loaded.state.status != RunStatus::Staged || created.notes.contains_key(ANY_TIME) {
        return Ok(());
    }
    let voice = session.voice.as_ref();
    let Some(rules) = load(session.config.policy.as_deref(), &session.config.lints, voice)? else {
        return Ok(());
    };
    let text = session.journal.blob(&created.runbook).await?.unwrap_or_default();
    let (runbook, _) =
        compile::compile_with(&String::from_utf8_lossy(&text), &source::options(&session.config)?);
    // What does not compile any more was judged when it was staged; only its labels are missing now.
    let Some(runbook) = runbook else { return Ok(()) };
    let begin = Begin { operation: created.operation, intent: created.intent, at: app::now() };
    let findings = policy::window(&rules.policy, &runbook, begin);
    let refuses: Vec<&Finding> = findings.iter().filter(|finding| finding.is_error()).collect();
    if refuses.is_empty() {
        return Ok(());
    }
    let help = "wait for the window, or stage the move again with --break-glass, which is recorded";
    Err(rules.refused("the policy does not let this run begin now", help, &refuses))
}
