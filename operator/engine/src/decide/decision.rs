//! A person's word on a run: what it does, or why it is refused (PL-10).

use drover_api::common::RunKind;
use drover_api::{ActionState, DecisionAction, OnFailure, RunDecisionSpec, RunPhase};

use super::action::state_mut;
use super::run::Draft;
use super::view::{ActionId, Around};
use crate::lifecycle::RunEvent;
use crate::lifecycle::resumed_in;

/// Takes one decision. A refusal says what would lift it.
pub(crate) fn take(draft: &mut Draft<'_>, decision: &RunDecisionSpec) -> Result<(), String> {
    if decision.digest != draft.view.shape.spec.digest {
        return Err("it was taken on another digest than that of this run: look again".into());
    }
    match decision.action {
        DecisionAction::Approve => approve(draft, decision)?,
        DecisionAction::Commit => commit(draft)?,
        DecisionAction::Cancel => cancel(draft)?,
        DecisionAction::Resume => resume(draft)?,
        DecisionAction::CompleteSync => complete_sync(draft)?,
        DecisionAction::ChangePoint => change_point(draft, decision)?,
        DecisionAction::Reprotect => reprotect(draft)?,
        DecisionAction::AcceptDataLoss => draft.record.accepted.data_loss = true,
        DecisionAction::AcceptDiscard => draft.record.accepted.discard_target_writes = true,
        DecisionAction::AcceptSplitBrain => draft.record.accepted.split_brain = true,
    }
    Ok(())
}

/// The word is on record then; the run that reverses replication is another one.
fn reprotect(draft: &Draft<'_>) -> Result<(), String> {
    let cancelled = draft.view.shape.spec.kind == RunKind::Reprotect
        && draft.record.phase == RunPhase::Cancelled;
    if draft.record.phase == RunPhase::Committed || cancelled {
        return Ok(());
    }
    Err(format!(
        "machines are reprotected once their failover is committed; this one is {}",
        draft.phase()
    ))
}

fn commit(draft: &mut Draft<'_>) -> Result<(), String> {
    if draft.go(RunEvent::CommitDecided) {
        return Ok(());
    }
    Err(format!(
        "a run is committed while it is commit pending; this one is {}",
        draft.phase()
    ))
}

/// Goes back to the source: at once where no machine was started at the target, else only with consent
/// to discard what was written there (FO-6).
fn cancel(draft: &mut Draft<'_>) -> Result<(), String> {
    match draft.view.shape.spec.kind {
        RunKind::PlannedFailover | RunKind::UnplannedFailover => {}
        RunKind::TestFailover => return Err("a drill ends when its object is deleted".into()),
        RunKind::Reprotect => return give_up(draft),
    }
    if !draft.entered() {
        return draft
            .cancel_before_entry()
            .then_some(())
            .ok_or_else(|| refused(draft));
    }
    if !draft.record.accepted.discard_target_writes {
        return Err(
            "machines were started at the target: what they wrote there would be lost; \
                    decide AcceptDiscard first"
                .into(),
        );
    }
    draft
        .cancel_after_entry()
        .then_some(())
        .ok_or_else(|| refused(draft))
}

/// It moves no machine, so nothing goes back: what was reversed stays so, the rest is not protected.
fn give_up(draft: &mut Draft<'_>) -> Result<(), String> {
    if draft.go(RunEvent::GivenUp) {
        draft.record.halt = None;
        return Ok(());
    }
    Err(refused(draft))
}

fn refused(draft: &Draft<'_>) -> String {
    format!("a run that is {} cannot be cancelled", draft.phase())
}

fn resume(draft: &mut Draft<'_>) -> Result<(), String> {
    let halted_in = draft.record.halt.as_ref().map(|halt| halt.phase);
    let event = halted_in.and_then(resumed_in);
    let Some(event) = event.filter(|_| draft.record.phase == RunPhase::Halted) else {
        return Err(format!(
            "only a halted run is resumed; this one is {}",
            draft.phase()
        ));
    };
    if !draft.go(event) {
        return Err(refused(draft));
    }
    draft.record.halt = None;
    // Failures of the older epoch no longer count, and whoever still acts on it is refused.
    draft.record.epoch += 1;
    retry_failed_actions(draft);
    Ok(())
}

/// Actions that halted the run are tried again; those that may fail stay failed.
fn retry_failed_actions(draft: &mut Draft<'_>) {
    for (position, group) in draft.view.shape.spec.groups.iter().enumerate() {
        let sides = [
            (Around::Before, &group.before),
            (Around::After, &group.after),
        ];
        for (around, actions) in sides {
            for (index, action) in actions.iter().enumerate() {
                let id = ActionId {
                    group: position,
                    around,
                    index,
                };
                let Some(state) = state_mut(&mut draft.record, id) else {
                    continue;
                };
                let halts = action.on_failure == OnFailure::Halt;
                if state.state == ActionState::Failed && halts {
                    state.state = ActionState::Pending;
                    state.attempts = 0;
                    state.since = None;
                    state.ended = None;
                }
            }
        }
    }
}

fn complete_sync(draft: &mut Draft<'_>) -> Result<(), String> {
    if draft.record.phase == RunPhase::AwaitingCompleteSync && draft.go(RunEvent::LeaveBegun) {
        return Ok(());
    }
    Err(format!(
        "no synchronisation is held; the run is {}",
        draft.phase()
    ))
}

/// Machines are rebuilt at the target from another point (FO-5).
fn change_point(draft: &mut Draft<'_>, decision: &RunDecisionSpec) -> Result<(), String> {
    if draft.view.shape.planned() {
        return Err("a planned failover loses nothing and so has no other point: cancel it".into());
    }
    let Some(point) = &decision.recovery_point else {
        return Err("the decision names no recovery point".into());
    };
    if !draft.go(RunEvent::PointChanged) {
        return Err(format!(
            "another point can be chosen while a run is commit pending; this one is {}",
            draft.phase()
        ));
    }
    draft.record.recovery_point = Some(point.clone());
    draft.begin_movement();
    Ok(())
}

/// The run as a whole, before it does anything.
fn approve_run(draft: &mut Draft<'_>, decision: &RunDecisionSpec) -> Result<(), String> {
    if draft.view.shape.spec.approvals.is_none() || draft.record.phase != RunPhase::Pending {
        return Err("the run does not wait for an approval; name the step that does".into());
    }
    if draft.record.approved_by.contains(&decision.by) {
        return Err("the same person approved the run before".into());
    }
    draft.record.approved_by.push(decision.by.clone());
    Ok(())
}

fn approve(draft: &mut Draft<'_>, decision: &RunDecisionSpec) -> Result<(), String> {
    let Some(step) = &decision.step else {
        return approve_run(draft, decision);
    };
    let Some(id) = draft.find_action(step.group.as_str(), step.action.as_str()) else {
        return Err("the run has no such step".into());
    };
    let Some(state) = state_mut(&mut draft.record, id) else {
        return Err("the run has not begun".into());
    };
    if state.state != ActionState::Running {
        return Err("the step does not wait for an approval now".into());
    }
    if state.approved_by.contains(&decision.by) {
        return Err("the same person approved the step before".into());
    }
    state.approved_by.push(decision.by.clone());
    Ok(())
}
