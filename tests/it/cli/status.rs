//! `drctl status` and `drctl coverage` from a terminal.

use super::json;
use crate::support::binary::Drctl;

/// A service whose isolated drill does two of its four steps.
const SHOP: &str = r#"
apiVersion: drctl/v1
kind: Runbook
metadata: {name: shop}
objectives: {rto: 1h}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: command.run, with: {argv: [touch, "fenced"], idempotent: true}, drill: skip}
      - {id: grow, phase: scale, uses: command.run, with: {argv: [touch, grown], idempotent: true},
         undo: {uses: command.run, with: {argv: [rm, grown], idempotent: true}}, drill: {boundary: trusted}}
      - {id: shift, phase: shift, uses: command.run, with: {argv: [touch, "shifted"], idempotent: true}, drill: skip}
      - {id: works, phase: validate, uses: wait.for, with: {duration: 1ms}}
drill: {level: isolated, boundary: {names: ["*"]}, schedule: {cron: "0 3 * * SUN", timezone: UTC}}
"#;

#[test]
fn looking_makes_no_journal_and_a_drill_makes_ready() {
    let drctl = Drctl::with(&[("runbooks/shop.yaml", SHOP)]);
    let before = drctl.run("status");
    assert_eq!(before.code, 0, "{}", before.stderr);
    assert!(before.stdout.contains("never_exercised") && before.stdout.contains("needs drill"));
    assert!(before.stdout.contains("drctl drill shop --level isolated"), "{}", before.stdout);
    assert_eq!(drctl.run("runs list").code, 10, "looking makes no journal");
    assert_eq!(json(&drctl, "coverage shop -o json")["percent"], 0);

    let done = drctl.run("drill shop --level isolated --reason quarterly");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let shown = &json(&drctl, "status -o json")[0];
    assert_eq!((&shown["readiness"], &shown["active"]), (&"ready".into(), &"east".into()));
    assert_eq!(
        (&shown["measured"]["level"], &shown["measured"]["stale"]),
        (&"isolated".into(), &false.into())
    );
    assert!(shown["measured"]["recovery_time_ms"].is_u64() && shown["next_drill"].is_string(), "{shown:#}");
    assert_eq!(shown["measured"]["data_loss_ms"], serde_json::Value::Null, "nobody has read it");
    let covered = json(&drctl, "coverage shop -o json");
    assert_eq!((&covered["exercised"], &covered["steps_total"]), (&2.into(), &4.into()));

    drctl.write("runbooks/shop.yaml", &SHOP.replace("touch, grown", "touch, bigger"));
    let stale = drctl.run_narrow(160, "status shop");
    assert!(stale.stdout.contains("(isolated, stale)") && stale.stdout.contains("runbook_changed"));
    assert_eq!(json(&drctl, "coverage shop -o json")["steps"][1]["state"], "changed");
}

#[test]
fn what_does_not_compile_needs_somebody() {
    let drctl = Drctl::with(&[("runbooks/shop.yaml", SHOP), ("runbooks/broken.yaml", "kind: Runbook\n")]);
    drctl.write("runbooks/odd.yaml", "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {name: odd}\nno: 1\n");
    let all = drctl.run("status");
    assert_eq!(all.code, 6, "{}", all.stdout);
    assert!(all.stderr.contains("broken.yaml does not compile"), "{}", all.stderr);
    let odd = drctl.run("status odd");
    assert!(odd.code == 6 && odd.stdout.contains("drctl validate runbooks/odd.yaml"), "{}", odd.stdout);
    assert_eq!(drctl.run("status nobody").code, 2);
}
