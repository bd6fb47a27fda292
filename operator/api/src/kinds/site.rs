//! `Site`: a place that can run machines.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drift::UnprotectedMachines;
use crate::common::NamespacedSecretRef;
use crate::selector::{Labels, Selector};
use crate::value::{Address, Duration, HostName, MachineName, NetworkName, Quantity, TimeZone};

/// A place that can run machines: a set of hosts, a cluster, a cloud region. It is an
/// administrator's object, like a `StorageClass`: it says how to reach the fabric there and which
/// namespaces may protect which of its machines.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "Site",
    derive = "PartialEq",
    status = "SiteStatus",
    category = "drover",
    doc = "A place that can run machines: a set of hosts, a cluster, a cloud region.",
    printcolumn(
        name = "Reachable",
        type_ = "string",
        json_path = ".status.reachability.state"
    ),
    printcolumn(
        name = "Machines",
        type_ = "integer",
        json_path = ".status.inventory.machines"
    ),
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
pub struct SiteSpec {
    /// The system that runs machines here, and how to reach it. Exactly one of its fields is set.
    pub fabric: Fabric,
    /// Which namespaces may protect which of the site's machines. By default nobody may (PR-11).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub tenants: Vec<Tenant>,
    /// How much Drover may do here at once.
    #[serde(default)]
    pub limits: SiteLimits,
    /// The time zone that windows of this site are read in.
    #[serde(default)]
    pub time_zone: TimeZone,
    /// While set, everything automatic is held for this site (SA-10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// How machines here are kept from serving when they cannot be stopped (FO-8, SA-2).
    #[serde(default)]
    pub fencing: Fencing,
}

/// The system that runs machines at a site. Exactly one field is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::exactly_one)]
pub enum Fabric {
    /// A simulated site, for trials, demonstrations and tests.
    Simulator(SimulatorFabric),
    /// KVM/QEMU hosts that libvirt manages.
    Libvirt(LibvirtFabric),
    /// A Kubernetes cluster with `KubeVirt` machines or workloads with volumes.
    Kubernetes(KubernetesFabric),
    /// An Azure region.
    Azure(AzureFabric),
    /// A VMware vCenter.
    Vsphere(VsphereFabric),
    /// Hyper-V hosts, alone or in a cloud of System Center VMM.
    Hyperv(HypervFabric),
    /// Physical servers. Machines can leave such a site; what comes back is a virtual machine (FB-8).
    Physical(PhysicalFabric),
    /// A driver that is not part of Drover.
    Plugin(PluginFabric),
}

impl Fabric {
    /// The name of the arm, as manifests write it; it is also the driver's name in the registry.
    pub fn driver(&self) -> &str {
        match self {
            Self::Simulator(_) => "simulator",
            Self::Libvirt(_) => "libvirt",
            Self::Kubernetes(_) => "kubernetes",
            Self::Azure(_) => "azure",
            Self::Vsphere(_) => "vsphere",
            Self::Hyperv(_) => "hyperv",
            Self::Physical(_) => "physical",
            Self::Plugin(plugin) => &plugin.name,
        }
    }

    /// The secrets that it refers to.
    pub fn secrets(&self) -> Vec<&NamespacedSecretRef> {
        match self {
            Self::Simulator(_) => Vec::new(),
            Self::Libvirt(libvirt) => {
                let hosts = libvirt.hosts.iter();
                let of_hosts = hosts.filter_map(|host| host.credentials_secret_ref.as_ref());
                let mover = libvirt.mover.iter();
                of_hosts
                    .chain(mover.filter_map(|mover| mover.credentials_secret_ref.as_ref()))
                    .collect()
            }
            Self::Kubernetes(kubernetes) => kubernetes.kubeconfig_secret_ref.iter().collect(),
            Self::Azure(azure) => azure.credentials_secret_ref.iter().collect(),
            Self::Vsphere(vsphere) => vec![&vsphere.credentials_secret_ref],
            Self::Hyperv(hyperv) => vec![&hyperv.credentials_secret_ref],
            Self::Physical(physical) => physical.credentials_secret_ref.iter().collect(),
            Self::Plugin(plugin) => plugin.credentials_secret_ref.iter().collect(),
        }
    }
}

/// A simulated site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimulatorFabric {
    /// The machines that the simulated site begins with. Members that groups name are made when they
    /// are missing; members that are selected by label must be listed here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5000))]
    pub machines: Vec<SimulatedMachine>,
    /// Zones that the simulated world answers for in place of a name server. Unset: all of them, so that
    /// a plan of simulated sites changes no record outside; with a list, records of other zones are really
    /// written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub zones: Option<Vec<String>>,
}

/// A machine of a simulated site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimulatedMachine {
    /// The machine's own name at the site.
    pub name: MachineName,
    /// Inventory labels that selectors of protection groups match.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub labels: Labels,
    /// Sizes of its disks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub disks: Vec<Quantity>,
    /// Networks that its NICs are on, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub networks: Vec<NetworkName>,
    /// Time from power-on until the guest is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_time: Option<Duration>,
    /// Time that the guest needs to shut down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown_time: Option<Duration>,
}

/// KVM/QEMU hosts that libvirt manages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LibvirtFabric {
    /// The hosts of the site.
    #[schemars(length(min = 1, max = 256))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub hosts: Vec<LibvirtHost>,
    /// Storage pool that copies are written to, unless the group's target settings say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub pool: Option<String>,
    /// What runs at the site beside its hosts: it keeps copies and has machines started. Drover speaks to
    /// nobody else there, so a site without one can be declared and planned with, and not be driven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mover: Option<LibvirtMover>,
}

/// The mover of a libvirt site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LibvirtMover {
    /// Where Drover reaches it: `mover.example.com:7443`, or `unix:///run/drover/mover.sock`.
    #[schemars(length(min = 1, max = 1024))]
    pub address: String,
    /// Where the movers of other sites reach it, which may be another network; unset means as Drover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub replication_address: Option<String>,
    /// Secret with `ca.crt`, `tls.crt` and `tls.key`, by which the two know each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<NamespacedSecretRef>,
}

/// One libvirt host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LibvirtHost {
    /// The name that Drover and its users call the host by.
    pub name: HostName,
    /// Connection URI, for example `qemu+tls://kvm-7.example.com/system`.
    #[schemars(length(min = 1, max = 1024))]
    pub uri: String,
    /// Secret with the client certificate or the key of that connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<NamespacedSecretRef>,
}

/// A Kubernetes cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesFabric {
    /// Secret whose key `kubeconfig` reaches the cluster; unset means the cluster that Drover runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig_secret_ref: Option<NamespacedSecretRef>,
    /// Context of that kubeconfig; unset means its current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub context: Option<String>,
}

/// An Azure region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureFabric {
    /// Subscription that machines live in.
    #[schemars(length(min = 1, max = 64))]
    pub subscription_id: String,
    /// Region, for example `koreacentral`.
    #[schemars(length(min = 1, max = 64))]
    pub region: String,
    /// Resource group for machines that come here, unless target settings say otherwise.
    #[schemars(length(min = 1, max = 90))]
    pub resource_group: String,
    /// Secret with the credentials of a service principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<NamespacedSecretRef>,
}

/// A VMware vCenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VsphereFabric {
    /// Host name of the vCenter server.
    #[schemars(length(min = 1, max = 253))]
    pub server: String,
    /// Datacenter inside the vCenter.
    #[schemars(length(min = 1, max = 253))]
    pub datacenter: String,
    /// Secret with `username` and `password`.
    pub credentials_secret_ref: NamespacedSecretRef,
}

/// Hyper-V hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.hosts)?1:0)+(has(self.vmm)?1:0)==1").message("set exactly one of: hosts, vmm"))]
pub struct HypervFabric {
    /// Hosts without VMM: a Hyper-V site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub hosts: Option<Vec<HostName>>,
    /// A cloud of System Center VMM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vmm: Option<VmmCloud>,
    /// Secret with `username` and `password`.
    pub credentials_secret_ref: NamespacedSecretRef,
}

/// A cloud of System Center VMM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmmCloud {
    /// Host name of the VMM server.
    #[schemars(length(min = 1, max = 253))]
    pub server: String,
    /// Name of the cloud.
    #[schemars(length(min = 1, max = 253))]
    pub cloud: String,
}

/// Physical servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhysicalFabric {
    /// The servers.
    #[schemars(length(min = 1, max = 5000))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub servers: Vec<PhysicalServer>,
    /// Secret with the credentials that install the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<NamespacedSecretRef>,
}

/// One physical server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhysicalServer {
    /// The machine's name.
    pub name: MachineName,
    /// Address that its agent answers on.
    pub address: Address,
    /// Inventory labels that selectors of protection groups match.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub labels: Labels,
}

/// A driver that is not part of Drover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginFabric {
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
    /// Secret that is handed to the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<NamespacedSecretRef>,
}

/// Namespaces and the machines that they may protect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Selects namespaces by label; `{}` selects all.
    pub namespace_selector: Selector,
    /// Selects machines by inventory label; `{}` selects all.
    pub inventory_selector: Selector,
}

/// How much Drover may do at a site at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SiteLimits {
    /// Machines that may be starting at the same time (PL-2).
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrent_starts: u32,
    /// Machines that may be stopping at the same time.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrent_stops: u32,
    /// Machines that may be in a full or initial copy at the same time.
    #[serde(default = "four")]
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrent_copies: u32,
}

impl Default for SiteLimits {
    fn default() -> Self {
        Self {
            concurrent_starts: twenty(),
            concurrent_stops: twenty(),
            concurrent_copies: four(),
        }
    }
}

fn twenty() -> u32 {
    20
}

fn four() -> u32 {
    4
}

/// A site under maintenance: what is automatic is held (SA-10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Maintenance {
    /// Why.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
    /// When it ends by itself; unset means when this field is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How machines are kept from serving when they cannot be stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fencing {
    /// The means. A fence counts only when it is confirmed (SA-2).
    #[serde(default)]
    pub method: FencingMethod,
    /// How long a stop of one machine may take before it counts as failed.
    #[serde(default = "five_minutes")]
    pub stop_timeout: Duration,
    /// What a run that must stop a machine does when its guest did not shut down in that time.
    #[serde(default)]
    pub on_stop_timeout: OnStopTimeout,
}

impl Default for Fencing {
    fn default() -> Self {
        Self {
            method: FencingMethod::default(),
            stop_timeout: five_minutes(),
            on_stop_timeout: OnStopTimeout::default(),
        }
    }
}

fn five_minutes() -> Duration {
    Duration::from_mins(5)
}

/// What is done about a guest that does not shut down, where it must.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnStopTimeout {
    /// The run halts, and a person decides.
    #[default]
    Halt,
    /// The machine is fenced by the declared method; then its last changes are sent. What it had only in
    /// its memory is gone.
    Fence,
}

impl OnStopTimeout {
    /// Whether it is what is done unless something else is declared.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The means of fencing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FencingMethod {
    /// There is none: without a confirmed stop only an accepted risk lets a run go on.
    #[default]
    None,
    /// The fabric's management cuts the power of a machine or its host.
    Power,
    /// The storage refuses writes of the old copy.
    Storage,
    /// The network of the old copy is cut.
    Network,
}

/// What Drover sees of a site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SiteStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation `drover.dev/reconcile-now` that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile: Option<String>,
    /// Whether the site answers. Unknown is not down (SA-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachability: Option<Reachability>,
    /// Rights that were tried, those that a reprotect will need included (RD-1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub rights: Vec<Right>,
    /// What the driver says it can do here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub capabilities: Vec<String>,
    /// What is free at the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// Summary of the machines seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<InventorySummary>,
    /// Machines here that no protection group has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unprotected: Option<UnprotectedMachines>,
    /// Conditions; `Ready` and `Reachable` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Whether a site answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reachability {
    /// The state.
    pub state: ReachabilityState,
    /// Since when.
    pub since: Timestamp,
}

/// Whether a site answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReachabilityState {
    /// It answered lately.
    Reachable,
    /// It does not answer; what happens there is not known.
    Unknown,
}

/// One right that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Right {
    /// What it is for, for example `startMachine` or `reverseReplication`.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Whether it is granted.
    pub granted: bool,
    /// What a person must do when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub hint: Option<String>,
}

/// What is free at a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Free memory.
    pub memory_free: Quantity,
    /// Free storage.
    pub storage_free: Quantity,
    /// Free virtual processors.
    pub cpus_free: u32,
}

/// Summary of the machines seen at a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventorySummary {
    /// Machines seen.
    pub machines: u32,
    /// Of them, those that a protection group claims.
    pub protected: u32,
}
