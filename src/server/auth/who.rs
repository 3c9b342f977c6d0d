//! Somebody who asks, with the roles they have and the services each counts for. A role for one service is
//! none for another: not for a right, and not for an approval that asks for it.

use axum::http::StatusCode;

use super::Right;
use crate::app::About;
use crate::config::Scope;
use crate::model::pattern::matches;
use crate::model::run::{Authentication, Identity};
use crate::server::problem::Problem;

/// Roles, and the services they count for.
#[derive(Debug, Clone)]
pub(in crate::server) struct Grant {
    /// The roles.
    pub roles: Vec<String>,
    /// The services; absent: all.
    pub scope: Option<Scope>,
}

/// Somebody who asks.
#[derive(Debug, Clone)]
pub(in crate::server) struct Who {
    /// The name the journal shows.
    pub name: String,
    /// What they may do.
    pub grants: Vec<Grant>,
    /// Who vouches for the name, and under which id; absent: a token of drctl.
    pub proved_by: Option<String>,
}

impl Grant {
    fn counts(&self, about: Option<&About>) -> bool {
        let Some(scope) = &self.scope else { return true };
        about.is_some_and(|about| {
            let named = scope.services.is_empty()
                || scope.services.iter().any(|pattern| matches(pattern, about.service.as_str()));
            named && scope.labels.iter().all(|(label, value)| about.labels.get(label) == Some(value))
        })
    }
}

impl Who {
    /// Who it is, with the roles that count for a service; without one, those that count everywhere.
    pub(in crate::server) fn identity(&self, about: Option<&About>) -> Identity {
        let mut roles: Vec<String> = Vec::new();
        for grant in self.grants.iter().filter(|grant| grant.counts(about)) {
            let new = grant.roles.iter().filter(|role| !roles.contains(role)).cloned().collect::<Vec<_>>();
            roles.extend(new);
        }
        Identity { name: self.name.clone(), authentication: Authentication::Authenticated, roles }
    }

    /// Refuses who has not a right for a service; without one, everywhere.
    ///
    /// # Errors
    /// When none of the roles that count gives it.
    pub(in crate::server) fn demand(&self, right: Right, about: Option<&About>) -> Result<(), Problem> {
        // Whoever is let in at all may look: a role is for what is changed.
        if right == Right::View {
            return self.demand_somewhere(right);
        }
        if right.is_given_by(&self.identity(about).roles) {
            return Ok(());
        }
        let (name, role) = (&self.name, right.role());
        let elsewhere = self.demand_somewhere(right).is_ok();
        Err(not_allowed(match about {
            Some(about) if elsewhere => {
                format!("{name} has the role {role} for other services, not for {}", about.service)
            }
            None if elsewhere => format!("{name} has the role {role} for some services only"),
            Some(_) | None => format!("{name} may not do this: it needs the role {role}"),
        }))
    }

    /// Refuses who has a right for no service at all.
    ///
    /// # Errors
    /// When none of the roles gives it.
    pub(in crate::server) fn demand_somewhere(&self, right: Right) -> Result<(), Problem> {
        if self.grants.iter().any(|grant| right.is_given_by(&grant.roles)) {
            return Ok(());
        }
        let (name, role) = (&self.name, right.role());
        Err(not_allowed(format!("{name} may not do this: it needs the role {role}")))
    }

    /// Says whether what is allowed depends on labels.
    pub(in crate::server) fn is_limited_by_labels(&self) -> bool {
        let mut scopes = self.grants.iter().filter_map(|grant| grant.scope.as_ref());
        scopes.any(|scope| !scope.labels.is_empty())
    }
}

impl Right {
    fn is_given_by(self, roles: &[String]) -> bool {
        let has = |role: &str| roles.iter().any(|it| it == role);
        // Whoever may change something may also look.
        let looks = self == Self::View && (has("operator") || has("approver"));
        has(self.role()) || has("admin") || looks
    }
}

fn not_allowed(detail: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not_allowed", detail)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::id::ServiceName;

    const RIGHTS: [Right; 4] = [Right::View, Right::Operate, Right::Approve, Right::Administer];

    #[test]
    fn rights_follow_from_roles() {
        let may = |right: Right, role: &str| right.is_given_by(&[role.to_owned()]);
        let table: Vec<(&str, [bool; 4])> = ["viewer", "operator", "approver", "admin", "incident-commander"]
            .into_iter()
            .map(|role| (role, RIGHTS.map(|right| may(right, role))))
            .collect();
        let expected = [
            ("viewer", [true, false, false, false]),
            ("operator", [true, true, false, false]),
            ("approver", [true, false, true, false]),
            ("admin", [true, true, true, true]),
            ("incident-commander", [false, false, false, false]),
        ];
        assert_eq!(table, expected);
    }

    fn about(service: &str, tier: Option<&str>) -> About {
        let labels = tier.map(|tier| ("tier".to_owned(), tier.to_owned())).into_iter().collect();
        About { service: ServiceName::new(service.to_owned()).unwrap(), labels }
    }

    fn granted(roles: &[&str], services: &[&str], tier: Option<&str>) -> Grant {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let labels: BTreeMap<_, _> = about("any", tier).labels;
        let all = services.is_empty() && labels.is_empty();
        Grant { roles: words(roles), scope: (!all).then(|| Scope { services: words(services), labels }) }
    }

    #[test]
    fn a_role_counts_for_its_services_alone() {
        let who = Who {
            name: "ann".to_owned(),
            grants: vec![
                granted(&["operator"], &[], None),
                granted(&["approver", "commander"], &["pay-*"], None),
                granted(&["approver"], &["shop"], Some("1")),
            ],
            proved_by: None,
        };
        let may = |service: &About| RIGHTS.map(|right| who.demand(right, Some(service)).is_ok());
        assert_eq!(may(&about("pay-api", None)), [true, true, true, false]);
        assert_eq!(may(&about("mail", Some("1"))), [true, true, false, false]);
        assert_eq!(may(&about("shop", Some("1"))), [true, true, true, false]);
        assert_eq!(may(&about("shop", Some("2"))), [true, true, false, false]);
        assert_eq!(RIGHTS.map(|right| who.demand(right, None).is_ok()), [true, true, false, false]);
        assert_eq!(RIGHTS.map(|right| who.demand_somewhere(right).is_ok()), [true, true, true, false]);
        assert_eq!(who.identity(Some(&about("pay-api", None))).roles, ["operator", "approver", "commander"]);
        assert_eq!(who.identity(Some(&about("shop", None))).roles, ["operator"]);
        assert_eq!(who.identity(None).roles, ["operator"]);
    }
}
