//! `FailbackPolicy`: how machines come home.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::PolicyRef;
use crate::value::HostName;

/// How machines come back to the primary site: how data is synchronised, what happens between the
/// phases of that, where to, and what follows the commit.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "FailbackPolicy",
    plural = "failbackpolicies",
    namespaced,
    derive = "PartialEq",
    status = "FailbackPolicyStatus",
    shortname = "fbp",
    category = "drover",
    doc = "How machines come back to the primary site.",
    printcolumn(name = "DataSync", type_ = "string", json_path = ".spec.dataSync"),
    printcolumn(name = "Location", type_ = "string", json_path = ".spec.location.type"),
    printcolumn(name = "Reprotect", type_ = "string", json_path = ".spec.reprotect"),
    printcolumn(name = "Users", type_ = "integer", json_path = ".status.users"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.betweenPhases) || self.betweenPhases != 'Hold' || !has(self.dataSync) || self.dataSync == 'DeltaBeforeFailover'").message("betweenPhases: Hold needs dataSync: DeltaBeforeFailover, the only one with two phases"))]
pub struct FailbackPolicySpec {
    /// Replication policy of the way back. Unset: RPO threshold 15m, retention 24h, an
    /// application-consistent point every 60m (FB-7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_policy_ref: Option<PolicyRef>,
    /// How data is synchronised inside the failback (FB-3). Only for pairs whose way back is
    /// synchronised within the failback run; `DeltaBeforeFailover` there unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_sync: Option<DataSync>,
    /// What happens between the phases of `DeltaBeforeFailover`; `Continue` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between_phases: Option<BetweenPhases>,
    /// Where the machines go (FB-4).
    #[serde(default)]
    pub location: FailbackLocation,
    /// Whether replication in the original direction starts by itself after the commit (FO-9).
    #[serde(default)]
    pub reprotect: ReprotectPolicy,
}

/// How data is synchronised inside a failback (FB-3).
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
pub enum DataSync {
    /// Two phases: copy while the machine runs, then stop and send the final delta. Least downtime.
    #[default]
    DeltaBeforeFailover,
    /// One full copy with the machine stopped. Faster when most of the disk changed or the old
    /// machine is gone.
    FullDuringFailover,
}

/// What happens between the phases of `DeltaBeforeFailover` (FB-3).
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
pub enum BetweenPhases {
    /// The second phase follows at once.
    #[default]
    Continue,
    /// A person says *complete* with a `CompleteSync` decision.
    Hold,
}

/// Where machines go in a failback (FB-4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type == 'Alternate' || (!has(self.host) && !has(self.pool) && !self.createIfMissing)").message("host, pool and createIfMissing are for type: Alternate"))]
#[x_kube(validation = Rule::new("self.type != 'Alternate' || has(self.host) || has(self.pool)").message("an alternate location names a host, a pool or both"))]
pub struct FailbackLocation {
    /// Where.
    #[serde(rename = "type", default)]
    pub kind: LocationType,
    /// For `Alternate`: the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// For `Alternate`: the storage pool or datastore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub pool: Option<String>,
    /// For `Alternate`: whether machines that are not there are made.
    #[serde(default)]
    pub create_if_missing: bool,
}

impl Default for FailbackLocation {
    fn default() -> Self {
        Self {
            kind: LocationType::Original,
            host: None,
            pool: None,
            create_if_missing: false,
        }
    }
}

/// Where machines go in a failback (FB-4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LocationType {
    /// Into the machine they came from; only differences travel.
    #[default]
    Original,
    /// To another host, pool or datastore.
    Alternate,
}

/// Whether a reprotect follows the commit by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ReprotectPolicy {
    /// It does, where the pair allows it.
    #[default]
    Automatic,
    /// A person asks for it.
    Manual,
}

/// Who uses the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailbackPolicyStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Plans that refer to it.
    #[serde(default)]
    pub users: u32,
    /// Conditions; `Ready` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
