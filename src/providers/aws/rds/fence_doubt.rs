//! Ways around a quarantine: what may still write although nobody can connect any more. Must never keep quiet
//! about one, nor about what could not be read.

use aws_sdk_rds::types::{DbCluster, LocalWriteForwardingStatus, WriteForwardingStatus};

use super::fence_target::Target;
use super::session::Session;
use crate::providers::excerpt;

/// Why a quarantine in force proves nothing, if there is a reason.
pub(super) async fn of_quarantine(
    session: &Session<'_>,
    target: &Target,
    end_connections: bool,
) -> Option<String> {
    if !end_connections {
        return Some("connections made before may live on: say `end_connections: true`".to_owned());
    }
    match target {
        Target::Instance(_) => None,
        Target::Cluster(found) => match of_cluster(found) {
            Some(why) => Some(why),
            None => of_global(session, found).await,
        },
    }
}

fn of_cluster(found: &DbCluster) -> Option<String> {
    let forwards = |status: &LocalWriteForwardingStatus| *status != LocalWriteForwardingStatus::Disabled;
    let members = found.db_cluster_members();
    if found.http_endpoint_enabled() == Some(true) {
        Some("its Data API is on, which no security group holds up: turn it off".to_owned())
    } else if found.local_write_forwarding_status().is_some_and(forwards) {
        Some("its readers forward writes, and their connections are not ended".to_owned())
    } else if !members.is_empty() && members.iter().all(|member| member.is_cluster_writer() != Some(true)) {
        Some("RDS names no writer among its instances, whose connections could be ended".to_owned())
    } else {
        None
    }
}

/// Secondary clusters forward writes past the security groups of the primary.
async fn of_global(session: &Session<'_>, found: &DbCluster) -> Option<String> {
    let global = found.global_cluster_identifier().filter(|id| !id.is_empty())?;
    let members = match session.present_global_cluster(global).await {
        Ok(found) => found.global_cluster_members.unwrap_or_default(),
        Err(failure) => {
            let why = excerpt::head(&failure.message, 200);
            return Some(format!("whether others forward writes to it cannot be read: {why}"));
        }
    };
    let is_on = |status: &WriteForwardingStatus| *status != WriteForwardingStatus::Disabled;
    let mut others = members.iter().filter(|member| member.db_cluster_arn() != found.db_cluster_arn());
    let forwards = others.find(|member| member.global_write_forwarding_status().is_some_and(is_on))?;
    let arn = excerpt::head(forwards.db_cluster_arn().unwrap_or("another cluster"), 120);
    Some(format!("{arn} may forward writes to it: turn that off"))
}
