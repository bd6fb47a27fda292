//! `RecoveryRun`: one execution of a plan, compiled and then executed. It is the audit record.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::failback_policy::{BetweenPhases, DataSync, FailbackLocation};
use super::recovery_plan::{Commit, EstimateSource, Objectives, Override};
use super::run_decision::{DecisionAction, DecisionOutcome};
use super::site::OnStopTimeout;
use crate::common::{
    Direction, FailoverType, PlanRef, RecoveryPointChoice, RunKind, SitePair, SiteRole, SourceStop,
    Unfenced,
};
use crate::value::{Duration, StepName};

/// One execution of a plan: failover, failback, test failover, reprotect. Its spec is compiled from
/// the plan and what was seen, and never changes; its status is the journal. Made by Drover.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "RecoveryRun",
    namespaced,
    derive = "PartialEq",
    status = "RecoveryRunStatus",
    shortname = "rr",
    category = "drover",
    doc = "One execution of a plan, compiled and then executed. Made by Drover; the audit record.",
    printcolumn(name = "Plan", type_ = "string", json_path = ".spec.planRef.name"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.kind"),
    printcolumn(name = "Direction", type_ = "string", json_path = ".spec.direction"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Healthy",
        type_ = "integer",
        json_path = ".status.machines.healthy"
    ),
    printcolumn(name = "RTO", type_ = "string", json_path = ".status.rto"),
    printcolumn(name = "RPO", type_ = "string", json_path = ".status.rpo"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("a run is immutable"))]
pub struct RecoveryRunSpec {
    /// The plan that it executes.
    pub plan_ref: PlanRef,
    /// Counter of the plan's runs; the run's name is the plan's name and this.
    #[schemars(range(min = 1))]
    pub number: u64,
    /// What the run does.
    pub kind: RunKind,
    /// From which side to which (FO-10).
    pub direction: Direction,
    /// The two sites in their fixed roles.
    pub sites: SitePair,
    /// Id of the request that the run serves, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub request_id: Option<String>,
    /// What the plan declared that a failover serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<RunIntent>,
    /// Epoch of the run: above every epoch that a fabric reported when it was compiled (SA-3).
    #[schemars(range(min = 1))]
    pub epoch: u64,
    /// Digest of everything that the run was compiled from, and of its machines.
    #[schemars(length(min = 71, max = 71), regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub digest: String,
    /// The groups, in the plan's order.
    #[schemars(length(min = 1, max = 10_000))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub groups: Vec<RunGroup>,
    /// Number of machines; each has a `MachineRun` of its own.
    pub machines: u32,
    /// What is done about the source.
    pub source: SourceRule,
    /// Which recovery point machines start from.
    pub recovery_point: RecoveryPointChoice,
    /// A start that would lose more is held (FO-4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_data_loss: Option<Duration>,
    /// Who commits.
    pub commit: Commit,
    /// Data synchronisation inside the run, where the way back needs it (FB-0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synchronization: Option<Synchronization>,
    /// So many different people must approve the run before it does anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub approvals: Option<u32>,
    /// Whether approving a reprotect commits a failover that nobody remembers: its machines were found at
    /// the other site when the store was lost, and nothing proves that it was committed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub commits: bool,
    /// Where machines go; only a failback has another than the original.
    #[serde(default)]
    pub location: FailbackLocation,
    /// How many machines may be stopping and starting at once.
    pub limits: RunLimits,
    /// What was forecast when it was compiled (PL-5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<RunForecast>,
    /// What the plan aimed at when it was compiled: what the run is measured against (PL-11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objectives: Option<Objectives>,
    /// Revision of the manifests that were in force when it was compiled: what the plan's annotation
    /// `drover.dev/revision` said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub revision: Option<String>,
}

/// What a plan declared about where its machines should be, as a failover serves it (PL-8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunIntent {
    /// Where the machines should be active.
    pub active_site: SiteRole,
    /// Single machines that should be active elsewhere than the rest (PL-6).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub overrides: Vec<Override>,
    /// Whether other machines have to go the other way for the same declaration: a run of their own
    /// follows when this one is committed.
    #[serde(default)]
    pub more: bool,
}

/// One group of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunGroup {
    /// Name of the group.
    pub name: StepName,
    /// Groups that must be healthy before this one starts: direct edges only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub depends_on: Vec<StepName>,
    /// The wave that the group is in when it starts, counted from 1.
    pub wave: u32,
    /// Number of its machines.
    pub machines: u32,
    /// Actions before the machines start; those that take part in this run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub before: Vec<Action>,
    /// Actions after the machines are healthy; those that take part in this run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub after: Vec<Action>,
}

/// What a run does about its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceRule {
    /// Whether the source is stopped.
    pub stop: SourceStop,
    /// What happens when it could neither be stopped nor fenced.
    #[serde(default)]
    pub unfenced: Unfenced,
    /// How long the stop of one machine may take before it counts as failed.
    pub stop_timeout: Duration,
    /// What is done about a guest that did not shut down in that time, where it must.
    #[serde(default, skip_serializing_if = "OnStopTimeout::is_default")]
    pub on_stop_timeout: OnStopTimeout,
}

/// Data synchronisation inside a run (FB-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Synchronization {
    /// How.
    pub data_sync: DataSync,
    /// What happens between its phases.
    pub between_phases: BetweenPhases,
}

/// How many machines may be stopping and starting at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunLimits {
    /// Stopping at the source.
    #[schemars(range(min = 1))]
    pub stops: u32,
    /// Starting at the target.
    #[schemars(range(min = 1))]
    pub starts: u32,
}

/// What was forecast when a run was compiled (PL-5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunForecast {
    /// Expected time until the service is back.
    pub rto: Duration,
    /// Expected data loss.
    pub rpo: Duration,
    /// Where the estimates come from.
    pub source: EstimateSource,
}

/// Where a run stands.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum RunPhase {
    /// Compiled; nothing was done yet.
    #[default]
    Pending,
    /// Data is copied back while the machines still run (FB-3, first phase).
    Synchronizing,
    /// The first phase is done; a person says *complete*.
    AwaitingCompleteSync,
    /// Machines leave the source: stopped or fenced, last changes sent, proven.
    Leaving,
    /// Machines start at the target by waves.
    Entering,
    /// Machines run at the target; a commit, a cancel or another point is awaited (FO-5).
    CommitPending,
    /// Other recovery points are removed; what stayed behind is dealt with.
    Committing,
    /// Committed. The end.
    Committed,
    /// An error stopped the run; a person resumes or cancels it (FO-2).
    Halted,
    /// Another recovery point was chosen: machines stop at the target, dependents first, to be rebuilt
    /// there (FO-5).
    Rebuilding,
    /// Cancelled: machines stop at the target, dependents first (FO-6).
    Withdrawing,
    /// Cancelled: machines start again at the source, in order (FO-6).
    Returning,
    /// They are back. The end.
    Cancelled,
    /// Replication is reversed (FB-1).
    Reprotecting,
    /// Machines are protected in the other direction. The end of a reprotect.
    Protected,
    /// What a drill made stands.
    Standing,
    /// What a drill made is being removed.
    CleaningUp,
    /// It is gone. The end of a drill.
    CleanedUp,
}

/// The journal of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryRunStatus {
    /// What was decided: all that a process needs to carry on where another stopped.
    #[serde(flatten)]
    pub record: RunRecord,
    /// Machines by state.
    #[serde(default)]
    pub machines: RunCounts,
    /// When each phase was entered, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub history: Vec<PhaseEntry>,
    /// Time from the start until all machines were healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Duration>,
    /// Data loss that the chosen points meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Duration>,
    /// Conditions; `Ready` and `CommitPending` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What was decided in a run. It is written before anything is done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Where the run stands.
    #[serde(default)]
    pub phase: RunPhase,
    /// When it came to stand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// For `Halted`: the phase that it resumes in, and why it halted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// Epoch that effects carry now. It grows with every change of mind, so that whoever still acts
    /// on an older one is refused (SA-3).
    #[serde(default)]
    pub epoch: u64,
    /// Epoch at which the present movement of machines began. Outcomes of entering, withdrawing and
    /// returning that are older belong to a movement that was given up.
    #[serde(default)]
    pub movement_epoch: u64,
    /// The recovery point that is in force when it is another than the spec's (FO-5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_point: Option<RecoveryPointChoice>,
    /// What was released and done, group by group, in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000))]
    pub groups: Vec<GroupRecord>,
    /// Who approved the run as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 253)))]
    pub approved_by: Vec<String>,
    /// Risks that a person accepted for this run.
    #[serde(default)]
    pub accepted: AcceptedRisks,
    /// Decisions that were answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub decisions: Vec<DecisionEntry>,
}

/// Why a run halted and where it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Halt {
    /// The phase that it was in, and resumes in.
    pub phase: RunPhase,
    /// Why.
    #[schemars(length(max = 1024))]
    pub reason: String,
}

/// What was released and done in one group. A release is the recorded intent of all its machines:
/// it is written before anything is done about them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupRecord {
    /// When its machines were released to leave the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave_released: Option<Timestamp>,
    /// When its machines were released to start at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enter_released: Option<Timestamp>,
    /// When its machines were released to stop at the target, in a cancel or to be rebuilt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraw_released: Option<Timestamp>,
    /// When its machines were released to start again at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_released: Option<Timestamp>,
    /// Actions before the start, in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub before: Vec<ActionRecord>,
    /// Actions after the start, in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub after: Vec<ActionRecord>,
}

/// How one action stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionRecord {
    /// Its state.
    #[serde(default)]
    pub state: ActionState,
    /// Attempts that were begun.
    #[serde(default)]
    pub attempts: u32,
    /// When the current attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it succeeded or failed for good; unset where an older Drover carried it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Who approved a manual step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    pub approved_by: Vec<String>,
    /// The last error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub error: Option<String>,
}

/// The state of one action.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum ActionState {
    /// Not begun.
    #[default]
    Pending,
    /// Begun; the intent is recorded, an outcome is not.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed for good.
    Failed,
}

/// Risks that a person accepted for one run, each by name (SA-5, SA-8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedRisks {
    /// More data may be lost than `maxDataLoss` says.
    #[serde(default)]
    pub data_loss: bool,
    /// What was written at the target may be discarded by a cancel (FO-6).
    #[serde(default)]
    pub discard_target_writes: bool,
    /// The source could not be fenced and the run goes on (SA-2).
    #[serde(default)]
    pub split_brain: bool,
}

/// Machines of a run by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunCounts {
    /// Left the source.
    #[serde(default)]
    pub left: u32,
    /// Healthy at the target.
    #[serde(default)]
    pub healthy: u32,
    /// Failed.
    #[serde(default)]
    pub failed: u32,
}

/// When a phase was entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseEntry {
    /// The phase.
    pub phase: RunPhase,
    /// When.
    pub at: Timestamp,
}

/// A decision on a run and what became of it. A refusal is on record too: what was refused once never
/// takes effect later.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionEntry {
    /// Name of the `RunDecision`.
    #[schemars(length(max = 253))]
    pub name: String,
    /// What was decided; unset where an older Drover answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<DecisionAction>,
    /// Who took it.
    #[schemars(length(max = 253))]
    pub by: String,
    /// Whether nobody checked who that is: so in the embedded mode.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unauthenticated: bool,
    /// Why, in the words of who took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub why: Option<String>,
    /// Accepted or refused.
    pub outcome: DecisionOutcome,
    /// For a refusal: why, and what would lift it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
    /// When it was answered.
    pub at: Timestamp,
}

impl RecoveryRun {
    /// Where it stands; a run that was only just made waits to begin.
    pub fn phase(&self) -> RunPhase {
        self.status
            .as_ref()
            .map(|status| status.record.phase)
            .unwrap_or_default()
    }
}

impl RecoveryRunSpec {
    /// Whether the run is planned or unplanned; nothing for drills and reprotects.
    pub fn failover_type(&self) -> Option<FailoverType> {
        match self.kind {
            RunKind::PlannedFailover => Some(FailoverType::Planned),
            RunKind::UnplannedFailover => Some(FailoverType::Unplanned),
            RunKind::TestFailover | RunKind::Reprotect => None,
        }
    }
}
