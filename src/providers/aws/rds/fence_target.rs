//! The instance or cluster that is fenced. Must never be changed in another way than its groups, or being
//! stopped and started.

use aws_sdk_rds::types::{DbCluster, DbInstance, VpcSecurityGroupMembership};

use super::permanent;
use super::session::Session;
use crate::model::action::aws::rds::{DatabaseKind, Fence};
use crate::model::run::Failure;
use crate::providers::aws::failure::Error;
use crate::providers::excerpt;

/// An instance or a cluster, as it was found.
pub(super) enum Target {
    Instance(Box<DbInstance>),
    Cluster(Box<DbCluster>),
}

/// Security groups, in order, and whether their change is over.
pub(super) struct Groups {
    pub(super) ids: Vec<String>,
    pub(super) settled: bool,
}

impl Groups {
    fn of(memberships: &[VpcSecurityGroupMembership]) -> Self {
        let leaving = |group: &VpcSecurityGroupMembership| group.status() == Some("removing");
        let staying = memberships.iter().filter(|group| !leaving(group));
        let mut ids: Vec<String> =
            staying.filter_map(|group| group.vpc_security_group_id().map(str::to_owned)).collect();
        ids.sort();
        let settled = memberships.iter().all(|group| group.status().is_none_or(|status| status == "active"));
        Self { ids, settled }
    }

    /// Fit to be shown.
    pub(super) fn shown(&self) -> String {
        let ids: Vec<_> = self.ids.iter().map(|id| excerpt::head(id, 40)).collect();
        if ids.is_empty() { "no security group".to_owned() } else { ids.join(", ") }
    }
}

impl Target {
    pub(super) async fn find(session: &Session<'_>, it: &Fence) -> Result<Self, Failure> {
        Ok(match it.kind {
            DatabaseKind::Instance => {
                let found = session.present_instance(&it.identifier).await?;
                // RDS takes the groups of such an instance from its cluster.
                if let Some(cluster) = found.db_cluster_identifier() {
                    let cluster = excerpt::head(cluster, 70);
                    return Err(permanent(format!(
                        "instance `{}` belongs to cluster `{cluster}`: fence that, with `kind: cluster`",
                        it.identifier
                    )));
                }
                Self::Instance(Box::new(found))
            }
            DatabaseKind::Cluster => Self::Cluster(Box::new(session.present_cluster(&it.identifier).await?)),
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Instance(_) => "instance",
            Self::Cluster(_) => "cluster",
        }
    }

    pub(super) fn status(&self) -> &str {
        let status = match self {
            Self::Instance(found) => found.db_instance_status(),
            Self::Cluster(found) => found.status(),
        };
        status.unwrap_or("unknown")
    }

    pub(super) fn groups(&self) -> Groups {
        match self {
            Self::Instance(found) => Groups::of(found.vpc_security_groups()),
            Self::Cluster(found) => Groups::of(found.vpc_security_groups()),
        }
    }

    /// The instance that accepts writes.
    pub(super) fn writer(&self) -> Option<&str> {
        match self {
            Self::Instance(found) => found.db_instance_identifier(),
            Self::Cluster(found) => {
                let mut members = found.db_cluster_members().iter();
                members.find(|member| member.is_cluster_writer() == Some(true))?.db_instance_identifier()
            }
        }
    }

    /// Whether RDS can stop it.
    ///
    /// # Errors
    /// Permanent, for what RDS never stops.
    pub(super) fn can_be_stopped(&self) -> Result<(), Failure> {
        let why = match self {
            Self::Instance(found) if !found.read_replica_db_instance_identifiers().is_empty() => {
                "it has read replicas"
            }
            Self::Instance(found) if found.read_replica_source_db_instance_identifier().is_some() => {
                "it is a read replica"
            }
            Self::Cluster(found) if found.global_cluster_identifier().is_some_and(|id| !id.is_empty()) => {
                "it belongs to a global database"
            }
            Self::Cluster(found) if !found.read_replica_identifiers().is_empty() => "it has read replicas",
            Self::Instance(_) | Self::Cluster(_) => return Ok(()),
        };
        Err(permanent(format!("RDS does not stop this {}: {why}; use `method: quarantine`", self.kind())))
    }

    pub(super) async fn set_groups(&self, session: &Session<'_>, ids: Vec<String>) -> Result<(), Failure> {
        let client = &session.client;
        match self {
            Self::Instance(found) => {
                let asked = session.change("ModifyDBInstance");
                let order = client
                    .modify_db_instance()
                    .set_db_instance_identifier(owned(found.db_instance_identifier()));
                // Groups are changed at once in any case; to ask for that would have RDS do everything that
                // waits for the maintenance window as well.
                let sent = order.set_vpc_security_group_ids(Some(ids)).send().await.map_err(Error::from);
                sent.map(|_| ()).map_err(|error| Session::refused(&asked, error))
            }
            Self::Cluster(found) => {
                let asked = session.change("ModifyDBCluster");
                let order = client
                    .modify_db_cluster()
                    .set_db_cluster_identifier(owned(found.db_cluster_identifier()));
                let order = order.set_vpc_security_group_ids(Some(ids)).apply_immediately(true);
                let sent = order.send().await.map_err(Error::from);
                sent.map(|_| ()).map_err(|error| Session::refused(&asked, error))
            }
        }
    }

    pub(super) async fn stop(&self, session: &Session<'_>) -> Result<(), Failure> {
        let client = &session.client;
        match self {
            Self::Instance(found) => {
                let asked = session.change("StopDBInstance");
                let order = client
                    .stop_db_instance()
                    .set_db_instance_identifier(owned(found.db_instance_identifier()));
                let sent = order.send().await.map_err(Error::from);
                sent.map(|_| ()).map_err(|error| Session::refused(&asked, error))
            }
            Self::Cluster(found) => {
                let asked = session.change("StopDBCluster");
                let order =
                    client.stop_db_cluster().set_db_cluster_identifier(owned(found.db_cluster_identifier()));
                let sent = order.send().await.map_err(Error::from);
                sent.map(|_| ()).map_err(|error| Session::refused(&asked, error))
            }
        }
    }

    pub(super) async fn start(&self, session: &Session<'_>) -> Result<(), Failure> {
        let client = &session.client;
        match self {
            Self::Instance(found) => {
                let asked = session.change("StartDBInstance");
                let order = client
                    .start_db_instance()
                    .set_db_instance_identifier(owned(found.db_instance_identifier()));
                let sent = order.send().await.map_err(Error::from);
                sent.map(|_| ()).map_err(|error| Session::refused(&asked, error))
            }
            Self::Cluster(found) => {
                let asked = session.change("StartDBCluster");
                let order =
                    client.start_db_cluster().set_db_cluster_identifier(owned(found.db_cluster_identifier()));
                let sent = order.send().await.map_err(Error::from);
                sent.map(|_| ()).map_err(|error| Session::refused(&asked, error))
            }
        }
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}
