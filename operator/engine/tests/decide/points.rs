//! Which recovery point machines start from, and what that loses.

use drover_api::common::{RecoveryPointChoice, RecoveryPointType, RunKind};
use drover_api::value::Duration;
use drover_api::{DecisionAction, LeftProof, RunPhase};
use drover_engine::decide::{MachineStep, WaitReason};
use drover_world::{Observed, Point};

use crate::bench::{Bench, at, point, spec, unknown};

/// An unplanned run of so many machines whose source is lost, with these points each.
fn lost(choice: RecoveryPointChoice, shared: bool, points: &[&[Point]]) -> Bench {
    let count = u32::try_from(points.len()).unwrap();
    let mut run = spec(RunKind::UnplannedFailover, &[count]);
    run.recovery_point = choice;
    run.max_data_loss = Some(Duration::from_secs(300));
    let mut bench = Bench::with_machines(run, |machine| machine.consistency_group = shared);
    for (sight, points) in bench.sights.iter_mut().zip(points) {
        sight.source = unknown();
        let Observed::Seen { value, .. } = &mut sight.link else {
            unreachable!()
        };
        value.points = points.to_vec();
    }
    bench
}

fn used(bench: &Bench) -> Vec<String> {
    bench
        .journals
        .iter()
        .map(|journal| {
            journal
                .point
                .as_ref()
                .map_or_else(String::new, |p| p.name.clone())
        })
        .collect()
}

fn of(kind: RecoveryPointType) -> RecoveryPointChoice {
    RecoveryPointChoice::of(kind)
}

#[test]
fn each_choice_takes_its_point() {
    // SPEC: FO-4
    let consistent = Point {
        app_consistent: true,
        ..point(800)
    };
    let unprocessed = Point {
        processed: false,
        ..point(990)
    };
    let points = [point(750), consistent, point(900), unprocessed];
    let time = RecoveryPointChoice {
        time: Some(at(850)),
        ..of(RecoveryPointType::Time)
    };
    let named = RecoveryPointChoice {
        name: Some("p750".into()),
        ..of(RecoveryPointType::Named)
    };
    let cases = [
        (of(RecoveryPointType::Latest), "p990"),
        (of(RecoveryPointType::LatestProcessed), "p900"),
        (of(RecoveryPointType::LatestAppConsistent), "p800"),
        (time, "p800"),
        (named, "p750"),
    ];
    for (choice, expected) in cases {
        let mut bench = lost(choice.clone(), false, &[&points]);
        bench.settle();
        assert_eq!(used(&bench), [expected], "{choice:?}");
        assert_eq!(bench.phase(), RunPhase::CommitPending);
    }
}

#[test]
fn a_choice_without_a_match_waits_and_never_takes_another() {
    // SPEC: FO-4
    let choice = RecoveryPointChoice {
        name: Some("gone".into()),
        ..of(RecoveryPointType::Named)
    };
    let mut bench = lost(choice, false, &[&[point(900)]]);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Leaving);
    assert_eq!(bench.waits(), [WaitReason::RecoveryPoint]);
}

#[test]
fn members_of_a_consistency_group_start_from_one_instant() {
    // SPEC: PR-7
    let one = [point(800), point(900), point(950)];
    let other = [point(800), point(900)];
    let mut bench = lost(of(RecoveryPointType::Latest), true, &[&one, &other]);
    bench.settle();
    assert_eq!(used(&bench), ["p900", "p900"]);
}

#[test]
fn a_consistency_group_without_a_common_instant_does_not_start() {
    // SPEC: PR-7
    let mut bench = lost(
        of(RecoveryPointType::Latest),
        true,
        &[&[point(900)], &[point(800)]],
    );
    bench.settle();
    assert_eq!(bench.waits(), [WaitReason::RecoveryPoint]);
    assert!(bench.journals.iter().all(|journal| journal.point.is_none()));
}

#[test]
fn more_loss_than_declared_needs_a_word() {
    // SPEC: FO-4, SA-8
    let mut bench = lost(of(RecoveryPointType::Latest), false, &[&[point(600)]]);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Leaving);
    assert_eq!(
        bench.waits(),
        [WaitReason::DataLoss {
            seconds: 400,
            allowed: 300
        }]
    );
    bench.say(DecisionAction::AcceptDataLoss).unwrap();
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    let point = bench.journals[0].point.as_ref().unwrap();
    assert_eq!(point.loss, Some(Duration::from_secs(400)));
}

#[test]
fn nothing_is_lost_where_the_last_changes_were_sent() {
    // SPEC: FO-3, FO-4
    let mut bench = Bench::new(spec(RunKind::UnplannedFailover, &[1]));
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert_eq!(bench.journals[0].left, Some(LeftProof::Synced));
    let point = bench.journals[0].point.as_ref().unwrap();
    assert_eq!(point.loss, Some(Duration::from_secs(0)));
}

#[test]
fn a_point_can_be_changed_until_the_commit() {
    // SPEC: FO-5
    let points = [point(800), point(900)];
    let mut bench = lost(of(RecoveryPointType::Latest), false, &[&points, &points]);
    bench.settle();
    let earlier = RecoveryPointChoice {
        time: Some(at(850)),
        ..of(RecoveryPointType::Time)
    };
    bench
        .say_with(DecisionAction::ChangePoint, |spec| {
            spec.recovery_point = Some(earlier);
        })
        .unwrap();
    assert_eq!(bench.phase(), RunPhase::Rebuilding);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert_eq!(used(&bench), ["p800", "p800"]);
    bench.say(DecisionAction::Commit).unwrap();
    bench.settle();
    let late = bench.say_with(DecisionAction::ChangePoint, |spec| {
        spec.recovery_point = Some(of(RecoveryPointType::Latest));
    });
    assert!(late.unwrap_err().contains("Committed"));
}

#[test]
fn the_point_is_on_record_before_a_machine_is_made_from_it() {
    // SPEC: FO-7
    let mut bench = lost(of(RecoveryPointType::Latest), false, &[&[point(900)]]);
    while bench
        .record
        .groups
        .first()
        .is_none_or(|group| group.enter_released.is_none())
    {
        bench.step_run();
        bench.step_machines();
    }
    bench.journals[0].point = None;
    assert!(matches!(bench.machine(0), MachineStep::Record(_)));
}
