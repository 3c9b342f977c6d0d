//! Auto Scaling groups as they are. Must never count an instance that is not in service and healthy.

use super::permanent;
use super::session::Session;
use super::size::Size;
use crate::model::run::Failure;
use crate::providers::aws::call::Call;
use crate::providers::aws::failure::Error;
use crate::providers::aws::xml;
use crate::providers::excerpt;

/// Version of the Auto Scaling API.
const VERSION: &str = "2011-01-01";

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) size: Size,
    pub(super) members: Vec<Member>,
    /// Processes that are suspended, such as `Launch`.
    pub(super) suspended: Vec<String>,
    /// Subnets instances are started in.
    pub(super) subnets: Vec<String>,
    /// Launch template and its version, where the group has one of its own.
    pub(super) template: Option<(String, String)>,
    /// Present while the group is being deleted.
    pub(super) status: Option<String>,
}

/// An instance of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) healthy: bool,
    pub(super) protected: bool,
}

impl Group {
    /// How many instances serve.
    pub(super) fn serving(&self) -> u32 {
        count(self.members.iter().filter(|member| member.healthy && member.state == "InService"))
    }

    /// How many instances there are, whatever they do; those on standby do not count as the group's.
    pub(super) fn present(&self) -> u32 {
        count(self.members.iter().filter(|member| !member.state.contains("Standby")))
    }

    /// How many instances scaling in will not touch.
    pub(super) fn protected(&self) -> u32 {
        count(self.members.iter().filter(|member| member.protected))
    }
}

fn count<T>(members: impl Iterator<Item = T>) -> u32 {
    u32::try_from(members.count()).unwrap_or(u32::MAX)
}

/// A call of Auto Scaling.
pub(super) fn call(action: &'static str, parameters: &[(&str, &str)]) -> Call {
    Call::query("autoscaling", VERSION, action, parameters)
}

/// The group, which must be there.
pub(super) async fn present(session: &Session<'_>, name: &str) -> Result<Group, Failure> {
    let asked = session.read("autoscaling", "DescribeAutoScalingGroups");
    let call = call("DescribeAutoScalingGroups", &[("AutoScalingGroupNames.member.1", name)]);
    let found = session.query(&call, &asked, read).await?;
    found.into_iter().next().ok_or_else(|| {
        let region = &session.place.region;
        permanent(format!("there is no Auto Scaling group `{}` in {region}", excerpt::head(name, 80)))
    })
}

/// The groups of an answer.
fn read(answer: &str) -> Result<Vec<Group>, Error> {
    let document = xml::parse(answer)?;
    let groups = xml::members(document.root_element(), "DescribeAutoScalingGroupsResult/AutoScalingGroups");
    groups.into_iter().map(group).collect()
}

fn group(node: roxmltree::Node<'_, '_>) -> Result<Group, Error> {
    let number = |name: &str| {
        let value = xml::text(node, name).and_then(|text| text.parse().ok());
        value.ok_or_else(|| Error::Unreadable(format!("a group without {name}")))
    };
    let text = |node, name: &str| xml::text(node, name).unwrap_or_default().to_owned();
    let members = xml::members(node, "Instances").into_iter().map(|it| Member {
        kind: text(it, "InstanceType"),
        state: text(it, "LifecycleState"),
        healthy: xml::text(it, "HealthStatus").is_some_and(|health| health.eq_ignore_ascii_case("healthy")),
        protected: xml::text(it, "ProtectedFromScaleIn") == Some("true"),
    });
    let suspended = xml::members(node, "SuspendedProcesses").into_iter().map(|it| text(it, "ProcessName"));
    let subnets = text(node, "VPCZoneIdentifier");
    let template = xml::at(node, "LaunchTemplate").and_then(|template| {
        let id = xml::text(template, "LaunchTemplateId")?;
        Some((id.to_owned(), xml::text(template, "Version").unwrap_or("$Default").to_owned()))
    });
    Ok(Group {
        size: Size { min: number("MinSize")?, max: number("MaxSize")?, desired: number("DesiredCapacity")? },
        members: members.collect(),
        suspended: suspended.collect(),
        subnets: subnets.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect(),
        template,
        status: xml::text(node, "Status").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_serves_is_counted() {
        let member = |state: &str, health: &str| {
            format!(
                "<member><InstanceType>m5.large</InstanceType><LifecycleState>{state}</LifecycleState>\
                 <HealthStatus>{health}</HealthStatus></member>"
            )
        };
        let members = [("InService", "Healthy"), ("InService", "Unhealthy"), ("Pending", "Healthy")];
        let members: String = members.iter().map(|(state, health)| member(state, health)).collect();
        let standby = member("Standby", "Healthy");
        let answer = format!(
            "<R><DescribeAutoScalingGroupsResult><AutoScalingGroups><member><MinSize>1</MinSize>\
             <MaxSize>4</MaxSize><DesiredCapacity>3</DesiredCapacity>\
             <VPCZoneIdentifier>subnet-1,subnet-2</VPCZoneIdentifier>\
             <Instances>{members}{standby}</Instances></member></AutoScalingGroups>\
             </DescribeAutoScalingGroupsResult></R>"
        );
        let groups = read(&answer).unwrap();
        assert_eq!((groups[0].serving(), groups[0].present()), (1, 3));
        assert_eq!(groups[0].subnets, ["subnet-1", "subnet-2"]);
        assert!(read("<R/>").unwrap().is_empty());
        let broken = answer.replace("<MaxSize>4</MaxSize>", "");
        assert!(matches!(read(&broken), Err(Error::Unreadable(_))));
    }
}
