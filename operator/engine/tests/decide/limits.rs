//! How many machines act at once: the limits of the plan, and what others leave of a site's.

use drover_api::common::{RunKind, SiteRole};
use drover_api::{DecisionAction, RunLimits, RunPhase};
use drover_engine::decide::{self, Admitted, Places, SiteUse};
use drover_world::{Effect, Instance, Power};

use crate::bench::{Bench, seen, spec};

const PRIMARY: SiteRole = SiteRole::Primary;
const SECONDARY: SiteRole = SiteRole::Secondary;

fn admitted(bench: &Bench) -> Admitted {
    bench.view(decide::admitted)
}

#[test]
fn limits_are_kept_and_places_go_in_order() {
    // SPEC: PL-2
    let mut run = spec(RunKind::PlannedFailover, &[5]);
    run.limits = RunLimits {
        stops: 2,
        starts: 1,
    };
    let mut bench = Bench::new(run);
    bench.step_run();
    assert_eq!(bench.view(decide::admitted).machines, [0, 1]);
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    let starts: Vec<_> = bench
        .asked
        .iter()
        .filter(|(_, e)| matches!(e, Effect::Materialized { .. } | Effect::Started { .. }))
        .map(|(index, _)| *index)
        .collect();
    assert_eq!(
        starts,
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4],
        "one machine at a time"
    );
}

#[test]
fn what_others_use_of_a_site_is_not_there() {
    // SPEC: PL-2
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[5]));
    bench.room.source = Places {
        stops: 2,
        ..Places::ANY
    };
    bench.step_run();
    let holds = |site, site_use, places| Some((site, site_use, places));
    let first = admitted(&bench);
    assert_eq!(first.machines, [0, 1]);
    assert_eq!(first.holds, holds(PRIMARY, SiteUse::Stop, 2));
    assert!(first.short);
    bench.room.source.stops = 0;
    assert_eq!(admitted(&bench).machines, [0; 0]);
    assert!(!bench.step_machines());
    bench.room.source.stops = 5;
    let all = admitted(&bench);
    assert_eq!(all.machines, [0, 1, 2, 3, 4]);
    assert!(!all.short);
    bench.room.target.starts = 3;
    while bench.phase() != RunPhase::Entering {
        bench.step_machines();
        bench.step_run();
    }
    bench.step_run();
    assert_eq!(admitted(&bench).holds, holds(SECONDARY, SiteUse::Start, 3));
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    assert_eq!(admitted(&bench).holds, None);
}

#[test]
fn on_the_way_back_the_sites_limits_are_those_of_where_machines_stop_and_start() {
    // SPEC: PL-2, FO-6
    let mut bench = Bench::new(spec(RunKind::PlannedFailover, &[3]));
    bench.settle();
    bench.room.target.stops = 1;
    bench.room.source.starts = 2;
    bench.say(DecisionAction::AcceptDiscard).unwrap();
    bench.say(DecisionAction::Cancel).unwrap();
    assert_eq!(bench.phase(), RunPhase::Withdrawing);
    bench.step_run();
    let holds = |site, site_use, places| Some((site, site_use, places));
    assert_eq!(admitted(&bench).holds, holds(SECONDARY, SiteUse::Stop, 1));
    while bench.phase() != RunPhase::Returning {
        bench.step_machines();
        bench.step_run();
    }
    bench.step_run();
    assert_eq!(admitted(&bench).holds, holds(PRIMARY, SiteUse::Start, 2));
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::Cancelled);
}

#[test]
fn a_machine_that_never_left_takes_no_place_from_those_that_start() {
    // SPEC: PL-2, FO-3
    let mut run = spec(RunKind::UnplannedFailover, &[2]);
    run.limits.starts = 1;
    run.source.stop = drover_api::common::SourceStop::Required;
    let mut bench = Bench::new(run);
    bench.step_run();
    // Its guest does not shut down.
    bench.journals[0].leave.state = drover_api::StepState::Failed;
    bench.journals[0].leave.epoch = bench.record.epoch;
    bench.settle();
    assert_eq!(bench.phase(), RunPhase::CommitPending);
    let started: Vec<usize> = bench
        .asked
        .iter()
        .filter(|(_, effect)| matches!(effect, Effect::Started { .. }))
        .map(|(position, _)| *position)
        .collect();
    assert_eq!(started, [1]);
}

#[test]
fn only_copies_from_nothing_take_the_places_for_copies() {
    // SPEC: PR-2, FB-1
    let mut bench = Bench::new(spec(RunKind::Reprotect, &[4]));
    for sight in &mut bench.sights {
        sight.target = seen(Instance {
            power: Power::Off,
            ..Instance::ABSENT
        });
    }
    for position in [1, 3] {
        bench.sights[position].target = seen(Instance::ABSENT);
    }
    bench.room.source.copies = 1;
    bench.step_run();
    assert_eq!(bench.phase(), RunPhase::Reprotecting);
    let now = admitted(&bench);
    assert_eq!(now.machines, [0, 1, 2]);
    assert!(now.short);
    assert_eq!(now.holds, Some((PRIMARY, SiteUse::Copy, 1)));
}
