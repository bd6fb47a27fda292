//! What a run does now: which groups are released, which phase comes next.

mod phases;
mod tally;

use std::borrow::Cow;

use drover_api::common::RunKind;
use drover_api::{
    ActionRecord, ActionState, DecisionEntry, DecisionOutcome, GroupRecord, Halt, RunPhase,
    RunRecord,
};

use super::action::state;
use super::decision;
use super::standing::Standing;
use super::view::{ActionId, Around, RunView};
use super::wait::{Wait, WaitReason};
use crate::lifecycle::{BEFORE_ENTRY, RUN, RunEvent};

/// What a run does now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunStep {
    /// The record to write, where it changes. Nothing that it releases may be done before it is
    /// written.
    pub record: Option<RunRecord>,
    /// What becomes of decisions.
    pub answers: Vec<Answer>,
    /// Actions to carry out now, with their attempt; their begin is on record already.
    pub actions: Vec<(ActionId, u32)>,
    /// Why everything else waits.
    pub waits: Vec<Wait>,
}

/// What becomes of one decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Name of the decision.
    pub decision: String,
    /// Accepted, or why not and what would lift that.
    pub result: Result<(), String>,
}

/// What a run does now.
#[must_use]
pub fn run(view: &RunView<'_>) -> RunStep {
    let mut draft = Draft::new(view);
    draft.take_decisions();
    draft.follow_changed_mind();
    // A phase may be over as soon as it is entered. There are fewer phases than this.
    for _ in 0..PHASES {
        let before = draft.record.phase;
        draft.waits.clear();
        draft.actions.clear();
        draft.advance();
        if draft.record.phase == before {
            break;
        }
    }
    draft.finish()
}

/// More than a run can pass through in one go.
const PHASES: usize = 16;

/// The next record, as it takes shape.
pub(crate) struct Draft<'a> {
    pub(crate) view: &'a RunView<'a>,
    pub(crate) record: RunRecord,
    /// How the machines stand by the epochs of `record`.
    standings: Cow<'a, [Standing]>,
    stand_at: Epochs,
    pub(crate) actions: Vec<(ActionId, u32)>,
    waits: Vec<Wait>,
    answers: Vec<Answer>,
}

impl<'a> Draft<'a> {
    fn new(view: &'a RunView<'a>) -> Self {
        let mut record = view.record.clone();
        if record.groups.is_empty() {
            record.epoch = view.shape.spec.epoch;
            record.movement_epoch = view.shape.spec.epoch;
            record.since = Some(view.now);
            record.groups = view.shape.spec.groups.iter().map(empty_group).collect();
        }
        Self {
            view,
            record,
            standings: Cow::Borrowed(view.standings),
            stand_at: epochs(view.record),
            actions: Vec::new(),
            waits: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn finish(self) -> RunStep {
        RunStep {
            record: (self.record != *self.view.record).then_some(self.record),
            answers: self.answers,
            actions: self.actions,
            waits: self.waits,
        }
    }

    /// Makes the standings those of the record's epochs.
    fn stand(&mut self) {
        let epochs = epochs(&self.record);
        if self.stand_at != epochs {
            let all = Standing::all(self.view.shape, &self.record, self.view.machines);
            self.standings = Cow::Owned(all);
            self.stand_at = epochs;
        }
    }

    // ---- events ----

    /// Changes the phase if the table allows it.
    pub(crate) fn go(&mut self, event: RunEvent) -> bool {
        let Some(next) = RUN.next(self.record.phase, event) else {
            return false;
        };
        self.record.phase = next;
        self.record.since = Some(self.view.now);
        true
    }

    fn halt(&mut self, reason: String) {
        let phase = self.record.phase;
        if self.go(RunEvent::Failed) {
            self.record.halt = Some(Halt { phase, reason });
        }
    }

    /// A movement of machines begins: outcomes of the older one no longer count, and whoever still
    /// acts on it is refused.
    pub(crate) fn begin_movement(&mut self) {
        self.record.epoch += 1;
        self.record.movement_epoch = self.record.epoch;
        for group in &mut self.record.groups {
            group.withdraw_released = None;
            group.return_released = None;
        }
    }

    /// From now on machines are started where they were held until now. One epoch never asks for both:
    /// a delayed request to hold a machine would else stop it after it was started.
    pub(crate) fn turn(&mut self) {
        self.record.epoch += 1;
    }

    /// Whether any machine may have been started at the target.
    pub(crate) fn entered(&self) -> bool {
        self.record
            .groups
            .iter()
            .any(|group| group.enter_released.is_some())
    }

    pub(crate) fn cancel_before_entry(&mut self) -> bool {
        let halted_later = self.record.phase == RunPhase::Halted
            && !self
                .halted_in()
                .is_some_and(|phase| BEFORE_ENTRY.contains(&phase));
        if halted_later || !self.go(RunEvent::CancelDecidedBeforeEntry) {
            return self.cancel_after_entry();
        }
        self.record.halt = None;
        self.begin_movement();
        true
    }

    pub(crate) fn cancel_after_entry(&mut self) -> bool {
        let going_back = [
            RunPhase::Withdrawing,
            RunPhase::Returning,
            RunPhase::Committing,
            RunPhase::Reprotecting,
        ];
        let halted_beyond = self
            .halted_in()
            .is_some_and(|phase| going_back.contains(&phase));
        if halted_beyond || !self.go(RunEvent::CancelDecidedAfterEntry) {
            return false;
        }
        self.record.halt = None;
        self.begin_movement();
        true
    }

    fn halted_in(&self) -> Option<RunPhase> {
        self.record.halt.as_ref().map(|halt| halt.phase)
    }

    pub(crate) fn phase(&self) -> String {
        format!("{:?}", self.record.phase)
    }

    pub(crate) fn wait(&mut self, reason: WaitReason) {
        self.waits.push(reason.into());
    }

    pub(crate) fn find_action(&self, group: &str, name: &str) -> Option<ActionId> {
        let groups = &self.view.shape.spec.groups;
        let position = groups
            .iter()
            .position(|candidate| candidate.name.as_str() == group)?;
        let sides = [
            (Around::Before, &groups[position].before),
            (Around::After, &groups[position].after),
        ];
        sides.into_iter().find_map(|(around, actions)| {
            let index = actions
                .iter()
                .position(|action| action.name.as_str() == name)?;
            Some(ActionId {
                group: position,
                around,
                index,
            })
        })
    }

    /// Whether the stored record says that this attempt was begun.
    pub(crate) fn was_running(&self, id: ActionId, attempt: u32) -> bool {
        state(self.view.record, id)
            .is_some_and(|state| state.state == ActionState::Running && state.attempts == attempt)
    }

    fn take_decisions(&mut self) {
        for (name, spec) in self.view.decisions {
            if self
                .record
                .decisions
                .iter()
                .any(|answered| answered.name == *name)
            {
                continue;
            }
            let result = decision::take(self, spec);
            self.record.decisions.push(DecisionEntry {
                name: (*name).to_owned(),
                action: Some(spec.action),
                by: spec.by.clone(),
                unauthenticated: self.view.unauthenticated,
                why: spec.reason.clone(),
                outcome: match result {
                    Ok(()) => DecisionOutcome::Accepted,
                    Err(_) => DecisionOutcome::Refused,
                },
                reason: result.as_ref().err().cloned(),
                at: self.view.now,
            });
            self.answers.push(Answer {
                decision: (*name).to_owned(),
                result,
            });
        }
    }

    /// The declaration changed in the middle of the run (PL-8).
    fn follow_changed_mind(&mut self) {
        if !self.view.intent_withdrawn {
            return;
        }
        match self.view.shape.spec.kind {
            RunKind::TestFailover => {
                if self.go(RunEvent::CleanUpDue) {
                    // A delayed request to make a machine would else make one that nobody removes.
                    self.turn();
                }
            }
            RunKind::PlannedFailover | RunKind::UnplannedFailover => {
                let going_back = [RunPhase::Withdrawing, RunPhase::Returning];
                let already = going_back.contains(&self.record.phase)
                    || self
                        .halted_in()
                        .is_some_and(|phase| going_back.contains(&phase));
                if !self.entered() && !already {
                    self.cancel_before_entry();
                }
            }
            // One that a person asked for goes on: also a way back needs the replication.
            RunKind::Reprotect => {
                let waits = self.record.phase == RunPhase::Pending;
                if waits && self.view.shape.spec.approvals.is_some() {
                    self.go(RunEvent::GivenUp);
                }
            }
        }
    }
}

/// What standings follow from besides the machines.
type Epochs = (u64, u64);

fn epochs(record: &RunRecord) -> Epochs {
    (record.epoch, record.movement_epoch)
}

fn empty_group(spec: &drover_api::RunGroup) -> GroupRecord {
    GroupRecord {
        before: vec![ActionRecord::default(); spec.before.len()],
        after: vec![ActionRecord::default(); spec.after.len()],
        ..GroupRecord::default()
    }
}
