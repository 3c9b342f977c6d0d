//! Who asks, and what they may do. Tokens are known by their digest only.

use axum::http::{HeaderMap, StatusCode, header};
use ring::digest::{SHA256, digest};

use super::problem::Problem;
use crate::app::{Error, exit, now};
use crate::config::{Config, TokenEntry};
use crate::journal::record::unhex;
use crate::model::run::{Authentication, Identity};
use crate::model::time::Timestamp;

/// How a token begins, so that scanners for leaked secrets know it.
pub(crate) const PREFIX: &str = "drctl_";

/// What a request needs its caller to be allowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// To look.
    View,
    /// To start and to steer runs.
    Operate,
    /// To agree to what waits for approval.
    Approve,
    /// To correct records, and to stop everything.
    Administer,
}

impl Right {
    /// The role that gives it.
    pub(crate) const fn role(self) -> &'static str {
        match self {
            Self::View => "viewer",
            Self::Operate => "operator",
            Self::Approve => "approver",
            Self::Administer => "admin",
        }
    }

    /// Refuses who has not this right.
    ///
    /// # Errors
    /// When none of the roles gives it.
    pub(super) fn demand(self, who: &Identity) -> Result<(), Problem> {
        if self.is_given_by(&who.roles) {
            return Ok(());
        }
        let detail = format!("{} may not do this: it needs the role {}", who.name, self.role());
        Err(Problem::new(StatusCode::FORBIDDEN, "not_allowed", detail))
    }

    fn is_given_by(self, roles: &[String]) -> bool {
        let has = |role: &str| roles.iter().any(|it| it == role);
        // Whoever may change something may also look.
        let looks = self == Self::View && (has("operator") || has("approver"));
        has(self.role()) || has("admin") || looks
    }
}

/// Knows the tokens.
pub(super) struct Gatekeeper {
    tokens: Vec<Known>,
}

struct Known {
    name: String,
    roles: Vec<String>,
    sha256: [u8; 32],
    expires: Option<Timestamp>,
}

impl Gatekeeper {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let known = |entry: &TokenEntry| {
            let sha256 = unhex(&entry.sha256.to_ascii_lowercase()).ok_or_else(|| {
                let message = format!("token of {}: sha256 is not 64 hexadecimal digits", entry.name);
                Error::new(exit::USAGE, message).help("`drctl token create` prints what to write")
            })?;
            let mut roles = entry.roles.clone();
            roles.extend(config.roles_of(&entry.name));
            Ok(Known { name: entry.name.clone(), roles, sha256, expires: entry.expires })
        };
        let tokens = config.auth.tokens.iter().map(known).collect::<Result<_, Error>>()?;
        Ok(Self { tokens })
    }

    /// Who asks, by what a request says of itself, if they may.
    ///
    /// # Errors
    /// When the token is missing, unknown, expired, or gives less than the right.
    pub(super) fn admit(&self, headers: &HeaderMap, right: Right) -> Result<Identity, Problem> {
        let refuse = |detail: &str| Problem::new(StatusCode::UNAUTHORIZED, "not_authenticated", detail);
        let token = bearer(headers).ok_or_else(|| {
            refuse("this needs a token")
                .help("send `Authorization: Bearer …`; `drctl token create` makes one")
        })?;
        let sha256 = digest(&SHA256, token.as_bytes());
        // Digests are compared: how long that takes says nothing about any token.
        let known = self.tokens.iter().find(|known| known.sha256 == sha256.as_ref());
        let known = known.ok_or_else(|| refuse("this token is not known"))?;
        if known.expires.is_some_and(|at| at <= now()) {
            return Err(refuse("this token has expired"));
        }
        let (name, roles) = (known.name.clone(), known.roles.clone());
        let identity = Identity { name, authentication: Authentication::Authenticated, roles };
        right.demand(&identity)?;
        Ok(identity)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_follow_from_roles() {
        let may = |right: Right, role: &str| right.is_given_by(&[role.to_owned()]);
        let rights = [Right::View, Right::Operate, Right::Approve, Right::Administer];
        let table: Vec<(&str, [bool; 4])> = ["viewer", "operator", "approver", "admin", "incident-commander"]
            .into_iter()
            .map(|role| (role, rights.map(|right| may(right, role))))
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
}
