//! `ReplicationPolicy`: how data moves and which recovery points are kept.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{RetrySchedule, SecretRef, Window};
use crate::value::{Bandwidth, Duration, TimeOfDay};

/// How machines' data moves between two sites, how old it may get, and which recovery points are
/// kept.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "ReplicationPolicy",
    plural = "replicationpolicies",
    namespaced,
    derive = "PartialEq",
    status = "ReplicationPolicyStatus",
    shortname = "rpol",
    category = "drover",
    doc = "How machines' data moves between two sites and which recovery points are kept.",
    printcolumn(name = "RPO", type_ = "string", json_path = ".spec.rpoThreshold"),
    printcolumn(name = "Interval", type_ = "string", json_path = ".spec.interval"),
    printcolumn(
        name = "Retention",
        type_ = "string",
        json_path = ".spec.recoveryPoints.retention"
    ),
    printcolumn(name = "Users", type_ = "integer", json_path = ".status.users"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.initialReplication == 'Scheduled') == has(self.initialReplicationAt)").message("initialReplicationAt is set when, and only when, initialReplication is Scheduled"))]
pub struct ReplicationPolicySpec {
    /// What moves the data. Exactly one of its fields is set.
    pub replicator: Replicator,
    /// How the first full copy comes about (PR-2).
    #[serde(default)]
    pub initial_replication: InitialReplication,
    /// For `Scheduled`: the time of day, in the source site's time zone, at which the first copy
    /// starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_replication_at: Option<TimeOfDay>,
    /// RPO above which an alarm is raised (PR-6).
    #[serde(default = "fifteen_minutes")]
    pub rpo_threshold: Duration,
    /// How often changes are sent. Unset means as the replicator does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Which recovery points are made and kept.
    #[serde(default)]
    pub recovery_points: RecoveryPoints,
    /// When a resynchronisation may run, in the source site's time zone (PR-4).
    #[serde(default = "night")]
    pub resync_window: Window,
    /// The most that replication under this policy may use of the link, all machines together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Bandwidth>,
    /// Pauses between retries after recoverable errors (PR-5).
    #[serde(default)]
    pub retry: RetrySchedule,
    /// How data is protected on its way and at rest (PR-8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Whether data is compressed on its way, where the replicator can.
    #[serde(default)]
    pub compression: bool,
}

/// What moves a machine's data between two sites. Exactly one field is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::exactly_one)]
pub enum Replicator {
    /// Simulated replication; a profile makes it follow the rules of another pair.
    Simulator(SimulatorReplicator),
    /// Dirty bitmaps of QEMU, between libvirt sites.
    QemuBitmap(QemuBitmapReplicator),
    /// Volume replication by CSI-addons, between Kubernetes clusters.
    CsiAddons(CsiAddonsReplicator),
    /// Azure Site Recovery.
    AzureSiteRecovery(AzureSiteRecoveryReplicator),
    /// Hyper-V Replica.
    HypervReplica(HypervReplicaReplicator),
    /// vSphere Replication.
    VsphereReplication(VsphereReplicationReplicator),
    /// Replication between two storage arrays.
    SanArray(SanArrayReplicator),
    /// A driver that is not part of Drover.
    Plugin(PluginReplicator),
}

impl Replicator {
    /// The name of the arm, as manifests write it; it is also the driver's name in the registry.
    pub fn driver(&self) -> &str {
        match self {
            Self::Simulator(_) => "simulator",
            Self::QemuBitmap(_) => "qemuBitmap",
            Self::CsiAddons(_) => "csiAddons",
            Self::AzureSiteRecovery(_) => "azureSiteRecovery",
            Self::HypervReplica(_) => "hypervReplica",
            Self::VsphereReplication(_) => "vsphereReplication",
            Self::SanArray(_) => "sanArray",
            Self::Plugin(plugin) => &plugin.name,
        }
    }
}

/// Simulated replication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimulatorReplicator {
    /// Follows the rules of this pair: its failover types, its way back, what blocks it. Unset means
    /// everything is supported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

/// A pair of fabrics whose rules the simulator follows, named after its way out.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Profile {
    /// VMM site to VMM site, or cloud to cloud in one VMM.
    VmmToVmm,
    /// VMM site to Azure, and back.
    VmmToAzure,
    /// Hyper-V site to Azure, and back.
    HyperVToAzure,
    /// VMware to Azure, and back.
    VMwareToAzure,
    /// Physical servers to Azure; they come back as VMware machines.
    PhysicalToAzure,
    /// Azure region to Azure region.
    AzureToAzure,
    /// Hyper-V with replication between two storage arrays.
    HyperVSan,
    /// VMware or physical servers to a second site of one's own.
    VMwareToSite,
    /// libvirt site to libvirt site.
    LibvirtToLibvirt,
}

/// Dirty bitmaps of QEMU, which the movers of both sites read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QemuBitmapReplicator {}

/// Volume replication by CSI-addons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CsiAddonsReplicator {
    /// Name of the `VolumeReplicationClass`.
    #[schemars(length(min = 1, max = 253))]
    pub class: String,
}

/// Azure Site Recovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureSiteRecoveryReplicator {
    /// Name of the Recovery Services vault.
    #[schemars(length(min = 2, max = 50))]
    pub vault: String,
}

/// Hyper-V Replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HypervReplicaReplicator {
    /// How the hosts authenticate to each other.
    #[serde(default)]
    pub authentication: HypervAuthentication,
}

/// How Hyper-V hosts authenticate to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HypervAuthentication {
    /// Kerberos, inside one domain; data travels in the clear.
    #[default]
    Kerberos,
    /// Certificates; data travels encrypted.
    Certificate,
}

/// vSphere Replication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VsphereReplicationReplicator {
    /// Whether the guest is quiesced for application-consistent points.
    #[serde(default)]
    pub quiesce: bool,
}

/// Replication between two storage arrays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SanArrayReplicator {
    /// Name of the pair, as the arrays' management knows it.
    #[schemars(length(min = 1, max = 253))]
    pub array_pair: String,
    /// Whether a write is answered before or after it is at the other array.
    pub mode: SanMode,
}

/// Whether a write is answered before or after it is at the other array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SanMode {
    /// After: nothing is ever lost.
    Synchronous,
    /// Before: the last changes can be lost.
    Asynchronous,
}

/// A driver that is not part of Drover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginReplicator {
    /// Name that the driver is registered under.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// Settings that are handed to the driver as they are. Not for secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub config: BTreeMap<String, String>,
}

/// How the first full copy comes about (PR-2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InitialReplication {
    /// Over the link, at once.
    #[default]
    Online,
    /// Over the link, at `initialReplicationAt`.
    Scheduled,
    /// From a copy that is brought by other means and then merged.
    OfflineSeed,
    /// From a machine that is already at the target.
    ExistingCopy,
}

/// Which recovery points are made and kept (PR-6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPoints {
    /// How long points are kept.
    #[serde(default = "one_day")]
    pub retention: Duration,
    /// How often an application-consistent point is made; `0s` makes none.
    #[serde(default = "one_hour")]
    pub app_consistent_every: Duration,
}

impl Default for RecoveryPoints {
    fn default() -> Self {
        Self {
            retention: one_day(),
            app_consistent_every: one_hour(),
        }
    }
}

/// How data is protected on its way and at rest (PR-8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// Whether data travels encrypted.
    #[serde(default = "yes")]
    pub in_flight: bool,
    /// Secret with the key that copies are encrypted with at the target; unset means as the target
    /// stores everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_rest_key_secret_ref: Option<SecretRef>,
}

fn yes() -> bool {
    true
}

fn fifteen_minutes() -> Duration {
    Duration::from_mins(15)
}

fn one_hour() -> Duration {
    Duration::from_mins(60)
}

fn one_day() -> Duration {
    Duration::from_hours(24)
}

fn night() -> Window {
    let hour = |hour| TimeOfDay::new(hour, 0).unwrap_or(TimeOfDay::MIDNIGHT);
    Window {
        start: hour(22),
        end: hour(6),
    }
}

/// Who uses the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicationPolicyStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Protection groups and failback policies that refer to it.
    #[serde(default)]
    pub users: u32,
    /// Conditions; `Ready` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
