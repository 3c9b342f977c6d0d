//! Getting into accounts: roles, external ids, web identity, whose credentials these are, and which region's
//! STS is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use drctl::model::action::ActionName;
use drctl::model::id::SiteName;
use drctl::model::run::FailureClass;
use drctl::model::values::Site;
use drctl::ports::Provider as _;
use drctl::providers::aws::{Access, AwsProvider, Settings};
use drctl::runtime::SystemClock;
use serde_json::json;

use super::estate::{Estate, settings};
use super::faults::Faults;

type Sites = Arc<BTreeMap<SiteName, Site>>;

fn sites(of: &[(&str, &str, Option<&str>)]) -> Sites {
    let site = |(name, region, account): &(&str, &str, Option<&str>)| {
        let site = json!({"role": "standby", "provider": "aws", "region": region, "account": account});
        (SiteName::new(*name).unwrap(), serde_json::from_value(site).unwrap())
    };
    Arc::new(of.iter().map(site).collect())
}

async fn ready(settings: Settings, sites: &Sites) -> Result<(), drctl::model::run::Failure> {
    let provider = AwsProvider::new(settings, Arc::new(SystemClock::real()));
    let to = SiteName::new("west").unwrap();
    provider.make_ready(&[ActionName::AwsRdsFence], sites, Some(&to)).await
}

#[tokio::test]
async fn credentials_of_another_account_than_the_sites_are_refused() {
    let estate = Estate::up().await;
    let own = estate.moto.account.as_str();
    let right = sites(&[("west", "us-west-2", Some(own))]);
    ready(settings(&estate.moto), &right).await.unwrap();
    let wrong = sites(&[("west", "us-west-2", Some("999988887777"))]);
    let failure = ready(settings(&estate.moto), &wrong).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains(own) && failure.message.contains("999988887777"), "{failure}");
}

#[tokio::test]
async fn a_role_is_assumed_with_its_external_id_through_the_regional_sts() {
    let estate = Estate::up().await;
    let faults = Faults::before(&estate.moto).await;
    // Recorded, not failed: the rule lets every call pass.
    faults.set(json!([{"service": "sts", "latency_ms": 1}])).await;
    let mut settings = settings(&faults.caller());
    let access = Access {
        role_arn: Some("arn:aws:iam::999988887777:role/drctl".to_owned()),
        external_id: Some("payments-7".to_owned()),
        ..Access::default()
    };
    settings.accounts.insert("999988887777".to_owned(), access);
    let there = sites(&[("west", "us-west-2", Some("999988887777")), ("east", "us-east-1", None)]);
    ready(settings, &there).await.unwrap();
    let fired = faults.fired().await.to_string();
    assert!(fired.contains("AssumeRole") && fired.contains("us-west-2"), "{fired}");
    assert!(!fired.contains("us-east-1"), "the region recovered into is asked: {fired}");
}

#[tokio::test]
async fn another_regions_sts_is_asked_when_the_first_is_lost() {
    let estate = Estate::up().await;
    let faults = Faults::before(&estate.moto).await;
    faults.set(Faults::lost_region("us-west-2")).await;
    let own = estate.moto.account.as_str();
    let two = sites(&[("west", "us-west-2", Some(own)), ("east", "us-east-1", Some(own))]);
    ready(settings(&faults.caller()), &two).await.unwrap();
    let one = sites(&[("west", "us-west-2", Some(own))]);
    let failure = ready(settings(&faults.caller()), &one).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable);
    assert!(failure.message.starts_with("unreachable us-west-2: sts"), "{failure}");
}

#[tokio::test]
async fn a_web_identity_needs_no_other_credentials() {
    let estate = Estate::up().await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "header.payload.signature\n").unwrap();
    let access = Access {
        role_arn: Some("arn:aws:iam::999988887777:role/drctl".to_owned()),
        web_identity_token_file: Some(token),
        ..Access::default()
    };
    let mut settings = Settings { keys: None, ..settings(&estate.moto) };
    settings.accounts.insert("999988887777".to_owned(), access.clone());
    let there = sites(&[("west", "us-west-2", Some("999988887777"))]);
    ready(settings.clone(), &there).await.unwrap();
    let missing = Access { web_identity_token_file: Some(folder.path().join("none")), ..access };
    settings.accounts.insert("999988887777".to_owned(), missing);
    let failure = ready(settings, &there).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("web identity token"), "{failure}");
}

#[tokio::test]
async fn a_role_of_another_account_is_refused_before_anything_is_sent() {
    let access =
        Access { role_arn: Some("arn:aws:iam::111122223333:role/drctl".to_owned()), ..Access::default() };
    let settings = Settings {
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        accounts: [("999988887777".to_owned(), access)].into(),
        ..Settings::default()
    };
    let there = sites(&[("west", "us-west-2", Some("999988887777"))]);
    let failure = ready(settings, &there).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("another account"), "{failure}");
}
