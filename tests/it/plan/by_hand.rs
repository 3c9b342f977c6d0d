//! What the sheet for running by hand prints, pasted into a shell: it starts the same program with the same
//! words, variables, folder and input as drctl would.

#![expect(clippy::disallowed_methods, reason = "starts a shell to paste into")]

use std::path::Path;
use std::process::Command;

use drctl::plan::render;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::failover;

/// Writes down how it was started: folder, a variable, input, words; each behind a NUL.
const SHOW: &str = "#!/bin/sh\n\
    { pwd; printf '\\0%s\\0' \"${DRCTL_TEST-unset}\"; cat; for word in \"$@\"; do printf '\\0%s' \"$word\"; done; } \
    > \"$OUT\"\n";

/// The commands of a sheet, as they stand in it.
fn pasted(with: &Value) -> String {
    let step = json!({"id": "go", "phase": "shift", "uses": "command.run", "with": with, "drill": "skip"});
    let text = json!({
        "apiVersion": "drctl/v1", "kind": "Runbook", "metadata": {"name": "pay"},
        "sites": {"east": {"role": "active"}, "west": {"role": "standby"}},
        "workflows": {"failover": {"steps": [step]}}
    });
    let sheet = render::manual(&failover(&serde_json::from_value(text).unwrap()));
    let (_, commands) = sheet.split_once("1. go (go)\n").unwrap();
    commands.to_owned()
}

/// What a program that is started by a shell from a text sees.
fn seen(folder: &Path, commands: &str) -> Vec<String> {
    let out = folder.join("out");
    let _ = std::fs::remove_file(&out);
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(commands).current_dir(folder).env("OUT", &out).env("PATH", path);
    let ended = shell.env_remove("DRCTL_TEST").output().unwrap();
    assert!(ended.status.success(), "{commands}\n{ended:?}");
    let bytes = std::fs::read(out).unwrap();
    String::from_utf8(bytes).unwrap().split('\0').map(str::to_owned).collect()
}

fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("a b/-c $x")).unwrap();
    for name in ["show", "a=b", "echo"] {
        let program = folder.path().join(name);
        std::fs::write(&program, SHOW).unwrap();
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// Folder, variable, input and words, as a program must see them.
fn expected(folder: &Path, inside: &str, variable: &str, input: &str, words: &[&str]) -> Vec<String> {
    let place = std::fs::canonicalize(folder.join(inside)).unwrap();
    let head = [format!("{}\n", place.display()), variable.to_owned(), input.to_owned()];
    head.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect()
}

#[test]
fn a_pasted_command_does_the_same() {
    let at = folder();
    let at = at.path();
    let nasty = [
        "a b",
        "it's",
        "\"q\"",
        "$HOME `id` $(id)",
        "a\nb\n",
        "\ttab\u{1b}[31m\u{85}",
        "",
        "*",
        "~",
        "-n",
        "!x",
        "\\",
    ];
    let words: Vec<&str> = std::iter::once("show").chain(nasty).collect();
    let commands = pasted(&json!({"argv": words}));
    assert!(!commands.contains(|c: char| c.is_control() && c != '\n'), "{commands:?}");
    assert_eq!(seen(at, &commands), expected(at, "", "unset", "", &nasty));
    for cwd in ["a b/-c $x", "./a b"] {
        let with = json!({
            "argv": ["show", "x"], "cwd": cwd, "env": {"DRCTL_TEST": "it's\n$2", "EMPTY": ""}, "stdin": {"a": "'\n$x"}
        });
        let input = with["stdin"].to_string();
        assert_eq!(seen(at, &pasted(&with)), expected(at, cwd, "it's\n$2", &input, &["x"]));
    }
    // A shell has an `echo` of its own, and would take `a=b` for a variable.
    for program in ["a=b", "echo"] {
        assert_eq!(
            seen(at, &pasted(&json!({"argv": [program, "x"]}))),
            expected(at, "", "unset", "", &["x"])
        );
        let with = json!({"argv": [program, "x"], "env": {"DRCTL_TEST": "1"}});
        assert_eq!(seen(at, &pasted(&with)), expected(at, "", "1", "", &["x"]));
    }
    let with = json!({"argv": ["X='1 2';", "show", "\"$X\"", "a  b"], "shell": true});
    assert_eq!(seen(at, &pasted(&with)), expected(at, "", "unset", "", &["1 2", "a", "b"]));
}

#[test]
fn what_is_known_only_during_a_run_is_asked_for_where_it_stands() {
    let open = |argv: &[&str]| pasted(&json!({"argv": argv})).contains("# write what each {{ }} stands for");
    assert!(open(&["show", "{{ run.id }}"]));
    assert!(!open(&["show", "x"]) && !open(&["show", "{{ to.name }}"]));
}

/// The sheet of one step in two sites of two accounts.
fn sheet(uses: &str, with: &Value) -> String {
    let text = json!({
        "apiVersion": "drctl/v1", "kind": "Runbook", "metadata": {"name": "pay"},
        "sites": {
            "east": {"role": "active", "region": "us-east-1", "account": "111122223333"},
            "west": {"role": "standby", "region": "us-west-2", "account": "444455556666",
                     "values": {"host": "db.west.example.com"}},
        },
        "parameters": {
            "user": {"type": "string", "default": "dr"},
            "pin": {"type": "string", "sensitive": true, "required": true},
        },
        "secrets": {
            "pw": {"from": "env", "name": "PGPASSWORD"}, "pw2": {"from": "file", "path": "/run/pw2"},
            "key": {"from": "command", "argv": ["vault", "read", "a b"]},
        },
        "workflows": {"failover": {"steps": [{"id": "go", "uses": uses, "with": with, "drill": "skip"}]}}
    });
    let runbook = serde_json::from_value(text).unwrap();
    let mut choices = super::choices(drctl::model::run::Operation::Failover);
    choices.parameters.insert("pin".to_owned(), json!("4711"));
    render::manual(&super::bound(&runbook, &choices))
}

#[test]
fn beside_a_secret_everything_else_is_filled_in() {
    let connection = "host={{ to.values.host }} user={{ params.user }} password={{ secrets.pw }}";
    let sheet = sheet("postgres.promote", &json!({"standby": connection}));
    assert!(sheet.contains("'host=db.west.example.com user=dr password={{ secrets.pw }}'"), "{sheet}");
    assert!(sheet.contains("# {{ secrets.pw }} is in the environment variable PGPASSWORD\n"), "{sheet}");
    assert!(!sheet.contains("pw2"), "{sheet}");
}

#[test]
fn where_no_command_does_it_each_secret_is_named_with_its_source_as_well() {
    let with = json!({
        "method": "POST", "url": "https://ci.example.com/{{ secrets.pw }}",
        "headers": {"authorization": "Bearer {{ secrets.key }}"},
    });
    let sheet = sheet("http.request", &with);
    for said in [
        "{{ secrets.pw }} is in the environment variable PGPASSWORD\n",
        "{{ secrets.key }} is printed by: vault read 'a b'\n",
    ] {
        assert_eq!(sheet.matches(said).count(), 1, "{said}\n{sheet}");
    }
    assert!(!sheet.contains("pw2"), "{sheet}");
}

#[test]
fn neither_a_secret_nor_anything_in_its_place_is_filled_in() {
    for (word, filled) in [
        ("{{ secrets.key | default('none') }}/{{ to.name }}", "{{ secrets.key | default('none') }}/west"),
        ("{{ params.pin | default('none') }}/{{ mode }}", "{{ params.pin | default('none') }}/ungraceful"),
        ("{{ params | length }}/{{ run.id }}/{{ to.name }}", "{{ params | length }}/{{ run.id }}/west"),
        ("{% if secrets.key %}{{ to.name }}{% endif %}", "{% if secrets.key %}{{ to.name }}{% endif %}"),
        ("{{ secrets.key ~ '}}' }}/{{ to.name }}", "{{ secrets.key ~ '}}' }}/{{ to.name }}"),
    ] {
        let sheet = sheet("command.run", &json!({"argv": ["show", word]}));
        let shown = drctl::model::shell::word(filled);
        assert!(sheet.contains(&shown) && !sheet.contains("4711"), "{shown}\n{sheet}");
    }
    let key = sheet("command.run", &json!({"argv": ["show", "{{ secrets.key }}"]}));
    assert!(key.contains("# {{ secrets.key }} is printed by: vault read 'a b'\n"), "{key}");
}

#[test]
fn a_command_says_whose_account_it_is_for() {
    let with = json!({"region": "{{ to.region }}", "instance": "pay", "backup_retention_days": 7});
    let sheet_of = |uses: &str, with: &Value| sheet(uses, with);
    let promoted = sheet_of("aws.rds.promote_read_replica", &with);
    assert!(promoted.contains("# with credentials of the account 444455556666 (west)\n"), "{promoted}");
    let zone = json!({"zone_id": "Z1", "name": "x.example.com", "record_type": "A", "site": "east"});
    let drained = sheet_of("aws.route53.drain_site", &zone);
    let both = "with credentials of the account it is in: 111122223333 (east) or 444455556666 (west)";
    assert!(drained.contains(both), "{drained}");
    let here = sheet_of("command.run", &json!({"argv": ["show"]}));
    assert!(!here.contains("account"), "{here}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_words_are_pasted_as_they_are(
        words in prop::collection::vec("[ -~\n\t\u{1}-\u{1f}\u{7f}-\u{9f}\u{e9}\u{20ac}\u{1f600}]{0,8}", 0..4),
    ) {
        let is_template = |word: &&str| ["{{", "{%", "{#"].iter().any(|tag| word.contains(tag));
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !is_template(word)).collect();
        let at = folder();
        let argv: Vec<&str> = std::iter::once("show").chain(words.iter().copied()).collect();
        prop_assert_eq!(seen(at.path(), &pasted(&json!({"argv": argv}))), expected(at.path(), "", "unset", "", &words));
    }
}
