//! The parts of what a run leaves behind, from its record and the journals of its machines.

use drover_api::{
    AcceptedRisks, ActionState, DecisionAction, DecisionEntry, DecisionOutcome, GroupRecord,
    MachineRun, MachineRunStatus, RecoveryRun, RecoveryRunStatus, StepRecord, StepState,
};
use jiff::Timestamp;

use super::parts::{Action, Decision, Failed, Group, Member, Phase, Span, Step};
use crate::reports::moments::between;
use crate::reports::progress;

/// The phases, in the order in which they were entered.
pub fn phases(status: &RecoveryRunStatus) -> Vec<Phase> {
    let next = status.history.iter().skip(1).map(|entry| Some(entry.at));
    let entries = status.history.iter().zip(next.chain([None]));
    entries
        .map(|(entry, next)| Phase {
            phase: entry.phase,
            at: entry.at,
            took: next.map(|next| between(entry.at, next)),
        })
        .collect()
}

/// The groups, in the order of the plan.
pub fn groups(run: &RecoveryRun, machines: &[MachineRun]) -> Vec<Group> {
    let (record, none) = (progress::record(run), GroupRecord::default());
    let progress = progress::groups(run, machines);
    let groups = run.spec.groups.iter().zip(progress).enumerate();
    groups
        .map(|(position, (group, progress))| {
            let released = record.groups.get(position).unwrap_or(&none);
            let own = || {
                machines
                    .iter()
                    .filter(|machine| machine.spec.group == group.name)
            };
            let span = |released, step: fn(&MachineRunStatus) -> &StepRecord| Span {
                released,
                done: last_outcome(own(), group.machines, step),
            };
            Group {
                name: group.name.to_string(),
                wave: group.wave,
                depends_on: group.depends_on.iter().map(ToString::to_string).collect(),
                machines: group.machines,
                healthy: progress.healthy,
                failed: progress.failed,
                leave: span(released.leave_released, |journal| &journal.leave),
                enter: span(released.enter_released, entered),
                actions: actions(group, released),
            }
        })
        .collect()
}

/// The outcome of starting. A machine that finally failed to leave is not started, and that is its
/// outcome (FO-3).
fn entered(journal: &MachineRunStatus) -> &StepRecord {
    if journal.enter.at.is_none() && journal.leave.state == StepState::Failed {
        &journal.leave
    } else {
        &journal.enter
    }
}

/// When the last machine of a group had an outcome, where all have one.
fn last_outcome<'m>(
    machines: impl Iterator<Item = &'m MachineRun>,
    expected: u32,
    step: fn(&MachineRunStatus) -> &StepRecord,
) -> Option<Timestamp> {
    let mut last = None;
    let mut number = 0;
    for machine in machines {
        let at = step(machine.status.as_ref()?).at?;
        last = last.max(Some(at));
        number += 1;
    }
    last.filter(|_| number >= expected)
}

fn actions(group: &drover_api::RunGroup, released: &GroupRecord) -> Vec<Action> {
    let sides = [
        ("before", &group.before, &released.before),
        ("after", &group.after, &released.after),
    ];
    let mut actions = Vec::new();
    for (around, declared, states) in sides {
        for (position, action) in declared.iter().enumerate() {
            let state = states.get(position).cloned().unwrap_or_default();
            actions.push(Action {
                name: action.name.to_string(),
                kind: action.kind().map_or("?", |kind| kind.as_str()),
                around,
                state: state.state,
                attempts: state.attempts,
                since: state.since,
                ended: state.ended,
                took: state
                    .since
                    .zip(state.ended)
                    .map(|(from, to)| between(from, to)),
                approved_by: state.approved_by,
                error: state.error,
            });
        }
    }
    actions
}

/// The machines, by group and name.
pub fn members(run: &RecoveryRun, machines: &[MachineRun]) -> Vec<Member> {
    let (record, none) = (progress::record(run), MachineRunStatus::default());
    let position = |machine: &MachineRun| {
        let groups = &run.spec.groups;
        groups
            .iter()
            .position(|group| group.name == machine.spec.group)
    };
    let mut members: Vec<(Option<usize>, Member)> = machines
        .iter()
        .map(|machine| {
            let journal = machine.status.as_ref().unwrap_or(&none);
            let position = position(machine);
            let released = position.and_then(|position| record.groups.get(position));
            let member = Member {
                name: machine.spec.machine.name.to_string(),
                protection_group: machine.spec.machine.protection_group.to_string(),
                group: machine.spec.group.to_string(),
                standing: progress::standing(run, released, journal),
                steps: steps(journal, released),
                left: journal.left,
                point: journal.point.clone(),
            };
            (position, member)
        })
        .collect();
    members.sort_by(|(one, a), (other, b)| (one, &a.name).cmp(&(other, &b.name)));
    members.into_iter().map(|(_, member)| member).collect()
}

fn steps(journal: &MachineRunStatus, released: Option<&GroupRecord>) -> Vec<Step> {
    let released_at = |step: &str| {
        let group = released?;
        match step {
            "leave" => group.leave_released,
            "enter" => group.enter_released,
            "withdraw" => group.withdraw_released,
            "return" => group.return_released,
            _ => None,
        }
    };
    let all = progress::steps(journal).into_iter();
    let told = all.filter(|(_, record)| record.state != StepState::Pending);
    told.map(|(step, record)| Step {
        step,
        state: record.state,
        at: record.at,
        took: released_at(step)
            .zip(record.at)
            .map(|(from, to)| between(from, to)),
        epoch: record.epoch,
        error: record.error.clone(),
    })
    .collect()
}

/// The decisions, oldest first. What is decided on a run that is over, as that its machines are to be
/// protected again, is about what comes next: evidence that was printed before would else change.
pub fn decisions(status: &RecoveryRunStatus, ended: Option<Timestamp>) -> Vec<Decision> {
    let entries = status.record.decisions.iter();
    entries
        .filter(|entry| is_timely(entry, ended))
        .map(|entry| Decision {
            name: entry.name.clone(),
            action: entry.action,
            by: entry.by.clone(),
            unauthenticated: entry.unauthenticated,
            why: entry.why.clone(),
            outcome: entry.outcome,
            refused_because: entry.reason.clone(),
            at: entry.at,
        })
        .collect()
}

/// The risks that were accepted while that could mean something to the run.
pub fn accepted(status: &RecoveryRunStatus, ended: Option<Timestamp>) -> AcceptedRisks {
    let record = &status.record;
    // An older Drover did not write down which risk a decision accepted: it stays on record.
    let by = |action, timely| {
        record.decisions.iter().any(|entry| {
            entry.outcome == DecisionOutcome::Accepted
                && entry.action.is_none_or(|known| known == action)
                && is_timely(entry, ended) == timely
        })
    };
    let counts = |action| by(action, true) || !by(action, false);
    let accepted = &record.accepted;
    AcceptedRisks {
        data_loss: accepted.data_loss && counts(DecisionAction::AcceptDataLoss),
        discard_target_writes: accepted.discard_target_writes
            && counts(DecisionAction::AcceptDiscard),
        split_brain: accepted.split_brain && counts(DecisionAction::AcceptSplitBrain),
    }
}

fn is_timely(entry: &DecisionEntry, ended: Option<Timestamp>) -> bool {
    ended.is_none_or(|ended| entry.at <= ended)
}

/// What failed and why.
pub fn failures(groups: &[Group], members: &[Member]) -> Vec<Failed> {
    let mut failures = Vec::new();
    for group in groups {
        for action in group
            .actions
            .iter()
            .filter(|action| action.state == ActionState::Failed)
        {
            failures.push(Failed {
                what: format!("action {}/{}", group.name, action.name),
                error: action
                    .error
                    .clone()
                    .unwrap_or_else(|| "no reason is recorded".to_owned()),
                at: action.since,
            });
        }
    }
    for member in members {
        for step in member
            .steps
            .iter()
            .filter(|step| step.state == StepState::Failed)
        {
            failures.push(Failed {
                what: format!(
                    "{} of machine {}/{}",
                    step.step, member.protection_group, member.name
                ),
                error: step
                    .error
                    .clone()
                    .unwrap_or_else(|| "no reason is recorded".to_owned()),
                at: step.at,
            });
        }
    }
    failures
}
