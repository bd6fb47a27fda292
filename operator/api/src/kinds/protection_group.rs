//! `ProtectionGroup`: machines that replicate between the same two sites under one policy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{MappingRef, PolicyRef, SitePair, SiteRole};
use crate::selector::Selector;
use crate::value::{Address, Duration, HostName, MachineName, NetworkAlias, Quantity};

/// Machines that replicate between the same two sites under one policy, optionally as one
/// consistency group.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "ProtectionGroup",
    namespaced,
    derive = "PartialEq",
    status = "ProtectionGroupStatus",
    shortname = "pg",
    category = "drover",
    doc = "Machines that replicate between the same two sites under one policy.",
    printcolumn(name = "Policy", type_ = "string", json_path = ".spec.policyRef.name"),
    printcolumn(
        name = "Machines",
        type_ = "integer",
        json_path = ".status.members.total"
    ),
    printcolumn(
        name = "Protected",
        type_ = "integer",
        json_path = ".status.members.protected"
    ),
    printcolumn(name = "RPO", type_ = "string", json_path = ".status.worstRpo"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.machines) || has(self.selector)").message("a protection group lists machines, selects them, or both"))]
#[x_kube(validation = Rule::new("!has(self.memberSettings) || has(self.selector)").message("memberSettings are for machines that a selector finds; write the settings of a listed machine beside its name"))]
pub struct ProtectionGroupSpec {
    /// The two sites that the machines replicate between.
    #[x_kube(validation = Rule::new("self == oldSelf").message("the sites of a protection group cannot be changed: make a new group"))]
    pub sites: SitePair,
    /// The replication policy.
    pub policy_ref: PolicyRef,
    /// The network mapping; needed as soon as a machine has NICs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_mapping_ref: Option<MappingRef>,
    /// Whether members share their recovery points (PR-7).
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("the consistency of a protection group cannot be changed: make a new group"))]
    pub consistency: Consistency,
    /// What the protection is for (PR-9).
    #[serde(default)]
    pub purpose: Purpose,
    /// What deleting this object does to the copies (PR-12).
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Members by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 5000))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub machines: Vec<Member>,
    /// Members by inventory label of the primary site; a machine that appears and matches is
    /// protected by itself (PR-10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// Settings of the members that the selector finds; the first entry that matches applies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256))]
    pub member_settings: Vec<MemberSettings>,
    /// What machines become at each site, unless a member says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_settings: Option<SiteTargetSettings>,
}

/// One member by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The machine's own name at the primary site.
    pub name: MachineName,
    /// Its network interfaces, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub nics: Vec<Nic>,
    /// Disks that are not replicated, by their name in the guest's configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub excluded_disks: Vec<String>,
    /// What this machine becomes at each site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_settings: Option<Box<SiteTargetSettings>>,
}

/// Settings of members that a selector finds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberSettings {
    /// The members that this is for; `{}` is for all.
    pub selector: Selector,
    /// Their network interfaces, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub nics: Vec<Nic>,
    /// What these machines become at each site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_settings: Option<Box<SiteTargetSettings>>,
}

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Nic {
    /// The pair of the network mapping that this interface is on.
    pub network: NetworkAlias,
    /// Addresses at each site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<NicAddresses>,
}

/// Addresses of one interface at each site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NicAddresses {
    /// At the primary site.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub primary: Vec<Address>,
    /// At the secondary site.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub secondary: Vec<Address>,
}

impl NicAddresses {
    /// The addresses at the site in this role.
    pub fn at(&self, role: SiteRole) -> &[Address] {
        match role {
            SiteRole::Primary => &self.primary,
            SiteRole::Secondary => &self.secondary,
        }
    }
}

/// What machines become at each site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SiteTargetSettings {
    /// When they run at the primary site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<TargetSettings>,
    /// When they run at the secondary site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary: Option<TargetSettings>,
}

/// What a machine becomes at one site. What is unset stays as it is at the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSettings {
    /// Name of the machine there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<MachineName>,
    /// Host that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// Storage pool, datastore or storage account for its disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub pool: Option<String>,
    /// Virtual processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub cpus: Option<u32>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Machine size of a cloud, for example `Standard_D4s_v5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub size: Option<String>,
    /// Kind of disk of a cloud. Some kinds make a failback impossible (FB-8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_kind: Option<DiskKind>,
}

/// Kind of disk at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DiskKind {
    /// Managed disks on rotating media.
    Standard,
    /// Managed solid-state disks.
    Premium,
    /// Managed disks with chosen throughput; machines on them cannot fail back to VMware or Hyper-V.
    Ultra,
}

/// Whether members share their recovery points (PR-7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Consistency {
    /// Members are recovered to one and the same instant.
    Group,
    /// Each machine has its own recovery points.
    #[default]
    PerMachine,
}

/// What protection is for (PR-9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Purpose {
    /// Failover and failback.
    #[default]
    DisasterRecovery,
    /// A one-way move: failover is allowed, failback is not.
    MigrationOnly,
}

/// What deleting the group does to the copies (PR-12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Drover stops managing them and leaves them where they are.
    #[default]
    Retain,
    /// Drover removes them.
    RemoveReplica,
}

/// How the members are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProtectionGroupStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation `drover.dev/reconcile-now` that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile: Option<String>,
    /// Members by phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<MemberCounts>,
    /// The largest RPO of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_rpo: Option<Duration>,
    /// Machines that matched once, are protected, and match no longer (PR-10).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub no_longer_matching: Vec<MachineName>,
    /// Conditions; `Ready` and `Protected` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Members by phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberCounts {
    /// All members.
    pub total: u32,
    /// Those that replicate and can be recovered.
    pub protected: u32,
    /// Those on their way there.
    pub enabling: u32,
    /// Those that need a resynchronisation or are in one.
    pub resynchronizing: u32,
    /// Those that run after a failover and that nothing replicates (yet).
    #[serde(default)]
    pub unprotected: u32,
    /// Those that need a person.
    pub failed: u32,
}
