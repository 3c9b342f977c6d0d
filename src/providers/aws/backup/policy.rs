//! `aws.backup.check_policy`: whether the backups of a resource are what they must be. Must never call
//! something as expected that it could not look at.

use std::collections::BTreeMap;

use aws_sdk_backup::types::{BackupRule, CopyAction, Lifecycle, RecoveryPointByBackupVault};
use serde_json::json;

use super::plans::{self, Plan};
use super::schedule::{DEFAULT, Schedule, UTC};
use super::session::{Session, is_usable, time};
use super::{Outputs, outputs, permanent};
use crate::model::action::aws::backup::{CheckPolicy, ExpectedCopy, ExpectedRule};
use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};
use crate::ports::AttemptContext;
use crate::providers::aws::clients::Aws;
use crate::providers::excerpt;

/// Characters of a name that came from outside.
const NAME: usize = 80;
/// Most pages of a thousand recovery points that are read of a vault.
const PAGES: usize = 50;

/// What is being gathered.
struct Findings<'a> {
    session: &'a Session<'a>,
    it: &'a CheckPolicy,
    now: Timestamp,
    differences: Vec<String>,
    unclear: Vec<String>,
    newest: BTreeMap<String, Option<Timestamp>>,
    /// The first look that came to nothing.
    unseen: Option<Failure>,
}

pub(super) async fn check(aws: &Aws, it: &CheckPolicy, context: &AttemptContext) -> Result<Outputs, Failure> {
    let expected = it.rules.iter().map(expected_schedule).collect::<Result<Vec<_>, _>>()?;
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let plans = plans::selecting(&session, &it.resource_arn, it.plan.as_ref()).await?;
    let mut found = Findings {
        session: &session,
        it,
        now: aws.now(),
        differences: Vec::new(),
        unclear: Vec::new(),
        newest: BTreeMap::new(),
        unseen: None,
    };
    found.plans(&plans);
    for (rule, schedule) in it.rules.iter().zip(&expected) {
        found.rule(rule, schedule.as_ref(), &plans).await;
    }
    let plans: Vec<_> = plans.iter().map(|plan| plan.name.as_str()).collect();
    let all = json!({
        "plans": plans,
        "differences": found.differences,
        "unclear": found.unclear,
        "newest": found.newest,
    });
    found.verdict()?;
    Ok(outputs(all))
}

/// The schedule a rule must have, where it is said.
fn expected_schedule(rule: &ExpectedRule) -> Result<Option<Schedule>, Failure> {
    let zone = rule.timezone.as_deref().unwrap_or(UTC);
    let read = rule.schedule.as_ref().map(|text| Schedule::read(text, zone)).transpose();
    read.map_err(|why| permanent(format!("the `schedule` of the {} rule: {why}", rule.period)))
}

impl Findings<'_> {
    fn verdict(self) -> Result<(), Failure> {
        if self.it.only_report {
            return Ok(());
        }
        if self.differences.is_empty() {
            // What could not be looked at is not as expected, whatever it is.
            return self.unseen.map_or(Ok(()), Err);
        }
        let list: Vec<_> = (1..).zip(&self.differences).map(|(at, what)| format!("({at}) {what}")).collect();
        let mut message = format!(
            "{} differences from what backups of {} must be: {}",
            list.len(),
            excerpt::head(&self.it.resource_arn, 2 * NAME),
            list.join(" ")
        );
        if !self.unclear.is_empty() {
            message = format!("{message} not told: {}", self.unclear.join("; "));
        }
        Err(Failure::new(FailureClass::Refused, excerpt::message(&message)))
    }

    fn plans(&mut self, plans: &[Plan]) {
        let region = &self.it.region;
        if plans.is_empty() {
            let which = self.it.plan.as_ref().map_or_else(
                || "no backup plan".to_owned(),
                |plan| format!("there is no backup plan `{plan}` that"),
            );
            let what = format!("{region}: {which} selects the resource: assign it to one.");
            self.differences.push(what);
        }
        for plan in plans.iter().filter(|plan| !plan.certain) {
            let name = &plan.name;
            let what = format!(
                "{region}: plan `{name}` selects by tags, which were not compared with the resource's"
            );
            self.unclear.push(what);
        }
    }

    /// Compares the rule that fits best.
    async fn rule(&mut self, expected: &ExpectedRule, schedule: Option<&Schedule>, plans: &[Plan]) {
        let mut best: Option<(&Plan, &BackupRule, Vec<String>)> = None;
        let mut others = Vec::new();
        for (plan, rule) in plans.iter().flat_map(|plan| plan.rules.iter().map(move |rule| (plan, rule))) {
            if !fires_as_expected(expected, schedule, rule, self.now) {
                others.push(format!("`{}` is {}", excerpt::head(&rule.rule_name, NAME), shown(rule)));
                continue;
            }
            let differences = compare(expected, rule);
            if best.as_ref().is_none_or(|(_, _, fewest)| differences.len() < fewest.len()) {
                best = Some((plan, rule, differences));
            }
        }
        let (region, period) = (&self.it.region, expected.period);
        let Some((plan, rule, differences)) = best else {
            let wanted = expected.schedule.as_ref().map_or_else(String::new, |schedule| {
                format!(" at {schedule} {}", expected.timezone.as_deref().unwrap_or(UTC))
            });
            let others =
                if others.is_empty() { "there is no rule at all".to_owned() } else { others.join(", ") };
            let others = excerpt::head(&others, 300);
            self.differences.push(format!(
                "{region}: no rule makes a {period} backup{wanted} ({others}): add one, or correct a schedule."
            ));
            // Copies and ages are looked at all the same: they may have come another way.
            return self.vaults(expected, expected.vault.as_deref(), "").await;
        };
        let place = format!(
            "{region}, plan `{}`, rule `{}` ({period})",
            plan.name,
            excerpt::head(&rule.rule_name, NAME)
        );
        self.differences.extend(differences.into_iter().map(|what| format!("{place}: {what}")));
        self.vaults(expected, Some(&rule.target_backup_vault_name), &place).await;
    }

    /// Keys and newest recovery points of the vaults of a rule.
    async fn vaults(&mut self, expected: &ExpectedRule, vault: Option<&str>, place: &str) {
        if let Some(vault) = vault {
            let limits = (expected.kms_key_arn.as_ref(), expected.max_age);
            let place = if place.is_empty() { self.it.region.clone() } else { place.to_owned() };
            if let Err(failure) = self.vault(self.session, vault, limits, &place).await {
                self.not_seen(
                    &format!("vault `{}` in {}", excerpt::head(vault, NAME), self.it.region),
                    failure,
                );
            }
        }
        for copy in &expected.copies {
            if let Err(failure) = self.copy(copy).await {
                self.not_seen(&format!("vault {}", excerpt::head(&copy.vault_arn, 2 * NAME)), failure);
            }
        }
    }

    async fn copy(&mut self, copy: &ExpectedCopy) -> Result<(), Failure> {
        let parts: Vec<&str> = copy.vault_arn.splitn(7, ':').collect();
        let [_, _, "backup", region, account, "backup-vault", name] = parts.as_slice() else {
            let arn = excerpt::head(&copy.vault_arn, 2 * NAME);
            return Err(permanent(format!("`{arn}` is not the ARN of a backup vault")));
        };
        let (aws, context) = (self.session.aws, self.session.context);
        let account = Some((*account).to_owned()).filter(|account| !account.is_empty());
        let there = Session::open(aws, region, account.as_ref(), context).await?;
        let place =
            format!("copies in {region}, account {}", account.as_deref().unwrap_or("of the credentials"));
        self.vault(&there, name, (copy.kms_key_arn.as_ref(), copy.max_age), &place).await
    }

    async fn vault(
        &mut self,
        session: &Session<'_>,
        name: &str,
        (key, max_age): (Option<&String>, Option<Duration>),
        place: &str,
    ) -> Result<(), Failure> {
        let asked = session.read("DescribeBackupVault");
        let sent = session.client.describe_backup_vault().backup_vault_name(name).send().await;
        let name = excerpt::head(name, NAME);
        let found = match sent.map_err(crate::providers::aws::failure::Error::from) {
            Ok(found) => found,
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                self.differences.push(format!("{place}: there is no vault `{name}`: create it."));
                return Ok(());
            }
            Err(error) => return Err(asked.failure(error)),
        };
        if let Some(key) = key.filter(|key| found.encryption_key_arn() != Some(key)) {
            let other = excerpt::head(found.encryption_key_arn().unwrap_or("no key that is shown"), 2 * NAME);
            self.differences.push(format!(
                "{place}: vault `{name}` is encrypted with {other}, expected {key}: a vault keeps its key, use another vault."
            ));
        }
        let newest = newest(session, &name, &self.it.resource_arn).await?;
        let arn = found.backup_vault_arn().unwrap_or(&name).to_owned();
        self.newest.insert(arn, newest);
        let Some(allowed) = max_age else { return Ok(()) };
        match newest.map(|newest| self.now.since(newest)) {
            None => self.differences.push(format!(
                "{place}: vault `{name}` has no usable recovery point of the resource: look at its backup and copy jobs."
            )),
            Some(age) if age > allowed => self.differences.push(format!(
                "{place}: the newest usable recovery point in vault `{name}` is {age} old, allowed are {allowed}: \
                 look at its backup and copy jobs."
            )),
            Some(_) => {}
        }
        Ok(())
    }

    fn not_seen(&mut self, what: &str, failure: Failure) {
        self.unclear.push(format!("{what} could not be looked at: {}", failure.message));
        self.unseen.get_or_insert(failure);
    }
}

fn shown(rule: &BackupRule) -> String {
    let zone = rule.schedule_expression_timezone().unwrap_or(UTC);
    format!(
        "{} {}",
        excerpt::head(rule.schedule_expression().unwrap_or(DEFAULT), NAME),
        excerpt::head(zone, 40)
    )
}

fn fires_as_expected(
    expected: &ExpectedRule,
    schedule: Option<&Schedule>,
    rule: &BackupRule,
    now: Timestamp,
) -> bool {
    let zone = rule.schedule_expression_timezone().unwrap_or(UTC);
    let Ok(actual) = Schedule::read(rule.schedule_expression().unwrap_or(DEFAULT), zone) else {
        return false;
    };
    match schedule {
        Some(schedule) => schedule.is_same(&actual, now),
        None => actual.is_at_least(expected.period, now),
    }
}

/// What a rule says otherwise than expected.
fn compare(expected: &ExpectedRule, rule: &BackupRule) -> Vec<String> {
    let mut differences = Vec::new();
    if let Some(vault) = expected.vault.as_ref().filter(|vault| **vault != rule.target_backup_vault_name) {
        let other = excerpt::head(&rule.target_backup_vault_name, NAME);
        differences.push(format!("it backs up into vault `{other}`, expected `{vault}`: change its vault."));
    }
    differences.extend(retention("recovery points", expected.retention_days, rule.lifecycle()));
    for copy in &expected.copies {
        let made =
            rule.copy_actions().iter().find(|made| made.destination_backup_vault_arn == copy.vault_arn);
        match made {
            None => differences.push(format!("nothing is copied to {}: add a copy action.", copy.vault_arn)),
            Some(made) => {
                let what = format!("copies in {}", copy.vault_arn);
                differences.extend(retention(&what, copy.retention_days, CopyAction::lifecycle(made)));
            }
        }
    }
    differences
}

fn retention(what: &str, expected: Option<u32>, lifecycle: Option<&Lifecycle>) -> Option<String> {
    let expected = expected?;
    let kept = lifecycle.and_then(Lifecycle::delete_after_days);
    if kept == Some(i64::from(expected)) {
        return None;
    }
    let kept = kept.map_or_else(|| "for ever".to_owned(), |days| format!("{days} days"));
    Some(format!("{what} are kept {kept}, expected {expected} days: change the retention."))
}

/// When the newest usable recovery point of a resource in a vault was made.
async fn newest(session: &Session<'_>, vault: &str, resource: &str) -> Result<Option<Timestamp>, Failure> {
    let asked = session.read("ListRecoveryPointsByBackupVault");
    let usable = |point: &RecoveryPointByBackupVault| is_usable(point.status());
    let (mut newest, mut next) = (None, None);
    for _ in 0..PAGES {
        let order = session.client.list_recovery_points_by_backup_vault().backup_vault_name(vault);
        let order = order.by_resource_arn(resource).max_results(1_000).set_next_token(next.take());
        let page = order.send().await.map_err(|error| asked.failure(error))?;
        let points = page.recovery_points.unwrap_or_default();
        let made =
            points.iter().filter(|point| usable(point)).filter_map(|point| time(point.creation_date()));
        newest = newest.max(made.max());
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(newest)
}
