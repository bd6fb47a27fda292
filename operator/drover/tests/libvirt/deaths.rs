//! Movers and Drover are killed while copies are in hand, and what they did goes on.

use std::time::Duration;

use drover_lab::Side;

use crate::fleet::Fleet;
use crate::phases::{Course, Fault, Phase, other};

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
