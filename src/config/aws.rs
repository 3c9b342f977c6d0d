//! What a configuration says about how AWS is reached, and with whose credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// How AWS is reached. Without it: the credentials, profiles and addresses that the AWS tools use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsSection {
    /// Named profile of the shared AWS configuration; default: `AWS_PROFILE`, else `default`.
    pub profile: Option<String>,
    /// Address of every service in every region, such as that of an emulator; default: `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
    /// Addresses by `service` or `service.region`, such as those of VPC endpoints; stronger than
    /// `endpoint_url`.
    pub endpoints: BTreeMap<String, String>,
    /// Region whose STS gives out credentials; default: the region that is recovered into.
    pub sts_region: Option<String>,
    /// Requests sent to Route 53 in a second, for each account; default 5. Other tools of the account
    /// share its quota.
    #[schemars(range(min = 1, max = 50))]
    pub route53_requests_per_second: Option<u32>,
    /// How to get into each account, by its twelve digits.
    pub accounts: BTreeMap<String, AwsAccount>,
    /// Other ways in, by the names that `drill.credentials` of runbooks call them.
    pub credentials: BTreeMap<String, AwsCredentials>,
}

/// A way into AWS that stands for itself: nothing of `[aws]` and of the environment takes its place where it
/// says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsCredentials {
    /// Named profile of the shared AWS configuration.
    pub profile: Option<String>,
    /// How to get into each account, by its twelve digits.
    pub accounts: BTreeMap<String, AwsAccount>,
}

/// How to get into an AWS account. Without a role, the profile's own credentials must belong to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsAccount {
    /// Named profile the role is assumed from, or that belongs to the account.
    pub profile: Option<String>,
    /// ARN of the role that is assumed.
    pub role_arn: Option<String>,
    /// External id the role asks for.
    pub external_id: Option<String>,
    /// Name of the session, as CloudTrail shows it; default `drctl`.
    pub session_name: Option<String>,
    /// File with a web identity token, with which the role is assumed.
    pub web_identity_token_file: Option<PathBuf>,
}
