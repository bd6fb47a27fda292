//! `RecoveryDrill`: a test failover for as long as the object is there.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Direction, PlanRef, RecoveryPointChoice, RecoveryPointType};
use crate::value::{Duration, RunName, StepName};

/// A test failover. Creating it starts the plan's machines at the target on isolated networks, from a
/// recovery point, while production goes on; deleting it removes everything that it made (FO-1).
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "RecoveryDrill",
    namespaced,
    derive = "PartialEq",
    status = "RecoveryDrillStatus",
    shortname = "drill",
    category = "drover",
    doc = "A test failover for as long as the object is there.",
    printcolumn(name = "Plan", type_ = "string", json_path = ".spec.planRef.name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Result", type_ = "string", json_path = ".status.result"),
    printcolumn(name = "RTO", type_ = "string", json_path = ".status.rto"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("a drill cannot be changed: delete it and create another"))]
pub struct RecoveryDrillSpec {
    /// The plan that is rehearsed.
    pub plan_ref: PlanRef,
    /// The recovery point that the machines start from.
    #[serde(default = "latest_processed")]
    pub recovery_point: RecoveryPointChoice,
    /// How long the machines stand. Then they go and the object stays as evidence (`CleanedUp`).
    #[serde(default = "four_hours")]
    pub ttl: Duration,
    /// Direction that is rehearsed; unset means away from the active site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Groups that are rehearsed, with those that they depend on; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub groups: Vec<StepName>,
}

fn latest_processed() -> RecoveryPointChoice {
    RecoveryPointChoice::of(RecoveryPointType::LatestProcessed)
}

fn four_hours() -> Duration {
    Duration::from_hours(4)
}

/// Where a drill stands. It never mixes with the state of a machine or a real run.
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
pub enum DrillPhase {
    /// Nothing was made yet.
    #[default]
    Pending,
    /// Machines are made and started on the test network, by waves.
    Starting,
    /// All stand; checks and actions ran.
    Standing,
    /// What the drill made is being removed.
    CleaningUp,
    /// Everything that the drill made is gone. The end.
    CleanedUp,
}

/// What came out of a drill.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum DrillResult {
    /// All machines stood and all checks passed.
    Passed,
    /// Something failed.
    Failed,
    /// It was cleaned up before it stood.
    Abandoned,
}

/// How a drill stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryDrillStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where it stands.
    #[serde(default)]
    pub phase: DrillPhase,
    /// What came out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<DrillResult>,
    /// The run that carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunName>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Time from its start until all machines were healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Duration>,
    /// Conditions; `Ready` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
