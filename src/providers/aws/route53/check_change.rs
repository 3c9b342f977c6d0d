//! `aws.route53.check_change`: whether a change has reached every server. Must never wait for it.

use serde_json::{Map, json};

use super::changes::bare;
use super::session::Session;
use super::{Outputs, permanent};
use crate::model::action::aws::route53::CheckChange;
use crate::model::run::Failure;
use crate::providers::aws::failure::Error;
use crate::providers::excerpt;

pub(super) async fn check(session: &Session<'_>, it: &CheckChange) -> Result<Outputs, Failure> {
    let (asked, id) = (session.read("GetChange"), bare(&it.change_id));
    let ask = || async { Ok::<_, Error>(session.client.get_change().id(id).send().await?) };
    let found = match session.account.ask(&asked, ask).await {
        Ok(found) => found.change_info,
        Err(error) if error.code() == Some("NoSuchChange") => None,
        Err(error) => return Err(asked.failure(error)),
    };
    let Some(info) = found else {
        let shown = excerpt::head(id, 40);
        return Err(permanent(format!(
            "Route 53 knows no change {shown}: it may have been lost with the control plane that accepted it"
        )));
    };
    let at = crate::model::time::Timestamp::from_millis(info.submitted_at().to_millis().unwrap_or_default());
    Ok(Map::from_iter([
        ("status".to_owned(), json!(info.status().as_str())),
        ("insync".to_owned(), json!(info.status().as_str() == "INSYNC")),
        ("submitted_at".to_owned(), json!(at)),
    ]))
}
