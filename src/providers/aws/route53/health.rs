//! `aws.route53.set_health_check`: pushes traffic away by a health check: a calculated one asks for more
//! healthy children than it has, any other one is inverted. Must never disable one, which means always
//! healthy, nor invert that of an endpoint that is down, which would bring traffic to it.

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

/// What a health check is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    inverted: bool,
    /// Healthy children a calculated one needs; more than it has: never healthy.
    threshold: Option<i32>,
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
        let Told { inverted, threshold } = told(&found);
        self.wanted(&found)?;
        let version = found.health_check_version();
        Ok(json!({"inverted": inverted, "threshold": threshold, "version": version}))
    }

    pub(super) async fn start(&self, session: &Session<'_>) -> Result<Started, Failure> {
        let found = self.find(session).await?;
        let (is, wanted) = (told(&found), self.wanted(&found)?);
        if is == wanted {
            return Ok(if self.waits() {
                Started::Handle(handle(found.health_check_version()))
            } else {
                Started::Done(self.outputs(&found, Endpoint::Unreported))
            });
        }
        let inverts = self.context.direction == Direction::Do && wanted.inverted;
        if inverts && self.endpoint(session, &found).await?.0 == Endpoint::Down {
            return Err(self.refused());
        }
        let asked = session.change("UpdateHealthCheck");
        let update = || async {
            let update = session.client.update_health_check().health_check_id(&self.it.health_check_id);
            let update = update.health_check_version(found.health_check_version());
            let update = update.inverted(wanted.inverted).set_health_threshold(wanted.threshold);
            Ok(update.send().await?)
        };
        let updated = session.account.ask(&asked, update).await.map_err(|error| asked.failure(error))?;
        let updated = updated.health_check().unwrap_or(&found);
        Ok(if self.waits() {
            Started::Handle(handle(updated.health_check_version()))
        } else {
            Started::Done(self.outputs(updated, Endpoint::Unreported))
        })
    }

    /// Inverted, it would be healthy now, and unhealthy again as soon as the endpoint comes back.
    fn refused(&self) -> Failure {
        let message = format!(
            "the endpoint of health check {} is down: inverting it would send users there; take weights, a \
             routing control or a calculated health check to keep them away",
            self.it.health_check_id
        );
        Failure::new(FailureClass::Refused, message)
    }

    pub(super) async fn poll(&self, session: &Session<'_>) -> Result<Polled, Failure> {
        let found = self.find(session).await?;
        let (is, wanted) = (told(&found), self.wanted(&found)?);
        if is != wanted {
            let threshold = is.threshold.map(|number| format!(", its threshold {number}"));
            return Err(permanent(format!(
                "somebody has changed health check {} since: it is{} inverted{}",
                self.it.health_check_id,
                if is.inverted { "" } else { " not" },
                threshold.unwrap_or_default()
            )));
        }
        let (endpoint, line) = self.endpoint(session, &found).await?;
        Ok(if self.is_as_wanted(is.inverted, endpoint) {
            Polled::Done(self.outputs(&found, endpoint))
        } else {
            Polled::Pending(Some(line))
        })
    }

    pub(super) async fn observe(&self, session: &Session<'_>) -> Result<Observation, Failure> {
        let found = self.find(session).await?;
        let (is, wanted) = (told(&found), self.wanted(&found)?);
        if is != wanted {
            return Ok(Observation::NotApplied);
        }
        if !self.waits() {
            return Ok(Observation::Applied(self.outputs(&found, Endpoint::Unreported)));
        }
        let (endpoint, _) = self.endpoint(session, &found).await?;
        Ok(if self.is_as_wanted(is.inverted, endpoint) {
            Observation::Applied(self.outputs(&found, endpoint))
        } else {
            Observation::InProgress(handle(found.health_check_version()))
        })
    }

    /// What it is to be told.
    fn wanted(&self, found: &HealthCheck) -> Result<Told, Failure> {
        let is = told(found);
        match (self.context.direction, self.it.healthy, children(found)) {
            (Direction::Undo, ..) => {
                let before = self.context.prepared.as_ref();
                let inverted = before
                    .and_then(|prepared| prepared["inverted"].as_bool())
                    .ok_or_else(|| permanent("whether the check was inverted before was not recorded"))?;
                let threshold = before.and_then(|prepared| prepared["threshold"].as_i64());
                let threshold = threshold.and_then(|threshold| i32::try_from(threshold).ok());
                Ok(Told { inverted, threshold: threshold.or(is.threshold) })
            }
            (Direction::Do, false, None) => Ok(Told { inverted: true, ..is }),
            (Direction::Do, false, Some(children)) => {
                Ok(Told { inverted: false, threshold: Some(children + 1) })
            }
            (Direction::Do, true, Some(children)) => {
                let named = self.it.healthy_children.and_then(|number| i32::try_from(number).ok());
                if let Some(number) = named.filter(|number| !(1..=children).contains(number)) {
                    return Err(permanent(format!(
                        "`healthy_children` {number} is not between 1 and the {children} it has"
                    )));
                }
                // What it needed before it was drained is known to the undo of that step only.
                let threshold = named.or(is.threshold.map(|number| number.min(children)));
                Ok(Told { inverted: false, threshold })
            }
            (Direction::Do, true, None) => Ok(Told { inverted: false, ..is }),
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

    fn outputs(&self, found: &HealthCheck, endpoint: Endpoint) -> Outputs {
        let (inverted, version) = (told(found).inverted, found.health_check_version());
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
            // An inversion brings users back as soon as the endpoint goes down.
            ("lasting".to_owned(), json!(!inverted)),
        ])
    }
}

fn told(found: &HealthCheck) -> Told {
    let config = found.health_check_config();
    let threshold = children(found).and_then(|_| config.and_then(HealthCheckConfig::health_threshold));
    Told { inverted: config.and_then(HealthCheckConfig::inverted).unwrap_or(false), threshold }
}

/// How many health checks a calculated one follows.
fn children(found: &HealthCheck) -> Option<i32> {
    let config = found.health_check_config()?;
    let is_calculated = *config.r#type() == HealthCheckType::Calculated;
    is_calculated.then(|| i32::try_from(config.child_health_checks().len()).unwrap_or(i32::MAX - 1))
}

fn handle(version: i64) -> Value {
    json!({ "version": version })
}
