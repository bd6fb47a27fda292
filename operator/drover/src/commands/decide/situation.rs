//! A run as somebody who decides on it should see it.

use drover_api::value::StepName;
use drover_api::{
    Action, ActionRecord, MachineRun, MachineRunStatus, ProtectedMachine, RecoveryRun, RunPhase,
    StepState,
};
use drover_engine::lifecycle::{RUN, RunEvent};
use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::failure::Failure;
use crate::reports::moments::{ago, full};
use crate::reports::points::{Recoverable, recoverable};
use crate::reports::progress::{self, Standing, is_up};

/// A step as `GROUP/ACTION`, its group, the action and how it stands.
pub type Step = (String, StepName, Action, ActionRecord);

/// The command that describes a run, from wherever it is given.
pub(super) fn describe(run: &RecoveryRun) -> String {
    let namespace = run.metadata.namespace.as_deref().unwrap_or("default");
    format!("drover describe run -n {namespace} {}", run.name_any())
}

/// A run as it was seen.
#[derive(Debug)]
pub struct Situation {
    /// The run.
    pub run: RecoveryRun,
    /// The journals of its machines.
    pub machines: Vec<MachineRun>,
    /// Those machines, under protection.
    pub protected: Vec<ProtectedMachine>,
    /// When it was seen.
    pub now: Timestamp,
}

impl Situation {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.run.metadata.name.as_deref().unwrap_or_default()
    }

    /// What tells a person more.
    pub(super) fn how_it_waits(&self) -> String {
        format!("`{}` says what waits for whom", describe(&self.run))
    }

    /// Its phase.
    pub(super) fn phase(&self) -> RunPhase {
        self.run.phase()
    }

    /// The site that machines leave.
    pub(super) fn source(&self) -> String {
        let spec = &self.run.spec;
        spec.sites.at(spec.direction.source()).to_string()
    }

    /// The site that machines go to.
    pub(super) fn target(&self) -> String {
        let spec = &self.run.spec;
        spec.sites.at(spec.direction.target()).to_string()
    }

    /// Whether an event can happen now; a refusal otherwise.
    pub(super) fn possible(&self, event: RunEvent, what: &str) -> Result<(), Failure> {
        match RUN.next(self.phase(), event) {
            Some(_) => Ok(()),
            None => Err(self.refused(what)),
        }
    }

    /// A refusal that says where the run stands.
    pub(super) fn refused(&self, what: &str) -> Failure {
        Failure::Refused {
            what: format!("{what}; this one is {:?}", self.phase()),
            hint: self.how_it_waits(),
        }
    }

    /// Where a machine stands.
    pub(super) fn standing(&self, machine: &MachineRun) -> Standing {
        let record = progress::record(&self.run);
        let groups = &self.run.spec.groups;
        let position = groups
            .iter()
            .position(|group| group.name == machine.spec.group);
        let released = position.and_then(|position| record.groups.get(position));
        let none = MachineRunStatus::default();
        progress::standing(
            &self.run,
            released,
            machine.status.as_ref().unwrap_or(&none),
        )
    }

    /// The machines of which it is so.
    pub(super) fn names(&self, is: impl Fn(&MachineRun) -> bool) -> Vec<String> {
        let machines = self.machines.iter().filter(|machine| is(machine));
        machines
            .map(|machine| {
                let machine = &machine.spec.machine;
                format!("{}/{}", machine.protection_group, machine.name)
            })
            .collect()
    }

    /// The machines that failed.
    pub(super) fn failed(&self) -> Vec<String> {
        self.names(|machine| self.standing(machine) == Standing::Failed)
    }

    /// The machines that run at the target.
    pub(super) fn up(&self) -> Vec<String> {
        self.names(|machine| is_up(self.standing(machine)))
    }

    /// The first moment in which a machine ran at the target.
    pub(super) fn running_since(&self) -> Option<Timestamp> {
        let entered = self.machines.iter().filter_map(|machine| {
            let enter = &machine.status.as_ref()?.enter;
            enter.at.filter(|_| enter.state == StepState::Done)
        });
        let record = progress::record(&self.run);
        let released = record
            .groups
            .iter()
            .filter_map(|group| group.enter_released);
        entered.min().or_else(|| released.min())
    }

    /// What was written at the target, and since when.
    pub(super) fn written_since(&self) -> String {
        match self.running_since() {
            Some(since) => format!(
                "what machines wrote at {} since {} UTC ({})",
                self.target(),
                full(since),
                ago(since, self.now)
            ),
            None => format!("what machines wrote at {}", self.target()),
        }
    }

    /// All steps as `GROUP/ACTION`.
    pub(super) fn steps(&self) -> Vec<Step> {
        let record = progress::record(&self.run);
        let mut steps = Vec::new();
        for (position, group) in self.run.spec.groups.iter().enumerate() {
            let done = record.groups.get(position).cloned().unwrap_or_default();
            let sides = [(&group.before, done.before), (&group.after, done.after)];
            for (actions, states) in sides {
                for (index, action) in actions.iter().enumerate() {
                    let state = states.get(index).cloned().unwrap_or_default();
                    let name = format!("{}/{}", group.name, action.name);
                    steps.push((name, group.name.clone(), action.clone(), state));
                }
            }
        }
        steps
    }

    /// What could be recovered of each machine, the oldest first.
    pub(super) fn recoverable(&self) -> Vec<Recoverable> {
        recoverable(&self.protected, self.now)
    }
}
