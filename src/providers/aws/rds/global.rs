//! `aws.rds.failover_global_cluster` and `aws.rds.switchover_global_cluster`. Must never send a failover that
//! AWS would take for a switchover, and tells by the writer, not by a reply, whether it took place.

use aws_sdk_rds::types::{GlobalCluster, GlobalClusterMemberSynchronizationStatus as SyncStatus};
use serde_json::{Value, json};

use super::session::Session;
use super::state::{self, State, busy, identifier_of, region_of};
use super::{Outputs, permanent, refused};
use crate::engine::input::Observation;
use crate::model::action::aws::rds::{FailoverGlobalCluster, SwitchoverGlobalCluster};
use crate::model::run::Failure;
use crate::model::time::{Duration, Timestamp};
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Error;
use crate::providers::excerpt;

/// How long an accepted order may stay invisible.
const SHOWS_WITHIN: Duration = Duration::from_secs(90);

/// Which of the two it is, and what they have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move<'a> {
    region: &'a str,
    account: Option<&'a String>,
    global: &'a str,
    target: &'a str,
    /// May lose data: a failover.
    loses: bool,
}

impl<'a> Move<'a> {
    /// A failover.
    ///
    /// # Errors
    /// Refused without consent to data loss: AWS would do a switchover, which needs the lost writer.
    pub(super) fn failover(it: &'a FailoverGlobalCluster) -> Result<Self, Failure> {
        if !it.allow_data_loss {
            return Err(refused(
                "without `allow_data_loss: true` AWS does a switchover, which needs the old writer: say so, or use \
                 aws.rds.switchover_global_cluster; nothing was sent",
            ));
        }
        Ok(Self {
            region: &it.region,
            account: it.account.as_ref(),
            global: &it.global_cluster,
            target: &it.target,
            loses: true,
        })
    }

    /// A switchover.
    pub(super) fn switchover(it: &'a SwitchoverGlobalCluster) -> Self {
        Self {
            region: &it.region,
            account: it.account.as_ref(),
            global: &it.global_cluster,
            target: &it.target,
            loses: false,
        }
    }

    /// The way back to the writer that was there before: asked in the region of the present one.
    pub(super) fn back(self, previous: &'a str) -> Self {
        Self { region: region_of(self.target).unwrap_or(self.region), target: previous, ..self }
    }
}

/// Reads who the writer is.
pub(super) async fn prepare(aws: &Aws, it: Move<'_>, context: &AttemptContext) -> Result<Value, Failure> {
    let session = Session::open(aws, it.region, it.account, context).await?;
    let found = session.present_global_cluster(it.global).await?;
    Ok(json!({"writer": writer(&found)}))
}

/// Looks whether the target could become the writer, and says what was seen.
pub(super) async fn precheck(
    aws: &Aws,
    it: Move<'_>,
    context: &AttemptContext,
) -> Result<Option<String>, Failure> {
    let session = Session::open(aws, it.region, it.account, context).await?;
    let found = session.present_global_cluster(it.global).await?;
    check_target(it, &found)?;
    if it.loses || seen(it, &found) == Seen::There {
        return Ok(Some(format!("`target` is a member of global cluster `{}`", it.global)));
    }
    check_in_sync(it, &found)?;
    Ok(Some(format!("`target` is in sync with the writer of global cluster `{}`", it.global)))
}

pub(super) async fn start(aws: &Aws, it: Move<'_>, context: &AttemptContext) -> Result<Started, Failure> {
    let session = Session::open(aws, it.region, it.account, context).await?;
    let found = session.present_global_cluster(it.global).await?;
    check_target(it, &found)?;
    let previous = writer(&found).map(str::to_owned);
    match seen(it, &found) {
        Seen::There => return Ok(Started::Done(outputs(it, None, true))),
        Seen::UnderWay => return Ok(Started::Handle(handle(aws.now(), previous.as_deref()))),
        Seen::Elsewhere(to) => {
            let to = excerpt::head(&to, 120);
            return Err(busy(format!("global cluster `{}` is moving to {to}", it.global)));
        }
        Seen::Still => {}
    }
    if !it.loses {
        check_in_sync(it, &found)?;
    }
    let operation = if it.loses { "FailoverGlobalCluster" } else { "SwitchoverGlobalCluster" };
    let asked = session.change(operation);
    let sent = if it.loses {
        let order = session.client.failover_global_cluster().global_cluster_identifier(it.global);
        let order = order.target_db_cluster_identifier(it.target).allow_data_loss(true);
        order.send().await.map(|_| ()).map_err(Error::from)
    } else {
        let order = session.client.switchover_global_cluster().global_cluster_identifier(it.global);
        order.target_db_cluster_identifier(it.target).send().await.map(|_| ()).map_err(Error::from)
    };
    match sent {
        Ok(()) => Ok(Started::Handle(handle(aws.now(), previous.as_deref()))),
        // Somebody else may have been quicker.
        Err(error) if error.code() == Some("InvalidGlobalClusterStateFault") => {
            match seen(it, &session.present_global_cluster(it.global).await?) {
                Seen::There | Seen::UnderWay => Ok(Started::Handle(handle(aws.now(), previous.as_deref()))),
                Seen::Elsewhere(_) | Seen::Still => Err(Session::refused(&asked, error)),
            }
        }
        Err(error) => Err(Session::refused(&asked, error)),
    }
}

pub(super) async fn poll(
    aws: &Aws,
    it: Move<'_>,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    let session = Session::open(aws, it.region, it.account, context).await?;
    let found = session.present_global_cluster(it.global).await?;
    let status = excerpt::head(found.status().unwrap_or("unknown"), 60);
    match seen(it, &found) {
        Seen::There => match writes(&session, it).await? {
            None => Ok(Polled::Done(outputs(it, handle["previous"].as_str(), false))),
            Some(status) => Ok(Polled::Pending(Some(format!("{} is the writer and {status}", it.target)))),
        },
        Seen::UnderWay => {
            Ok(Polled::Pending(Some(format!("{} is {status}, towards {}", it.global, it.target))))
        }
        Seen::Elsewhere(to) => {
            let to = excerpt::head(&to, 120);
            Err(permanent(format!("global cluster `{}` is moving to {to} instead", it.global)))
        }
        Seen::Still => {
            let sent: Option<Timestamp> = handle["at"].as_str().and_then(|at| at.parse().ok());
            if sent.is_none_or(|sent| aws.now() >= sent.plus(SHOWS_WITHIN)) {
                let writer = excerpt::head(writer(&found).unwrap_or("nobody"), 120);
                return Err(permanent(format!(
                    "AWS has not done it: global cluster `{}` is {status} and its writer is {writer}",
                    it.global
                )));
            }
            Ok(Polled::Pending(Some(format!("{} is {status}; the order does not show yet", it.global))))
        }
    }
}

pub(super) async fn observe(aws: &Aws, it: Move<'_>, context: &AttemptContext) -> Observation {
    let look = async {
        let session = Session::open(aws, it.region, it.account, context).await?;
        let found = session.present_global_cluster(it.global).await?;
        let before = previous(it, &found, context);
        Ok(match seen(it, &found) {
            Seen::There if writes(&session, it).await?.is_none() => {
                Observation::Applied(outputs(it, before.as_deref(), false))
            }
            Seen::There | Seen::UnderWay => Observation::InProgress(handle(aws.now(), before.as_deref())),
            Seen::Elsewhere(_) | Seen::Still => Observation::NotApplied,
        })
    };
    look.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

/// Where the writer is on its way.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    There,
    UnderWay,
    Elsewhere(String),
    Still,
}

fn seen(it: Move<'_>, found: &GlobalCluster) -> Seen {
    // A state this build does not know is one under way: AWS has added some that the SDK has no word for.
    let moving = found.failover_state().filter(|state| state.status().is_some());
    let to = moving.and_then(|state| state.to_db_cluster_arn());
    let settled = found.status().is_none_or(|status| state::state(status) != State::Busy);
    match (writer(found) == Some(it.target), to) {
        (_, Some(to)) if to != it.target && !settled => Seen::Elsewhere(to.to_owned()),
        (true, _) if settled => Seen::There,
        (true, _) => Seen::UnderWay,
        (false, Some(to)) if to == it.target => Seen::UnderWay,
        (false, _) => Seen::Still,
    }
}

/// The status of the new writer, unless it serves.
async fn writes(session: &Session<'_>, it: Move<'_>) -> Result<Option<String>, Failure> {
    let region = region_of(it.target).unwrap_or(it.region);
    let there = session.elsewhere(region).await?;
    let found = there.present_cluster(identifier_of(it.target)).await?;
    let status = found.status().unwrap_or("unknown");
    Ok((state::state(status) != State::Ready).then(|| excerpt::head(status, 60)))
}

fn writer(found: &GlobalCluster) -> Option<&str> {
    let writer = found.global_cluster_members().iter().find(|member| member.is_writer() == Some(true));
    writer.and_then(|member| member.db_cluster_arn())
}

/// The writer before: as it was read, or the other one of two.
fn previous(it: Move<'_>, found: &GlobalCluster, context: &AttemptContext) -> Option<String> {
    let read = context.prepared.as_ref().and_then(|prepared| prepared["writer"].as_str());
    let members = found.global_cluster_members().iter().filter_map(|member| member.db_cluster_arn());
    let mut others = members.filter(|arn| *arn != it.target);
    let (first, second) = (others.next(), others.next());
    read.filter(|read| *read != it.target).or_else(|| first.filter(|_| second.is_none())).map(str::to_owned)
}

fn check_target(it: Move<'_>, found: &GlobalCluster) -> Result<(), Failure> {
    let members: Vec<_> =
        found.global_cluster_members().iter().filter_map(|member| member.db_cluster_arn()).collect();
    if members.contains(&it.target) {
        return Ok(());
    }
    let members: Vec<_> = members.into_iter().map(|arn| excerpt::head(arn, 120)).collect();
    Err(permanent(format!(
        "`target` is not a member of global cluster `{}`; its members are {}",
        it.global,
        members.join(", ")
    )))
}

fn check_in_sync(it: Move<'_>, found: &GlobalCluster) -> Result<(), Failure> {
    state::must_be_ready("global cluster", it.global, found.status())?;
    let lagging = found.global_cluster_members().iter().find(|member| {
        let status = member.synchronization_status().map(SyncStatus::as_str);
        member.db_cluster_arn() == Some(it.target) && status.is_some_and(|status| status != "connected")
    });
    match lagging.and_then(|member| member.synchronization_status()) {
        Some(status) => Err(busy(format!(
            "{} is `{}`: a switchover waits until it is connected",
            it.target,
            excerpt::head(status.as_str(), 40)
        ))),
        None => Ok(()),
    }
}

fn handle(at: Timestamp, previous: Option<&str>) -> Value {
    json!({"at": at, "previous": previous})
}

fn outputs(it: Move<'_>, previous: Option<&str>, already: bool) -> Outputs {
    state::outputs(json!({"writer": it.target, "previous_writer": previous, "already": already}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_lasts_longer_than_an_order_may_stay_invisible() {
        for spec in [FailoverGlobalCluster::SPEC, SwitchoverGlobalCluster::SPEC] {
            assert!(spec.settle > SHOWS_WITHIN, "{}", spec.settle);
        }
    }
}
