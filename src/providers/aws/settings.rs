//! What the operator says about access to AWS: profiles, roles and addresses. Must never hold a secret that
//! could be printed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Access to AWS as configured. The default is the standard chain of the AWS tools and their own addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Named profile of the shared AWS configuration; absent: `AWS_PROFILE`, else `default`.
    pub profile: Option<String>,
    /// Nothing but what is named here may be used: neither the environment nor the default profile.
    pub only_named: bool,
    /// Address of every service in every region, such as that of an emulator.
    pub endpoint: Option<String>,
    /// Addresses by `service` or `service.region`, such as those of VPC endpoints; they win over `endpoint`.
    pub endpoints: BTreeMap<String, String>,
    /// Region whose STS is asked first; absent: the region that is recovered into.
    pub sts_region: Option<String>,
    /// How to get into each account, by its twelve digits.
    pub accounts: BTreeMap<String, Access>,
    /// Requests sent to Route 53 in a second, for each account; default 5.
    pub route53_requests_per_second: Option<u32>,
    /// Keys in place of any chain, where the caller has them already.
    pub keys: Option<Keys>,
}

/// How to get into an account. Without a role the profile's own credentials must belong to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Named profile the role is assumed from, or that belongs to the account.
    pub profile: Option<String>,
    /// ARN of the role that is assumed.
    pub role_arn: Option<String>,
    /// External id the role asks for.
    pub external_id: Option<String>,
    /// Name of the session, as CloudTrail shows it; default `drctl`.
    pub session_name: Option<String>,
    /// File with a web identity token; the role is then assumed with it and no other credentials are needed.
    pub web_identity_token_file: Option<PathBuf>,
}

/// An access key with its secret. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Id of the access key.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// Session token of temporary keys.
    pub token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl Settings {
    /// The address that takes the place of a service's own in a region, if any.
    pub(super) fn endpoint_of(&self, service: &str, region: &str) -> Option<&str> {
        let named =
            self.endpoints.get(&format!("{service}.{region}")).or_else(|| self.endpoints.get(service));
        named.or(self.endpoint.as_ref()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_particular_address_wins() {
        let text = |pair: (&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        let settings = Settings {
            endpoint: Some("http://all".to_owned()),
            endpoints: [("rds", "http://rds"), ("rds.us-west-2", "http://west")].map(text).into(),
            ..Settings::default()
        };
        assert_eq!(settings.endpoint_of("rds", "us-west-2"), Some("http://west"));
        assert_eq!(settings.endpoint_of("rds", "us-east-1"), Some("http://rds"));
        assert_eq!(settings.endpoint_of("ecs", "us-west-2"), Some("http://all"));
        assert_eq!(Settings::default().endpoint_of("ecs", "us-west-2"), None);
    }

    #[test]
    fn keys_are_never_shown() {
        let keys = Keys { id: "AKIA1".into(), secret: "hunter2".into(), token: Some("t0ken".into()) };
        let shown = format!("{:?}", Settings { keys: Some(keys), ..Settings::default() });
        assert!(
            !shown.contains("hunter2") && !shown.contains("AKIA1") && !shown.contains("t0ken"),
            "{shown}"
        );
    }
}
