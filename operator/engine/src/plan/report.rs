//! What a run would do, as data.
//!
//! Field names are a contract: pipelines read them. Instants are counted from the start of the run,
//! and lengths are written as manifests write them.

use drover_api::common::{Direction, FailoverType, SitePair, SourceStop};
use drover_api::value::{Duration, GroupName, MachineName, StepName};
use drover_api::{EstimateSource, ForecastSummary, RunLimits};
use drover_world::PlanId;
use serde::Serialize;

use super::{Forecast, Loss, Note, Refusal, WaitedFor};

mod build;
mod notes;

pub(super) use build::of;

/// What a run would do (PL-5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// The plan.
    pub plan: PlanId,
    /// Its sites in their fixed roles.
    pub sites: SitePair,
    /// From which side to which (FO-10).
    pub direction: Direction,
    /// Planned or unplanned.
    pub failover: FailoverType,
    /// What is done about the source.
    pub source_stop: SourceStop,
    /// Why such a run would be refused, whatever is observed; empty where it would not.
    pub refusals: Vec<Refusal>,
    /// Machines that take part, as far as they are known.
    pub machines: usize,
    /// How many of them may be stopping and starting at once.
    pub limits: RunLimits,
    /// The groups, in the order of the plan.
    pub groups: Vec<GroupReport>,
    /// The groups by wave.
    pub waves: Vec<Vec<StepName>>,
    /// The groups in an order in which each starts after what it depends on.
    pub start_order: Vec<StepName>,
    /// The groups in the order in which they stop; empty where the source is not stopped.
    pub stop_order: Vec<StepName>,
    /// The halves of the run.
    pub phases: Vec<PhaseReport>,
    /// From the start of the run to the end of its last step.
    pub makespan: Duration,
    /// The steps that determine the makespan; their lengths sum to it.
    pub critical_path: Vec<CriticalStep>,
    /// What is to be expected, against what is aimed at.
    pub forecast: Forecast,
    /// What was left out or assumed, and what should be read before anyone starts.
    pub notes: Vec<Note>,
}

/// From when to when, counted from the start of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// When it begins.
    pub start: Duration,
    /// When it ends.
    pub end: Duration,
}

/// A half of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseReport {
    /// Which.
    pub phase: Phase,
    /// When.
    #[serde(flatten)]
    pub span: Span,
}

/// A half of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Machines leave the source: stopped, last changes sent.
    Leave,
    /// Machines enter the target: made and started by the order of the plan.
    Enter,
}

/// One group of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupReport {
    /// Its name.
    pub name: StepName,
    /// Its wave, counted from 1.
    pub wave: usize,
    /// The groups that it waits for, direct ones only.
    pub depends_on: Vec<StepName>,
    /// Its machines, as far as they are known.
    pub machines: Vec<MachineReport>,
    /// Protection groups of it that may have more members than are known.
    pub open: Vec<GroupName>,
    /// Actions before its machines start; those that take part in such a run.
    pub before: Vec<ActionReport>,
    /// Actions after they are healthy; those that take part in such a run.
    pub after: Vec<ActionReport>,
    /// When its machines leave the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave: Option<Span>,
    /// When it enters the target, its actions included.
    pub enter: Span,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineReport {
    /// Its protection group.
    pub protection_group: GroupName,
    /// Its name in that group.
    pub name: MachineName,
    /// How long it takes to stop.
    pub stop: Duration,
    /// How long its last changes travel.
    pub final_sync: Duration,
    /// How long it takes to be made at the target.
    pub materialize: Duration,
    /// How long it takes to start there until it is healthy.
    pub start: Duration,
    /// Where these figures come from.
    pub source: EstimateSource,
    /// The data loss to be expected; nothing where it depends on the point that is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// When it leaves the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave: Option<Span>,
    /// When it enters the target.
    pub enter: Span,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionReport {
    /// Its name.
    pub name: StepName,
    /// Its kind, as manifests write it.
    pub kind: &'static str,
    /// What it is expected to take; nothing where it waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Duration>,
}

/// One step of the critical path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CriticalStep {
    /// The step.
    #[serde(flatten)]
    pub step: StepReport,
    /// When it begins.
    pub at: Duration,
    /// How long it takes.
    pub length: Duration,
    /// What kept it from beginning earlier; that ends when it begins.
    pub waited_for: WaitedFor,
}

/// One step, by names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "step",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum StepReport {
    /// A machine stops.
    Stop {
        /// The group of the plan.
        group: StepName,
        /// The machine.
        machine: MachineName,
    },
    /// Its last changes are sent.
    FinalSync {
        /// The group of the plan.
        group: StepName,
        /// The machine.
        machine: MachineName,
    },
    /// The barrier: every machine has left the source.
    AllLeft,
    /// An action before a group's machines.
    Before {
        /// The group of the plan.
        group: StepName,
        /// The action.
        action: StepName,
    },
    /// A machine is made at the target and started.
    Start {
        /// The group of the plan.
        group: StepName,
        /// The machine.
        machine: MachineName,
    },
    /// An action after a group's machines.
    After {
        /// The group of the plan.
        group: StepName,
        /// The action.
        action: StepName,
    },
}

impl PlanReport {
    /// What the plan's status shows of it. The loss is the worst expected one; nothing where that, or
    /// where the estimates come from, is not known.
    pub fn summary(&self) -> Option<ForecastSummary> {
        Some(ForecastSummary {
            waves: u32::try_from(self.waves.len()).unwrap_or(u32::MAX),
            rto: self.forecast.rto.expected.value.clone(),
            rpo: self.forecast.rpo.expected.as_ref()?.value.clone(),
            source: self.forecast.rto.source?,
        })
    }
}
