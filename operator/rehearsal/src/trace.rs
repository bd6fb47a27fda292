//! What was done when, noted while a run goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_api::common::SiteRole;
use drover_api::value::StepName;
use drover_api::{ActionKind, ActionState, MachineRunStatus, RunRecord, StepRecord, StepState};
use drover_engine::decide::{self, ActionId};
use drover_world::Effect;
use jiff::Timestamp;

use crate::natural;
use crate::prepared::Prepared;
use crate::told::{Kind, Step};

/// What was done when.
pub(crate) struct Trace {
    begun: Timestamp,
    target: SiteRole,
    leaves: Vec<Span>,
    enters: Vec<Span>,
    actions: BTreeMap<ActionId, Span>,
}

/// From when to when, and what went wrong.
#[derive(Clone, Default)]
struct Span {
    begin: Option<Timestamp>,
    end: Option<Timestamp>,
    error: Option<String>,
}

impl Trace {
    pub fn new(prepared: &Prepared, begun: Timestamp) -> Self {
        let machines = prepared.actors.len();
        Self {
            begun,
            target: prepared.shape.target(),
            leaves: vec![Span::default(); machines],
            enters: vec![Span::default(); machines],
            actions: BTreeMap::new(),
        }
    }

    /// A driver was asked for something.
    pub fn asked(&mut self, position: usize, effect: Effect, now: Timestamp) {
        let span = match effect {
            Effect::Materialized { site } | Effect::Started { site } if site == self.target => {
                &mut self.enters[position]
            }
            Effect::Stopped { .. }
            | Effect::Fenced { .. }
            | Effect::FinalSync { .. }
            | Effect::SyncedBack { .. } => &mut self.leaves[position],
            _ => return,
        };
        span.begin.get_or_insert(now);
    }

    /// A machine has an outcome.
    pub fn outcome(&mut self, position: usize, journal: &MachineRunStatus) {
        self.leaves[position].outcome(&journal.leave);
        self.enters[position].outcome(&journal.enter);
    }

    /// The run has a new record.
    pub fn recorded(&mut self, prepared: &Prepared, record: &RunRecord, now: Timestamp) {
        for (id, _) in prepared.actions() {
            let Some(state) = decide::action_record(record, id) else {
                continue;
            };
            if state.state == ActionState::Pending {
                continue;
            }
            let span = self.actions.entry(id).or_default();
            span.begin = span.begin.or(state.since);
            span.error.clone_from(&state.error);
            if state.state != ActionState::Running {
                span.end.get_or_insert(now);
            }
        }
    }

    /// All of it, in the order in which it began.
    pub fn end(self, prepared: &Prepared, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        let machines = &prepared.compiled.machines;
        let halves = self.leaves.into_iter().zip(self.enters);
        let mut all: Vec<_> = machines.iter().zip(halves).collect();
        for group in all.chunk_by_mut(|(one, _), (other, _)| one.group == other.group) {
            group.sort_by(|(one, _), (other, _)| {
                natural::compare(one.machine.name.as_str(), other.machine.name.as_str())
            });
        }
        for (machine, (leave, enter)) in all {
            let (group, name) = (&machine.group, &machine.machine.name);
            let machine = || name.clone();
            let leaves = Kind::Leave { machine: machine() };
            let enters = Kind::Enter { machine: machine() };
            steps.extend(leave.step(group, leaves, self.begun, now));
            steps.extend(enter.step(group, enters, self.begun, now));
        }
        for (id, action) in prepared.actions() {
            let Some(span) = self.actions.get(&id) else {
                continue;
            };
            let group = &prepared.compiled.run.groups[id.group].name;
            let kind = Kind::Action {
                action: action.name.clone(),
                person: matches!(action.kind(), Ok(ActionKind::Manual(_))),
            };
            steps.extend(span.clone().step(group, kind, self.begun, now));
        }
        // Of what began together the order of groups stays, and in a group that in which people count.
        steps.sort_by_key(|step| step.begin);
        steps
    }
}

impl Span {
    fn outcome(&mut self, step: &StepRecord) {
        if step.state != StepState::Pending {
            self.end = self.end.or(step.at);
            self.error.clone_from(&step.error);
        }
    }

    /// What never began was not done. What did not end goes on until now.
    fn step(self, group: &StepName, kind: Kind, begun: Timestamp, now: Timestamp) -> Option<Step> {
        let since =
            |at: Timestamp| Duration::try_from(at.duration_since(begun)).unwrap_or_default();
        let begin = self.begin.or(self.end)?;
        Some(Step {
            group: group.clone(),
            kind,
            begin: since(begin),
            end: since(self.end.unwrap_or(now)),
            error: self.error,
        })
    }
}
