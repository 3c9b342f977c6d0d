//! Security groups that let nobody in. Must refuse one that lets somebody in: a fence through which writes
//! still come is worse than none.

use std::collections::BTreeSet;

use super::session::Session;
use super::{permanent, refused};
use crate::model::action::aws::rds::Fence;
use crate::model::run::Failure;
use crate::providers::aws::call::Call;
use crate::providers::aws::xml;
use crate::providers::excerpt;

/// Version of the EC2 API.
const EC2: &str = "2016-11-15";

/// Looks whether every quarantine group exists and lets nobody in.
///
/// # Errors
/// Permanent when a group is missing, refused when one has an inbound rule.
pub(super) async fn check(session: &Session<'_>, it: &Fence) -> Result<(), Failure> {
    if it.quarantine_security_group_ids.is_empty() {
        return Err(permanent("`quarantine_security_group_ids` is empty; nothing was sent"));
    }
    let named: BTreeSet<&String> = it.quarantine_security_group_ids.iter().collect();
    let named: Vec<_> = (1..).zip(named).map(|(at, id)| (format!("GroupId.{at}"), id)).collect();
    let parameters: Vec<_> = named.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
    let call = Call::query("ec2", EC2, "DescribeSecurityGroups", &parameters);
    let asked = session.aws.read("ec2", "DescribeSecurityGroups", &session.place, session.context);
    let answer = session.aws.call(&call, &asked, &session.place, session.context).await?;
    let document = answer.text().and_then(xml::parse).map_err(|error| asked.failure(error))?;
    let found = xml::members(document.root_element(), "securityGroupInfo");
    for id in &it.quarantine_security_group_ids {
        let group = found.iter().find(|group| xml::text(**group, "groupId") == Some(id.as_str()));
        let shown = excerpt::head(id, 40);
        let Some(group) = group else {
            return Err(permanent(format!("there is no security group `{shown}` in {}", it.region)));
        };
        let rules = xml::members(*group, "ipPermissions").len();
        if rules > 0 {
            return Err(refused(format!(
                "security group `{shown}` has {rules} inbound rules: it would let somebody in, and fence nothing"
            )));
        }
    }
    Ok(())
}
