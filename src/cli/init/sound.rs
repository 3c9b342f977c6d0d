//! Whether what would be written passes `drctl validate`; of what does not, the flags to change.

use crate::app::launch::source;
use crate::cli::{Error, exit};
use crate::compile::{self, Code, Diagnostic, Severity};
use crate::plan::Problem;

/// What is written compiles without a finding but those about values to fill in, or is not written.
pub(super) fn check(text: &str) -> Result<(), Error> {
    let (_, found) = compile::compile(text, source::today());
    let is_shown =
        |finding: &Diagnostic| finding.severity != Severity::Note && finding.code != Code::Placeholder;
    let found: Vec<_> = found.into_iter().filter(is_shown).collect();
    if found.is_empty() {
        return Ok(());
    }
    // There is no file to point into: what can be changed are the flags.
    let mut problems: Vec<Problem> = Vec::new();
    for finding in &found {
        let what = format!("{} [{}]", finding.message, finding.code);
        // One value may be found wrong in several of the steps made of it.
        if problems.iter().all(|problem| problem.what != what) {
            problems.push(Problem::new(what, format!("change {}", flags(finding))));
        }
    }
    Err(Error::new(exit::INVALID, "these values do not go together; nothing was written")
        .help("`drctl explain CODE` says more about each")
        .reason("invalid_runbook")
        .details(problems))
}

/// The flags that a finding in what they make comes from.
fn flags(finding: &Diagnostic) -> &'static str {
    match finding.code {
        Code::BrokenAddress if finding.pointer.ends_with("/public_url") => "--public-url",
        Code::BrokenAddress if finding.pointer.contains("/url") => "--health",
        Code::BeyondRto | Code::TtlBeyondRto => "--rto",
        Code::RpoUnmeasured | Code::ReadingAsksLostSite | Code::BackupsBeyondRpo => "--rpo or --database",
        Code::BrokenObjectives => "--rto or --rpo",
        Code::SameAddress => "--health: `{site}` in it stands for the name of the site",
        Code::SharedFailureDomain => "--from or --to",
        Code::LostControlPlane => "--traffic, or --from",
        Code::BrokenSites => "--provider, --from or --to",
        code if code.is_survivability() => "--from, --to or the kind it is about",
        _ => {
            "--database, --compute, --traffic or --with: docs/reference/components.md says what goes together"
        }
    }
}
