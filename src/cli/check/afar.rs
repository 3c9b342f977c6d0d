//! `drctl check` at a server: it makes the checks, and what came of them is told here as if they were made
//! here.

use super::fleet::{self, Member};
use super::report_of;
use crate::app::launch;
use crate::app::launch::afar::{CheckAfar, ChecksAfar};
use crate::app::launch::check::WantedCheck;
use crate::cli::follow;
use crate::cli::session::{self, Session};
use crate::cli::{Error, Global, exit};

/// Has a server make the checks, and waits for them.
///
/// # Errors
/// When the server refuses, or is gone for too long.
pub(super) fn run(global: &Global, wanted: &WantedCheck) -> Result<u8, Error> {
    let session = Session::open(global)?;
    session::block_on(async {
        let Some(server) = session.server.clone() else {
            return Err(Error::new(exit::BUG, "there is no server to ask"));
        };
        let ChecksAfar { subject, fleet, checks } = launch::afar::check(&session, &server, wanted).await?;
        if !fleet {
            let run = checks.into_iter().next().and_then(|check| check.run);
            let run = run.ok_or_else(|| Error::new(exit::UNREACHABLE, "the server names no run"))?;
            let (plan, state) = follow::wait_afar(&session, &server, &run).await?;
            return report_of(global, &plan, &state);
        }
        let mut members = Vec::new();
        for CheckAfar { service, run, refused } in checks {
            members.push(match run {
                None => Member::refused(service, refused.unwrap_or_default()),
                Some(run) => {
                    let (plan, state) = follow::wait_afar(&session, &server, &run).await?;
                    Member::checked(service, &plan, &state)
                }
            });
        }
        fleet::report(global, subject, wanted, members)
    })
}
