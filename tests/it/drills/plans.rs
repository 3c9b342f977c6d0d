//! Plans of drills: what runs at which level, in which section, and what is refused.

use drctl::model::drill::DrillLevel;
use drctl::model::run::{Intent, Mode};
use drctl::plan::{Section, bind_drill};

use super::world::{PAY, at, drill, runbook};

fn refused(text: &str, level: DrillLevel) -> String {
    let problems = bind_drill(&runbook(text), &at(level)).unwrap_err();
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_level_has_its_effect_boundary() {
    let left_out = |level| {
        let plan = drill(PAY, level);
        let left: Vec<_> = plan.nodes.iter().filter(|node| node.is_left_out()).collect();
        left.iter().map(|node| node.address.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(left_out(DrillLevel::Isolated), ["fence", "shift"]);
    assert_eq!(left_out(DrillLevel::Live), [""; 0]);
    assert_eq!(left_out(DrillLevel::Simulate), [""; 0]);
    let intent = |level| drill(PAY, level).intent;
    assert_eq!(intent(DrillLevel::Check), Intent::Check);
    assert_eq!(intent(DrillLevel::Simulate), Intent::Simulate);
    assert_eq!((intent(DrillLevel::Isolated), intent(DrillLevel::Live)), (Intent::Drill, Intent::Drill));
}

#[test]
fn a_drill_is_one_plan_from_its_guards_to_its_cleanup() {
    let plan = drill(PAY, DrillLevel::Live);
    let mut sections: Vec<Section> = plan.nodes.iter().filter_map(drctl::plan::Node::section).collect();
    sections.dedup();
    assert_eq!(
        sections,
        [
            Section::Guard,
            Section::Inject,
            Section::Operation,
            Section::Verify,
            Section::Failback,
            Section::Cleanup
        ]
    );
    assert_eq!(plan.mode, Mode::Graceful);
    assert_eq!(plan.objectives.rto.unwrap().to_string(), "10m");
    assert!(plan.drill.unwrap().returns);
    assert!(!drill(PAY, DrillLevel::Isolated).drill.unwrap().returns);
    let ids: Vec<_> = plan.nodes.iter().map(|node| node.address.as_str()).collect();
    assert!(ids.contains(&"shift") && ids.contains(&"failback/shift"), "{ids:?}");
    assert_ne!(
        drctl::plan::digest(&drill(PAY, DrillLevel::Isolated)),
        drctl::plan::digest(&drill(PAY, DrillLevel::Live))
    );
}

#[test]
fn a_drill_that_would_be_unsafe_is_not_planned() {
    let no_fence = PAY.replace("drill: {isolated: skip, live: run}", "drill: skip");
    assert!(refused(&no_fence, DrillLevel::Live).contains("leaves out `fence`"));
    let said = "undo: {uses: http.request, with: {method: DELETE, url: \"https://west/grown\", idempotent: true}}, drill: run}";
    assert!(PAY.contains(said));
    let unsaid = PAY.replace(said, &said.replace("drill: run}", "drill: {live: run}}"));
    assert_ne!(unsaid, PAY);
    let (none, found) = drctl::compile::compile(&unsaid, jiff::civil::date(2026, 11, 21));
    assert!(none.is_none() && found.iter().any(|found| found.code.as_str() == "DR0601"), "{found:#?}");
    let a = PAY.find("  cleanup:").unwrap();
    assert!(refused(&PAY[..a], DrillLevel::Isolated).contains("leave behind what `seed` does"));
    let no_boundary =
        PAY.replace("  level: isolated\n  boundary: {hosts: [west, drill]}", "  level: simulate");
    assert!(refused(&no_boundary, DrillLevel::Isolated).contains("needs a boundary"));
    assert!(bind_drill(&runbook(&no_boundary), &at(DrillLevel::Simulate)).is_ok());
}
