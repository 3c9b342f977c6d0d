//! Backup plans and what they select. Must never take a selection by tags for one that names the resource.

use aws_sdk_backup::types::{BackupRule, BackupSelection};

use super::session::Session;
use crate::model::run::Failure;
use crate::providers::excerpt;

/// Most pages that are read of each list.
const PAGES: usize = 20;

/// A plan that selects the resource, or may.
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) rules: Vec<BackupRule>,
    /// Whether the resource is named, and not only perhaps picked by its tags.
    pub(super) certain: bool,
}

/// The plans of a region that select a resource, or may.
pub(super) async fn selecting(
    session: &Session<'_>,
    resource: &str,
    named: Option<&String>,
) -> Result<Vec<Plan>, Failure> {
    let mut found = Vec::new();
    for (id, name) in all(session).await? {
        if named.is_some_and(|named| *named != name && *named != id) {
            continue;
        }
        let Some(certain) = selects(session, &id, resource).await? else { continue };
        let asked = session.read("GetBackupPlan");
        let plan = session.client.get_backup_plan().backup_plan_id(&id).send().await;
        let plan = plan.map_err(|error| asked.failure(error))?;
        let rules = plan.backup_plan.map(|plan| plan.rules).unwrap_or_default();
        found.push(Plan { name: excerpt::head(&name, 80), rules, certain });
    }
    Ok(found)
}

/// Id and name of every plan.
async fn all(session: &Session<'_>) -> Result<Vec<(String, String)>, Failure> {
    let asked = session.read("ListBackupPlans");
    let (mut all, mut next) = (Vec::new(), None);
    for _ in 0..PAGES {
        let order = session.client.list_backup_plans().max_results(1_000).set_next_token(next.take());
        let page = order.send().await.map_err(|error| asked.failure(error))?;
        let plans = page.backup_plans_list.unwrap_or_default();
        all.extend(plans.into_iter().filter_map(|plan| {
            let id = plan.backup_plan_id?;
            Some((id.clone(), plan.backup_plan_name.unwrap_or(id)))
        }));
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(all)
}

/// Whether a plan selects a resource: absent for no, false for perhaps.
async fn selects(session: &Session<'_>, plan: &str, resource: &str) -> Result<Option<bool>, Failure> {
    let asked = session.read("ListBackupSelections");
    let (mut ids, mut next) = (Vec::new(), None);
    for _ in 0..PAGES {
        let order = session.client.list_backup_selections().backup_plan_id(plan).max_results(1_000);
        let page = order.set_next_token(next.take()).send().await.map_err(|error| asked.failure(error))?;
        ids.extend(
            page.backup_selections_list.unwrap_or_default().into_iter().filter_map(|it| it.selection_id),
        );
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    let mut best = None;
    for id in ids {
        let asked = session.read("GetBackupSelection");
        let order = session.client.get_backup_selection().backup_plan_id(plan).selection_id(id);
        let found = order.send().await.map_err(|error| asked.failure(error))?;
        best = best.max(found.backup_selection.as_ref().and_then(|selection| covers(selection, resource)));
    }
    Ok(best)
}

/// Whether a selection covers a resource: absent for no, false for perhaps, when its tags fit.
fn covers(selection: &BackupSelection, resource: &str) -> Option<bool> {
    if selection.not_resources().iter().any(|pattern| fits(pattern, resource)) {
        return None;
    }
    let conditions = selection.conditions().is_some_and(|it| {
        let all = [it.string_equals(), it.string_not_equals(), it.string_like(), it.string_not_like()];
        all.iter().any(|some| !some.is_empty())
    });
    // Tags narrow what is named, and are a way in where nothing is.
    let tags = conditions || !selection.list_of_tags().is_empty();
    let named = selection.resources().iter().any(|pattern| fits(pattern, resource));
    match (named, tags) {
        (true, tags) => Some(!tags),
        (false, true) if selection.resources().is_empty() => Some(false),
        (false, _) => None,
    }
}

/// Whether an ARN fits one with `*` in it.
fn fits(pattern: &str, arn: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == arn,
        Some((begin, rest)) => {
            let Some(tail) = arn.strip_prefix(begin) else { return false };
            (0..=tail.len()).filter_map(|at| tail.get(at..)).any(|tail| fits(rest, tail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_backup::types::{ConditionParameter, Conditions};

    #[test]
    fn a_pattern_fits_what_it_describes() {
        let arn = "arn:aws:rds:us-east-1:111122223333:db:payments";
        for (pattern, expected) in [
            (arn, true),
            ("*", true),
            ("arn:aws:rds:*:*:db:*", true),
            ("arn:aws:rds:*:*:db:pay*s", true),
            ("arn:aws:rds:*:*:cluster:*", false),
            ("arn:aws:rds:us-east-1:111122223333:db:pay", false),
        ] {
            assert_eq!(fits(pattern, arn), expected, "{pattern}");
        }
    }

    #[test]
    fn tags_are_a_perhaps_and_an_exception_is_a_no() {
        let resource = "arn:aws:rds:us-east-1:111122223333:db:payments";
        let base = || BackupSelection::builder().selection_name("s").iam_role_arn("r");
        let tagged = ConditionParameter::builder().condition_key("k").condition_value("v").build();
        let tagged = Conditions::builder().string_equals(tagged).build();
        assert_eq!(covers(&base().resources("*").build().unwrap(), resource), Some(true));
        assert_eq!(covers(&base().resources("*").not_resources(resource).build().unwrap(), resource), None);
        assert_eq!(covers(&base().resources("*").conditions(tagged).build().unwrap(), resource), Some(false));
        assert_eq!(covers(&base().resources("arn:aws:ec2:*").build().unwrap(), resource), None);
        assert_eq!(covers(&base().build().unwrap(), resource), None);
    }
}
