//! Which machines of a run may act now: the limits of the plan and its sites (PL-2).

use drover_api::{RunPhase, StepState};

use super::view::{RunView, done_in_movement, failed_now};

/// The machines that may act now, by position. A machine takes a place from its release until its
/// outcome; the places go to the first machines in the order of the run, so that every process
/// computes the same.
pub fn admitted(view: &RunView<'_>) -> Vec<usize> {
    let limits = &view.shape.spec.limits;
    let limit = match view.record.phase {
        RunPhase::Leaving | RunPhase::Rebuilding | RunPhase::Withdrawing => limits.stops,
        RunPhase::Entering | RunPhase::Returning => limits.starts,
        _ => return (0..view.machines.len()).collect(),
    };
    let mut free = limit;
    let mut admitted = Vec::new();
    for index in 0..view.machines.len() {
        if !unsettled(view, index) {
            // It holds no place, and may still have to hold a stale copy down.
            admitted.push(index);
        } else if free > 0 && released(view, index) {
            free -= 1;
            admitted.push(index);
        }
    }
    admitted
}

fn released(view: &RunView<'_>, index: usize) -> bool {
    let Some(group) = view.record.groups.get(view.shape.group_of[index]) else {
        return false;
    };
    match view.record.phase {
        RunPhase::Leaving => group.leave_released.is_some(),
        RunPhase::Entering => group.enter_released.is_some(),
        RunPhase::Rebuilding | RunPhase::Withdrawing => group.withdraw_released.is_some(),
        RunPhase::Returning => group.return_released.is_some(),
        _ => true,
    }
}

fn unsettled(view: &RunView<'_>, index: usize) -> bool {
    let journal = view.machines[index].journal;
    let (record, step) = match view.record.phase {
        RunPhase::Leaving => {
            let leave = &journal.leave;
            return leave.state != StepState::Done && !failed_now(leave, view.record);
        }
        RunPhase::Entering => (view.record, &journal.enter),
        RunPhase::Returning => (view.record, &journal.back),
        _ => (view.record, &journal.withdraw),
    };
    !done_in_movement(step, record) && !failed_now(step, record)
}
