//! `MachineRun`: one machine's part of one run, and its journal.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::network_mapping::AddressRule;
use super::protection_group::TargetSettings;
use crate::common::MachineRef;
use crate::value::{Address, Duration, NetworkName, RunName, StepName};

/// One machine's part of one run. Its spec says what was decided for the machine when the run was
/// compiled; its status is the machine's journal. Made by Drover.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "MachineRun",
    namespaced,
    derive = "PartialEq",
    status = "MachineRunStatus",
    shortname = "mr",
    category = "drover",
    doc = "One machine's part of one run, and its journal. Made by Drover.",
    printcolumn(name = "Run", type_ = "string", json_path = ".spec.run"),
    printcolumn(name = "Group", type_ = "string", json_path = ".spec.group"),
    printcolumn(name = "Machine", type_ = "string", json_path = ".spec.machine.name"),
    printcolumn(name = "Leave", type_ = "string", json_path = ".status.leave.state"),
    printcolumn(name = "Enter", type_ = "string", json_path = ".status.enter.state"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("a machine's part of a run is immutable"))]
pub struct MachineRunSpec {
    /// The run.
    pub run: RunName,
    /// The group of the run that the machine starts with.
    pub group: StepName,
    /// The machine.
    pub machine: MachineRef,
    /// Whether the machine shares its recovery point with the other members of its protection group
    /// (PR-7).
    #[serde(default)]
    pub consistency_group: bool,
    /// Its interfaces at the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub nics: Vec<RunNic>,
    /// What it becomes at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_settings: Option<TargetSettings>,
}

/// One interface of a machine at the target of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunNic {
    /// The network at the target; in a drill the isolated one.
    pub network: NetworkName,
    /// How its address is chosen.
    pub addresses: AddressRule,
    /// For `Keep` and `Assign`: the addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub assigned: Vec<Address>,
}

/// The journal of a machine in one run: outcomes of its durable steps. What is going on between two
/// outcomes is observed, never recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineRunStatus {
    /// Data was copied back while the machine ran (FB-3, first phase).
    #[serde(default)]
    pub synchronize: StepRecord,
    /// The machine left the source.
    #[serde(default)]
    pub leave: StepRecord,
    /// How the leaving was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<LeftProof>,
    /// The machine is healthy at the target.
    #[serde(default)]
    pub enter: StepRecord,
    /// The recovery point that it was started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<PointUsed>,
    /// The machine does not run at the target any more: cancelled, or to be rebuilt.
    #[serde(default)]
    pub withdraw: StepRecord,
    /// What stayed behind is dealt with and other points are removed.
    #[serde(default)]
    pub commit: StepRecord,
    /// The machine is back at the source.
    #[serde(default, rename = "return")]
    pub back: StepRecord,
    /// Replication runs in the other direction.
    #[serde(default)]
    pub reverse: StepRecord,
    /// What a drill made for the machine is gone.
    #[serde(default)]
    pub clean_up: StepRecord,
}

/// One durable step of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// Its state.
    #[serde(default)]
    pub state: StepState,
    /// Epoch that the outcome was reached at.
    #[serde(default)]
    pub epoch: u64,
    /// When the outcome was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// For `Failed`: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub error: Option<String>,
}

/// The state of one durable step. There is no *running*: that is the release on the run, and what the
/// fabric reports.
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
pub enum StepState {
    /// No outcome yet.
    #[default]
    Pending,
    /// Done and proven.
    Done,
    /// Failed for good; a resume makes it pending again.
    Failed,
}

/// How it is known that a machine does not serve at the source any more.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum LeftProof {
    /// It was stopped and its last changes were sent: nothing is missing.
    Synced,
    /// It was stopped, but its last changes could not be sent.
    Stopped,
    /// It could not be stopped; a fence was confirmed.
    Fenced,
    /// Neither; the risk was accepted by name (SA-2).
    AcceptedSplitBrain,
}

/// The recovery point that a machine was started from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PointUsed {
    /// Its name at the replicator.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The epoch that it was chosen at.
    pub epoch: u64,
    /// The instant that it holds.
    pub at: Timestamp,
    /// Data loss that it meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Duration>,
}
