//! The parts of what a run leaves behind, as programs read them.

use drover_api::common::{Direction, RecoveryPointChoice, RunKind};
use drover_api::value::Duration;
use drover_api::{
    ActionState, DecisionAction, DecisionOutcome, DrillResult, LeftProof, PointUsed, RunCounts,
    RunPhase, StepState,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::reports::moments::between;
use crate::reports::progress::Standing;

/// Which run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: a run of the same name made later is another.
    pub uid: String,
    /// The counter of its plan's runs.
    pub number: u64,
}

/// What a run does.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct What {
    /// Its kind.
    pub kind: RunKind,
    /// Its direction.
    pub direction: Direction,
    /// The site that machines leave.
    pub source: String,
    /// The site that machines go to.
    pub target: String,
    /// The request that it serves.
    pub request_id: Option<String>,
    /// In words.
    #[serde(skip)]
    pub words: &'static str,
}

/// A drill.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drill {
    /// Its name.
    pub name: String,
    /// Its uid: one of the same name made later is another.
    pub uid: String,
    /// What came out of it; nothing while that is not known.
    pub result: Option<DrillResult>,
    /// The recovery point that was asked for.
    pub point: RecoveryPointChoice,
}

/// Epochs of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Epochs {
    /// That it was compiled with.
    pub compiled: u64,
    /// That its effects carry now.
    pub now: u64,
}

/// How a run stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// In a word.
    pub verdict: Verdict,
    /// Its phase.
    pub phase: RunPhase,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why it halted.
    pub halt: Option<String>,
}

/// How a run stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It goes on.
    InProgress,
    /// A person must act.
    WaitsForAPerson,
    /// It came to its end, and nothing failed.
    Succeeded,
    /// It came to its end, and something failed.
    SucceededInPart,
    /// It was cancelled.
    Cancelled,
}

/// What was aimed at, expected and reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measure {
    /// Aimed at.
    pub objective: Option<Duration>,
    /// Expected when the run was compiled.
    pub forecast: Option<Duration>,
    /// Reached.
    pub reached: Option<Duration>,
    /// Whether what was reached is no more than what was aimed at.
    pub met: Option<bool>,
}

/// Machines in numbers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machines {
    /// All of the run.
    pub total: u32,
    /// By state.
    #[serde(flatten)]
    pub counts: RunCounts,
}

/// A phase that was entered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
// The name that programs read.
#[allow(clippy::struct_field_names)]
pub struct Phase {
    /// Which.
    pub phase: RunPhase,
    /// When.
    pub at: Timestamp,
    /// How long it was in it; nothing for the one that it is in.
    pub took: Option<Duration>,
}

/// A group of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its wave.
    pub wave: u32,
    /// Groups that it waits for.
    pub depends_on: Vec<String>,
    /// Its machines.
    pub machines: u32,
    /// Of them, those that are healthy.
    pub healthy: usize,
    /// Of them, those that failed.
    pub failed: usize,
    /// Leaving the source: from the release to the last outcome.
    pub leave: Span,
    /// Starting at the target: from the release to the last outcome.
    pub enter: Span,
    /// Actions, in order.
    pub actions: Vec<Action>,
}

/// From the release of a group to the last outcome of its machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// When it was released.
    pub released: Option<Timestamp>,
    /// When the last machine had an outcome; nothing as long as one has none.
    pub done: Option<Timestamp>,
}

impl Span {
    /// How long it took.
    pub fn took(self) -> Option<Duration> {
        Some(between(self.released?, self.done?))
    }
}

/// An action of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: &'static str,
    /// Before or after the machines of the group.
    pub around: &'static str,
    /// How it stands.
    pub state: ActionState,
    /// Attempts that were begun.
    pub attempts: u32,
    /// When the last attempt began.
    pub since: Option<Timestamp>,
    /// When it succeeded or failed for good; not told where that is not on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// From the one to the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<Duration>,
    /// Who approved it.
    pub approved_by: Vec<String>,
    /// The last error.
    pub error: Option<String>,
}

/// A machine of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its protection group.
    pub protection_group: String,
    /// The group of the run.
    pub group: String,
    /// Where it stands.
    pub standing: Standing,
    /// Its durable steps that have an outcome, in the order in which they can happen.
    pub steps: Vec<Step>,
    /// How its leaving was proven.
    pub left: Option<LeftProof>,
    /// The recovery point that it was started from.
    pub point: Option<PointUsed>,
}

/// An outcome of a durable step of a machine.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
// The name that programs read.
#[allow(clippy::struct_field_names)]
pub struct Step {
    /// Which.
    pub step: &'static str,
    /// Done or failed.
    pub state: StepState,
    /// When.
    pub at: Option<Timestamp>,
    /// Since its group was released.
    pub took: Option<Duration>,
    /// The epoch that it was reached at.
    pub epoch: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// A decision of a person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Name of the `RunDecision`.
    pub name: String,
    /// What was decided.
    pub action: Option<DecisionAction>,
    /// Who decided.
    pub by: String,
    /// Whether nobody checked who that is.
    pub unauthenticated: bool,
    /// Why, in the words of who decided.
    pub why: Option<String>,
    /// Whether it took effect.
    pub outcome: DecisionOutcome,
    /// Why it did not.
    pub refused_because: Option<String>,
    /// When it was answered.
    pub at: Timestamp,
}

/// Something that failed.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// What.
    pub what: String,
    /// Why.
    pub error: String,
    /// When.
    pub at: Option<Timestamp>,
}

/// Something that an auditor would ask about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// Which kind of gap.
    pub code: GapCode,
    /// In words.
    pub says: String,
}

/// Kinds of gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum GapCode {
    /// An objective was missed.
    MissedObjective,
    /// There is no objective to measure against.
    NoObjective,
    /// The run is not over.
    NotOver,
    /// Something failed.
    Failures,
    /// The order between groups was not kept.
    OrderBroken,
    /// A risk was accepted.
    AcceptedRisk,
    /// Who decided was not checked.
    Unchecked,
    /// Which revision of the manifests was in force is not known.
    NoRevision,
    /// A plan was not rehearsed in the period.
    NoDrill,
    /// The last green drill of a plan is too old for its guard.
    OldDrill,
    /// A machine is not protected.
    Unprotected,
}
