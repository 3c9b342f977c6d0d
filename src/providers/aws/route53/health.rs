//! `aws.route53.set_health_check`: pushes traffic away by inverting a health check. Must never disable
//! one, which means always healthy, nor invert that of an endpoint that is down, which would bring traffic
//! to it.

use aws_sdk_route53::types::{HealthCheck, HealthCheckConfig, HealthCheckType};
use serde_json::{Map, Value, json};

use super::session::Session;
use super::{Outputs, permanent};
use crate::engine::input::{Direction, Observation};
use crate::model::action::aws::route53::SetHealthCheck;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::failure::Error;

/// What one attempt wants of a health check.
pub(super) struct Inversion<'a> {
    pub(super) it: &'a SetHealthCheck,
    pub(super) context: &'a AttemptContext,
}

/// What the checkers say of the endpoint itself, whatever becomes of that by inversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Up,
    Down,
    /// No checker reports: the check follows other checks, an alarm or a routing control.
    Unreported,
}

impl Inversion<'_> {
    /// Reads what `undo` needs.
    pub(super) async fn prepare(&self, session: &Session<'_>) -> Result<Value, Failure> {
        let found = self.find(session).await?;
        Ok(json!({"inverted": is_inverted(&found), "version": found.health_check_version()}))
    }

    pub(super) async fn start(&self, session: &Session<'_>) -> Result<Started, Failure> {
        let found = self.find(session).await?;
        let (is, wanted) = (is_inverted(&found), self.wanted()?);
        let drains = self.context.direction == Direction::Do && wanted;
        let endpoint =
            if drains && !is { self.endpoint(session, &found).await?.0 } else { Endpoint::Unreported };
        if is == wanted || endpoint == Endpoint::Down {
            let endpoint = if is == wanted && self.waits() { None } else { Some(endpoint) };
            return Ok(match endpoint {
                // An inverted check of an endpoint that is down reports healthy.
                Some(endpoint) => Started::Done(self.outputs(is, found.health_check_version(), endpoint)),
                None => Started::Handle(handle(found.health_check_version())),
            });
        }
        let asked = session.change("UpdateHealthCheck");
        let update = || async {
            let update = session.client.update_health_check().health_check_id(&self.it.health_check_id);
            let update = update.health_check_version(found.health_check_version()).inverted(wanted);
            Ok(update.send().await?)
        };
        let updated = session.account.ask(&asked, update).await.map_err(|error| asked.failure(error))?;
        let version = updated.health_check().map_or(0, HealthCheck::health_check_version);
        Ok(if self.waits() {
            Started::Handle(handle(version))
        } else {
            Started::Done(self.outputs(wanted, version, Endpoint::Unreported))
        })
    }

    pub(super) async fn poll(&self, session: &Session<'_>) -> Result<Polled, Failure> {
        let found = self.find(session).await?;
        let wanted = self.wanted()?;
        if is_inverted(&found) != wanted {
            return Err(permanent(format!(
                "somebody has changed health check {} since: it is{} inverted",
                self.it.health_check_id,
                if wanted { " not" } else { "" }
            )));
        }
        let (endpoint, line) = self.endpoint(session, &found).await?;
        Ok(if self.is_as_wanted(wanted, endpoint) {
            Polled::Done(self.outputs(wanted, found.health_check_version(), endpoint))
        } else {
            Polled::Pending(Some(line))
        })
    }

    pub(super) async fn observe(&self, session: &Session<'_>) -> Result<Observation, Failure> {
        let found = self.find(session).await?;
        let (is, wanted, version) = (is_inverted(&found), self.wanted()?, found.health_check_version());
        if is != wanted {
            return Ok(Observation::NotApplied);
        }
        if !self.waits() {
            return Ok(Observation::Applied(self.outputs(is, version, Endpoint::Unreported)));
        }
        let (endpoint, _) = self.endpoint(session, &found).await?;
        Ok(if self.is_as_wanted(wanted, endpoint) {
            Observation::Applied(self.outputs(is, version, endpoint))
        } else {
            Observation::InProgress(handle(version))
        })
    }

    /// Whether it is to be inverted.
    fn wanted(&self) -> Result<bool, Failure> {
        match self.context.direction {
            Direction::Do => Ok(!self.it.healthy),
            Direction::Undo => {
                let before =
                    self.context.prepared.as_ref().and_then(|prepared| prepared["inverted"].as_bool());
                before.ok_or_else(|| permanent("whether the check was inverted before was not recorded"))
            }
        }
    }

    /// Taking an inversion back does not have to bring the endpoint up.
    fn waits(&self) -> bool {
        self.it.wait_status.unwrap_or(true) && self.context.direction == Direction::Do
    }

    fn is_as_wanted(&self, inverted: bool, endpoint: Endpoint) -> bool {
        match endpoint {
            Endpoint::Unreported => true,
            Endpoint::Up => self.it.healthy != inverted,
            Endpoint::Down => self.it.healthy == inverted,
        }
    }

    async fn find(&self, session: &Session<'_>) -> Result<HealthCheck, Failure> {
        let (asked, id) = (session.read("GetHealthCheck"), &self.it.health_check_id);
        let ask =
            || async { Ok::<_, Error>(session.client.get_health_check().health_check_id(id).send().await?) };
        match session.account.ask(&asked, ask).await {
            Ok(found) => found.health_check.ok_or_else(|| permanent("an answer without the health check")),
            Err(error) if error.code() == Some("NoSuchHealthCheck") => {
                Err(permanent(format!("there is no health check {id}")))
            }
            Err(error) => Err(asked.failure(error)),
        }
    }

    /// What most checkers say of the endpoint, and a line for people.
    async fn endpoint(
        &self,
        session: &Session<'_>,
        found: &HealthCheck,
    ) -> Result<(Endpoint, String), Failure> {
        let kind = found.health_check_config().map(|config| config.r#type().clone());
        let own = [
            HealthCheckType::Calculated,
            HealthCheckType::CloudwatchMetric,
            HealthCheckType::RecoveryControl,
        ];
        if kind.is_none_or(|kind| own.contains(&kind)) {
            return Ok((Endpoint::Unreported, "no checker reports".to_owned()));
        }
        let (asked, id) = (session.read("GetHealthCheckStatus"), &self.it.health_check_id);
        let ask = || async {
            Ok::<_, Error>(session.client.get_health_check_status().health_check_id(id).send().await?)
        };
        let seen = match session.account.ask(&asked, ask).await {
            Ok(seen) => seen,
            // A look for comfort: what it cannot tell must not keep traffic where it is.
            Err(error) => {
                let failure = asked.failure(error);
                return match failure.class {
                    FailureClass::Permanent | FailureClass::Refused => {
                        Ok((Endpoint::Unreported, failure.message))
                    }
                    _ => Err(failure),
                };
            }
        };
        let reports = seen.health_check_observations().iter();
        let reports: Vec<&str> = reports.filter_map(|one| one.status_report()?.status()).collect();
        let up = reports.iter().filter(|report| report.starts_with("Success")).count();
        let line = format!("{up} of {} checkers reach the endpoint", reports.len());
        let endpoint = match reports.len() {
            0 => Endpoint::Unreported,
            all if up * 2 > all => Endpoint::Up,
            _ => Endpoint::Down,
        };
        Ok((endpoint, line))
    }

    fn outputs(&self, inverted: bool, version: i64, endpoint: Endpoint) -> Outputs {
        let before =
            self.context.prepared.as_ref().map_or(Value::Null, |prepared| prepared["inverted"].clone());
        let status = match (endpoint, inverted) {
            (Endpoint::Unreported, _) => "not_reported",
            (Endpoint::Up, false) | (Endpoint::Down, true) => "healthy",
            (Endpoint::Up, true) | (Endpoint::Down, false) => "unhealthy",
        };
        Map::from_iter([
            ("inverted".to_owned(), json!(inverted)),
            ("previous_inverted".to_owned(), before),
            ("version".to_owned(), json!(version)),
            ("status".to_owned(), json!(status)),
        ])
    }
}

fn is_inverted(found: &HealthCheck) -> bool {
    found.health_check_config().and_then(HealthCheckConfig::inverted).unwrap_or(false)
}

fn handle(version: i64) -> Value {
    json!({ "version": version })
}
