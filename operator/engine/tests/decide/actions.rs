//! Actions around groups: begun on record before they are carried out, one after the other.

use drover_api::common::RunKind;
use drover_api::{ActionState, DecisionAction, RunPhase};
use drover_engine::decide::{ActionId, ActionReport, Around, WaitReason, pause_before};
use jiff::SignedDuration;
use serde_json::json;

use crate::bench::{Bench, action, spec};

const AFTER: ActionId = ActionId {
    group: 0,
    around: Around::After,
    index: 0,
};

fn with_after(kind: RunKind, value: serde_json::Value) -> Bench {
    let mut run = spec(kind, &[1, 1]);
    run.groups[0].after = vec![action(value)];
    Bench::new(run)
}

fn report(bench: &mut Bench, attempt: u32, result: Result<(), &str>) {
    let report = ActionReport {
        epoch: bench.record.epoch,
        attempt,
        result: result.map_err(str::to_owned),
    };
    bench.reports.insert(AFTER, report);
}

fn check() -> serde_json::Value {
    json!({ "name": "check", "http": { "url": "http://shop.example.com/" }, "retries": 1,
            "timeout": "2m" })
}

#[test]
fn an_action_is_begun_on_record_before_it_is_carried_out() {
    // SPEC: PL-4, FO-7
    let mut bench = with_after(RunKind::PlannedFailover, check());
    let mut handed_out = Vec::new();
    for _ in 0..50 {
        let stored = bench.record.clone();
        let step = bench.step_run();
        for (id, attempt) in &step.actions {
            let group = &stored.groups[id.group];
            assert_eq!(
                group.after[id.index].state,
                ActionState::Running,
                "it is on record"
            );
            handed_out.push((*id, *attempt));
        }
        if !bench.step_machines() && step.record.is_none() {
            break;
        }
    }
    assert_eq!(handed_out, [(AFTER, 1)]);
    assert_eq!(
        bench.phase(),
        RunPhase::Entering,
        "the next group waits for the action"
    );
    report(&mut bench, 1, Ok(()));
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
}

#[test]
fn a_failed_action_is_tried_again_then_halts_a_planned_run() {
    // SPEC: PL-4, FO-2
    let mut bench = with_after(RunKind::PlannedFailover, check());
    bench.settle();
    report(&mut bench, 1, Err("503"));
    bench.settle();
    assert_eq!(bench.record.groups[0].after[0].attempts, 2);
    report(&mut bench, 2, Err("503 again"));
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Halted);
    assert_eq!(
        bench.record.groups[0].after[0].error.as_deref(),
        Some("503 again")
    );
    // A person resumes: it is tried anew.
    bench.reports.clear();
    bench.say(DecisionAction::Resume).unwrap();
    bench.settle();
    report(&mut bench, 1, Ok(()));
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
}

#[test]
fn the_report_of_another_attempt_is_stale() {
    // SPEC: PL-4
    let mut bench = with_after(RunKind::PlannedFailover, check());
    bench.settle();
    report(&mut bench, 1, Err("503"));
    bench.settle();
    report(&mut bench, 1, Ok(()));
    bench.settle();
    assert_eq!(bench.record.groups[0].after[0].state, ActionState::Running);
}

#[test]
fn an_action_without_an_answer_is_given_up_at_its_timeout() {
    // SPEC: PL-4
    let mut bench = with_after(RunKind::PlannedFailover, check());
    bench.settle();
    bench.now += SignedDuration::from_mins(2);
    bench.settle();
    assert_eq!(bench.record.groups[0].after[0].attempts, 2);
    bench.now += SignedDuration::from_mins(2);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Halted);
}

#[test]
fn a_failure_that_may_be_ignored_is_recorded_and_the_run_goes_on() {
    // SPEC: PL-4
    let mut value = check();
    value["onFailure"] = json!("Continue");
    value["retries"] = json!(0);
    let mut bench = with_after(RunKind::PlannedFailover, value);
    bench.settle();
    report(&mut bench, 1, Err("503"));
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert_eq!(bench.record.groups[0].after[0].state, ActionState::Failed);
}

#[test]
fn an_unplanned_run_goes_on_over_a_failed_action() {
    // SPEC: FO-3
    let mut value = check();
    value["retries"] = json!(0);
    let mut bench = with_after(RunKind::UnplannedFailover, value);
    bench.settle();
    report(&mut bench, 1, Err("503"));
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
}

#[test]
fn a_wait_takes_its_time() {
    // SPEC: PL-4
    let value = json!({ "name": "settle", "wait": { "for": "30s" } });
    let mut bench = with_after(RunKind::PlannedFailover, value);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Entering);
    bench.now += SignedDuration::from_secs(30);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
}

#[test]
fn a_manual_step_needs_different_people() {
    // SPEC: PL-4, PL-10
    let value = json!({ "name": "go", "manual": { "message": "Go?", "approvals": 2 } });
    let mut bench = with_after(RunKind::PlannedFailover, value);
    bench.settle();
    let missing = |missing| WaitReason::Approval {
        group: 0,
        name: "go".into(),
        missing,
    };
    assert!(bench.waits().contains(&missing(2)));
    bench.approve("alice").unwrap();
    assert!(bench.waits().contains(&missing(1)));
    assert!(bench.approve("alice").unwrap_err().contains("same person"));
    bench.approve("bob").unwrap();
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
}

#[test]
fn an_attempt_rests_longer_the_more_of_them_failed() {
    // SPEC: PL-4
    let seconds = std::time::Duration::from_secs;
    let rests = |limit| (1..=8).map(move |attempt| pause_before(attempt, seconds(limit)).as_secs());
    assert_eq!(rests(300).collect::<Vec<_>>(), [0, 1, 2, 4, 8, 16, 16, 16]);
    // What an attempt may take in all is not used up by it.
    assert_eq!(rests(8).collect::<Vec<_>>(), [0, 1, 2, 2, 2, 2, 2, 2]);
}
