//! What a run does now: which groups are released, which phase comes next.

use drover_api::common::RunKind;
use drover_api::{
    ActionRecord, ActionState, BetweenPhases, CommitPolicy, DataSync, DecisionEntry,
    DecisionOutcome, GroupRecord, Halt, RunPhase, RunRecord, StepRecord, StepState,
};
use drover_world::LinkState;

use super::action::{self, Side, state};
use super::decision;
use super::machine::elapsed;
use super::point;
use super::view::{ActionId, Around, MachineView, RunView, done_in_movement, failed_now};
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
    pub(crate) actions: Vec<(ActionId, u32)>,
    waits: Vec<Wait>,
    answers: Vec<Answer>,
}

/// How the machines of a group, or of the whole run, stand in one step.
#[derive(Clone, Copy, Default)]
struct Tally {
    pending: usize,
    failed: usize,
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
                by: spec.by.clone(),
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
                self.go(RunEvent::CleanUpDue);
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
            RunKind::Reprotect => {}
        }
    }

    // ---- phases ----

    fn advance(&mut self) {
        match self.record.phase {
            RunPhase::Pending => self.pending(),
            RunPhase::Synchronizing => self.synchronizing(),
            RunPhase::AwaitingCompleteSync => self.wait(WaitReason::CompleteSync),
            RunPhase::Leaving => self.leaving(),
            RunPhase::Entering => self.entering(),
            RunPhase::CommitPending => self.commit_pending(),
            RunPhase::Committing => {
                self.all(|journal| &journal.commit, RunEvent::AllCommitted);
            }
            RunPhase::Rebuilding => self.withdrawing(RunEvent::AllWithdrawnToRebuild),
            RunPhase::Withdrawing => self.withdrawing(RunEvent::AllWithdrawn),
            RunPhase::Returning => self.returning(),
            RunPhase::Reprotecting => {
                self.all(|journal| &journal.reverse, RunEvent::AllReversed);
            }
            RunPhase::CleaningUp => {
                self.all(|journal| &journal.clean_up, RunEvent::AllCleanedUp);
            }
            RunPhase::Halted => self.wait(WaitReason::Resume),
            RunPhase::Committed
            | RunPhase::Cancelled
            | RunPhase::Protected
            | RunPhase::Standing
            | RunPhase::CleanedUp => {}
        }
    }

    fn pending(&mut self) {
        match self.view.shape.spec.kind {
            RunKind::Reprotect => {
                self.go(RunEvent::ReverseBegun);
            }
            RunKind::TestFailover => {
                self.go(RunEvent::EnterBegun);
            }
            RunKind::UnplannedFailover => {
                self.go(RunEvent::LeaveBegun);
            }
            RunKind::PlannedFailover => self.begin_planned(),
        }
    }

    /// A planned run begins only when every machine has finished its initial replication, where the
    /// pair keeps one (FO-2).
    fn begin_planned(&mut self) {
        if let Some(synchronization) = self.view.shape.spec.synchronization {
            let event = match synchronization.data_sync {
                DataSync::DeltaBeforeFailover => RunEvent::SynchronizationBegun,
                DataSync::FullDuringFailover => RunEvent::LeaveBegun,
            };
            self.go(event);
            return;
        }
        let target = self.view.shape.target();
        let replicates =
            |machine: &MachineView<'_>| {
                machine.sight.link.seen().is_some_and(|link| {
                    link.towards == target && link.state == LinkState::Replicating
                })
            };
        let missing = self
            .view
            .machines
            .iter()
            .filter(|machine| !replicates(machine))
            .count();
        if missing > 0 {
            self.wait(WaitReason::InitialReplication { machines: missing });
        } else {
            self.go(RunEvent::LeaveBegun);
        }
    }

    fn synchronizing(&mut self) {
        let tally = self.tally(0..self.view.machines.len(), |journal| &journal.synchronize);
        if tally.failed > 0 {
            self.halt(format!(
                "{} machines could not be synchronised",
                tally.failed
            ));
        } else if tally.pending > 0 {
            self.wait_for_machines(tally.pending);
        } else {
            let hold = self
                .view
                .shape
                .spec
                .synchronization
                .is_some_and(|synchronization| {
                    synchronization.between_phases == BetweenPhases::Hold
                });
            let event = if hold {
                RunEvent::SynchronizationHeld
            } else {
                RunEvent::LeaveBegun
            };
            self.go(event);
            self.turn();
        }
    }

    /// Machines leave in reverse order: a group when all that depend on it have left (PL-3).
    fn leaving(&mut self) {
        let shape = self.view.shape;
        let tallies: Vec<Tally> = self.by_group(Self::left);
        for group in 0..tallies.len() {
            let free = shape.dependents[group]
                .iter()
                .all(|other| tallies[*other].pending == 0);
            if free && self.record.groups[group].leave_released.is_none() {
                self.record.groups[group].leave_released = Some(self.view.now);
            }
        }
        let pending: usize = tallies.iter().map(|tally| tally.pending).sum();
        let failed: usize = tallies.iter().map(|tally| tally.failed).sum();
        if shape.planned() && failed > 0 {
            self.halt(format!("{failed} machines could not leave the source"));
        } else if pending > 0 {
            self.wait_for_machines(pending);
        } else if self.loss_is_acceptable() {
            self.go(RunEvent::AllLeft);
        }
    }

    fn left(&self, machine: &MachineView<'_>) -> StepState {
        let leave = &machine.journal.leave;
        match leave.state {
            StepState::Failed if !failed_now(leave, &self.record) => StepState::Pending,
            state => state,
        }
    }

    /// What a start would lose is within what is declared, or a person accepted it (FO-4, SA-8).
    fn loss_is_acceptable(&mut self) -> bool {
        let spec = &self.view.shape.spec;
        let Some(allowed) = &spec.max_data_loss else {
            return true;
        };
        if self.view.shape.planned() || self.record.accepted.data_loss {
            return true;
        }
        let worst = (0..self.view.machines.len())
            .filter(|index| self.view.machines[*index].journal.left.is_some())
            .map(|index| point::loss(self.view, index))
            .collect::<Option<Vec<_>>>();
        let Some(losses) = worst else {
            self.wait(WaitReason::RecoveryPoint);
            return false;
        };
        let worst = losses
            .into_iter()
            .max()
            .map_or(0, |loss| loss.time.as_secs());
        if worst <= allowed.as_std().as_secs() {
            return true;
        }
        self.wait(WaitReason::DataLoss {
            seconds: worst,
            allowed: allowed.as_std().as_secs(),
        });
        false
    }

    /// Groups start in order: actions before, machines, actions after (PL-1, PL-4).
    fn entering(&mut self) {
        let shape = self.view.shape;
        let tallies: Vec<Tally> = self.by_group(Self::entered_state);
        if shape.planned() {
            let failed: usize = tallies.iter().map(|tally| tally.failed).sum();
            if failed > 0 {
                self.halt(format!(
                    "{failed} machines did not become healthy at the target"
                ));
                return;
            }
        }
        let mut settled = vec![false; tallies.len()];
        // The list may name a group before those that it depends on, so one pass is not enough; each
        // pass settles a group or is the last.
        loop {
            let mut changed = false;
            for group in 0..tallies.len() {
                let ready = shape.dependencies[group]
                    .iter()
                    .all(|needed| settled[*needed]);
                if settled[group] || !ready {
                    continue;
                }
                match self.enter_group(group, tallies[group]) {
                    Side::Done => {
                        settled[group] = true;
                        changed = true;
                    }
                    Side::Failed(_) if !shape.planned() => {
                        settled[group] = true;
                        changed = true;
                    }
                    Side::Failed(reason) => {
                        self.halt(reason);
                        return;
                    }
                    Side::Waiting => {}
                }
            }
            if !changed {
                break;
            }
            self.waits.clear();
            self.actions.clear();
        }
        if settled.iter().all(|settled| *settled) {
            let drill = shape.spec.kind == RunKind::TestFailover;
            self.go(if drill {
                RunEvent::AllStand
            } else {
                RunEvent::AllEntered
            });
        } else {
            let pending = tallies.iter().map(|tally| tally.pending).sum();
            self.wait_for_machines(pending);
        }
    }

    fn enter_group(&mut self, group: usize, tally: Tally) -> Side {
        let before = action::advance(self, group, Around::Before);
        match before {
            Side::Waiting => return Side::Waiting,
            Side::Failed(reason) if self.view.shape.planned() => return Side::Failed(reason),
            Side::Done | Side::Failed(_) => {}
        }
        if self.record.groups[group].enter_released.is_none() {
            self.record.groups[group].enter_released = Some(self.view.now);
        }
        if tally.pending > 0 {
            return Side::Waiting;
        }
        action::advance(self, group, Around::After)
    }

    fn entered_state(&self, machine: &MachineView<'_>) -> StepState {
        let journal = machine.journal;
        if done_in_movement(&journal.enter, &self.record) {
            return StepState::Done;
        }
        let drill = self.view.shape.spec.kind == RunKind::TestFailover;
        let stayed = !drill && failed_now(&journal.leave, &self.record);
        if stayed || failed_now(&journal.enter, &self.record) {
            return StepState::Failed;
        }
        StepState::Pending
    }

    fn commit_pending(&mut self) {
        if self.view.intent_withdrawn {
            self.wait(WaitReason::ChangedMind);
            return;
        }
        let commit = &self.view.shape.spec.commit;
        if commit.policy == CommitPolicy::Manual {
            self.wait(WaitReason::Commit);
            return;
        }
        let soak = commit
            .soak
            .as_ref()
            .map(drover_api::value::Duration::as_std)
            .unwrap_or_default();
        let since = self.record.since.unwrap_or(self.view.now);
        if elapsed(since, self.view.now) >= soak {
            self.go(RunEvent::CommitDecided);
            return;
        }
        let until = since.checked_add(soak).unwrap_or(jiff::Timestamp::MAX);
        self.wait(WaitReason::Soak { until });
    }

    /// Machines stop at the target in reverse order, to be rebuilt or to go back.
    fn withdrawing(&mut self, done: RunEvent) {
        let shape = self.view.shape;
        let tallies: Vec<Tally> =
            self.by_group(|draft, machine| moved(&machine.journal.withdraw, &draft.record));
        for group in 0..tallies.len() {
            let free = shape.dependents[group]
                .iter()
                .all(|other| tallies[*other].pending == 0);
            if free && self.record.groups[group].withdraw_released.is_none() {
                self.record.groups[group].withdraw_released = Some(self.view.now);
            }
        }
        if self.settle_movement(&tallies, done) && done == RunEvent::AllWithdrawnToRebuild {
            self.turn();
            for (group, spec) in self.record.groups.iter_mut().zip(&shape.spec.groups) {
                group.enter_released = None;
                let fresh = empty_group(spec);
                group.before = fresh.before;
                group.after = fresh.after;
            }
        }
    }

    /// Machines start again at the source, in order.
    fn returning(&mut self) {
        let shape = self.view.shape;
        let tallies: Vec<Tally> =
            self.by_group(|draft, machine| moved(&machine.journal.back, &draft.record));
        for group in 0..tallies.len() {
            let ready = shape.dependencies[group]
                .iter()
                .all(|other| tallies[*other].pending == 0 && tallies[*other].failed == 0);
            if ready && self.record.groups[group].return_released.is_none() {
                self.record.groups[group].return_released = Some(self.view.now);
            }
        }
        self.settle_movement(&tallies, RunEvent::AllReturned);
    }

    fn settle_movement(&mut self, tallies: &[Tally], done: RunEvent) -> bool {
        let pending: usize = tallies.iter().map(|tally| tally.pending).sum();
        let failed: usize = tallies.iter().map(|tally| tally.failed).sum();
        if failed > 0 {
            self.halt(format!("{failed} machines could not go back"));
        } else if pending > 0 {
            self.wait_for_machines(pending);
        } else {
            return self.go(done);
        }
        false
    }

    /// All machines do one step, in no order.
    fn all(&mut self, step: fn(&drover_api::MachineRunStatus) -> &StepRecord, done: RunEvent) {
        let tally = self.tally(0..self.view.machines.len(), step);
        if tally.failed > 0 {
            self.halt(format!("{} machines failed", tally.failed));
        }
        if tally.pending > 0 || tally.failed > 0 {
            self.wait_for_machines(tally.pending + tally.failed);
        } else {
            self.go(done);
        }
    }

    // ---- counting ----

    fn tally(
        &self,
        machines: impl Iterator<Item = usize>,
        step: fn(&drover_api::MachineRunStatus) -> &StepRecord,
    ) -> Tally {
        let mut tally = Tally::default();
        for index in machines {
            let step = step(self.view.machines[index].journal);
            match step.state {
                StepState::Done => {}
                StepState::Failed if failed_now(step, &self.record) => tally.failed += 1,
                StepState::Failed | StepState::Pending => tally.pending += 1,
            }
        }
        tally
    }

    fn by_group(&self, state: impl Fn(&Self, &MachineView<'_>) -> StepState) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.view.shape.machines.len()];
        for (index, machine) in self.view.machines.iter().enumerate() {
            let tally = &mut tallies[self.view.shape.group_of[index]];
            match state(self, machine) {
                StepState::Done => {}
                StepState::Failed => tally.failed += 1,
                StepState::Pending => tally.pending += 1,
            }
        }
        tallies
    }

    fn wait_for_machines(&mut self, pending: usize) {
        self.wait(WaitReason::Machines {
            pending,
            phase: self.record.phase,
        });
    }
}

/// How a step of the present movement stands.
fn moved(step: &StepRecord, record: &RunRecord) -> StepState {
    if done_in_movement(step, record) {
        StepState::Done
    } else if failed_now(step, record) {
        StepState::Failed
    } else {
        StepState::Pending
    }
}

fn empty_group(spec: &drover_api::RunGroup) -> GroupRecord {
    GroupRecord {
        before: vec![ActionRecord::default(); spec.before.len()],
        after: vec![ActionRecord::default(); spec.after.len()],
        ..GroupRecord::default()
    }
}
