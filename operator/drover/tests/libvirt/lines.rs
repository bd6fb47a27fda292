//! The line between the sites fails while copies are in hand, and what travelled goes on.

use std::time::Duration;

use drover_lab::Side;

use crate::fleet::Fleet;
use crate::phases::{Course, Fault};

/// What is wrong with the line.
#[derive(Debug)]
enum Line {
    /// Who wants to connect is told that there is no way.
    Cut,
    /// It carries next to nothing.
    Slow,
    /// What is sent is lost, and nobody is told.
    BlackHole,
}

const NEXT_TO_NOTHING: u32 = 256;

impl Fault for Line {
    fn strike(&self, fleet: &mut Fleet, _: Side) {
        let wan = fleet.movers().wan();
        match self {
            Self::Cut => wan.cut(),
            Self::Slow => wan.slow(NEXT_TO_NOTHING),
            Self::BlackHole => wan.black_hole(),
        }
        .unwrap();
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(4)
    }

    fn mend(&self, fleet: &mut Fleet, _: Side) {
        fleet.movers().wan().heal().unwrap();
    }
}

#[test]
fn whatever_the_line_does_while_data_travels_it_goes_on_and_ends_identical() {
    // SPEC: BI-2, FB-1, FO-2, FO-3, FO-8, PR-2, PR-3, PR-4, PR-5, SA-1, SA-2
    let mut course = Course::begin(&[&Line::Cut, &Line::BlackHole, &Line::Slow]);
    course.run();
    course.cut_off_and_taken_over();
    course.home_again();
}
