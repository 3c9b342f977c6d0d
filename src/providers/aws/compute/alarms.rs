//! `aws.cloudwatch.check_alarms`: whether alarms are OK. Must never count an alarm that is not there as
//! healthy.

use serde_json::json;

use super::session::Session;
use super::{Outputs, outputs, permanent, shown, unhealthy};
use crate::model::action::aws::compute::CheckAlarms;
use crate::model::run::Failure;
use crate::model::time::{Duration, Timestamp};
use crate::ports::AttemptContext;
use crate::providers::aws::call::Call;
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Error;
use crate::providers::aws::xml;

/// Version of the CloudWatch API.
const VERSION: &str = "2010-08-01";
/// Most names in one question.
const NAMES: usize = 100;
/// Most pages of an answer.
const PAGES: usize = 50;

/// An alarm as it is.
#[derive(Debug, Clone, PartialEq)]
struct Alarm {
    name: String,
    state: String,
    reason: String,
    since: Option<Timestamp>,
}

pub(super) async fn check(aws: &Aws, it: &CheckAlarms, context: &AttemptContext) -> Result<Outputs, Failure> {
    if it.names.is_empty() && it.prefix.as_ref().is_none_or(String::is_empty) {
        return Err(permanent(
            "give the `names` of alarms, or the `prefix` of their names; nothing was sent",
        ));
    }
    let session = Session::open(aws, &it.region, it.account.as_ref(), context)?;
    let mut found = Vec::new();
    for names in it.names.chunks(NAMES) {
        let names = (1..).zip(names).map(|(at, name)| (format!("AlarmNames.member.{at}"), name.clone()));
        found.extend(alarms(&session, names.collect()).await?);
    }
    if let Some(prefix) = it.prefix.as_ref().filter(|prefix| !prefix.is_empty()) {
        found.extend(alarms(&session, vec![("AlarmNamePrefix".to_owned(), prefix.clone())]).await?);
    }
    judge(it, &found, aws.now())
}

async fn alarms(session: &Session<'_>, wanted: Vec<(String, String)>) -> Result<Vec<Alarm>, Failure> {
    let asked = session.read("cloudwatch", "DescribeAlarms");
    let mut all = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let mut parameters = wanted.clone();
        for (at, kind) in [(1, "MetricAlarm"), (2, "CompositeAlarm")] {
            parameters.push((format!("AlarmTypes.member.{at}"), kind.to_owned()));
        }
        parameters.push(("MaxRecords".to_owned(), "100".to_owned()));
        parameters.extend(next.take().map(|token| ("NextToken".to_owned(), token)));
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let call = Call::query("monitoring", VERSION, "DescribeAlarms", &parameters);
        let (page, more) = session.query(&call, &asked, read).await?;
        all.extend(page);
        match more {
            Some(token) => next = Some(token),
            None => return Ok(all),
        }
    }
    Err(permanent("too many alarms begin like that; name them, or give a longer `prefix`"))
}

fn read(answer: &str) -> Result<(Vec<Alarm>, Option<String>), Error> {
    let document = xml::parse(answer)?;
    let root = document.root_element();
    let lists = ["DescribeAlarmsResult/MetricAlarms", "DescribeAlarmsResult/CompositeAlarms"];
    let alarms = lists.iter().flat_map(|list| xml::members(root, list)).map(|it| {
        let text = |name: &str| xml::text(it, name).unwrap_or_default().to_owned();
        let time = |name: &str| xml::text(it, name)?.parse::<jiff::Timestamp>().ok();
        // When the state became another; an update may only have brought another reason.
        let since = time("StateTransitionedTimestamp").or_else(|| time("StateUpdatedTimestamp"));
        Alarm {
            name: text("AlarmName"),
            state: text("StateValue"),
            reason: text("StateReason"),
            since: since.map(|since| Timestamp::from_millis(since.as_millisecond())),
        }
    });
    let next = xml::text(root, "DescribeAlarmsResult/NextToken").filter(|token| !token.is_empty());
    Ok((alarms.collect(), next.map(str::to_owned)))
}

fn judge(it: &CheckAlarms, found: &[Alarm], now: Timestamp) -> Result<Outputs, Failure> {
    let mut ok = 0_u32;
    let (mut alarming, mut insufficient, mut young) = (Vec::new(), Vec::new(), Vec::new());
    for alarm in found {
        match alarm.state.as_str() {
            "OK" => {
                ok += 1;
                let since = alarm.since.map_or(Duration::ZERO, |since| now.since(since));
                if it.ok_for.is_some_and(|wanted| since < wanted) {
                    young.push(format!("{} (OK for {since})", alarm.name));
                }
            }
            "INSUFFICIENT_DATA" => insufficient.push(alarm.name.clone()),
            _ => alarming.push(format!("{}: {}", alarm.name, shown(&alarm.reason))),
        }
    }
    let missing = it.names.iter().filter(|name| !found.iter().any(|alarm| alarm.name == **name));
    alarming.extend(missing.map(|name| format!("{name}: there is no such alarm")));
    if found.is_empty() && it.names.is_empty() {
        let prefix = it.prefix.as_deref().unwrap_or_default();
        return Err(unhealthy(format!("no alarm's name begins with `{}`", shown(prefix))));
    }
    if !alarming.is_empty() {
        return Err(unhealthy(format!("{} alarms are not OK: {}", alarming.len(), listed(&alarming))));
    }
    if !insufficient.is_empty() && !it.allow_insufficient_data {
        let list = listed(&insufficient);
        return Err(unhealthy(format!("{} alarms have not enough data: {list}", insufficient.len())));
    }
    if let (Some(wanted), false) = (it.ok_for, young.is_empty()) {
        return Err(unhealthy(format!("not OK for {wanted} yet: {}", listed(&young))));
    }
    Ok(outputs(json!({"ok": ok, "alarming": alarming, "insufficient": insufficient})))
}

fn listed(names: &[String]) -> String {
    shown(&names.join(", "))
}
