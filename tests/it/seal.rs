//! Sealed bundles: what is whole verifies, and no change goes unseen, whoever made it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::LazyLock;

use drctl::evidence::RENDERING;
use drctl::journal::record::{digest, hex};
use drctl::model::time::Timestamp;
use drctl::seal::{self, Files, Pair, Signature, Verified};

use crate::support::binary::{Drctl, blesses};

const REAL: &str = include_str!("../fixtures/cli/real.yaml");
const BOUNDED: &str = include_str!("../fixtures/seal/bounded.yaml");

/// A failover that waits at a gate behind its validation, and all of which can be taken back.
const TAKEN_BACK: &str = "
apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
objectives: {rto: 5m}
sites: {east: {role: active, provider: on_premises}, west: {role: standby, provider: on_premises}}
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: command.run, with: {argv: [./step, fence]}, \
         undo: {uses: command.run, with: {argv: [./step, unfence]}}, drill: skip}
      - {id: promote, phase: promote, uses: command.run, with: {argv: [./step, promote]}, \
         undo: {uses: command.run, with: {argv: [./step, demote]}}, drill: skip}
      - {id: check, phase: validate, uses: command.run, \
         with: {argv: [./step, check], idempotent: true}, drill: run}
      - {id: wipe, phase: cleanup, uses: command.run, with: {argv: [./step, wipe]}, \
         reversibility: {class: irreversible, reason: it wipes}, drill: skip}
";

/// A bundle of a real run with a finding and a large output, and the key that signed it.
struct Bundle {
    bytes: Vec<u8>,
    pair: Pair,
}

fn bundle() -> &'static Bundle {
    static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
        let drctl = Drctl::with(&[("runbooks/pay.yaml", REAL)]);
        drctl.write_program("effect", "#!/bin/sh\nhead -c 80000 /dev/zero | tr '\\0' x\n");
        let pair = Pair::of_seed([7; 32]).unwrap();
        drctl.write("key.pem", &pair.private_pem());
        // Another run lies before it in the journal.
        assert_eq!(drctl.run("failover pay --simulate").code, 0);
        let moved = drctl.run("failover pay --reason drill --accept-loss unmeasured");
        assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
        let words =
            ["runs", "finding", "add", &run_of(&drctl), "slow", "--owner", "bob", "--due", "2099-01-31"];
        assert_eq!(drctl.run_words(&words).code, 0);
        let made = drctl.run("evidence bundle latest --key key.pem --out e.tar");
        assert_eq!(made.code, 0, "{}{}", made.stdout, made.stderr);
        Bundle { bytes: std::fs::read(drctl.path("e.tar")).unwrap(), pair }
    });
    &BUNDLE
}

fn run_of(drctl: &Drctl) -> String {
    let runs: serde_json::Value = serde_json::from_str(&drctl.run("runs list -o json").stdout).unwrap();
    runs[0]["id"].as_str().unwrap().to_owned()
}

/// The checks that do not hold, with what is wrong.
fn wrong(verified: &Verified) -> Vec<String> {
    assert_eq!(verified.sound, verified.checks.iter().all(|check| check.holds), "{verified:#?}");
    let failed = verified.checks.iter().filter(|check| !check.holds);
    failed.flat_map(|check| check.found.iter().map(|what| format!("{}: {what}", check.check))).collect()
}

/// The bundle with other files, signed again by the same key: what somebody who has it could make.
fn forged(change: impl FnOnce(&mut Files)) -> Verified {
    forged_of(bundle(), change)
}

fn forged_of(Bundle { bytes, pair }: &Bundle, change: impl FnOnce(&mut Files)) -> Verified {
    let (folder, mut files) = seal::unpack(bytes).unwrap();
    let time = std::str::from_utf8(&bytes[136..147]).unwrap();
    change(&mut files);
    files.remove("SHA256SUMS");
    files.remove("SHA256SUMS.sig");
    let time = u64::from_str_radix(time, 8).unwrap();
    seal::verify(&seal::sign(&folder, files, time, pair).unwrap(), &[pair.public()], None)
}

fn edit(files: &mut Files, name: &str, from: &str, to: &str) {
    let text = String::from_utf8(files[name].clone()).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    files.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
}

#[test]
fn a_bundle_is_whole_and_says_what_its_key_is_worth() {
    let Bundle { bytes, pair } = bundle();
    let trusted = seal::verify(bytes, &[pair.public()], None);
    assert_eq!((wrong(&trusted), trusted.signature), (Vec::new(), Signature::Trusted));
    let unknown = seal::verify(bytes, &[], None);
    assert_eq!((unknown.sound, unknown.signature), (true, Signature::UnknownKey));
    let other = Pair::of_seed([8; 32]).unwrap().public();
    assert_eq!(seal::verify(bytes, &[other], None).signature, Signature::UnknownKey);
    assert!(forged(|_| {}).sound);
    let (_, files) = seal::unpack(bytes).unwrap();
    assert!(files.keys().any(|name| name.starts_with("blobs/")), "{:?}", files.keys());
}

/// Every byte of what is small, and a dense sample of the rest; headers and padding are all covered by the
/// test of the archive.
#[test]
fn no_changed_byte_goes_unseen() {
    let Bundle { bytes, pair } = bundle();
    let small =
        bytes.windows(64).position(|part| part.starts_with(b"evidence-pay-") && part.ends_with(b"sig"));
    let around = small.unwrap_or(0);
    let places =
        (0..bytes.len()).step_by(997).chain(around..around + 40).chain(bytes.len() - 20..bytes.len());
    for at in places {
        for flip in [0x01, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            let verified = seal::verify(&changed, &[pair.public()], None);
            assert!(!verified.sound && !wrong(&verified).is_empty(), "byte {at} ^ {flip}");
        }
    }
}

#[test]
fn nothing_is_appended_cut_off_or_moved_unseen() {
    let Bundle { bytes, pair } = bundle();
    let verify = |bytes: &[u8]| wrong(&seal::verify(bytes, &[pair.public()], None)).join("\n");
    let appended = verify(&[bytes.as_slice(), b"x"].concat());
    assert_eq!(appended, format!("archive: byte {}: something was appended", bytes.len()));
    for end in [0, 1, 511, 512, 1_024, bytes.len() / 2, bytes.len() - 1_024, bytes.len() - 1] {
        assert!(verify(&bytes[..end]).starts_with("archive: byte "), "cut at {end}");
    }
    // The first two files change places: README.txt and SHA256SUMS.
    let length = |at: usize| {
        let size = std::str::from_utf8(&bytes[at + 124..at + 135]).unwrap();
        512 + usize::from_str_radix(size, 8).unwrap().div_ceil(512) * 512
    };
    let (first, second) = (length(0), length(length(0)));
    let moved = [&bytes[first..first + second], &bytes[..first], &bytes[first + second..]].concat();
    assert!(verify(&moved).contains("the order differs"), "{}", verify(&moved));
}

#[test]
fn who_has_the_key_cannot_tell_another_story() {
    let story = |name: &'static str, from: &'static str, to: &'static str| {
        wrong(&forged(|files| edit(files, name, from, to))).join("\n")
    };
    assert_eq!(
        story("report.md", "# Failover", "# failover"),
        "report: report.md: the records tell something else"
    );
    assert_eq!(
        story("report.html", "succeeded", "SUCCEEDED"),
        "report: report.html: the records tell something else"
    );
    assert_eq!(
        story("report.json", "\"drill\"", "\"other\""),
        "report: report.json: the records tell something else"
    );
    let changed = story("journal/records.jsonl", "\"reason\":\"drill\"", "\"reason\":\"other\"");
    assert!(changed.contains("record 1 was changed after it was written"), "{changed}");
    let changed = story("journal/records.jsonl", "\"owner\":\"bob\"", "\"owner\":\"eve\"");
    assert!(
        changed.starts_with("records: evidence/pay-") && changed.contains("record 1 was changed"),
        "{changed}"
    );
    let changed = story("journal/records.jsonl", "\"token\":1", "\"token\":2");
    assert!(changed.contains("record 1 was changed"), "{changed}");
    assert!(story("journal/chain.txt", "after ", "after 1").starts_with("journal: "));
    assert!(story("plan.json", "promote", "demote!").contains("the plan is not the one"));
    assert!(story("runbook.yaml", "east", "EAST").contains("runbook.yaml: it is not the one"));
    assert!(
        story("about.json", "\"position\": ", "\"position\": 1").contains("the chain ends with another head")
    );
    assert!(story("about.json", "\"key\": \"", "\"key\": \"0").contains("it names another key"));
    assert!(story("about.json", "\"as_of\": \"2", "\"as_of\": \"3").contains("the last record is of"));
    assert!(story("README.txt", "proves nothing", "proves all").contains("it is not the one of this bundle"));
}

/// A bundle that a drctl with other wording made is not called damaged for it; its facts still count.
#[test]
fn other_words_are_no_damage_and_other_facts_are() {
    let worded = |edits: &[(&str, &str, &str)]| {
        wrong(&forged(|files| {
            edit(files, "about.json", &format!("\"rendering\": {RENDERING}"), "\"rendering\": 0");
            edit(files, "report.md", "# Failover", "# Fail-over");
            for (name, from, to) in edits {
                edit(files, name, from, to);
            }
        }))
    };
    assert_eq!(worded(&[]), Vec::<String>::new());
    let other = worded(&[("report.json", "\"status\": \"succeeded", "\"status\": \"failed")]);
    assert_eq!(other, ["report: report.json /run/status: the records tell something else"]);
}

/// Reports of old called a run clean whose fence stayed unconfirmed. Nothing else about it is excused.
#[test]
fn an_old_report_that_called_an_unconfirmed_fence_clean_is_no_damage() {
    let (before, rest) = REAL.split_once("      - {id: fence").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    let fence = "{id: fence, phase: fence, uses: http.request, drill: skip, \
                 with: {method: POST, url: 'http://127.0.0.1:1/', idempotent: true}}";
    let after = after.replace(", reversibility: {class: compensable, reason: it writes a line}", "");
    let drctl = Drctl::with(&[("runbooks/pay.yaml", &format!("{before}      - {fence}\n{after}"))]);
    drctl.write_program("effect", "#!/bin/sh\n");
    let pair = Pair::of_seed([7; 32]).unwrap();
    drctl.write("key.pem", &pair.private_pem());
    let consents = "--confirm pay:west --accept-loss unmeasured --accept-unfenced";
    let moved = drctl.run(&format!("failover pay --reason drill {consents}"));
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert_eq!(drctl.run("evidence bundle latest --key key.pem --out e.tar").code, 0);
    let unconfirmed = Bundle { bytes: std::fs::read(drctl.path("e.tar")).unwrap(), pair };
    let said = |bundle: &Bundle, rendering: u32, from: &str, to: &str| {
        wrong(&forged_of(bundle, |files| {
            let now = format!("\"rendering\": {RENDERING}");
            edit(files, "about.json", &now, &format!("\"rendering\": {rendering}"));
            edit(files, "report.json", &format!("\"clean\": {from}"), &format!("\"clean\": {to}"));
        }))
    };
    assert_eq!(said(&unconfirmed, 4, "false", "true"), Vec::<String>::new());
    let other = ["report: report.json /run/clean: the records tell something else"];
    assert_eq!(said(bundle(), 4, "true", "false"), other);
    if RENDERING > 5 {
        assert_eq!(said(&unconfirmed, 5, "false", "true"), other);
    }
}

/// Reports of old told of a recovery time of a run that was taken back. No other time is excused.
#[test]
fn an_old_report_of_a_recovery_time_that_was_taken_back_is_no_damage() {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", TAKEN_BACK)]);
    drctl.write_program("step", "#!/bin/sh\n");
    let pair = Pair::of_seed([7; 32]).unwrap();
    drctl.write("key.pem", &pair.private_pem());
    assert_eq!(drctl.run("failover pay --reason drill").code, 6, "it waits at the gate");
    assert_eq!(drctl.run("unwind latest --reason back").code, 5);
    assert_eq!(drctl.run("evidence bundle latest --key key.pem --out e.tar").code, 0);
    let bundle = Bundle { bytes: std::fs::read(drctl.path("e.tar")).unwrap(), pair };
    let (_, files) = seal::unpack(&bundle.bytes).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&files["report.json"]).unwrap();
    let at = |name: &str| {
        let text = report["run"]["clock"][name].as_str().unwrap();
        text.parse::<Timestamp>().unwrap().as_millis()
    };
    let once = at("healthy_at") - at("declared_at");
    let said = |rendering: u32, time: i64| {
        wrong(&forged_of(&bundle, |files| {
            let now = format!("\"rendering\": {RENDERING}");
            edit(files, "about.json", &now, &format!("\"rendering\": {rendering}"));
            let told = format!("\"recovery_time_ms\": {time}");
            edit(files, "report.json", "\"recovery_time_ms\": null", &told);
            let met = "\"objective_verdict\": \"met\"";
            edit(files, "report.json", "\"objective_verdict\": \"not_validated\"", met);
        }))
    };
    assert_eq!(said(4, once), Vec::<String>::new());
    let other = said(4, once + 1);
    assert_eq!(other.len(), 2, "{other:?}");
    assert!(other[0].contains("/run/rto/recovery_time_ms"), "{other:?}");
}

#[test]
fn records_and_blobs_are_neither_left_out_nor_added() {
    let lines = |files: &Files| {
        let text = String::from_utf8(files["journal/records.jsonl"].clone()).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let put = |files: &mut Files, lines: &[String]| {
        files.insert("journal/records.jsonl".to_owned(), (lines.join("\n") + "\n").into_bytes());
    };
    let without = |index: usize| {
        wrong(&forged(|files| {
            let mut lines = lines(files);
            lines.remove(index);
            put(files, &lines);
        }))
        .join("\n")
    };
    assert!(without(3).contains("record 4 is missing"), "{}", without(3));
    let swapped = wrong(&forged(|files| {
        let mut lines = lines(files);
        lines.swap(4, 5);
        put(files, &lines);
    }));
    assert!(swapped[0].contains("record 5 is missing, 6 is in its place"), "{swapped:?}");
    // The last record of the run stands before the finding; without it the report is another one.
    let last = without(lines(&seal::unpack(&bundle().bytes).unwrap().1).len() - 2);
    assert!(last.contains("report.json: the records tell something else"), "{last}");
    let blob = |files: &Files| files.keys().find(|name| name.starts_with("blobs/")).unwrap().clone();
    let gone = wrong(&forged(|files| drop(files.remove(&blob(files)))));
    assert!(gone[0].starts_with("plan: blobs/") && gone[0].ends_with("it is missing"), "{gone:?}");
    let more = wrong(&forged(|files| {
        drop(files.insert(format!("blobs/{}", hex(&digest(b"more"))), b"more".to_vec()));
    }));
    assert!(more[0].ends_with("no record names it"), "{more:?}");
}

#[test]
fn a_head_that_was_noted_must_lie_on_the_chain() {
    let Bundle { bytes, pair } = bundle();
    let head = seal::verify(bytes, &[], None).head.unwrap();
    let noted = drctl::journal::record::unhex(&head).unwrap();
    assert!(seal::verify(bytes, &[pair.public()], Some(&noted)).sound);
    let other = seal::verify(bytes, &[pair.public()], Some(&[1; 32]));
    assert_eq!(wrong(&other), ["journal: the head that was noted is not on the chain"]);
}

/// Bundles of every wording there has been. When the report looks otherwise, `RENDERING` is raised and
/// `DRCTL_BLESS=1` adds the bundle of the new wording; those that are there are never written again.
#[test]
fn bundles_of_every_wording_verify_for_ever() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/seal");
    let newest = folder.join(format!("rendering-{RENDERING}.tar"));
    if blesses() && !newest.exists() {
        std::fs::write(&newest, bounded()).unwrap();
    }
    for rendering in 1..=RENDERING {
        let file = folder.join(format!("rendering-{rendering}.tar"));
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let verified = seal::verify(&bytes, &[], None);
        assert_eq!(
            (wrong(&verified), verified.signature),
            (Vec::new(), Signature::UnknownKey),
            "{rendering}"
        );
        let (_, files) = seal::unpack(&bytes).unwrap();
        let about: serde_json::Value = serde_json::from_slice(&files["about.json"]).unwrap();
        assert_eq!(about["rendering"], rendering);
        // The newest is compared byte by byte, an older one by its facts.
        let report = verified.checks.iter().find(|check| check.check == "report").unwrap();
        let worded = report.found[0].starts_with("worded by another drctl");
        assert_eq!(worded, rendering != RENDERING, "{report:?}");
    }
}

/// The bundle of a drill with everything in it that a report has a section for.
fn bounded() -> Vec<u8> {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", BOUNDED)]);
    assert_eq!(drctl.run("drill pay --reason golden").code, 0);
    drctl.run_words(&["runs", "finding", "add", "latest", "slow", "--owner", "bob", "--due", "2099-01-31"]);
    let pair = Pair::of_seed([9; 32]).unwrap();
    drctl.write("key.pem", &pair.private_pem());
    let made = drctl.run("evidence bundle latest --key key.pem --out e.tar");
    assert_eq!(made.code, 0, "{}{}", made.stdout, made.stderr);
    std::fs::read(drctl.path("e.tar")).unwrap()
}

/// A record that does lie on the journal's chain, but is none of this run, has no business in its bundle.
#[test]
fn records_of_others_are_not_smuggled_in() {
    let smuggled = wrong(&forged(|files| {
        let text = String::from_utf8(files["journal/records.jsonl"].clone()).unwrap();
        let mut records: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let chain = String::from_utf8(files["journal/chain.txt"].clone()).unwrap();
        let after: u64 = chain.lines().next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let taken: Vec<u64> = records.iter().map(|record| record["position"].as_u64().unwrap()).collect();
        let mut positions = (after + 1..).zip(chain.lines().skip(1));
        let (position, hash) = positions.find(|(position, _)| !taken.contains(position)).unwrap();
        let mut other = records[0].clone();
        other["position"] = position.into();
        other["hash"] = hash.into();
        other["stream"] = "service/pay".into();
        records.push(other);
        records.sort_by_key(|record| record["position"].as_u64());
        let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
        files.insert("journal/records.jsonl".to_owned(), (lines.join("\n") + "\n").into_bytes());
    }));
    assert_eq!(smuggled, ["records: journal/records.jsonl: records of other streams are among them"]);
}
