//! Fleets from the command line: the shipped one, what is refused before anything begins, what lists show.

use super::json;
use crate::support::binary::Drctl;

/// A folder with the shipped runbooks.
fn shipped() -> Drctl {
    let drctl = Drctl::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("runbooks/{}", path.file_name().unwrap().to_str().unwrap());
        drctl.write(&name, &std::fs::read_to_string(path).unwrap());
    }
    drctl
}

#[test]
fn the_shipped_fleet_evacuates_in_the_simulation() {
    let drctl = shipped();
    let valid = drctl.run("validate runbooks --deny-warnings");
    assert_eq!(valid.code, 0, "{}{}", valid.stdout, valid.stderr);
    let done = drctl.run("failover evacuate --simulate --speed max");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(
        done.stdout.contains("evacuate failover evacuate-") && done.stdout.contains(" services"),
        "{}",
        done.stdout
    );
    let runs = json(&drctl, "runs list --simulated -o json");
    let [fleet] = runs.as_array().unwrap().as_slice() else { panic!("{runs}") };
    assert_eq!((&fleet["service"], &fleet["verdict"]), (&"evacuate".into(), &"met".into()));
    let all = json(&drctl, "runs list --simulated --children --limit 0 -o json");
    let members: Vec<_> = all.as_array().unwrap().iter().filter(|run| run["parent"] == fleet["id"]).collect();
    assert!(members.len() >= 8 && members.len() + 1 == all.as_array().unwrap().len(), "{all}");
    let ledger = members.iter().find(|run| run["service"] == "ledger").unwrap();
    for run in members.iter().filter(|run| run["service"] == "payments") {
        assert!(run["created_at"].as_str() >= ledger["ended_at"].as_str(), "{run}");
    }
    let one = json(&drctl, "runs list --simulated --service ledger -o json");
    assert_eq!(one[0]["parent"], fleet["id"], "who asks for a service sees all of its runs");
    let shown = json(&drctl, &format!("runs show {} -o json", ledger["id"].as_str().unwrap()));
    assert_eq!((&shown["parent"]["run"], &shown["parent"]["node"]), (&fleet["id"], &"ledger".into()));
}

#[test]
fn a_plan_of_a_fleet_names_the_plan_of_each_member() {
    let drctl = shipped();
    let plan = json(&drctl, "plan evacuate --simulate -o json");
    for node in plan["nodes"].as_array().unwrap() {
        let child = &node["kind"]["effect"]["call"]["child"];
        assert_eq!(child["service"], node["address"]);
        assert_eq!(child["plan"].as_str().map(str::len), Some(64), "{node}");
    }
    let roster = drctl.run("plan evacuate --expand");
    assert!(roster.code == 0 && roster.stdout.contains("service: bookings"), "{}", roster.stdout);
    let again = json(&drctl, "plan evacuate --simulate -o json");
    assert_eq!(plan, again);
}

#[test]
fn what_cannot_be_planned_or_understood_begins_nothing() {
    let drctl = shipped();
    let fleet = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: some}\nmembers:\n";
    drctl.write(
        "runbooks/fleet-some.yaml",
        &format!("{fleet}  - {{runbook: catalog}}\n  - {{runbook: ledger, with: {{size: 3}}}}\n"),
    );
    let refused = drctl.run("failover some --simulate");
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    for what in ["DR0216", "`ledger` has no parameter `size`", "fleet-some.yaml:6"] {
        assert!(refused.stderr.contains(what), "{what}\n{}", refused.stderr);
    }
    let confirmed = drctl.run("failover evacuate --simulate --confirm payments:west");
    assert_eq!(confirmed.code, 2);
    assert!(confirmed.stderr.contains("--confirm evacuate:all"), "{}", confirmed.stderr);
    let set = drctl.run("failover evacuate --simulate --set tasks=3");
    assert!(set.code == 2 && set.stderr.contains("under its `with`"), "{}", set.stderr);
    assert_eq!(json(&drctl, "runs list --simulated -o json").as_array().map(Vec::len), Some(0));
}

#[test]
fn a_selection_beside_a_broken_runbook_is_refused_and_names_it() {
    let sound = include_str!("../../fixtures/declared/warm-standby.yaml");
    let broken =
        include_str!("../../fixtures/declared/pilot-light.yaml").replace("pilot_light", "pilot_lite");
    let fleet = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: all}\n\
                 members: [{select: {labels: {tier: \"1\"}}}]\n";
    let drctl = Drctl::with(&[("all.yaml", fleet), ("pay.yaml", sound), ("orders.yaml", &broken)]);
    for line in ["validate all.yaml", "failover all.yaml --simulate"] {
        let output = drctl.run(line);
        assert_eq!(output.code, 3, "{line}: {}{}", output.stdout, output.stderr);
        assert!((output.stdout + &output.stderr).contains("orders.yaml"), "{line}");
    }
}

#[test]
fn a_selection_beside_what_cannot_be_read_is_refused_and_names_it() {
    let sound = service("pay", "30m", "");
    let fleet = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: evac}\n\
                 members: [{select: {labels: {tier: \"1\"}}}]\n";
    let evac =
        ["plan evac", "validate runbooks/evac.yaml", "check evac --simulate", "failover evac --simulate"];
    let drctl = Drctl::with(&[("runbooks/evac.yaml", fleet), ("runbooks/pay.yaml", &sound)]);
    let refused = |why: &[&str]| {
        for line in evac {
            let output = drctl.run(line);
            assert_eq!(output.code, 3, "{line}: {}{}", output.stdout, output.stderr);
            let told = output.stdout + &output.stderr;
            assert!(why.iter().all(|why| told.contains(why)), "{line}: {told}");
        }
        let status = drctl.run("status");
        assert!(status.code == 6 && status.stdout.contains("pay"), "{}{}", status.stdout, status.stderr);
        assert!(why.iter().all(|why| status.stderr.contains(why)), "{}", status.stderr);
        let unknown = drctl.run("plan zebra");
        assert!(why.iter().all(|why| unknown.stderr.contains(why)), "{}", unknown.stderr);
    };
    std::fs::write(drctl.path("runbooks/orders.yaml"), b"# caf\xe9\nmetadata: {name: orders}\n").unwrap();
    refused(&["runbooks/orders.yaml cannot be read", "UTF-8"]);
    std::fs::write(drctl.path("runbooks/orders.yaml"), " ".repeat(1024 * 1024 + 1)).unwrap();
    refused(&["runbooks/orders.yaml cannot be read", "1 MiB"]);
    std::fs::remove_file(drctl.path("runbooks/orders.yaml")).unwrap();
    assert_eq!(drctl.run("failover evac --simulate").code, 0);

    drctl.write("drctl.toml", "[runbooks]\npaths = [\"runbooks\", \"more\"]\n");
    refused(&["more cannot be read: No such file"]);
    let by_name = drctl.run("plan pay");
    assert_eq!(by_name.code, 0, "{}", by_name.stderr);
    assert!(by_name.stderr.contains("more cannot be read"), "{}", by_name.stderr);
    assert!(!drctl.run("plan runbooks/pay.yaml").stderr.contains("more"));
    let schedules = drctl.run("schedule list");
    assert!(schedules.stderr.contains("more: no drill of it runs"), "{}", schedules.stderr);

    drctl.write("drctl.toml", "[runbooks]\npaths = [\"more\"]\n");
    let status = drctl.run("status");
    assert!(status.code == 6 && !status.stderr.contains("no runbook is in"), "{}", status.stderr);
}

#[test]
fn a_member_without_a_sound_runbook_is_told_with_what_there_is() {
    let sound = include_str!("../../fixtures/declared/warm-standby.yaml");
    let broken = sound.replace("warm_standby", "warm_standbi").replace("name: payments", "name: orders");
    let fleet = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: all}\n\
                 members: [{runbook: paymets}, {runbook: orders}, {runbook: zebra}]\n";
    let drctl = Drctl::with(&[("all.yaml", fleet), ("pay.yaml", sound), ("or ders.yaml", &broken)]);
    let output = drctl.run("validate all.yaml");
    assert_eq!(output.code, 3, "{}{}", output.stdout, output.stderr);
    for part in [
        "there is no runbook with `metadata.name: paymets`",
        "did you mean `payments`? there are: ",
        "the runbook of `orders` does not compile: ./or ders.yaml",
        "`drctl validate './or ders.yaml'` says what is wrong with it",
    ] {
        assert!(output.stdout.contains(part), "{part}\n{}", output.stdout);
    }
}

/// A service of two programs, and a fleet member at once; `more` goes into its steps.
fn service(name: &str, rto: &str, more: &str) -> String {
    let run = "uses: command.run, with: {argv: [\"true\"], idempotent: true}, drill: skip, estimate: 1m";
    format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: {name}, labels: {{tier: \"1\"}}}}\n\
         objectives: {{rto: {rto}}}\n\
         sites: {{east: {{role: active}}, west: {{role: standby}}}}\nworkflows:\n  failover:\n    steps:\n\
         \x20     - {{id: move, phase: shift, {run}, undo: {{uses: command.run, with: {{argv: [\"true\"]}}}}}}\n{more}\
         \x20     - {{id: check, phase: validate, {run}}}\n"
    )
}

const ALL: &str = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: all}\n\
                   members: [{runbook: one}, {runbook: two, needs: [one]}]\n";
const ASK: &str = "      - {id: ask, uses: approval.request}\n";

/// A fleet of two, `two` with what is given.
fn two(rto: &str, more: &str) -> Drctl {
    let (one, two) = (service("one", "30m", ""), service("two", rto, more));
    Drctl::with(&[("all.yaml", ALL), ("runbooks/one.yaml", &one), ("runbooks/two.yaml", &two)])
}

/// The id of the one fleet's run there is.
fn only_fleet(drctl: &Drctl) -> String {
    json(drctl, "runs list --simulated -o json")[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_member_that_misses_its_own_objective_is_named_and_the_fleet_exits_9() {
    let drctl = two("1s", "");
    let done = drctl.run("failover all.yaml --simulate");
    assert_eq!(done.code, 9, "{}{}", done.stdout, done.stderr);
    for what in ["1 met, 1 missed", "missed         two (two-", "objective 1s"] {
        assert!(done.stdout.contains(what), "{what}\n{}", done.stdout);
    }
    let run = only_fleet(&drctl);
    let shown = json(&drctl, &format!("runs show {run} -o json"));
    assert_eq!(shown["objective_verdict"], "missed");
    let members = &shown["member_objectives"];
    assert_eq!(members["verdicts"], serde_json::json!({"met": 1, "missed": 1}));
    let [missed] = members["missed"].as_array().unwrap().as_slice() else { panic!("{members}") };
    assert_eq!((&missed["step"], &missed["rto_ms"]), (&"two".into(), &1000.into()));
    assert!(missed["recovery_time_ms"].as_u64() > Some(1000), "{missed}");
    let [one, two_] = members["runs"].as_array().unwrap().as_slice() else { panic!("{members}") };
    assert_eq!(
        (&one["step"], &one["verdict"], &one["rto_ms"]),
        (&"one".into(), &"met".into(), &1_800_000.into())
    );
    assert_eq!(
        (&two_["step"], &two_["verdict"], &two_["rto_ms"]),
        (&"two".into(), &"missed".into(), &1000.into())
    );
    for member in [one, two_] {
        // What the member's own run says.
        let run = json(&drctl, &format!("runs show {} -o json", member["run"].as_str().unwrap()));
        assert_eq!(member["recovery_time_ms"], run["rto"]["recovery_time_ms"], "{member}");
        assert_eq!(member["verdict"], run["objective_verdict"], "{member}");
        assert!(member["recovery_time_ms"].as_u64() > Some(0), "{member}");
    }
    for format in ["md", "html", "json"] {
        let report = drctl.run(&format!("runs report {run} --format {format}")).stdout;
        for id in [&one["run"], &two_["run"]] {
            assert!(report.contains(id.as_str().unwrap()), "{format}: {report}");
        }
        assert!(format == "json" || report.contains("; objective 30m"), "{format}: {report}");
    }
    assert!(
        drctl.run(&format!("runs report {run}")).stdout.contains("| `two` | `two-"),
        "the report names it"
    );
    assert_eq!(two("30m", "").run("failover all.yaml --simulate").code, 0);
}

#[test]
fn a_member_that_failed_is_in_the_report_without_a_recovery_time() {
    let fails = "      - {id: broken, uses: command.run, with: {argv: [\"false\"]}, on_failure: abort}\n";
    let drctl = two("30m", fails);
    let fleet = drctl.run(
        "failover all.yaml --reason outage --confirm all:all --accept-loss unmeasured --accept-unfenced",
    );
    assert_eq!(fleet.code, 6, "{}{}", fleet.stdout, fleet.stderr);
    let run = json(&drctl, "runs list -o json")
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["id"].as_str().unwrap())
        .find(|id| id.starts_with("all-"))
        .unwrap()
        .to_owned();
    let shown = json(&drctl, &format!("runs show {run} -o json"));
    let two = &shown["member_objectives"]["runs"][1];
    assert_eq!((&two["step"], &two["status"]), (&"two".into(), &"failed".into()), "{shown:#}");
    assert!(two["verdict"].is_null() && two["recovery_time_ms"].is_null(), "{two}");
    let report = drctl.run(&format!("runs report {run}")).stdout;
    assert!(report.contains("| failed | no recovery time |  | not validated |"), "{report}");
}

#[test]
fn what_is_wrong_with_members_is_found_by_validate_with_its_place() {
    let drctl = two("30m", "");
    let wrong = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: wrong}\nmembers:\n\
                 \x20 - {runbook: one, to: wset}\n  - {runbook: two, with: {size: 3}, from: west, to: west}\n";
    drctl.write("wrong.yaml", wrong);
    let refused = drctl.run("validate wrong.yaml");
    assert_eq!(refused.code, 3, "{}", refused.stdout);
    for what in ["DR0215", "wrong.yaml:5:24", "did you mean `west`?", "DR0216", "wrong.yaml:6:27"] {
        assert!(refused.stdout.contains(what), "{what}\n{}", refused.stdout);
    }
    assert_eq!(drctl.run("validate all.yaml").code, 0);
    drctl.write("old/two.yaml", &service("two", "30m", ""));
    drctl.write("old/all.yaml", ALL);
    let double = drctl.run("validate old/all.yaml");
    assert_eq!(double.code, 3, "{}", double.stdout);
    for what in ["DR0218", "old/all.yaml:4", "runbooks/two.yaml", "old/two.yaml"] {
        assert!(double.stdout.contains(what), "{what}\n{}", double.stdout);
    }
}

#[test]
fn sites_are_taken_for_lost_in_every_member_that_has_them() {
    let east = "      - {id: ask-east, uses: http.check, with: {url: \"{{ sites.east.url }}/\"}}\n";
    let text = service("two", "30m", east)
        .replace("east: {role: active}", "east: {role: active, url: \"https://east.example.com\"}")
        .replace("west: {role: standby}", "west: {role: standby, url: \"https://west.example.com\"}");
    let drctl = two("30m", "");
    drctl.write("runbooks/two.yaml", &text.replace("sites.east", "sites.west"));
    let lost = drctl.run("validate all.yaml --assume-down west --assume-down east -o json");
    let found: serde_json::Value = serde_json::from_str(&lost.stdout).unwrap();
    assert_eq!(lost.code, 3, "{found}");
    assert_eq!(found["files"], 3, "the fleet and both of its members");
    let codes: Vec<_> = found["diagnostics"].as_array().unwrap().iter().map(|found| &found["file"]).collect();
    assert_eq!(codes, ["runbooks/two.yaml"], "{found}");
    assert_eq!(drctl.run("validate all.yaml --assume-down east").code, 0);
    let unknown = drctl.run("validate all.yaml --assume-down wets");
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("there are: east, west"), "{}", unknown.stderr);
}

#[test]
fn a_plan_of_a_fleet_that_cannot_run_yet_is_that_of_a_simulation_and_says_so() {
    let dns = "      - {id: dns, phase: shift, uses: notify.send, with: {channel: ops, message: moved}}\n";
    let drctl = two("30m", dns);
    let plan = drctl.run("plan all.yaml");
    assert_eq!(plan.code, 0, "{}{}", plan.stdout, plan.stderr);
    assert!(
        plan.stderr.contains("planned as a simulation") && plan.stderr.contains("`two`"),
        "{}",
        plan.stderr
    );
    assert_eq!(drctl.run("failover all.yaml --reason fire").code, 3);
}

#[test]
fn a_request_that_is_refused_drives_nothing() {
    let drctl = two("30m", ASK);
    let begun = drctl.run("failover all.yaml --reason fire");
    assert_eq!(begun.code, 6, "{}{}", begun.stdout, begun.stderr);
    let before = json(&drctl, "runs show latest -o json");
    let run = before["id"].as_str().unwrap();
    for line in [format!("retry {run} one"), format!("skip {run} nope --reason x"), format!("approve {run}")]
    {
        let refused = drctl.run(&line);
        assert_eq!(refused.code, 7, "{line}: {}{}", refused.stdout, refused.stderr);
        assert!(!refused.stderr.contains("this process does"), "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains("drctl resume"), "{line}: {}", refused.stderr);
    }
    assert_eq!(json(&drctl, "runs show latest -o json")["fencing_token"], before["fencing_token"]);
    let listed = json(&drctl, "service list -o json");
    let services: Vec<_> = listed.as_array().unwrap().iter().map(|line| &line["service"]).collect();
    assert_eq!(services, ["one", "two"], "a fleet is no service");
    let real = drctl.run(&format!("resume {run} --speed 60x"));
    assert!(real.code == 2 && real.stderr.contains("simulated"), "{}", real.stderr);
    // Taken back, it says what it leaves behind and how that is taken back.
    let ways = drctl.run(&format!("abort {run} --dry-run")).stdout;
    assert!(ways.contains(&format!("drctl unwind {run}")), "{ways}");
    for line in [
        "  1 succeeded, and stay where they are either way: one\n",
        "    each is taken back by itself, such as drctl failback one --reason",
        "  1 under way: two (awaiting_approval)\n",
    ] {
        assert!(ways.contains(line), "{line}\n{ways}");
    }
    let members = json(&drctl, &format!("abort {run} --dry-run -o json"))["members"].take();
    assert_eq!(
        (&members["succeeded"][0]["step"], &members["under_way"][0]["step"]),
        (&"one".into(), &"two".into())
    );
    let unwound = drctl.run(&format!("unwind {run} --reason no"));
    assert_eq!(unwound.code, 5, "{}{}", unwound.stdout, unwound.stderr);
    let left = json(&drctl, &format!("runs show {run} -o json"));
    assert_eq!(left["cause"], "without a way back, left as it is: one", "two was taken back");
    assert_eq!(left["left"][0]["command"], "drctl failback one --reason \"…\"");
    assert!(unwound.stdout.contains("drctl failback one"), "{}", unwound.stdout);
}

#[test]
fn a_simulated_fleet_goes_on_at_another_speed() {
    let drctl = two("30m", ASK);
    drctl.write(
        "never.yaml",
        "apiVersion: drctl/v1\nkind: Scenario\nmetadata: {name: never}\napprovals: {never: true}\n",
    );
    let begun = drctl.run("failover all.yaml --simulate --scenario never.yaml");
    assert_eq!(begun.code, 6, "{}{}", begun.stdout, begun.stderr);
    let run = only_fleet(&drctl);
    let resumed = drctl.run(&format!("resume {run} --speed 1000x"));
    assert_eq!(resumed.code, 6, "{}{}", resumed.stdout, resumed.stderr);
    assert_eq!(drctl.run(&format!("resume {run} --speed quick")).code, 2);
}

#[test]
fn a_check_of_a_fleet_sums_up_those_of_its_members() {
    let drctl = two("30m", "");
    let text = service("two", "30m", "").replace(
        "id: check,",
        "id: check, precheck: [{uses: http.check, with: {url: \"http://127.0.0.1:1/\"}}],",
    );
    drctl.write("runbooks/two.yaml", &text);
    let ready = drctl.run("check all.yaml --simulate");
    assert_eq!(ready.code, 0, "{}{}", ready.stdout, ready.stderr);
    let check = drctl.run("check all.yaml");
    assert_eq!(check.code, 7, "{}{}", check.stdout, check.stderr);
    assert!(check.stdout.contains("NOT READY  two  check/precheck-1"), "{}", check.stdout);
    assert!(check.stdout.contains("1 of 2 services"), "{}", check.stdout);
    let document = json(&drctl, "check all.yaml -o json");
    assert_eq!((&document["ready"], &document["members"][1]["ready"]), (&false.into(), &true.into()));
}

/// What many members cannot do for real is said once, with how many they are.
#[test]
fn what_can_only_be_simulated_is_said_once_for_all_members() {
    let drctl = Drctl::new();
    let record = "      - {id: dns, phase: shift, uses: dns.update, drill: skip, undo: auto, with: {server: \"192.0.2.53:53\", \
                  zone: example.com, name: shop.example.com, record_type: A, values: [192.0.2.7], ttl: 60s}}\n";
    let look = "precheck: [{uses: gcp.sql.check_replication, with: {project: p, region: europe-west1, instance: pay}}]";
    let names: Vec<String> = (1..=12).map(|number| format!("s{number:02}")).collect();
    for name in &names {
        drctl.write(
            &format!("runbooks/{name}.yaml"),
            &service(name, "30m", record).replace("id: check,", &format!("id: check, {look},")),
        );
    }
    let members: Vec<String> = names.iter().map(|name| format!("  - {{runbook: {name}}}\n")).collect();
    let fleet =
        format!("apiVersion: drctl/v1\nkind: Fleet\nmetadata: {{name: all}}\nmembers:\n{}", members.concat());
    drctl.write("all.yaml", &fleet);
    let plan = drctl.run("plan all.yaml");
    assert_eq!(plan.code, 0, "{}{}", plan.stdout, plan.stderr);
    let said = "`s01`, `s02`, `s03` and 9 more (12 in all): this build can only simulate dns.update";
    assert!(plan.stderr.contains(said), "{}", plan.stderr);
    assert_eq!(plan.stderr.matches("can only simulate").count(), 2, "{}", plan.stderr);
    let check = drctl.run("check all.yaml");
    assert_eq!(check.code, 7, "{}{}", check.stdout, check.stderr);
    let folded: String = check.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        folded.matches("can only simulate gcp.sql.check_replication (1 check)").count(),
        1,
        "{}",
        check.stdout
    );
    assert!(folded.contains("s01, s02") && folded.contains("and 4 more"), "{}", check.stdout);
    assert!(folded.contains("0 of 12 services"), "{}", check.stdout);
    let document = json(&drctl, "check all.yaml -o json");
    assert_eq!(document["members"].as_array().map(Vec::len), Some(12));
}

#[test]
fn two_fleets_are_compared_by_their_members() {
    let drctl = two("30m", "");
    let less = ALL.replace(", {runbook: two, needs: [one]}", "");
    drctl.write("less.yaml", &less);
    let same = drctl.run("diff all.yaml all.yaml --fail-on any");
    assert_eq!(same.code, 0, "{}{}", same.stdout, same.stderr);
    let worse = drctl.run("diff all.yaml less.yaml --fail-on worse");
    assert_eq!(worse.code, 7, "{}{}", worse.stdout, worse.stderr);
    assert!(worse.stdout.contains("! two: is not moved any more"), "{}", worse.stdout);
    let document = json(&drctl, "diff less.yaml all.yaml -o json");
    assert_eq!((&document["worse"], &document["changes"][0]["sign"]), (&0.into(), &"added".into()));
    // What can be said of a plan only is not passed over, and a fleet is no service.
    for (command, says) in [
        ("diff all.yaml less.yaml --mode graceful", "compared by their members"),
        ("diff all.yaml runbooks/two.yaml", "one of the two is a fleet"),
    ] {
        let refused = drctl.run(command);
        assert!(refused.code == 2 && refused.stderr.contains(says), "{}{}", refused.stdout, refused.stderr);
    }
}

#[test]
fn the_policy_is_asked_about_every_member() {
    let drctl = two("30m", "");
    drctl.write("drctl.toml", "[policy]\nfile = \"policy.yaml\"\n");
    let policy = "apiVersion: drctl/v1\nkind: Policy\nmetadata: {name: company}\n\
                  deny:\n  - {id: not-two, when: \"'NAME' == plan.service\", message: not this one}\n";
    drctl.write("policy.yaml", &policy.replace("NAME", "two"));
    let refused = drctl.run("failover all.yaml --reason fire");
    assert_eq!(refused.code, 7, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("not this one"), "{}", refused.stderr);
    assert_eq!(json(&drctl, "runs list --children -o json"), serde_json::json!([]), "nothing was begun");
    let glass = drctl.run("failover all.yaml --reason fire --break-glass");
    assert_eq!(glass.code, 0, "{}{}", glass.stdout, glass.stderr);
    let notes = json(&drctl, "runs show latest -o json")["notes"].clone();
    assert!(notes["policy_override_1_two"].as_str().unwrap().contains("not-two"), "{notes}");
    drctl.write("policy.yaml", &policy.replace("NAME", "three"));
    assert_eq!(two("30m", "").run("failover all.yaml --reason fire").code, 0);
}

#[test]
fn the_evidence_of_a_fleet_holds_every_run_and_misses_none() {
    let drctl = two("30m", "");
    assert_eq!(drctl.run("failover all.yaml --simulate").code, 0);
    let run = only_fleet(&drctl);
    assert_eq!(drctl.run("evidence key --out key.pem").code, 0);
    let bundled = json(&drctl, &format!("evidence bundle {run} --members --key key.pem --out all -o json"));
    let runs: Vec<_> = bundled["runs"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(runs.len(), 3, "{bundled:#}");
    let sound = drctl.run("evidence verify all --trust key.pem.pub");
    assert_eq!(sound.code, 0, "{}{}", sound.stdout, sound.stderr);
    assert!(sound.stdout.contains("TRUSTED: 3 bundles"), "{}", sound.stdout);
    assert_eq!(drctl.run(&format!("evidence bundle {run} --members --key key.pem --out all")).code, 2);

    // One from another moment is not one of them.
    let member = drctl.path(&format!("all/evidence-{}.tar", runs[2]));
    let kept = std::fs::read(&member).unwrap();
    assert_eq!(drctl.run("failover all.yaml --simulate --seed 2").code, 0);
    std::fs::remove_file(&member).unwrap();
    let missing = drctl.run("evidence verify all --trust key.pem.pub");
    assert!(missing.code == 12 && missing.stdout.contains("has no bundle here"), "{}", missing.stdout);
    let alone = format!("evidence bundle {} --key key.pem --out all/late.tar", runs[2]);
    assert_eq!(drctl.run(&alone).code, 0);
    let late = drctl.run("evidence verify all --trust key.pem.pub");
    assert!(late.code == 12 && late.stdout.contains("were not made together"), "{}", late.stdout);
    std::fs::remove_file(drctl.path("all/late.tar")).unwrap();
    let mut flipped = kept;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(&member, flipped).unwrap();
    let damaged = drctl.run("evidence verify all --trust key.pem.pub -o json");
    assert_eq!(damaged.code, 12, "{}", damaged.stderr);
}
