//! Histories and the readiness they make.

use drctl::engine::input::Control;
use drctl::evidence::readiness::Readiness;
use drctl::model::drill::DrillLevel;
use drctl::model::evidence::EvidenceFact;
use drctl::model::id::NodeAddress;
use drctl::model::run::{Identity, Mode, Operation, RunStatus};
use drctl::ports::JournalError;
use drctl::runtime;

use super::recorded::{Service, now, said};
use crate::drills::world::{PAY, drill, real};

#[tokio::test]
async fn a_drill_makes_a_service_ready_until_it_is_too_old() {
    let pay = Service::new();
    assert_eq!(pay.judged(PAY).await, (Readiness::NeedsDrill, vec!["never_exercised"]));
    let (run, state) = pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    assert_eq!(state.status, RunStatus::Succeeded);
    let standing = pay.stands(PAY, 0, None).await;
    assert_eq!(said(&standing), (Readiness::Ready, vec![]));
    let shown = standing.shown.unwrap();
    assert_eq!((shown.run, shown.validated), (run, true));
    assert!(shown.recovery_time.is_some() && shown.data_loss.is_none());
    assert_eq!(said(&pay.stands(PAY, 89, None).await).0, Readiness::Ready);
    assert_eq!(said(&pay.stands(PAY, 91, None).await), (Readiness::NeedsDrill, vec!["stale"]));
    let patient = PAY.replace("cleanup:", "freshness: 365d\n  cleanup:");
    assert_eq!(said(&pay.stands(&patient, 300, None).await).1, ["runbook_changed"]);
}

#[tokio::test]
async fn a_changed_runbook_has_to_be_shown_again() {
    let pay = Service::new();
    pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    let bigger = PAY.replace("west/grown", "west/bigger");
    assert_eq!(pay.judged(&bigger).await, (Readiness::NeedsVerification, vec!["runbook_changed"]));
    // Neither a comment nor the layout changes what it says.
    assert_eq!(pay.judged(&format!("# seen\n{PAY}")).await.0, Readiness::Ready);
}

#[tokio::test]
async fn a_failed_validation_gives_no_recovery_time_and_needs_somebody() {
    let pay = Service::new();
    let text = PAY.replace(
        "checks: [{uses: http.check, with: {url: \"https://drill/ok\"}}]",
        "checks: [{uses: http.check, with: {url: \"https://drill/never\"}}]",
    );
    pay.play(&text, drill(&text, DrillLevel::Isolated)).await;
    let standing = pay.stands(&text, 0, None).await;
    assert_eq!(said(&standing), (Readiness::ActionRequired, vec!["drill_failed", "never_exercised"]));
    let last = standing.drill.unwrap();
    assert_eq!((last.recovery_time, last.validated), (None, false));
    assert!(standing.shown.is_none());
    let help = standing.judgement.reasons[0].command.as_deref();
    assert_eq!(help, Some(format!("drctl runs report {}", last.run).as_str()));
    // The next drill that succeeds is what counts.
    pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    assert_eq!(pay.judged(PAY).await.0, Readiness::Ready);
}

#[tokio::test]
async fn what_waits_for_people_is_said_with_what_to_type() {
    let pay = Service::new();
    pay.world.fail("DELETE https://west/grown", 1);
    let (run, state) = pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    assert_eq!(state.status, RunStatus::CleanupIncomplete);
    let standing = pay.stands(PAY, 0, None).await;
    assert_eq!(said(&standing), (Readiness::ActionRequired, vec!["cleanup_incomplete", "never_exercised"]));
    assert!(standing.judgement.needs_person());
    let help = standing.judgement.reasons[0].command.as_deref();
    assert_eq!(help, Some(format!("drctl drill cleanup {run}").as_str()));
}

#[tokio::test]
async fn a_drill_that_waits_for_attestation_shows_nothing_yet() {
    let pay = Service::new();
    let text = format!("{PAY}  attestation: {{not_by: [starter]}}\n");
    let attested = async |id: &str, passed: bool| {
        let (run, _) = pay.play(&text, drill(&text, DrillLevel::Isolated)).await;
        let before = pay.stands(&text, 0, None).await;
        pay.then(&run, id, Control::Attest { passed }).await;
        (before, pay.stands(&text, 0, None).await)
    };
    let (before, after) = attested("r1", false).await;
    assert_eq!(
        said(&before),
        (Readiness::NeedsVerification, vec!["awaiting_attestation", "never_exercised"])
    );
    assert!(before.judgement.needs_person());
    assert_eq!(said(&after), (Readiness::ActionRequired, vec!["drill_failed", "never_exercised"]));
    assert_eq!(after.drill.unwrap().recovery_time, None, "it was attested that it failed");
    let (_, after) = attested("r2", true).await;
    assert_eq!(said(&after), (Readiness::Ready, vec![]));
}

#[tokio::test]
async fn a_red_guard_is_no_drill() {
    let pay = Service::new();
    pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    pay.world.there.lock().unwrap().clear();
    pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    assert_eq!(pay.judged(PAY).await, (Readiness::NeedsDrill, vec!["drill_not_begun"]));
}

#[tokio::test]
async fn a_real_failover_leaves_a_site_that_must_be_protected_again() {
    let pay = Service::new();
    let (_, state) = pay.play(PAY, real(PAY)).await;
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.cause);
    let standing = pay.stands(PAY, 0, None).await;
    assert_eq!(said(&standing), (Readiness::ActionRequired, vec!["quarantined"]));
    assert_eq!(standing.record.active.unwrap().as_str(), "west");
    assert!(standing.real.unwrap().recovery_time.is_some());
}

#[tokio::test]
async fn a_run_that_was_helped_along_is_not_clean() {
    let pay = Service::new();
    pay.world.fail("POST https://west/seed", 1);
    let (run, state) = pay.play(PAY, real(PAY)).await;
    assert_eq!(state.status, RunStatus::Paused);
    let codes = pay.judged(PAY).await.1;
    assert!(codes.contains(&"needs_person"), "{codes:?}");
    let skip = Control::Skip { node: NodeAddress::typed("seed"), override_safety: true };
    let state = pay.then(&run, "r1", skip).await;
    assert_eq!(state.status, RunStatus::SucceededWithWarnings, "{:?}", state.cause);
    assert_eq!(pay.judged(PAY).await.1, ["quarantined", "not_clean"]);
    let found = pay.covered(PAY, 0).await;
    let seed = found.steps.iter().find(|step| step.step.as_str() == "seed").unwrap();
    assert_eq!(seed.state.as_str(), "never", "a step that was skipped was not exercised");
}

#[tokio::test]
async fn a_missed_objective_is_not_ready() {
    let pay = Service::new();
    let text = PAY.replace("{rto: 1h}", "{rto: 1h, rpo: 1m}");
    pay.play(&text, drill(&text, DrillLevel::Isolated)).await;
    // Nothing has read the recovery point: met is more than that.
    assert_eq!(pay.judged(&text).await, (Readiness::NeedsVerification, vec!["partial"]));
}

#[tokio::test]
async fn a_red_check_counts_until_something_better_is_known() {
    use drctl::plan::{Choices, bind};
    let pay = Service::new();
    let text = PAY.replace(
        "{id: works, phase: validate,",
        "{id: works, phase: validate, precheck: [{uses: http.check, with: {url: \"https://drill/never\"}}],",
    );
    pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    let choices = Choices {
        operation: Operation::Failover,
        mode: Some(Mode::Ungraceful),
        intent: drctl::model::run::Intent::Check,
        from: None,
        to: None,
        unready: std::collections::BTreeMap::new(),
        parameters: std::collections::BTreeMap::new(),
    };
    let check = |text: &str| {
        let mut plan = bind(&crate::drills::world::runbook(text), &choices).unwrap();
        for node in &mut plan.nodes {
            node.on_failure = drctl::model::policy::OnFailure::Continue;
        }
        plan
    };
    pay.play(&text, check(&text)).await;
    let standing = pay.stands(PAY, 0, None).await;
    assert_eq!(said(&standing), (Readiness::ActionRequired, vec!["check_red"]));
    assert!(standing.judgement.reasons[0].text.contains("https://drill/never is not there"));
    pay.play(PAY, check(PAY)).await;
    assert_eq!(pay.judged(PAY).await.0, Readiness::Ready);
}

#[tokio::test]
async fn the_policy_is_asked_with_real_history() {
    let pay = Service::new();
    let policy = "drills: [{freshness: 30d, coverage: 50}]";
    let says = async |days| {
        let standing = pay.stands(PAY, days, Some(policy)).await;
        let reasons = standing.judgement.reasons.iter().filter(|reason| reason.code == "policy");
        reasons.map(|reason| reason.text.clone()).collect::<Vec<_>>()
    };
    let never = says(0).await;
    assert!(
        never[0].contains("pay was never exercised") && never[1].contains("0 % of the failover"),
        "{never:?}"
    );
    pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    let thin = says(0).await;
    assert_eq!(thin.len(), 1, "{thin:?}");
    assert!(thin[0].contains("33 % of the failover of pay was exercised in 30d"), "{thin:?}");
    pay.play(PAY, drill(PAY, DrillLevel::Live)).await;
    assert_eq!(says(0).await.len(), 0);
    assert_eq!(says(31).await.len(), 2);
}

#[tokio::test]
async fn what_people_found_afterwards_counts() {
    let pay = Service::new();
    let (run, _) = pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    let by = Identity::asserted("ann");
    let tell = async |fact: EvidenceFact| {
        runtime::tell(&pay.journal, &run, now(), |_| Ok::<_, JournalError>(fact.clone())).await.unwrap();
    };
    let today = now().to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
    tell(EvidenceFact::FindingOpened {
        id: 1,
        text: "the DNS entry was stale".to_owned(),
        owner: "bob".to_owned(),
        due: today,
        by: by.clone(),
        key: None,
    })
    .await;
    assert_eq!(pay.judged(PAY).await.0, Readiness::Ready, "it is due, not overdue");
    let standing = pay.stands(PAY, 1, None).await;
    assert_eq!(said(&standing), (Readiness::ActionRequired, vec!["finding_overdue"]));
    assert!(standing.judgement.reasons[0].text.contains("1 day overdue (bob): the DNS entry was stale"));
    tell(EvidenceFact::FindingClosed { id: 1, how: "deleted".to_owned(), by, key: None }).await;
    assert_eq!(said(&pay.stands(PAY, 1, None).await).0, Readiness::Ready);
}

#[tokio::test]
async fn what_was_shown_from_another_site_is_not_what_a_failover_would_do() {
    let pay = Service::new();
    pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    assert_eq!(pay.judged(PAY).await.0, Readiness::Ready);
    pay.set("west").await;
    let standing = pay.stands(PAY, 0, None).await;
    assert_eq!(said(&standing), (Readiness::NeedsDrill, vec!["other_direction"]));
    assert!(standing.judgement.reasons[0].text.contains("the service is in west"));
    // Back home the drill counts again.
    pay.set("east").await;
    assert_eq!(pay.judged(PAY).await.0, Readiness::Ready);
}

#[tokio::test]
async fn a_failover_that_cannot_be_planned_or_goes_elsewhere_is_not_ready() {
    let pay = Service::new();
    let three = |west: &str, north: &str| {
        let sites = format!("west: {{role: standby{west}}}, north: {{role: standby{north}}}}}");
        PAY.replace("west: {role: standby}}", &sites)
    };
    let towards = |text: &str, to: &str| {
        let mut choices = crate::drills::world::at(DrillLevel::Isolated);
        choices.to = Some(drctl::model::id::SiteName::new(to).unwrap());
        drctl::plan::bind_drill(&crate::drills::world::runbook(text), &choices).unwrap()
    };
    let equal = three("", "");
    pay.play(&equal, towards(&equal, "north")).await;
    assert_eq!(pay.judged(&equal).await, (Readiness::NeedsVerification, vec!["no_route"]));
    let dear = three(", cost_weight: 1", ", cost_weight: 5");
    pay.play(&dear, towards(&dear, "north")).await;
    let standing = pay.stands(&dear, 0, None).await;
    assert_eq!(said(&standing), (Readiness::NeedsDrill, vec!["other_target"]), "{:?}", standing.judgement);
    pay.play(&dear, towards(&dear, "west")).await;
    assert_eq!(pay.judged(&dear).await.0, Readiness::Ready);
}

#[tokio::test]
async fn a_drill_that_leaves_everything_out_shows_nothing() {
    let pay = Service::new();
    let mut text = PAY.replace("drill: run}", "drill: skip}");
    for (level, from) in [("restore", "https://drill/data"), ("seed", "https://drill/seed")] {
        let start = text.find(&format!("drill: {{isolated: {{with: {{url: \"{from}\"}}")).unwrap();
        let end = start + text[start..].find("live: run}").unwrap() + "live: run}".len();
        assert!(end > start, "{level}");
        text.replace_range(start..end, "drill: skip");
    }
    let (_, state) = pay.play(&text, drill(&text, DrillLevel::Isolated)).await;
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.cause);
    assert_eq!(state.clock.healthy_at, None, "nothing was recovered");
    let standing = pay.stands(&text, 0, None).await;
    assert_eq!(said(&standing), (Readiness::NeedsDrill, vec!["showed_nothing"]));
    assert!(!standing.judgement.reasons[0].text.contains("pruned"));
    // One that has shown something before still counts.
    let other = Service::new();
    other.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    other.play(&text, drill(&text, DrillLevel::Isolated)).await;
    assert_eq!(other.judged(PAY).await.0, Readiness::Ready);
}

#[tokio::test]
async fn a_scheduled_drill_that_did_not_take_place_is_known() {
    use drctl::engine::schedule::{Refusal, ScheduleEvent};
    let pay = Service::new();
    pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    let text = PAY.replace("  inject:", "  schedule: {cron: \"0 3 * * SUN\"}\n  inject:");
    assert_eq!(pay.judged(&text).await.1, ["runbook_changed"]);
    let refused = |reason, days: u64| ScheduleEvent::Refused {
        fire: now().plus(drctl::model::time::Duration::from_secs(days * 86_400)),
        reason,
        detail: "guard-1: status 503\nand more".to_owned(),
        count: 1,
    };
    pay.scheduled(&[refused(Refusal::Blackout, 1)]).await;
    assert_eq!(said(&pay.stands(&text, 1, None).await).1, ["runbook_changed"], "that was wanted");
    pay.scheduled(&[refused(Refusal::GuardRed, 2), refused(Refusal::GuardRed, 9)]).await;
    let standing = pay.stands(&text, 9, None).await;
    assert_eq!(said(&standing).1, ["runbook_changed", "schedule_refused"]);
    let told = &standing.judgement.reasons[1].text;
    assert!(told.contains("guard_red, the last of 3 in a row") && !told.contains('\n'), "{told}");
}

#[tokio::test]
async fn the_help_is_a_drill_that_would_not_be_refused() {
    let pay = Service::new();
    let command = async |text: &str| {
        let standing = pay.stands(text, 0, None).await;
        standing.judgement.reasons[0].command.clone().unwrap()
    };
    assert!(command(PAY).await.contains("--level isolated"));
    let unbounded = &PAY[..PAY.find("drill:\n  level").unwrap()];
    assert_eq!(command(unbounded).await, "drctl explain DR0603");
}

#[tokio::test]
async fn a_finding_of_several_lines_is_told_in_one() {
    let pay = Service::new();
    let (run, _) = pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    let fact = EvidenceFact::FindingOpened {
        id: 1,
        text: "the DNS entry\n  ready: was stale".to_owned(),
        owner: "bob".to_owned(),
        due: now().to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date(),
        by: Identity::asserted("ann"),
        key: None,
    };
    runtime::tell(&pay.journal, &run, now(), |_| Ok::<_, JournalError>(fact.clone())).await.unwrap();
    let standing = pay.stands(PAY, 1, None).await;
    let told = &standing.judgement.reasons[0].text;
    assert!(told.contains("the DNS entry …") && !told.contains('\n'), "{told}");
}

#[tokio::test]
async fn a_failure_that_was_ignored_makes_a_run_not_clean() {
    let pay = Service::new();
    let text = PAY.replace("{id: seed, ", "{id: seed, on_failure: continue, ");
    pay.world.fail("POST https://west/seed", 1);
    let (run, state) = pay.play(&text, real(&text)).await;
    assert_eq!(state.status, RunStatus::SucceededWithWarnings, "{:?}", state.cause);
    let loaded = crate::drills::world::load(&pay.journal, &run).await;
    let view = drctl::evidence::view(&loaded.plan, &loaded.state, None, now());
    assert!(!view.clean);
}

#[tokio::test]
async fn a_validation_by_word_is_said() {
    let pay = Service::new();
    let text =
        PAY.replace("url: \"https://drill/ok\"}}\n  failback", "url: \"https://drill/never\"}}\n  failback");
    assert_ne!(text, PAY);
    let (run, state) = pay.play(&text, real(&text)).await;
    assert_eq!(state.status, RunStatus::Paused, "{:?}", state.cause);
    let done = Control::Done { node: NodeAddress::typed("works"), outputs: serde_json::Map::new() };
    let state = pay.then(&run, "r1", done).await;
    assert_eq!(state.status, RunStatus::SucceededWithWarnings, "{:?}", state.cause);
    let loaded = crate::drills::world::load(&pay.journal, &run).await;
    let view = drctl::evidence::view(&loaded.plan, &loaded.state, None, now());
    assert!(!view.clean && view.warnings[0].contains("by a person's word: works"), "{:?}", view.warnings);
}
