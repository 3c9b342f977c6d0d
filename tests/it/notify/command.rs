//! The built binary: notifications beside a run, and trying targets out.

use crate::support::binary::Drctl;
use crate::support::desk::Desk;

const PAY: &str = r#"apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay, labels: {tier: "1"}}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: move, phase: shift, uses: command.run, with: {argv: ["/bin/sh", "-c", "echo $TRACEPARENT >trace"], idempotent: true},
         drill: skip}
"#;

fn configured(entry: &str) -> Drctl {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", PAY)]);
    drctl.write("drctl.toml", entry);
    drctl
}

fn hook(name: &str, desk: &Desk, more: &str) -> String {
    format!(
        "[[notify]]\nname = '{name}'\nkind = 'webhook'\nurl = '{}'\n{more}\n",
        desk.url(&format!("/{name}"))
    )
}

fn heard(desk: &Desk, name: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    for heard in desk.heard().iter().filter(|heard| heard.head.contains(&format!("/{name} "))) {
        kinds.push(heard.json()["notice"]["kind"].as_str().unwrap().to_owned());
    }
    kinds
}

#[test]
fn a_failover_notifies_from_its_first_fact_to_its_last() {
    let desk = Desk::open();
    let entries = [
        hook("all", &desk, ""),
        hook("tier1", &desk, "labels = {tier = '1'}\nevents = ['ended']"),
        hook("tier2", &desk, "labels = {tier = '2'}"),
    ];
    let drctl = configured(&entries.concat());
    let done = drctl.run("failover pay --reason lost --yes");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!(heard(&desk, "all"), ["started", "ended"]);
    assert_eq!(heard(&desk, "tier1"), ["ended"]);
    assert!(heard(&desk, "tier2").is_empty());
    let trace = std::fs::read_to_string(drctl.path("trace")).unwrap();
    assert!(trace.starts_with("00-") && trace.trim_end().ends_with("-01"), "{trace}");
    // A simulation of the same is nobody's business.
    assert_eq!(drctl.run("failover pay --simulate --yes").code, 0);
    assert_eq!(heard(&desk, "all").len(), 2);
}

#[test]
fn a_dead_target_holds_a_command_up_for_seconds_and_no_run_fails_by_it() {
    let dead = Desk::answering("500 Oops");
    let drctl = configured(&hook("dead", &dead, ""));
    let done = drctl.run("failover pay --reason lost --yes");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(!dead.heard().is_empty());
    // What was left is sent by the next command that drives a run on this journal.
    dead.usually("200 OK");
    let before = dead.heard().len();
    assert_eq!(
        drctl.run("failover pay --from east --to west --reason again --yes").code,
        7,
        "it is west now"
    );
    assert_eq!(drctl.run("schedule run").code, 0);
    let kinds: Vec<_> = heard(&dead, "dead").split_off(before);
    assert_eq!(kinds, ["started", "ended"]);
}

#[test]
fn a_staged_run_tells_what_to_type() {
    let desk = Desk::open();
    let drctl = configured(&hook("all", &desk, ""));
    assert_eq!(drctl.run("failover pay --stage --reason maybe").code, 6);
    let notice = desk.heard().remove(0).json()["notice"].clone();
    assert_eq!(notice["kind"], "staged");
    let command = notice["commands"][0].as_str().unwrap();
    assert_eq!(drctl.run(command.strip_prefix("drctl ").unwrap()).code, 0);
    assert_eq!(heard(&desk, "all"), ["staged", "started", "ended"]);
}

#[test]
fn targets_are_tried_out_by_name() {
    let (desk, dead) = (Desk::open(), Desk::answering("404 no_service"));
    let entries = hook("chat", &desk, "events = ['ended']") + &hook("gone", &dead, "");
    let drctl = configured(&entries);
    let one = drctl.run("notify test chat");
    assert_eq!((one.code, one.stdout.as_str()), (0, "chat (webhook): ok: 200 OK: ok\n"), "{}", one.stderr);
    assert_eq!(heard(&desk, "chat"), ["test"]);
    let all = drctl.run("notify test");
    assert_eq!(all.code, 10);
    assert!(all.stdout.contains("gone (webhook): FAILED: 404"), "{}", all.stdout);
    let unknown = drctl.run("notify test chart");
    assert!(unknown.code == 2 && unknown.stderr.contains("chat, gone"), "{}", unknown.stderr);
    let none = Drctl::new().run("notify test");
    assert!(none.code == 2 && none.stderr.contains("[[notify]]"), "{}", none.stderr);
}

#[test]
fn what_is_wrong_with_an_entry_is_said_where_it_stands() {
    let desk = Desk::open();
    for (more, what) in [
        ("events = ['end']", "unknown variant `end`"),
        ("chanel = 'x'", "unknown field `chanel`"),
        ("routing_key = 'env:K'", "`routing_key` means nothing to kind `webhook`"),
        ("secret = 'hunter2'", "`env:NAME` or `file:PATH`"),
    ] {
        let refused = configured(&hook("all", &desk, more)).run("notify test");
        assert!(refused.code == 2 && refused.stderr.contains(what), "{more}: {}", refused.stderr);
        assert!(!refused.stderr.contains("hunter2"));
    }
    // A template is looked at before it is needed, and keeps no run from its work.
    let drctl = configured(&hook("all", &desk, "templates.ended.text = '{{ winner }}'"));
    let refused = drctl.run("notify test");
    assert!(refused.code == 2 && refused.stderr.contains("the text of `ended`"), "{}", refused.stderr);
    let done = drctl.run("failover pay --reason lost --yes");
    assert!(done.code == 0 && done.stderr.contains("nobody is notified"), "{}", done.stderr);
}
