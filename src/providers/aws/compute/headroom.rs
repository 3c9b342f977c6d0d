//! Whether the account has room for more instances: free addresses and the quota of vCPUs. Must never stop a
//! recovery because it could not look: only a shortage that was seen counts.

use serde_json::{Value, json};

use super::group::Group;
use super::permanent;
use super::session::Session;
use crate::model::run::Failure;
use crate::model::time::Duration;
use crate::providers::aws::call::Call;
use crate::providers::aws::metrics::{self, Metric};
use crate::providers::aws::xml;

/// Version of the EC2 API.
const EC2: &str = "2016-11-15";
/// Quota of vCPUs of running on-demand instances of the families A, C, D, H, I, M, R, T, Z.
const STANDARD: &str = "L-1216C47A";
/// An older count of running vCPUs tells nothing.
const FRESH: Duration = Duration::from_secs(30 * 60);

/// Looks whether `enough` instances can be there, and says what was seen. That the quota of on-demand vCPUs
/// is short is a warning: spot instances, reserved capacity and a warm pool do not need it.
///
/// # Errors
/// Permanent, when there are fewer addresses than are needed.
pub(super) async fn check(session: &Session<'_>, group: &Group, enough: u32) -> Result<Value, Failure> {
    let more = enough.saturating_sub(group.present());
    if more == 0 {
        return Ok(Value::Null);
    }
    let addresses = free_addresses(session, &group.subnets).await.ok().flatten();
    if let Some(free) = addresses.filter(|free| *free < more) {
        return Err(permanent(format!(
            "{more} more instances are needed, and the group's subnets have {free} free addresses"
        )));
    }
    let vcpus = vcpus(session, group).await.ok().flatten();
    let short = vcpus.filter(|(free, each)| *free < f64::from(more) * f64::from(*each));
    let warning = short.map(|(free, each)| {
        format!(
            "{more} more instances of {each} vCPUs are needed, and the on-demand quota has {free} vCPUs left"
        )
    });
    let vcpus = vcpus.map(|(free, _)| free);
    Ok(json!({"free_addresses": addresses, "free_vcpus": vcpus, "warning": warning}))
}

async fn free_addresses(session: &Session<'_>, subnets: &[String]) -> Result<Option<u32>, Failure> {
    if subnets.is_empty() {
        return Ok(None);
    }
    let names: Vec<_> = (1..=subnets.len()).map(|at| format!("SubnetId.{at}")).collect();
    let parameters: Vec<_> =
        names.iter().zip(subnets).map(|(name, id)| (name.as_str(), id.as_str())).collect();
    let asked = session.read("ec2", "DescribeSubnets");
    let call = Call::query("ec2", EC2, "DescribeSubnets", &parameters);
    let read = |answer: &str| {
        let document = xml::parse(answer)?;
        let found = xml::members(document.root_element(), "subnetSet");
        let free = found.iter().map(|it| xml::text(*it, "availableIpAddressCount")?.parse::<u32>().ok());
        Ok(free.sum())
    };
    session.query(&call, &asked, read).await
}

/// vCPUs the quota has left, and those of one instance.
async fn vcpus(session: &Session<'_>, group: &Group) -> Result<Option<(f64, u32)>, Failure> {
    let Some(kind) = kind(session, group).await? else { return Ok(None) };
    if !kind.starts_with(['a', 'c', 'd', 'h', 'i', 'm', 'r', 't', 'z'])
        || kind.starts_with("dl")
        || kind.starts_with("inf")
    {
        return Ok(None);
    }
    let asked = session.read("ec2", "DescribeInstanceTypes");
    let call = Call::query("ec2", EC2, "DescribeInstanceTypes", &[("InstanceType.1", &kind)]);
    let read = |answer: &str| {
        let document = xml::parse(answer)?;
        let found = xml::members(document.root_element(), "instanceTypeSet").into_iter().next();
        Ok(found.and_then(|it| xml::text(it, "vCpuInfo/defaultVCpus")?.parse::<u32>().ok()))
    };
    let Some(each) = session.query(&call, &asked, read).await? else { return Ok(None) };
    let asked = session.read("servicequotas", "GetServiceQuota");
    let body = json!({"ServiceCode": "ec2", "QuotaCode": STANDARD});
    let call = Call::json("servicequotas", "1.1", "ServiceQuotasV20190624.GetServiceQuota", &body);
    let Some(quota) = session.json(&call, &asked).await?["Quota"]["Value"].as_f64() else { return Ok(None) };
    let used = Metric {
        namespace: "AWS/Usage",
        name: "ResourceCount",
        dimensions: [
            ("Service", "EC2"),
            ("Type", "Resource"),
            ("Resource", "vCPU"),
            ("Class", "Standard/OnDemand"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec(),
        statistic: "Maximum",
    };
    let newest = metrics::newest(session.aws, &[used], &session.place, session.context).await?;
    let newest = newest.into_iter().flatten().next();
    let used = newest.filter(|point| session.aws.now().since(point.at) <= FRESH);
    Ok(used.map(|used| ((quota - used.value).max(0.0), each)))
}

/// Type of the group's instances; nothing where they are of several.
async fn kind(session: &Session<'_>, group: &Group) -> Result<Option<String>, Failure> {
    if let Some(first) = group.members.first() {
        let same = group.members.iter().all(|member| member.kind == first.kind);
        return Ok((same && !first.kind.is_empty()).then(|| first.kind.clone()));
    }
    let Some((template, version)) = &group.template else { return Ok(None) };
    let asked = session.read("ec2", "DescribeLaunchTemplateVersions");
    let parameters = [("LaunchTemplateId", template.as_str()), ("LaunchTemplateVersion.1", version)];
    let call = Call::query("ec2", EC2, "DescribeLaunchTemplateVersions", &parameters);
    let read = |answer: &str| {
        let document = xml::parse(answer)?;
        let found = xml::members(document.root_element(), "launchTemplateVersionSet").into_iter().next();
        Ok(found.and_then(|it| xml::text(it, "launchTemplateData/instanceType")).map(str::to_owned))
    };
    session.query(&call, &asked, read).await
}
