#![cfg(test)]

use drover_api::{ActionState, RecoveryRun, RunPhase};

use super::*;
use crate::reports::fixtures;

fn in_phase(phase: RunPhase, healthy: u32) -> RecoveryRun {
    let mut run = fixtures::planned().run;
    let status = run.status.as_mut().unwrap();
    status.record.phase = phase;
    status.machines.healthy = healthy;
    run
}

fn texts(lines: Vec<Line>) -> Vec<String> {
    lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn a_run_is_introduced_and_then_told_by_quarters() {
    let mut story = Story::default();
    let total = fixtures::planned().run.spec.machines;
    let first = texts(story.run(&in_phase(RunPhase::Entering, 0)));
    assert!(
        first[0].contains("planned failover seoul → busan"),
        "{first:?}"
    );
    assert!(
        first[1].ends_with(&format!("Entering: 0 of {total} machines healthy")),
        "{first:?}"
    );
    let mut told = 0;
    for healthy in 0..=total {
        let lines = story.run(&in_phase(RunPhase::Entering, healthy));
        told += lines.len();
        assert_eq!(
            story.run(&in_phase(RunPhase::Entering, healthy)),
            [],
            "told twice"
        );
    }
    assert!(told <= 4, "{told}");
    assert!(told >= 1);
}

#[test]
fn a_run_that_was_over_before_is_not_told() {
    let mut story = Story::default();
    assert_eq!(story.run(&in_phase(RunPhase::Committed, 12)), []);
    assert_eq!(story.run(&in_phase(RunPhase::Committed, 12)), []);
}

#[test]
fn what_waits_for_a_person_is_told_once_with_who_can_release_it() {
    // SPEC: PL-10
    let mut run = in_phase(RunPhase::Entering, 12);
    let state = &mut run.status.as_mut().unwrap().record.groups[1].after[1];
    state.state = ActionState::Running;
    state.approved_by.clear();
    let mut story = Story::default();
    let first = texts(story.run(&run));
    assert!(
        first.iter().any(|text| text.contains("needs 1 approval")),
        "{first:?}"
    );
    assert!(first.contains(&"  drover approve -n shop shop-7 web/business-says-go".to_owned()));
    assert_eq!(story.run(&run), []);
}

#[test]
fn a_halted_run_looks_bad() {
    let mut story = Story::default();
    let lines = story.run(&fixtures::halted().run);
    assert!(lines.iter().any(|line| line.mood == Mood::Bad), "{lines:?}");
}

#[test]
fn a_plan_stands_with_the_run_that_goes_on() {
    let mut plan = fixtures::planned().plan;
    let status = plan.status.get_or_insert_default();
    status.active_site = Some(drover_api::ActualSite::Primary);
    let run = in_phase(RunPhase::Entering, 3);
    status.current_run = run.name_any().parse().ok();
    let mut story = Story::default();
    let lines = texts(story.plan(&plan));
    assert!(
        lines[0].ends_with("machines are at primary (seoul)"),
        "{lines:?}"
    );
    story.run(&run);
    let standing = &story.plans()["shop/shop"];
    assert_eq!(standing.done, 3);
    assert!(
        standing
            .run
            .as_ref()
            .unwrap()
            .contains("planned failover Entering")
    );
    story.run(&in_phase(RunPhase::Committed, 12));
    assert_eq!(story.plans()["shop/shop"].run, None);
    let gone = texts(story.gone("plan", "shop/shop"));
    assert_eq!(gone, ["plan shop/shop: gone"]);
    assert!(story.plans().is_empty());
}
