//! The actions around a group: one after the other, each begun on record before it is carried out
//! (PL-4).

use std::time::Duration;

use drover_api::{Action, ActionKind, ActionRecord, ActionState, OnFailure, RunRecord};

use super::machine::elapsed;
use super::run::Draft;
use super::view::{ActionId, Around};
use super::wait::WaitReason;

/// How the actions on one side of a group stand.
pub(crate) enum Side {
    /// All are final, and none of those that halt failed.
    Done,
    /// One that halts failed.
    Failed(String),
    /// One is under way.
    Waiting,
}

/// Moves the actions on one side of a group on as far as they go now.
pub(crate) fn advance(draft: &mut Draft<'_>, group: usize, around: Around) -> Side {
    let shape = draft.view.shape;
    let spec = &shape.spec.groups[group];
    let actions = match around {
        Around::Before => &spec.before,
        Around::After => &spec.after,
    };
    let mut halting = None;
    for (index, action) in actions.iter().enumerate() {
        let id = ActionId {
            group,
            around,
            index,
        };
        match advance_one(draft, id, action) {
            ActionState::Succeeded => {}
            ActionState::Failed if action.on_failure == OnFailure::Continue => {}
            ActionState::Failed => {
                halting.get_or_insert_with(|| format!("action {} failed", action.name));
                if shape.planned() {
                    break;
                }
            }
            ActionState::Pending | ActionState::Running => return Side::Waiting,
        }
    }
    halting.map_or(Side::Done, Side::Failed)
}

fn advance_one(draft: &mut Draft<'_>, id: ActionId, action: &Action) -> ActionState {
    let now = draft.view.now;
    let epoch = draft.record.epoch;
    let report = draft.view.actions.get(&id);
    let report = report.filter(|report| report.epoch == epoch);
    let Some(state) = state_mut(&mut draft.record, id) else {
        return ActionState::Pending;
    };
    match state.state {
        ActionState::Succeeded | ActionState::Failed => return state.state,
        ActionState::Pending => {
            state.state = ActionState::Running;
            state.attempts = 1;
            state.since = Some(now);
        }
        ActionState::Running => {
            let attempt = state.attempts;
            let overdue = action.timeout.as_ref().is_some_and(|timeout| {
                state
                    .since
                    .is_some_and(|since| elapsed(since, now) >= timeout.as_std())
            });
            match outcome(action, state, now) {
                Some(()) => state.state = ActionState::Succeeded,
                None => match report.filter(|report| report.attempt == attempt) {
                    Some(report) => match &report.result {
                        Ok(()) => state.state = ActionState::Succeeded,
                        Err(error) => fail(state, action, error.clone(), now),
                    },
                    None if overdue => fail(state, action, "it took too long".into(), now),
                    None => {}
                },
            }
        }
    }
    let (attempt, current) = (state.attempts, state.state);
    if current == ActionState::Running {
        note(draft, id, action, attempt);
    } else {
        state.ended = Some(now);
    }
    current
}

/// Waiting and approving come to an end without anybody carrying them out.
fn outcome(action: &Action, state: &ActionRecord, now: jiff::Timestamp) -> Option<()> {
    match action.kind().ok()? {
        ActionKind::Wait(wait) => {
            let since = state.since?;
            (elapsed(since, now) >= wait.duration.as_std()).then_some(())
        }
        ActionKind::Manual(manual) => {
            let enough = usize::try_from(manual.approvals).unwrap_or(usize::MAX);
            (state.approved_by.len() >= enough).then_some(())
        }
        ActionKind::Script(_) | ActionKind::Http(_) | ActionKind::Dns(_) => None,
    }
}

fn fail(state: &mut ActionRecord, action: &Action, error: String, now: jiff::Timestamp) {
    state.error = Some(error);
    if state.attempts <= action.retries {
        state.attempts += 1;
        state.since = Some(now);
    } else {
        state.state = ActionState::Failed;
    }
}

/// How long an attempt rests before it begins: what was refused a moment ago is refused again, and a
/// service that starts needs seconds. Never more than a part of the time that the attempt has.
pub fn pause_before(attempt: u32, limit: Duration) -> Duration {
    let doubled = attempt.saturating_sub(2).min(4);
    let pause = match attempt {
        0 | 1 => Duration::ZERO,
        _ => Duration::from_secs(1 << doubled),
    };
    pause.min(limit / 4)
}

/// Says what a running action waits for, and asks for it to be carried out where somebody must.
fn note(draft: &mut Draft<'_>, id: ActionId, action: &Action, attempt: u32) {
    let name = action.name.to_string();
    match action.kind() {
        Ok(ActionKind::Manual(manual)) => {
            let given = state(&draft.record, id).map_or(0, |state| state.approved_by.len());
            let given = u32::try_from(given).unwrap_or(u32::MAX);
            let missing = manual.approvals.saturating_sub(given);
            draft.wait(WaitReason::Approval {
                group: id.group,
                name,
                missing,
            });
        }
        Ok(ActionKind::Wait(_)) => draft.wait(WaitReason::Action {
            group: id.group,
            name,
        }),
        _ => {
            draft.wait(WaitReason::Action {
                group: id.group,
                name,
            });
            if draft.was_running(id, attempt) {
                draft.actions.push((id, attempt));
            }
        }
    }
}

/// The record of an action.
pub fn state(record: &RunRecord, id: ActionId) -> Option<&ActionRecord> {
    let group = record.groups.get(id.group)?;
    match id.around {
        Around::Before => group.before.get(id.index),
        Around::After => group.after.get(id.index),
    }
}

/// The record of an action, to be changed.
pub(crate) fn state_mut(record: &mut RunRecord, id: ActionId) -> Option<&mut ActionRecord> {
    let group = record.groups.get_mut(id.group)?;
    match id.around {
        Around::Before => group.before.get_mut(id.index),
        Around::After => group.after.get_mut(id.index),
    }
}
