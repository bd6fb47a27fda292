//! Drift: where what is differs from what is declared (RD-2). No kind of its own: the statuses of machines,
//! plans and sites hold it, so that *since when* outlives every process.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::SiteRole;
use crate::value::{MachineName, NetworkName, Quantity};

/// How much a difference matters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum DriftSeverity {
    /// Somebody should know.
    Info,
    /// Somebody should look, and nothing is lost until then.
    Warning,
    /// What is declared would not hold now: a machine, its data or its protection is at stake.
    Critical,
}

/// What differs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum DriftKind {
    /// The machine runs at both sites.
    SplitBrain,
    /// Machines are at another site than declared, and nothing starts by itself.
    ActiveSite,
    /// The machine is not there.
    Missing,
    /// It runs after a failover, and nothing replicates it.
    NotProtected,
    /// Its replication stopped for good.
    ReplicationStopped,
    /// It is switched off at the site where it should run.
    NotRunning,
    /// The newest recovery point is older than the policy's threshold.
    RpoExceeded,
    /// Disks came, went or have another size.
    DisksChanged,
    /// Processors or memory are others.
    HardwareChanged,
    /// Interfaces are on other networks.
    NetworksChanged,
    /// What is declared of it for its site was set otherwise there.
    SettingsChanged,
    /// A drill stands although its time is over.
    DrillExpired,
    /// The last green drill is older than the plan allows.
    DrillOverdue,
    /// No protection group has the machine.
    Unprotected,
    /// The selector of its group does not match it any more.
    NoLongerSelected,
    /// The site does not answer, so what is there cannot be compared.
    Unseen,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// What differs.
    pub kind: DriftKind,
    /// How much it matters.
    pub severity: DriftSeverity,
    /// Since when it is seen.
    pub since: Timestamp,
    /// What was found.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// One difference of a plan, or of so many of its machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDrift {
    /// What differs.
    pub kind: DriftKind,
    /// How much it matters.
    pub severity: DriftSeverity,
    /// So many machines, drills or sites.
    pub count: u32,
    /// Since when the first of them is seen.
    pub since: Timestamp,
    /// What was found, and of which machines.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// What a machine is made of at one site, as it was when it began to be protected from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareSeen {
    /// The site's role.
    pub site: SiteRole,
    /// When it was seen.
    pub at: Timestamp,
    /// Virtual processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Its disks, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub disks: Vec<DiskSeen>,
    /// The networks of its interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub networks: Vec<NetworkName>,
}

/// A disk of a machine.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct DiskSeen {
    /// Its name in the machine's configuration.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its size, where the fabric tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Quantity>,
}

/// Machines of a site that no protection group has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnprotectedMachines {
    /// How many there are.
    pub count: u32,
    /// Of them, those that a tenant of the site may protect.
    pub offered: u32,
    /// The first of them, those that a tenant may protect before the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub machines: Vec<UnprotectedMachine>,
}

/// A machine that no protection group has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnprotectedMachine {
    /// Its name at the site.
    pub name: MachineName,
    /// Since when it is seen there without protection.
    pub since: Timestamp,
    /// Whether a tenant of the site may protect it.
    #[serde(default)]
    pub offered: bool,
}
