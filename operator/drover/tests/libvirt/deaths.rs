//! Movers and Drover are killed while copies are in hand, and what they did goes on.

use std::time::Duration;

use drover_lab::{Guest, Side};
use serde_json::json;

use crate::fleet::Fleet;
use crate::operator::Operator;
use crate::phases::{Course, Fault, MACHINE, Phase, other};

/// Whose process is killed with `kill -9`.
#[derive(Debug)]
enum Death {
    Drover,
    /// The mover that lends.
    Source,
    /// The mover that copies.
    Target,
    /// What a machine lends by is a job of its QEMU, and that knows more than a new `libvirtd`.
    Libvirtd,
}

impl Fault for Death {
    fn strike(&self, fleet: &mut Fleet, source: Side) {
        match self {
            Self::Drover => fleet.operator.kill(),
            Self::Source => fleet.movers().signal(source, "KILL"),
            Self::Target => fleet.movers().signal(other(source), "KILL"),
            Self::Libvirtd => fleet.site(source).kill_libvirtd().unwrap(),
        }
    }

    fn lasts(&self) -> Duration {
        Duration::ZERO
    }

    fn mend(&self, fleet: &mut Fleet, source: Side) {
        match self {
            Self::Drover => fleet.operator.begin_again(),
            Self::Source => fleet.movers().begin(source),
            Self::Target => fleet.movers().begin(other(source)),
            Self::Libvirtd => fleet.site(source).start_libvirtd_again().unwrap(),
        }
    }

    /// A copy goes on while `libvirtd` is dead, and most would be over then.
    fn only_in(&self) -> Option<Phase> {
        matches!(self, Self::Libvirtd).then_some(Phase::Delta)
    }
}

#[test]
fn whoever_dies_while_data_travels_goes_on_and_ends_identical() {
    // SPEC: BI-2, FB-1, FO-2, FO-7, PR-2, PR-3, PR-4
    // Who copies goes on by itself while Drover is dead, so that comes last.
    let deaths: [&dyn Fault; 4] = [
        &Death::Target,
        &Death::Source,
        &Death::Libvirtd,
        &Death::Drover,
    ];
    Course::begin(&deaths).run();
}

#[test]
fn a_machine_whose_mover_dies_while_it_starts_runs_all_the_same() {
    // SPEC: BI-2, FO-2, FO-7
    let guest = |name: &str| Guest::new(name);
    let mut fleet = Fleet::begin(&[MACHINE], json!({"interval": "5s"}), guest);
    fleet.until_protected();
    let (mut from, mut held_still) = (Side::Primary, 0);
    for _ in 0..6 {
        let to = other(from);
        let run = fleet.go(MACHINE, to, None);
        // It is held still until what it writes is noted.
        Operator::until_soon("it starts", || {
            let state = fleet.site(to).virsh(&["domstate", MACHINE]);
            state.is_ok_and(|state| matches!(state.trim(), "paused" | "running"))
        });
        fleet.movers().signal(to, "KILL");
        let state = fleet.site(to).virsh(&["domstate", MACHINE]).unwrap();
        held_still += usize::from(state.trim() == "paused");
        fleet.movers().begin(to);
        fleet
            .operator
            .until_phase(std::slice::from_ref(&run), "CommitPending");
        fleet.arrived(MACHINE, from, to, 1);
        fleet.commit(&[run], false);
        fleet.watcher.is_content();
        from = to;
        if held_still >= 2 {
            return;
        }
    }
    assert!(held_still > 0, "it was never killed in time");
}
