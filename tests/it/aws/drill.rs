//! What the built drctl gets into accounts with: a real run one way, an isolated drill another, and never the
//! one in place of the other.

use std::sync::{Arc, Mutex};

use super::fake::Fake;
use crate::support::binary::{Drctl, Output};

const PAY: &str = "apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
sites:
  east: {role: active, provider: aws, region: us-east-1}
  west: {role: standby, provider: aws, region: us-west-2}
workflows:
  failover:
    steps:
      - id: seed
        phase: scale
        uses: aws.lambda.invoke
        with:
          {region: us-west-2, function: drill-seed, payload: {up: true}, undo: {up: false}, idempotent: true}
        undo: auto
        drill: {boundary: trusted}
drill:
  level: isolated
  credentials: drill
  boundary: {sites: [west], names: [drill-seed]}
";

const KEYS: &str = "[default]\naws_access_key_id = 111122223333\naws_secret_access_key = not-checked\n\
                    [drill]\naws_access_key_id = 444455556666\naws_secret_access_key = not-checked\n";

/// A folder, a fake of AWS, and the keys that its requests were signed with.
struct Shop {
    drctl: Drctl,
    keys: Arc<Mutex<Vec<String>>>,
    _fake: Fake,
}

fn shop(credentials: &str) -> Shop {
    let keys = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&keys);
    let fake = Fake::start(Box::new(move |request| {
        seen.lock().unwrap().push(request.key.clone());
        (200, "{}".to_owned())
    }));
    let drctl = Drctl::with(&[("runbooks/pay.yaml", PAY), (".aws/credentials", KEYS)]);
    let endpoint = fake.caller().endpoint;
    drctl.write("drctl.toml", &format!("[aws]\nendpoint_url = \"{endpoint}\"\n{credentials}"));
    Shop { drctl, keys, _fake: fake }
}

impl Shop {
    fn run(&self, line: &str) -> (Output, Vec<String>) {
        // A drill must not take the keys of its environment either.
        let environment = [("AWS_ACCESS_KEY_ID", "999988887777"), ("AWS_SECRET_ACCESS_KEY", "not-checked")];
        let output = self.drctl.run_with(&environment, line);
        let mut keys = std::mem::take(&mut *self.keys.lock().unwrap());
        keys.sort_unstable();
        keys.dedup();
        (output, keys)
    }
}

#[test]
fn every_call_of_an_isolated_drill_is_made_with_its_own_credentials() {
    let shop = shop("[aws.credentials.drill]\nprofile = \"drill\"\n");
    let (drilled, keys) = shop.run("drill pay --reason test");
    assert_eq!(drilled.code, 0, "{}{}", drilled.stdout, drilled.stderr);
    assert_eq!(keys, ["444455556666"]);
    let (moved, keys) = shop.run("failover pay --reason test --confirm pay:west --accept-loss unmeasured");
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert_eq!(keys, ["999988887777"]);
}

#[test]
fn nothing_takes_the_place_of_credentials_that_say_nothing() {
    let shop = shop("[aws.credentials.drill]\n");
    let (refused, keys) = shop.run("drill pay --reason test");
    assert_eq!(refused.code, 7, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("name neither a profile nor a way"), "{}", refused.stderr);
    assert_eq!(keys, [""; 0]);
}
