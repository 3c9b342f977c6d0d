//! `aws.rds.restore_from_snapshot` and `aws.rds.restore_to_point_in_time`. Must never take a database that
//! somebody else made for the one it restores.

use aws_sdk_rds::types::{DbCluster, DbInstance, Endpoint, Tag};
use serde_json::{Value, json};

use super::restore_source::{self, Found, Restore, Source};
use super::session::Session;
use super::settings::{self, cluster_settings, instance_settings};
use super::state::{self, State, broken, same};
use super::{Outputs, permanent, tags};
use crate::engine::input::Observation;
use crate::model::action::aws::rds::RestoreSource;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::{Asked, Error};
use crate::providers::excerpt;

pub(super) async fn start(aws: &Aws, it: &Restore<'_>, context: &AttemptContext) -> Result<Started, Failure> {
    check(it)?;
    let session = Session::open(aws, it.region, it.account, context).await?;
    if let Some(made) = Made::find(&session, it).await? {
        return made.adopt(it, context).map(Started::Handle);
    }
    let found = restore_source::look(&session, it).await?;
    let tags = tags::of(context, &it.settings.tags, Some(found.point));
    let (asked, sent) = if it.cluster {
        cluster(&session, it, &found, tags).await
    } else {
        instance(&session, it, tags).await
    };
    match sent {
        Ok(()) => Ok(Started::Handle(handle(it))),
        Err(error) if error.code().is_some_and(|code| code.contains("AlreadyExists")) => {
            match Made::find(&session, it).await? {
                Some(made) => made.adopt(it, context).map(Started::Handle),
                None => Err(asked.failure(error)),
            }
        }
        Err(error) => Err(Session::refused(&asked, error)),
    }
}

pub(super) async fn poll(aws: &Aws, it: &Restore<'_>, context: &AttemptContext) -> Result<Polled, Failure> {
    let session = Session::open(aws, it.region, it.account, context).await?;
    let made = Made::find(&session, it).await?;
    let made = made.ok_or_else(|| state::none_such(kind(it), it.identifier, it.region))?;
    match made.progress(&session, it).await? {
        Progress::Done => Ok(Polled::Done(made.outputs())),
        Progress::Missing(name) => {
            add_instance(&session, it, &made, name).await?;
            Ok(Polled::Pending(Some(format!("{} is restored; making instance {name}", it.identifier))))
        }
        Progress::Waiting(line) => Ok(Polled::Pending(Some(line))),
    }
}

pub(super) async fn observe(aws: &Aws, it: &Restore<'_>, context: &AttemptContext) -> Observation {
    let look = async {
        let session = Session::open(aws, it.region, it.account, context).await?;
        let Some(made) = Made::find(&session, it).await? else { return Ok(Observation::NotApplied) };
        let handle = made.adopt(it, context)?;
        Ok(match made.progress(&session, it).await? {
            Progress::Done => Observation::Applied(made.outputs()),
            Progress::Missing(_) | Progress::Waiting(_) => Observation::InProgress(handle),
        })
    };
    look.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

/// Refuses settings that the order cannot take.
fn check(it: &Restore<'_>) -> Result<(), Failure> {
    if it.cluster {
        return settings::check_cluster(it.settings, it.cluster_instances);
    }
    if it.kms_key_id.is_some() || !it.cluster_instances.is_empty() {
        return Err(permanent("`kms_key_id` and `cluster_instances` are for clusters; nothing was sent"));
    }
    settings::check_instance(it.settings)
}

fn kind(it: &Restore<'_>) -> &'static str {
    if it.cluster { "cluster" } else { "instance" }
}

fn handle(it: &Restore<'_>) -> Value {
    json!({"kind": kind(it), "identifier": it.identifier})
}

/// The database that is being made.
enum Made {
    Instance(Box<DbInstance>),
    Cluster(Box<DbCluster>),
}

enum Progress<'a> {
    Done,
    /// The cluster is there and lacks this instance.
    Missing(&'a str),
    Waiting(String),
}

impl Made {
    async fn find(session: &Session<'_>, it: &Restore<'_>) -> Result<Option<Self>, Failure> {
        Ok(if it.cluster {
            session.cluster(it.identifier).await?.map(|found| Self::Cluster(Box::new(found)))
        } else {
            session.instance(it.identifier).await?.map(|found| Self::Instance(Box::new(found)))
        })
    }

    fn tags(&self) -> &[Tag] {
        match self {
            Self::Instance(found) => found.tag_list(),
            Self::Cluster(found) => found.tag_list(),
        }
    }

    fn status(&self) -> &str {
        let status = match self {
            Self::Instance(found) => found.db_instance_status(),
            Self::Cluster(found) => found.status(),
        };
        status.unwrap_or("unknown")
    }

    /// Takes it for the work of this step, if its tags say so.
    fn adopt(&self, it: &Restore<'_>, context: &AttemptContext) -> Result<Value, Failure> {
        if tags::are_ours(self.tags(), context) {
            return Ok(handle(it));
        }
        Err(permanent(format!(
            "{} `{}` exists in {} already and was not made by this step: give another `identifier`",
            kind(it),
            it.identifier,
            it.region
        )))
    }

    async fn progress<'a>(&self, session: &Session<'_>, it: &Restore<'a>) -> Result<Progress<'a>, Failure> {
        let status = self.status();
        match state::state(status) {
            _ if state::serves(status) => {}
            State::Broken => return Err(broken(kind(it), it.identifier, status)),
            State::Ready | State::Stopped | State::Busy => {
                let status = excerpt::head(status, 60);
                return Ok(Progress::Waiting(format!("{} is {status}", it.identifier)));
            }
        }
        for name in it.cluster_instances {
            let Some(instance) = session.instance(name).await? else { return Ok(Progress::Missing(name)) };
            let cluster = instance.db_cluster_identifier().unwrap_or_default();
            if !same(cluster, it.identifier) {
                return Err(permanent(format!("instance `{name}` exists already and is of another cluster")));
            }
            let status = instance.db_instance_status().unwrap_or("unknown");
            match state::state(status) {
                _ if state::serves(status) => {}
                State::Broken => return Err(broken("instance", name, status)),
                State::Ready | State::Stopped | State::Busy => {
                    let status = excerpt::head(status, 60);
                    return Ok(Progress::Waiting(format!("instance {name} is {status}")));
                }
            }
        }
        Ok(Progress::Done)
    }

    fn outputs(&self) -> Outputs {
        let (endpoint, port, arn) = match self {
            Self::Instance(found) => {
                let endpoint = found.endpoint();
                let address = endpoint.and_then(|endpoint| endpoint.address());
                (address, endpoint.and_then(Endpoint::port), found.db_instance_arn())
            }
            Self::Cluster(found) => (found.endpoint(), found.port(), found.db_cluster_arn()),
        };
        let point = tags::recovery_point(self.tags());
        state::outputs(json!({"endpoint": endpoint, "port": port, "arn": arn, "recovery_point_at": point}))
    }
}

type Sent = (Asked, Result<(), Error>);

async fn instance(session: &Session<'_>, it: &Restore<'_>, tags: Vec<Tag>) -> Sent {
    let client = &session.client;
    match it.from {
        Source::Snapshot(snapshot) => {
            let asked = session.change("RestoreDBInstanceFromDBSnapshot");
            let order = client.restore_db_instance_from_db_snapshot().db_instance_identifier(it.identifier);
            let order = instance_settings!(order, it.settings, tags).set_engine(it.settings.engine.clone());
            let sent = order.db_snapshot_identifier(snapshot).send().await;
            (asked, sent.map(|_| ()).map_err(Error::from))
        }
        Source::Backups { kind, name, at } => {
            let asked = session.change("RestoreDBInstanceToPointInTime");
            let order =
                client.restore_db_instance_to_point_in_time().target_db_instance_identifier(it.identifier);
            let order = instance_settings!(order, it.settings, tags).set_engine(it.settings.engine.clone());
            let order = match kind {
                RestoreSource::AutomatedBackups => order.source_db_instance_automated_backups_arn(name),
                RestoreSource::InstanceResourceId => order.source_dbi_resource_id(name),
                RestoreSource::Instance | RestoreSource::Cluster | RestoreSource::ClusterResourceId => {
                    order.source_db_instance_identifier(name)
                }
            };
            let order = match at {
                Some(at) => order.restore_time(aws_smithy_types::DateTime::from_millis(at.as_millis())),
                None => order.use_latest_restorable_time(true),
            };
            (asked, order.send().await.map(|_| ()).map_err(Error::from))
        }
    }
}

async fn cluster(session: &Session<'_>, it: &Restore<'_>, found: &Found, tags: Vec<Tag>) -> Sent {
    let client = &session.client;
    match it.from {
        Source::Snapshot(snapshot) => {
            let asked = session.change("RestoreDBClusterFromSnapshot");
            let order = client.restore_db_cluster_from_snapshot().db_cluster_identifier(it.identifier);
            let order = cluster_settings!(order, it.settings, it.cluster_instances, tags);
            let engine = it.settings.engine.clone().or_else(|| found.engine.clone());
            let order = order.snapshot_identifier(snapshot).set_engine(engine);
            let order = order.set_engine_version(it.settings.engine_version.clone());
            let sent = order.set_kms_key_id(it.kms_key_id.cloned()).send().await;
            (asked, sent.map(|_| ()).map_err(Error::from))
        }
        Source::Backups { kind, name, at } => {
            let asked = session.change("RestoreDBClusterToPointInTime");
            let order = client.restore_db_cluster_to_point_in_time().db_cluster_identifier(it.identifier);
            let order = cluster_settings!(order, it.settings, it.cluster_instances, tags);
            let order = match kind {
                RestoreSource::ClusterResourceId => order.source_db_cluster_resource_id(name),
                _ => order.source_db_cluster_identifier(name),
            };
            let order = match at {
                Some(at) => order.restore_to_time(aws_smithy_types::DateTime::from_millis(at.as_millis())),
                None => order.use_latest_restorable_time(true),
            };
            let sent = order.set_kms_key_id(it.kms_key_id.cloned()).send().await;
            (asked, sent.map(|_| ()).map_err(Error::from))
        }
    }
}

/// Makes one instance of a restored cluster. Its name makes that harmless to repeat.
async fn add_instance(
    session: &Session<'_>,
    it: &Restore<'_>,
    made: &Made,
    name: &str,
) -> Result<(), Failure> {
    let engine = match made {
        Made::Cluster(found) => found.engine().map(str::to_owned),
        Made::Instance(_) => None,
    };
    let asked = session.change("CreateDBInstance");
    let order = session
        .client
        .create_db_instance()
        .db_instance_identifier(name)
        .db_cluster_identifier(it.identifier)
        .set_engine(engine)
        .set_db_instance_class(it.settings.instance_class.clone())
        .set_publicly_accessible(it.settings.publicly_accessible)
        .set_tags(Some(tags::of(session.context, &it.settings.tags, None)));
    match order.send().await.map_err(Error::from) {
        Ok(_) => Ok(()),
        Err(error) if error.code().is_some_and(|code| code.contains("AlreadyExists")) => Ok(()),
        Err(error) => Err(Session::refused(&asked, error)),
    }
}
