//! Tags that say which run and step made a database or snapshot, so that a step whose answer was lost finds
//! its own work again. Must never take what somebody else made for its own.

use std::collections::BTreeMap;

use aws_sdk_rds::types::Tag;

use crate::model::time::Timestamp;
use crate::ports::AttemptContext;

const RUN: &str = "drctl:run";
const STEP: &str = "drctl:step";
/// The fencing token of the driver that asked for it: of two that look alike, who asked last. Never compared:
/// whoever takes the run over goes on with what was made under an older one.
const FENCING: &str = "drctl:fencing-token";
const POINT: &str = "drctl:recovery-point";

/// The tags of what an attempt makes, with those its parameters ask for.
pub(super) fn of(
    context: &AttemptContext,
    asked_for: &BTreeMap<String, String>,
    point: Option<Timestamp>,
) -> Vec<Tag> {
    let own = [
        (RUN.to_owned(), context.run.to_string()),
        (STEP.to_owned(), step(context)),
        (FENCING.to_owned(), context.fencing_token.to_string()),
    ];
    let point = point.map(|at| (POINT.to_owned(), at.to_string()));
    let asked_for = asked_for.iter().map(|(key, value)| (key.clone(), value.clone()));
    let all = asked_for.chain(own).chain(point);
    all.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Whether something was made by this step of this run.
pub(super) fn are_ours(tags: &[Tag], context: &AttemptContext) -> bool {
    value(tags, RUN) == Some(context.run.as_str()) && value(tags, STEP) == Some(step(context).as_str())
}

/// How far the data of what was made reaches.
pub(super) fn recovery_point(tags: &[Tag]) -> Option<Timestamp> {
    value(tags, POINT)?.parse().ok()
}

fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key))?.value()
}

/// The address in the characters that a tag may have.
fn step(context: &AttemptContext) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_.:/=+-@".contains(c) { c } else { '_' };
    context.node.to_string().chars().map(allowed).take(256).collect()
}
