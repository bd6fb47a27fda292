//! `ProtectedMachine`: what a group says of one machine, and what is seen of it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drift::{Drift, HardwareSeen};
use super::protection_group::{DeletionPolicy, Nic, Purpose, SiteTargetSettings};
use crate::common::{GroupRef, MappingRef, PolicyRef, Progress, SitePair, SiteRole};
use crate::value::{Duration, MachineName, RunName};

/// What a protection group says of one machine. Made by the group; nobody writes it by hand.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "ProtectedMachine",
    namespaced,
    derive = "PartialEq",
    status = "ProtectedMachineStatus",
    shortname = "pm",
    category = "drover",
    doc = "What a protection group says of one machine, and what is seen of it. Made by the group.",
    printcolumn(name = "Group", type_ = "string", json_path = ".spec.groupRef.name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Active", type_ = "string", json_path = ".status.activeSite"),
    printcolumn(name = "RPO", type_ = "string", json_path = ".status.replication.rpo"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ProtectedMachineSpec {
    /// The group that made this object.
    pub group_ref: GroupRef,
    /// The machine's own name at the primary site.
    #[x_kube(validation = Rule::new("self == oldSelf").message("a protected machine stays the same machine"))]
    pub machine: MachineName,
    /// The two sites.
    pub sites: SitePair,
    /// The replication policy.
    pub policy_ref: PolicyRef,
    /// The network mapping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_mapping_ref: Option<MappingRef>,
    /// Its network interfaces, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub nics: Vec<Nic>,
    /// Disks that are not replicated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub excluded_disks: Vec<String>,
    /// What it becomes at each site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_settings: Option<SiteTargetSettings>,
    /// What the protection is for.
    #[serde(default)]
    pub purpose: Purpose,
    /// What deleting this object does to the copies.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// Where a machine stands in its life under protection. A drill is not in here: it has a state of its
/// own.
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
pub enum MachinePhase {
    /// Nothing protects it.
    #[default]
    Unprotected,
    /// Prerequisites are checked and the relationship is made (PR-1).
    Enabling,
    /// The first full copy travels (PR-2).
    InitialReplication,
    /// Network and target settings are applied (PR-1).
    Finalizing,
    /// Changes are sent as they happen (PR-3).
    Protected,
    /// Change tracking cannot be trusted; a resynchronisation waits for its window (PR-4).
    ResyncRequired,
    /// Both sides are compared and differences travel (PR-4).
    Resynchronizing,
    /// Data is copied back into the old disk while the machine runs (FB-3, first phase).
    SynchronizingBack,
    /// The first phase is done and held for a person (FB-3).
    AwaitingCompleteSync,
    /// It leaves the source in a run.
    Leaving,
    /// It left the source: proven.
    Left,
    /// It starts at the target in a run.
    Entering,
    /// It runs at the target; commit is awaited (FO-5).
    CommitPending,
    /// It goes back to the source (FO-6).
    Returning,
    /// It is made final at the target.
    Committing,
    /// It runs at the target, committed, and nothing replicates (FO-9).
    NotProtected,
    /// Replication is reversed (FB-1).
    Reprotecting,
    /// It moved for good (PR-9). The end.
    Migrated,
    /// A cancelled synchronisation left its disk at the old site half-written: that disk is never
    /// started (FB-5).
    Inconsistent,
    /// Protection is being ended.
    Disabling,
    /// Something failed that a person must mend.
    Failed,
}

impl MachinePhase {
    /// Machines count as protected while they replicate.
    pub fn is_protected(self) -> bool {
        matches!(
            self,
            Self::Protected | Self::ResyncRequired | Self::Resynchronizing
        )
    }
}

/// What is seen of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProtectedMachineStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where it stands.
    #[serde(default)]
    pub phase: MachinePhase,
    /// Where it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_site: Option<SiteRole>,
    /// What exists of it at each site.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub instances: Vec<InstanceSeen>,
    /// How replication is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<ReplicationSeen>,
    /// The run that has it in hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunName>,
    /// Where it differs from what is declared, or from what it was. While a run has it in hand this stays
    /// as it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind"]))]
    pub drift: Vec<Drift>,
    /// What it is made of at each site, as it was when it began to be protected from there. The annotation
    /// `drover.dev/accept-drift` takes what is seen now in its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["site"]))]
    pub hardware: Vec<HardwareSeen>,
    /// The value of the annotation `drover.dev/accept-drift` that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_accepted_drift: Option<String>,
    /// Conditions; `Ready` and `Protected` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What exists of a machine at one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSeen {
    /// The site's role.
    pub site: SiteRole,
    /// What is there.
    #[schemars(length(max = 63))]
    pub state: String,
    /// Whether a drill made it.
    #[serde(default)]
    pub drill: bool,
    /// When it was seen.
    pub at: Timestamp,
}

/// How replication of a machine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicationSeen {
    /// The side that data flows to.
    pub towards: SiteRole,
    /// The measured RPO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Duration>,
    /// Bytes that are not at the other side yet.
    #[serde(default)]
    pub pending_bytes: u64,
    /// How far a copy is, where one is going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Number of recovery points.
    #[serde(default)]
    pub recovery_points: u32,
    /// The newest recovery point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_point: Option<Timestamp>,
}
