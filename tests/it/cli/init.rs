//! `drctl init`.

use super::session;
use crate::support::binary::Drctl;

const SHOP: [&str; 12] = [
    "init",
    "--name=shop",
    "--strategy=warm_standby",
    "--from=us-east-1",
    "--to=us-west-2",
    "--database=aws.rds.read_replica",
    "--compute=aws.ecs.service",
    "--traffic=aws.arc.routing_controls",
    "--health=https://{site}.shop.example.com/health",
    "--public-url=https://shop.example.com/health",
    "--owner=team-shop",
    "--rto=10m",
];

#[test]
fn a_first_runbook_is_written_once_and_works_at_once() {
    let drctl = Drctl::new();
    insta::assert_snapshot!(session(&drctl, &[&SHOP, &SHOP, &[&SHOP[..], &["--force"]].concat()]));
    insta::assert_snapshot!("first-runbook", std::fs::read_to_string(drctl.path("shop.yaml")).unwrap());
    assert_eq!(drctl.run("validate shop.yaml").code, 0);
    let found = drctl.run("validate shop.yaml --deny-warnings --output json");
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    let found = found["diagnostics"].as_array().unwrap();
    // A build without AWS can only simulate some of it, and notes that.
    let told: Vec<_> = found.iter().filter(|finding| finding["severity"] != "note").collect();
    assert!(!told.is_empty() && told.iter().all(|finding| finding["code"] == "DR0140"), "{found:?}");
    let done = drctl.run("failover shop.yaml --simulate");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let printed = drctl.run_words(&[&SHOP[..], &["--write", "-"]].concat());
    assert_eq!(printed.stdout, std::fs::read_to_string(drctl.path("shop.yaml")).unwrap());
}

#[test]
fn what_is_missing_or_does_not_go_together_is_named() {
    let drctl = Drctl::new();
    let with = |more: &[&'static str]| [&SHOP[..5], more].concat();
    insta::assert_snapshot!(session(
        &drctl,
        &[
            &["init"],
            &["init", "--name", "Shop"],
            &with(&["--database=aws.ecs.service", "--traffic=aws.arc.routing_controls"]),
            &with(&["--database=aws.dynamodb.global_table", "--traffic=aws.arc.routing_controls"]),
            &with(&["--database=oracle"]),
            &[&SHOP[..7], &["--traffic=aws.route53.failover_record", "--rto=10s"]].concat(),
            &[&SHOP[..8], &["--health=https://shop.example.com"]].concat(),
            &["init", "--name=a", "--strategy=pilot_light", "--from=x", "--to=x"],
            &[&SHOP[..], &["--write", "no/such/folder.yaml"]].concat(),
        ]
    ));
    assert!(!drctl.path("shop.yaml").exists());
}

/// What is written is sound, and what would not be is not written: every flag with what people may type.
#[test]
fn whatever_is_written_passes_validate() {
    let drctl = Drctl::new();
    let all: [(&str, &[(&str, bool)]); 7] = [
        (
            "--public-url",
            &[
                ("https://shop.example.com/health", true),
                ("nonsense", false),
                ("", false),
                ("https://shop example.com", false),
                ("https://", false),
                ("{{ params.url }}", false),
            ],
        ),
        (
            "--provider",
            &[
                ("aws", true),
                ("on_premises", true),
                ("our-own", true),
                ("AWS", false),
                ("", false),
                ("a b", false),
                ("gcp", false),
                ("{{ x }}", false),
            ],
        ),
        (
            "--health",
            &[
                ("https://{site}.shop.example.com", true),
                ("http://10.0.0.1/{site}", true),
                ("{site}", false),
                ("https://shop.example.com", false),
                ("shop-{site}", false),
                ("https://{site}/{{ nope }}", false),
            ],
        ),
        ("--owner", &[("team: #1 \"x\"", true), ("{{ x }}", true), ("", false), (" ", false)]),
        ("--rto", &[("1h", true), ("0s", false), ("10s", false)]),
        ("--rpo", &[("5m", true)]),
        ("--to", &[("us-east-1", false), ("us-west-1", true)]),
    ];
    for (flag, value, sound) in
        all.iter().flat_map(|(flag, values)| values.iter().map(move |(v, s)| (flag, v, s)))
    {
        let given = format!("{flag}={value}");
        let others = SHOP.iter().filter(|word| !word.starts_with(&format!("{flag}=")));
        let words: Vec<&str> = others.copied().chain([given.as_str(), "--force"]).collect();
        let written = drctl.run_words(&words);
        let said = format!("{given}: {}{}", written.stdout, written.stderr);
        assert_eq!(written.code == 0, *sound, "{said}");
        if *sound {
            let found = drctl.run("validate shop.yaml");
            assert_eq!(found.code, 0, "{said}{}", found.stdout);
            std::fs::remove_file(drctl.path("shop.yaml")).unwrap();
        } else {
            // Where, and what to do.
            assert!(said.contains(flag) && said.contains("help: "), "{said}");
            assert!(!drctl.path("shop.yaml").exists(), "{said}");
        }
    }
}

#[test]
fn a_file_that_is_there_is_kept_until_the_new_one_is_whole() {
    let drctl = Drctl::new();
    drctl.write("kept.yaml", "mine");
    let into = |more: &[&'static str]| drctl.run_words(&[&SHOP[..], more].concat());
    let refused = into(&["--write", "kept.yaml"]);
    assert_eq!(
        (refused.code, std::fs::read_to_string(drctl.path("kept.yaml")).unwrap().as_str()),
        (7, "mine")
    );
    // Refused before anything else is looked at: whoever is asked loses no answer.
    let early = drctl.run("init --name kept");
    assert!(early.stderr.contains("--strategy"), "{}", early.stderr);
    std::os::unix::fs::symlink("kept.yaml", drctl.path("link.yaml")).unwrap();
    assert_eq!(into(&["--write", "link.yaml", "--force"]).code, 0);
    assert!(std::fs::read_to_string(drctl.path("kept.yaml")).unwrap().contains("name: shop"));
    assert!(drctl.path("link.yaml").is_symlink());
    std::fs::create_dir(drctl.path("folder")).unwrap();
    let folder = into(&["--write", "folder", "--force"]);
    assert!(folder.code == 2 && folder.stderr.contains("is a folder"), "{}", folder.stderr);
    let names: Vec<_> =
        std::fs::read_dir(drctl.path("")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{names:?}");
}
