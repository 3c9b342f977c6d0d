//! Whether a KMS key can encrypt. Must never take a key that could not be looked at for a good one.

use serde_json::json;

use super::call::Call;
use super::clients::Aws;
use super::permanent;
use super::place::Place;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Precheck};
use crate::providers::excerpt;

/// Looks at a key.
///
/// # Errors
/// When it is not there, or not enabled.
pub(super) async fn check(
    aws: &Aws,
    key: &str,
    place: &Place,
    context: &AttemptContext,
    seen: &mut Precheck,
) -> Result<(), Failure> {
    let shown = excerpt::head(key, 120);
    let asked = aws.read("kms", "DescribeKey", place, context);
    let call = Call::json("kms", "1.1", "TrentService.DescribeKey", &json!({"KeyId": key}));
    let answer = match aws.try_call(&call, place, context).await? {
        Ok(answer) => answer.json().map_err(|error| asked.failure(error))?,
        Err(error) if error.code() == Some("NotFoundException") => {
            return Err(permanent(format!("there is no KMS key `{shown}` in {}", place.region)));
        }
        Err(error) => {
            let why = asked.failure(error).message;
            seen.unknown.push(format!("KMS key `{shown}` could not be looked at: {why}"));
            return Ok(());
        }
    };
    let state = answer["KeyMetadata"]["KeyState"].as_str().unwrap_or("without a state");
    if state != "Enabled" {
        let state = excerpt::head(state, 40);
        return Err(permanent(format!("KMS key `{shown}` in {} is {state}: enable it", place.region)));
    }
    seen.found.push(format!("KMS key `{shown}` is enabled"));
    Ok(())
}
