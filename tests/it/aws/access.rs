//! Getting into accounts: roles, external ids, web identity, whose credentials these are, and which region's
//! STS is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use drctl::model::action::ActionName;
use drctl::model::id::SiteName;
use drctl::model::run::FailureClass;
use drctl::model::time::{Duration, Timestamp};
use drctl::model::values::Site;
use drctl::ports::{BoxFuture, Clock, Provider as _};
use drctl::providers::aws::{Access, AwsProvider, Settings};
use drctl::runtime::SystemClock;
use serde_json::json;

use super::estate::{Estate, settings};
#[cfg(feature = "aws-compute")]
use super::fake::capacity::FakeCapacity;
use super::fake::rds::FakeRds;
use super::fake::{Fake, Request};
use super::faults::Faults;
use crate::support::attempt::{action, context};

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

/// An STS that gives out credentials for half an hour, and what was asked of it.
fn sts(now: jiff::Timestamp) -> (Fake, Arc<Mutex<Vec<Request>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let end = now.checked_add(jiff::Span::new().minutes(30)).unwrap();
    let fake = Fake::start(Box::new(move |request| {
        seen.lock().unwrap().push(request.clone());
        let body = format!(
            "<R><{0}Result><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>t</SessionToken><Expiration>{end}</Expiration></Credentials></{0}Result></R>",
            request.action
        );
        (200, body)
    }));
    (fake, asked)
}

fn role(external_id: &str) -> Access {
    Access {
        role_arn: Some("arn:aws:iam::999988887777:role/drctl".to_owned()),
        external_id: Some(external_id.to_owned()),
        ..Access::default()
    }
}

#[tokio::test]
async fn a_role_is_assumed_with_its_external_id_through_the_regional_sts() {
    let (sts, asked) = sts(jiff::Timestamp::now());
    let mut settings = settings(&sts.caller());
    settings.accounts.insert("999988887777".to_owned(), role("payments-7"));
    let there = sites(&[("west", "us-west-2", Some("999988887777")), ("east", "us-east-1", None)]);
    ready(settings, &there).await.unwrap();
    let asked = asked.lock().unwrap();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((asked.action.as_str(), asked.region.as_str()), ("AssumeRole", "us-west-2"));
    assert_eq!((asked.get("ExternalId"), asked.get("RoleSessionName")), ("payments-7", "drctl"));
    assert_eq!(asked.get("RoleArn"), "arn:aws:iam::999988887777:role/drctl");
}

/// A clock that goes on when it is told to.
#[cfg(any(feature = "aws-compute", feature = "aws-rds"))]
struct Told(Mutex<Timestamp>);

#[cfg(any(feature = "aws-compute", feature = "aws-rds"))]
impl Clock for Told {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[cfg(feature = "aws-rds")]
#[tokio::test]
async fn credentials_are_fetched_once_and_serve_to_their_end_when_they_cannot_be_renewed() {
    let now = jiff::Timestamp::now();
    let (sts, asked) = sts(now);
    let rds = FakeRds::start();
    rds.instance("us-west-2", "payments", json!({}));
    let mut settings = settings(&rds.fake.caller());
    settings.endpoints.insert("sts".to_owned(), sts.caller().endpoint);
    settings.accounts.insert("999988887777".to_owned(), role("x"));
    let clock = Arc::new(Told(Mutex::new(Timestamp::from_millis(now.as_millisecond()))));
    let pass = |minutes: u64| {
        let mut now = clock.0.lock().unwrap();
        *now = now.plus(Duration::from_secs(minutes * 60));
    };
    let provider = AwsProvider::new(settings, Arc::clone(&clock) as Arc<dyn Clock>);
    let with = json!({
        "region": "us-west-2",
        "account": "999988887777",
        "instance": "payments",
        "backup_retention_days": 7,
    });
    let look = action("aws.rds.promote_read_replica", with);
    let (context, _switch) = context();
    for _ in 0..3 {
        provider.start(&look, &context).await.unwrap();
    }
    assert_eq!(asked.lock().unwrap().len(), 1);
    // Ten minutes before their end they are renewed; the region that gives them out is lost by then.
    pass(21);
    sts.lose_region("us-west-2");
    provider.start(&look, &context).await.unwrap();
    pass(10);
    let failure = provider.start(&look, &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable);
    assert!(failure.message.starts_with("unreachable us-west-2: sts"), "{failure}");
}

#[cfg(feature = "aws-compute")]
fn service() -> drctl::model::action::Action {
    let with = json!({
        "region": "us-west-2", "account": "999988887777", "cluster": "c", "service": "s", "desired": 2,
    });
    action("aws.ecs.set_desired_count", with)
}

#[cfg(feature = "aws-compute")]
#[tokio::test]
async fn a_renewal_that_fails_is_not_tried_again_at_every_call() {
    let now = jiff::Timestamp::now();
    let (sts, asked) = sts(now);
    let ecs = FakeCapacity::start();
    let mut settings = settings(&ecs.fake.caller());
    settings.endpoints.insert("sts".to_owned(), sts.caller().endpoint);
    settings.accounts.insert("999988887777".to_owned(), role("x"));
    let clock = Arc::new(Told(Mutex::new(Timestamp::from_millis(now.as_millisecond()))));
    let pass = |seconds: u64| {
        let mut now = clock.0.lock().unwrap();
        *now = now.plus(Duration::from_secs(seconds));
    };
    let provider = AwsProvider::new(settings, Arc::clone(&clock) as Arc<dyn Clock>);
    let (context, _switch) = context();
    provider.prepare(&service(), &context).await.unwrap();
    pass(25 * 60);
    for _ in 0..3 {
        sts.refuse_once("AssumeRole", 500, "InternalFailure");
    }
    for (seconds, tries) in [(0, 1), (30, 1), (29, 1), (2, 2)] {
        pass(seconds);
        provider.prepare(&service(), &context).await.unwrap();
        assert_eq!((sts.count("AssumeRole"), asked.lock().unwrap().len()), (1 + tries, 1));
    }
}

#[cfg(feature = "aws-compute")]
#[tokio::test]
async fn credentials_that_a_service_says_are_over_are_fetched_again() {
    let (sts, asked) = sts(jiff::Timestamp::now());
    let ecs = FakeCapacity::start();
    let mut settings = settings(&ecs.fake.caller());
    settings.endpoints.insert("sts".to_owned(), sts.caller().endpoint);
    settings.accounts.insert("999988887777".to_owned(), role("x"));
    let provider = AwsProvider::new(settings, Arc::new(SystemClock::real()));
    let (context, _switch) = context();
    ecs.fake.refuse_once("DescribeServices", 400, "ExpiredTokenException");
    let failure = provider.prepare(&service(), &context).await.unwrap_err();
    assert_eq!((failure.class, asked.lock().unwrap().len()), (FailureClass::Transient, 1));
    provider.prepare(&service(), &context).await.unwrap();
    assert_eq!(asked.lock().unwrap().len(), 2);
}

/// Runs in a process of its own, where the environment has keys and files of its own.
#[cfg(feature = "aws-compute")]
#[tokio::test]
#[ignore = "started by the next test, with an environment of its own"]
#[expect(clippy::disallowed_methods, reason = "the environment is what is tried")]
async fn as_the_profile_of_the_environment() {
    let Ok(endpoint) = std::env::var("DRCTL_TEST_ENDPOINT") else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let profile = std::env::var("DRCTL_TEST_PROFILE").ok();
    let settings = Settings { endpoint: Some(endpoint), profile, ..Settings::default() };
    let provider = AwsProvider::new(settings, Arc::new(SystemClock::real()));
    let with = json!({"region": "us-west-2", "cluster": "c", "service": "s", "desired": 2});
    let (context, _switch) = context();
    provider.prepare(&action("aws.ecs.set_desired_count", with), &context).await.unwrap();
}

#[cfg(feature = "aws-compute")]
#[test]
fn a_profile_that_is_named_wins_over_keys_of_the_environment() {
    let keys = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&keys);
    let fake = Fake::start(Box::new(move |request| {
        seen.lock().unwrap().push(request.key.clone());
        let service = json!({"status": "ACTIVE", "desiredCount": 1, "runningCount": 1});
        (200, json!({"services": [service], "ScalableTargets": []}).to_string())
    }));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let text = "[dr]
aws_access_key_id = AKIAOFPROFILE
aws_secret_access_key = s
";
    std::fs::write(&file, text).unwrap();
    let run = |profile: Option<&str>| {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "aws::access::as_the_profile_of_the_environment", "--ignored"]);
        command.env("DRCTL_TEST_ENDPOINT", fake.caller().endpoint);
        command.env("AWS_ACCESS_KEY_ID", "AKIAOFENVIRONMENT").env("AWS_SECRET_ACCESS_KEY", "s");
        command.env("AWS_SHARED_CREDENTIALS_FILE", &file);
        if let Some(profile) = profile {
            command.env("DRCTL_TEST_PROFILE", profile);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        keys.lock().unwrap().pop().unwrap()
    };
    assert_eq!(run(None), "AKIAOFENVIRONMENT");
    assert_eq!(run(Some("dr")), "AKIAOFPROFILE");
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
