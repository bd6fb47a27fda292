//! Machines that leave, enter, go back, stand in drills; and people who decide.

use drover_api::common::{Direction, RunKind, SiteRole, SourceStop};
use drover_api::value::Duration;
use drover_api::{
    BetweenPhases, Commit, CommitPolicy, DataSync, DecisionAction, LeftProof, OnStopTimeout,
    RunPhase, Synchronization,
};
use drover_engine::decide::{MachineStep, Releaser, WaitReason};
use drover_world::{Effect, ErrorClass, LinkState, Observed, Power};
use jiff::SignedDuration;

use crate::bench::{Bench, spec, unknown};

const PRIMARY: SiteRole = SiteRole::Primary;
const SECONDARY: SiteRole = SiteRole::Secondary;

fn positions(bench: &Bench, wanted: Effect) -> Vec<usize> {
    bench
        .asked
        .iter()
        .filter(|(_, effect)| *effect == wanted)
        .map(|(index, _)| *index)
        .collect()
}

#[test]
fn a_planned_failover_stops_dependents_first_and_starts_them_last() {
    // SPEC: PL-3, FO-2
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[1, 1, 1]));
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert_eq!(
        positions(&bench, Effect::Stopped { site: PRIMARY }),
        [2, 1, 0]
    );
    assert_eq!(
        positions(&bench, Effect::Started { site: SECONDARY }),
        [0, 1, 2]
    );
    let last_sync = bench
        .asked
        .iter()
        .rposition(|(_, e)| matches!(e, Effect::FinalSync { .. }));
    let first_start = bench
        .asked
        .iter()
        .position(|(_, e)| matches!(e, Effect::Started { .. }));
    assert!(last_sync < first_start, "all leave before any starts");
    assert!(
        bench
            .journals
            .iter()
            .all(|journal| journal.left == Some(LeftProof::Synced))
    );
}

#[test]
fn deciding_again_changes_nothing() {
    // SPEC: FO-7
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[2, 2]));
    bench.settle();
    let asked = bench.asked.len();
    let step = bench.settle();
    assert_eq!(step.record, None);
    assert_eq!(bench.asked.len(), asked);
}

#[test]
fn nothing_is_asked_before_the_release_is_on_record() {
    // SPEC: FO-7
    let bench = Bench::new(spec(RunKind::PlannedFailover, &[1]));
    let step = bench.decide();
    assert!(
        step.record.expect("a first record").groups[0]
            .leave_released
            .is_some()
    );
    // It is decided, but not stored.
    assert_eq!(bench.machine(0), MachineStep::Rest);
}

#[test]
fn a_planned_failover_waits_for_initial_replication() {
    // SPEC: FO-2
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[2]));
    let Observed::Seen { value, .. } = &mut bench.sights[1].link else {
        unreachable!()
    };
    value.state = LinkState::Seeding;
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Pending);
    assert_eq!(
        bench.waits(),
        [WaitReason::InitialReplication { machines: 1 }]
    );
    assert!(bench.asked.is_empty());
}

#[test]
fn a_planned_failover_does_not_go_on_without_the_source() {
    // SPEC: FO-2, SA-1
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[1]));
    bench.step_run();
    bench.sights[0].source = unknown();
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Leaving);
    let MachineStep::Wait(wait) = bench.machine(0) else {
        panic!("it waits")
    };
    assert_eq!(wait.reason, WaitReason::Site { site: PRIMARY });
    assert_eq!(wait.reason.releaser(), Releaser::Operations);
}

#[test]
fn a_guest_that_ignores_its_shutdown_halts_a_planned_run_and_can_be_resumed() {
    // SPEC: FO-2
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[1]));
    bench.step_run();
    let Observed::Seen { value, .. } = &mut bench.sights[0].source else {
        unreachable!()
    };
    value.power = Power::Stopping;
    assert_eq!(
        bench.machine(0),
        MachineStep::Ensure(Effect::Stopped { site: PRIMARY })
    );
    bench.now += SignedDuration::from_mins(5);
    bench.step_machines();
    bench.step_run();
    assert_eq!(bench.phase(), RunPhase::Halted);
    assert_eq!(bench.waits(), [WaitReason::Resume]);
    let epoch = bench.record.epoch;
    bench.say(DecisionAction::Resume).unwrap();
    assert_eq!(bench.phase(), RunPhase::Leaving);
    assert_eq!(bench.record.epoch, epoch + 1);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
}

#[test]
fn a_guest_that_ignores_its_shutdown_is_fenced_where_that_is_declared_and_loses_nothing() {
    // SPEC: FO-2, SA-2
    let mut spec = spec(RunKind::PlannedFailover, &[1]);
    spec.source.on_stop_timeout = OnStopTimeout::Fence;
    let mut bench = Bench::new(spec);
    bench.step_run();
    let Observed::Seen { value, .. } = &mut bench.sights[0].source else {
        unreachable!()
    };
    value.power = Power::Stopping;
    bench.now += SignedDuration::from_mins(5);
    assert_eq!(
        bench.machine(0),
        MachineStep::Ensure(Effect::Fenced { site: PRIMARY })
    );
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert_eq!(bench.journals[0].left, Some(LeftProof::Synced));
}

#[test]
fn an_unplanned_run_fences_a_source_that_does_not_answer() {
    // SPEC: FO-3, FO-8, SA-2
    let mut bench = Bench::new(spec(RunKind::UnplannedFailover, &[1]));
    bench.sights[0].source = unknown();
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert_eq!(bench.journals[0].left, Some(LeftProof::Fenced));
}

#[test]
fn an_unplanned_run_without_a_fence_waits_for_a_word() {
    // SPEC: SA-2
    let mut bench = Bench::new(spec(RunKind::UnplannedFailover, &[1]));
    bench.sights[0].source = unknown();
    bench.step_run();
    bench.fail(0, Effect::Fenced { site: PRIMARY }, ErrorClass::Unsupported);
    bench.settle();
    let MachineStep::Wait(wait) = bench.machine(0) else {
        panic!("it waits")
    };
    assert_eq!(wait.reason, WaitReason::Fence);
    bench.say(DecisionAction::AcceptSplitBrain).unwrap();
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert_eq!(bench.journals[0].left, Some(LeftProof::AcceptedSplitBrain));
}

#[test]
fn a_required_stop_is_never_replaced_by_a_fence() {
    // SPEC: FO-3
    let mut run = spec(RunKind::UnplannedFailover, &[1]);
    run.source.stop = SourceStop::Required;
    let mut bench = Bench::new(run);
    bench.sights[0].source = unknown();
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Leaving);
    assert!(bench.asked.is_empty());
}

#[test]
fn an_unplanned_run_goes_on_when_machines_fail_and_reports_it() {
    // SPEC: FO-3
    let mut bench = Bench::new(spec(RunKind::UnplannedFailover, &[2, 1]));
    bench.step_run();
    while bench.phase() == RunPhase::Leaving {
        bench.step_machines();
        bench.step_run();
    }
    bench.fail(
        0,
        Effect::Materialized { site: SECONDARY },
        ErrorClass::Terminal,
    );
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert_eq!(
        bench.journals[0].enter.error.as_deref(),
        Some("it did not work")
    );
    assert_eq!(
        positions(&bench, Effect::Started { site: SECONDARY }),
        [1, 2]
    );
}

#[test]
fn a_recoverable_error_is_retried_after_its_pause() {
    // SPEC: PR-5
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[1]));
    bench.step_run();
    bench.fail(0, Effect::Stopped { site: PRIMARY }, ErrorClass::Retryable);
    let MachineStep::Wait(wait) = bench.machine(0) else {
        panic!("it waits")
    };
    assert_eq!(
        wait.reason,
        WaitReason::Retry {
            at: bench.now + SignedDuration::from_secs(60),
            error: "it did not work".into(),
        }
    );
    bench.now += SignedDuration::from_secs(60);
    assert_eq!(
        bench.machine(0),
        MachineStep::Ensure(Effect::Stopped { site: PRIMARY })
    );
}

#[test]
fn a_stale_copy_that_returns_is_stopped_before_anything_else() {
    // SPEC: FO-8
    let mut bench = Bench::new(spec(RunKind::UnplannedFailover, &[1]));
    let running = bench.sights[0].source;
    bench.sights[0].source = unknown();
    bench.settle();
    bench.sights[0].source = running;
    assert_eq!(
        bench.machine(0),
        MachineStep::Ensure(Effect::Stopped { site: PRIMARY })
    );
}

#[test]
fn a_cancel_before_anything_started_goes_back_at_once() {
    // SPEC: FO-6, PL-8
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[1, 1]));
    bench.step_run();
    bench.step_machines();
    bench.intent_withdrawn = true;
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Cancelled);
    assert_eq!(positions(&bench, Effect::Started { site: PRIMARY }), [0, 1]);
    assert!(positions(&bench, Effect::Stopped { site: SECONDARY }).is_empty());
}

#[test]
fn a_cancel_after_a_start_needs_consent_and_stops_the_target_first() {
    // SPEC: FO-6
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[1, 1]));
    bench.settle();
    let refusal = bench.say(DecisionAction::Cancel).unwrap_err();
    assert!(refusal.contains("AcceptDiscard"), "{refusal}");
    bench.say(DecisionAction::AcceptDiscard).unwrap();
    bench.say(DecisionAction::Cancel).unwrap();
    bench.asked.clear();
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Cancelled);
    assert_eq!(
        positions(&bench, Effect::Stopped { site: SECONDARY }),
        [1, 0]
    );
    assert_eq!(positions(&bench, Effect::Started { site: PRIMARY }), [0, 1]);
}

#[test]
fn a_changed_mind_after_a_start_waits_for_a_person() {
    // SPEC: PL-8
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[1]));
    bench.settle();
    bench.intent_withdrawn = true;
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert_eq!(bench.waits(), [WaitReason::ChangedMind]);
}

#[test]
fn a_commit_is_final() {
    // SPEC: FO-5, SA-6
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[1]));
    let early = bench.say(DecisionAction::Commit).unwrap_err();
    assert!(early.contains("Pending"), "{early}");
    bench.settle();
    assert_eq!(
        bench.phase(),
        RunPhase::CommitPending,
        "what was refused never takes effect later"
    );
    bench.say(DecisionAction::Commit).unwrap();
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Committed);
    bench.say(DecisionAction::AcceptDiscard).unwrap();
    bench.say(DecisionAction::Cancel).unwrap_err();
}

#[test]
fn an_automatic_commit_waits_for_its_soak_time() {
    // SPEC: FO-5
    let mut run = spec(RunKind::PlannedFailover, &[1]);
    run.commit = Commit {
        policy: CommitPolicy::Automatic,
        soak: Some(Duration::from_mins(30)),
    };
    let mut bench = Bench::new(run);
    bench.settle();
    let until = bench.now + SignedDuration::from_mins(30);
    assert_eq!(bench.waits(), [WaitReason::Soak { until }]);
    bench.now = until;
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Committed);
}

#[test]
fn a_decision_on_another_digest_is_refused() {
    // SPEC: PL-10
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[1]));
    bench.settle();
    let refusal = bench.say_with(DecisionAction::Commit, |spec| {
        spec.digest = spec.digest.replace('0', "1");
    });
    assert!(refusal.unwrap_err().contains("digest"));
    assert_eq!(bench.phase(), RunPhase::CommitPending);
}

#[test]
fn a_decision_takes_effect_once() {
    // SPEC: PL-10
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[1]));
    bench.settle();
    bench.say(DecisionAction::AcceptDiscard).unwrap();
    bench.say(DecisionAction::Cancel).unwrap();
    let epoch = bench.record.epoch;
    bench.settle();
    assert_eq!(bench.record.epoch, epoch);
    assert_eq!(bench.decide().answers, []);
}

fn homewards(data_sync: DataSync, between_phases: BetweenPhases) -> Bench {
    let mut run = spec(RunKind::PlannedFailover, &[1]);
    run.synchronization = Some(Synchronization {
        data_sync,
        between_phases,
    });
    let mut bench = Bench::new(run);
    let Observed::Seen { value, .. } = &mut bench.sights[0].link else {
        unreachable!()
    };
    value.state = LinkState::None;
    bench
}

#[test]
fn a_failback_in_two_phases_holds_for_a_person() {
    // SPEC: FB-3
    let mut bench = homewards(DataSync::DeltaBeforeFailover, BetweenPhases::Hold);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::AwaitingCompleteSync);
    assert_eq!(bench.waits(), [WaitReason::CompleteSync]);
    assert!(
        positions(&bench, Effect::Stopped { site: PRIMARY }).is_empty(),
        "the source runs on"
    );
    bench.say(DecisionAction::CompleteSync).unwrap();
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
}

#[test]
fn a_failback_in_one_phase_copies_with_the_machine_stopped() {
    // SPEC: FB-3
    let mut bench = homewards(DataSync::FullDuringFailover, BetweenPhases::Continue);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert!(
        !bench
            .asked
            .iter()
            .any(|(_, e)| matches!(e, Effect::SyncedBack { .. }))
    );
}

#[test]
fn the_old_disk_is_held_before_a_byte_is_written_into_it() {
    // SPEC: FB-5
    let mut bench = homewards(DataSync::DeltaBeforeFailover, BetweenPhases::Continue);
    bench.settle();
    let first: Vec<_> = bench
        .asked
        .iter()
        .take(2)
        .map(|(_, effect)| *effect)
        .collect();
    let towards = SECONDARY;
    assert_eq!(
        first,
        [
            Effect::Stopped { site: towards },
            Effect::SyncedBack { towards }
        ]
    );
}

#[test]
fn a_reprotect_stops_the_old_copy_and_reverses() {
    // SPEC: FB-1, FO-8
    let mut run = spec(RunKind::Reprotect, &[1]);
    run.direction = Direction::ToPrimary;
    let mut bench = Bench::new(run);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Protected);
    let asked: Vec<_> = bench.asked.iter().map(|(_, effect)| *effect).collect();
    let towards = PRIMARY;
    assert_eq!(
        asked,
        [
            Effect::Stopped { site: towards },
            Effect::Reversed { towards }
        ]
    );
    bench.say(DecisionAction::Cancel).unwrap_err();
}

#[test]
fn a_drill_touches_neither_production_nor_replication() {
    // SPEC: FO-1
    let mut run = spec(RunKind::TestFailover, &[1, 1]);
    run.source.stop = SourceStop::Skip;
    let mut bench = Bench::new(run);
    let before: Vec<_> = bench
        .sights
        .iter()
        .map(|s| (s.source, s.target, s.link.clone()))
        .collect();
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Standing);
    bench.intent_withdrawn = true;
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CleanedUp);
    let after: Vec<_> = bench
        .sights
        .iter()
        .map(|s| (s.source, s.target, s.link.clone()))
        .collect();
    assert_eq!(before, after);
    let only_drill = |effect: &Effect| {
        matches!(
            effect,
            Effect::DrillMaterialized { .. }
                | Effect::DrillStarted { .. }
                | Effect::DrillRemoved { .. }
        )
    };
    assert!(bench.asked.iter().all(|(_, effect)| only_drill(effect)));
    assert_eq!(
        positions(&bench, Effect::DrillStarted { site: SECONDARY }),
        [0, 1]
    );
}
