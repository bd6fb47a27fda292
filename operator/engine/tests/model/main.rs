//! Explores what can happen to a run, exhaustively, in small worlds: crashes at every point, a stale
//! second process, lost and returning sites, failed starts, missed deadlines, decisions and changed
//! minds in the middle. The functions that decide are those that the operator calls.
//!
//! `DROVER_LONG=1` explores larger worlds.

#![cfg(test)]

mod environment;
mod explore;
mod scenario;
mod settle;
mod world;

use std::io::Write;

use drover_api::DecisionAction as D;
use stateright::{Checker, Model};

use explore::Scenario;
use scenario::{
    Faults, HOME, HOME_WITH_SYNC, PLANNED, REPROTECT, Replicator, Script, THREE_IN_TWO_GROUPS,
    TWO_IN_A_CHAIN, UNPLANNED, UNPLANNED_SKIP,
};
use world::Machine;

/// More states than any world of the suite has; a bound, not a goal.
const BOUND: usize = 40_000_000;

#[allow(clippy::disallowed_methods)] // A switch of the test run, not of the engine.
fn long() -> bool {
    std::env::var_os("DROVER_LONG").is_some()
}

/// Past the harness, which shows what a test prints only when it fails: what was explored is a result.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "explored {line}");
}

fn explore(name: &str, scenario: Scenario) {
    let checker = scenario
        .checker()
        .threads(2)
        .target_state_count(BOUND)
        .spawn_bfs()
        .join();
    say(&format!(
        "{name}: {} states, {} unique, depth {}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    ));
    assert!(checker.state_count() < BOUND, "{name}: not exhaustive");
    if let Some((property, path)) = checker.discoveries().into_iter().next() {
        let last = path.last_state().clone();
        let actions: Vec<String> = path
            .into_actions()
            .iter()
            .map(|action| format!("{action:?}"))
            .collect();
        panic!(
            "{name}: {property} is violated by\n{}\nat {last:?}",
            actions.join("\n")
        );
    }
}

/// The world must be able to break, or the checks prove nothing.
fn breaks(name: &str, property: &'static str, scenario: Scenario) {
    let checker = scenario
        .checker()
        .threads(2)
        .target_state_count(BOUND)
        .spawn_bfs()
        .join();
    say(&format!(
        "{name}: {} unique states",
        checker.unique_state_count()
    ));
    assert!(
        checker.discovery(property).is_some(),
        "{name}: {property} should be violated"
    );
}

/// Worlds of many millions of states.
fn longer(name: &str, script: &'static [Script], faults: Faults) {
    if long() {
        explore(name, two(script, faults));
    }
}

fn two(script: &'static [Script], faults: Faults) -> Scenario {
    Scenario::new(TWO_IN_A_CHAIN, script, faults)
}

#[test]
fn planned_there_reprotect_and_back() {
    // SPEC: FO-2, FO-7, FO-8, FB-1, FB-2, SA-3, SA-4
    let faults = Faults {
        writes: 1,
        stale_snapshots: 1,
        slow: true,
        ..Faults::NONE
    };
    explore("there and back", two(&[PLANNED, REPROTECT, HOME], faults));
}

#[test]
fn planned_with_failed_starts_cancel_and_resume() {
    // SPEC: FO-2, FO-6, PL-8, SA-4
    let decisions = &[D::AcceptDiscard, D::Cancel, D::Resume, D::Commit];
    let faults = Faults {
        writes: 1,
        failed_starts: 1,
        decisions,
        ..Faults::NONE
    };
    explore("planned, failed start", two(&[PLANNED], faults.clone()));
    let stale = Faults {
        stale_snapshots: 1,
        decisions: &[D::AcceptDiscard, D::Cancel],
        ..faults
    };
    explore(
        "planned, failed start, stale",
        two(&[PLANNED], stale.clone()),
    );
    longer(
        "planned, failed start, everything",
        &[PLANNED],
        Faults { decisions, ..stale },
    );
}

#[test]
fn planned_with_a_changed_mind_and_a_lost_site() {
    // SPEC: PL-8, BI-2, SA-1
    let faults = Faults {
        writes: 1,
        partitions: 1,
        stale_snapshots: 1,
        changed_mind: true,
        ..Faults::NONE
    };
    explore(
        "planned, changed mind, partition",
        two(&[PLANNED], faults.clone()),
    );
    longer(
        "planned, changed mind, slow",
        &[PLANNED],
        Faults {
            slow: true,
            ..faults
        },
    );
}

#[test]
fn planned_with_a_guest_that_does_not_shut_down() {
    // SPEC: FO-2
    let faults = Faults {
        writes: 1,
        deadlines: true,
        slow: true,
        decisions: &[D::Resume, D::Cancel, D::Commit],
        ..Faults::NONE
    };
    explore("planned, deadlines", two(&[PLANNED], faults.clone()));
    longer(
        "planned, deadlines, stale",
        &[PLANNED],
        Faults {
            stale_snapshots: 1,
            ..faults
        },
    );
}

#[test]
fn unplanned_with_the_source_cut_off_and_returning() {
    // SPEC: FO-3, FO-8, SA-1, SA-2
    let faults = Faults {
        writes: 1,
        partitions: 1,
        deadlines: true,
        slow: true,
        ..Faults::NONE
    };
    explore("unplanned, partition", two(&[UNPLANNED], faults.clone()));
    let stale = Faults {
        stale_snapshots: 1,
        slow: false,
        writes: 0,
        ..faults.clone()
    };
    explore("unplanned, partition, stale", two(&[UNPLANNED], stale));
    longer(
        "unplanned, everything",
        &[UNPLANNED],
        Faults {
            stale_snapshots: 1,
            ..faults
        },
    );
}

#[test]
fn unplanned_with_the_source_without_power_and_returning() {
    // SPEC: FO-3, FO-8, SA-2
    let faults = Faults {
        writes: 1,
        power_losses: 1,
        failed_starts: 1,
        decisions: &[D::Commit, D::AcceptDiscard, D::Cancel],
        ..Faults::NONE
    };
    explore(
        "unplanned, power loss",
        two(&[UNPLANNED_SKIP], faults.clone()),
    );
    longer(
        "unplanned, power loss, slow",
        &[UNPLANNED_SKIP],
        Faults {
            slow: true,
            ..faults
        },
    );
}

#[test]
fn unplanned_without_a_fence_needs_a_word() {
    // SPEC: SA-2
    let faults = Faults {
        partitions: 1,
        fences: false,
        stale_snapshots: 1,
        decisions: &[D::AcceptSplitBrain, D::Commit],
        ..Faults::NONE
    };
    explore("unplanned, no fence", two(&[UNPLANNED], faults));
}

#[test]
fn another_point_is_chosen_and_the_run_cancelled() {
    // SPEC: FO-5, FO-6
    let decisions = &[D::ChangePoint, D::AcceptDiscard, D::Cancel, D::Resume];
    let faults = Faults {
        failed_starts: 1,
        decisions,
        ..Faults::NONE
    };
    explore("change of point", two(&[UNPLANNED], faults.clone()));
    let stale = Faults {
        failed_starts: 0,
        stale_snapshots: 1,
        decisions: &[D::ChangePoint, D::Commit],
        ..faults.clone()
    };
    explore("change of point, stale", two(&[UNPLANNED], stale));
    longer(
        "change of point, everything",
        &[UNPLANNED],
        Faults {
            stale_snapshots: 1,
            ..faults
        },
    );
}

#[test]
fn failback_with_synchronisation_and_a_hold() {
    // SPEC: FB-0, FB-3, FB-5
    let away = |faults| {
        let mut scenario = two(&[HOME_WITH_SYNC], faults);
        scenario.start = Machine::away;
        scenario
    };
    let decisions = &[D::CompleteSync, D::Cancel, D::Commit];
    let faults = Faults {
        writes: 1,
        partitions: 1,
        slow: true,
        decisions,
        ..Faults::NONE
    };
    explore("failback with sync", away(faults.clone()));
    let stale = Faults {
        partitions: 0,
        stale_snapshots: 1,
        slow: false,
        ..faults.clone()
    };
    explore("failback with sync, stale", away(stale));
    if long() {
        explore(
            "failback, everything",
            away(Faults {
                stale_snapshots: 1,
                ..faults
            }),
        );
    }
}

#[test]
fn three_machines_in_two_groups() {
    // SPEC: PL-2, PL-3
    let faults = Faults {
        writes: 1,
        failed_starts: 1,
        slow: true,
        decisions: &[D::Cancel, D::AcceptDiscard, D::Resume],
        ..Faults::NONE
    };
    explore(
        "three machines",
        Scenario::new(THREE_IN_TWO_GROUPS, &[PLANNED], faults),
    );
    if long() {
        let faults = Faults {
            writes: 1,
            stale_snapshots: 1,
            ..Faults::NONE
        };
        let script = &[PLANNED, REPROTECT, HOME];
        explore(
            "three there and back",
            Scenario::new(THREE_IN_TWO_GROUPS, script, faults),
        );
    }
}

#[test]
fn without_epochs_a_stale_process_does_harm() {
    // SPEC: SA-3. The fabric only records epochs: the checks must see what that allows.
    let faults = Faults {
        stale_snapshots: 1,
        enforced: false,
        decisions: &[D::AcceptDiscard, D::Cancel],
        ..Faults::NONE
    };
    breaks("no enforcement", "single_active", two(&[PLANNED], faults));
}

#[test]
fn a_replicator_that_lies_loses_data() {
    // SPEC: FO-2. The engine believes what the fabric reports, so the checks must see what that costs.
    let faults = Faults {
        writes: 1,
        replicator: Replicator::Lies,
        ..Faults::NONE
    };
    breaks("a lying replicator", "zero_loss", two(&[PLANNED], faults));
}

#[test]
fn a_replicator_that_hangs_settles_nothing() {
    let faults = Faults {
        replicator: Replicator::Hangs,
        ..Faults::NONE
    };
    breaks("a hanging replicator", "settles", two(&[PLANNED], faults));
}
