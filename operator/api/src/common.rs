//! What several kinds share: references, sides, recovery points, windows.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{
    Duration, FailbackPolicyName, GroupName, MachineName, MappingName, NamespaceName, PlanName,
    PolicyName, SecretName, SiteName, TimeOfDay,
};

/// The two fixed roles of a pair of sites. Source and target of a run depend on its direction; these
/// do not.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum SiteRole {
    /// The site where the machines belong.
    Primary,
    /// The site that takes them over.
    Secondary,
}

impl SiteRole {
    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Primary => Self::Secondary,
            Self::Secondary => Self::Primary,
        }
    }

    /// The word that manifests use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }
}

/// The direction of a run (FO-10).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Direction {
    /// From the primary site to the secondary: a failover.
    ToSecondary,
    /// From the secondary site to the primary: a failback.
    ToPrimary,
}

impl Direction {
    /// The direction whose target is this side.
    pub fn towards(target: SiteRole) -> Self {
        match target {
            SiteRole::Primary => Self::ToPrimary,
            SiteRole::Secondary => Self::ToSecondary,
        }
    }

    /// The side that machines leave.
    pub fn source(self) -> SiteRole {
        self.target().other()
    }

    /// The side that machines go to.
    pub fn target(self) -> SiteRole {
        match self {
            Self::ToSecondary => SiteRole::Secondary,
            Self::ToPrimary => SiteRole::Primary,
        }
    }
}

/// The two sites of a pair, in their fixed roles.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema,
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.primary != self.secondary").message("primary and secondary must be two different sites"))]
pub struct SitePair {
    /// Name of the `Site` where the machines belong.
    pub primary: SiteName,
    /// Name of the `Site` that takes them over.
    pub secondary: SiteName,
}

impl SitePair {
    /// The site in this role.
    pub fn at(&self, role: SiteRole) -> &SiteName {
        match role {
            SiteRole::Primary => &self.primary,
            SiteRole::Secondary => &self.secondary,
        }
    }
}

macro_rules! reference {
    ($(#[$doc:meta])* $name:ident => $target:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub struct $name {
            /// Name of the object.
            pub name: $target,
        }
    };
}

reference!(
    /// Refers to a `ReplicationPolicy` in the same namespace.
    PolicyRef => PolicyName
);
reference!(
    /// Refers to a `NetworkMapping` in the same namespace.
    MappingRef => MappingName
);
reference!(
    /// Refers to a `FailbackPolicy` in the same namespace.
    FailbackPolicyRef => FailbackPolicyName
);
reference!(
    /// Refers to a `RecoveryPlan` in the same namespace.
    PlanRef => PlanName
);
reference!(
    /// Refers to a `ProtectionGroup` in the same namespace.
    GroupRef => GroupName
);
reference!(
    /// Refers to a `Secret` in the same namespace. Secrets are never written into a manifest (BI-3).
    SecretRef => SecretName
);

/// Refers to a `Secret` from a cluster-scoped object. Secrets are never written into a manifest (BI-3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespacedSecretRef {
    /// Namespace of the secret.
    pub namespace: NamespaceName,
    /// Name of the secret.
    pub name: SecretName,
}

/// One machine of one protection group.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct MachineRef {
    /// The protection group that the machine is a member of.
    pub protection_group: GroupName,
    /// The machine's name in that group.
    pub name: MachineName,
}

/// A daily span of time in a site's time zone; it may pass midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.start != self.end").message("start and end are the same time of day, so the window never opens"))]
pub struct Window {
    /// When the window opens, as HH:MM.
    pub start: TimeOfDay,
    /// When the window closes, as HH:MM.
    pub end: TimeOfDay,
}

/// Which recovery point machines are started from (FO-4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.type == 'Time') == has(self.time)").message("time is set when, and only when, type is Time"))]
#[x_kube(validation = Rule::new("(self.type == 'Named') == has(self.name)").message("name is set when, and only when, type is Named"))]
pub struct RecoveryPointChoice {
    /// How the point is chosen.
    #[serde(rename = "type")]
    pub kind: RecoveryPointType,
    /// For `Time`: the newest point that is not younger than this instant is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// For `Named`: the name of the point, as the replicator reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
}

impl RecoveryPointChoice {
    /// A choice that needs no further word.
    pub fn of(kind: RecoveryPointType) -> Self {
        Self {
            kind,
            time: None,
            name: None,
        }
    }
}

/// How a recovery point is chosen (FO-4).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum RecoveryPointType {
    /// Process everything received first: the lowest RPO.
    Latest,
    /// The newest point already processed: the lowest RTO.
    LatestProcessed,
    /// The newest application-consistent point.
    LatestAppConsistent,
    /// The newest point not younger than `time`.
    Time,
    /// The point called `name`.
    Named,
}

/// What a run does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum RunKind {
    /// The source is stopped, its last changes are sent, nothing is lost (FO-2).
    PlannedFailover,
    /// The source may be lost; machines start from a recovery point (FO-3).
    UnplannedFailover,
    /// A drill: machines start at the target on an isolated network (FO-1).
    TestFailover,
    /// Replication is reversed after a committed failover (FB-1).
    Reprotect,
}

/// Planned or unplanned.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum FailoverType {
    /// Nothing may be lost; it does not go on without proof of that (FO-2).
    Planned,
    /// Works with the source unreachable (FO-3).
    Unplanned,
}

/// What is done about the source in an unplanned failover (FO-3).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum SourceStop {
    /// The source must be stopped and its latest data sent, or the run does not go on.
    Required,
    /// It is tried; when it fails, a confirmed fence or an accepted risk is needed.
    Attempt,
    /// It is not tried; a confirmed fence or an accepted risk is needed.
    Skip,
}

/// What happens when the source could neither be stopped nor fenced (SA-2).
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
pub enum Unfenced {
    /// The run does not go on.
    #[default]
    Refuse,
    /// The run goes on although the source may still serve: the risk is accepted by name.
    AcceptSplitBrain,
}

/// How far a copy is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Bytes done.
    pub bytes_done: u64,
    /// Bytes to do, as far as is known now.
    pub bytes_total: u64,
}

/// Retry pauses after recoverable errors (PR-5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetrySchedule {
    /// The pauses before the first retries, in order.
    #[serde(default = "default_pauses")]
    #[schemars(length(min = 1, max = 32))]
    pub pauses: Vec<Duration>,
    /// The pause before every later retry.
    #[serde(default = "default_then_every")]
    pub then_every: Duration,
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self {
            pauses: default_pauses(),
            then_every: default_then_every(),
        }
    }
}

fn default_pauses() -> Vec<Duration> {
    [1, 2, 4, 8, 10]
        .into_iter()
        .map(Duration::from_mins)
        .collect()
}

fn default_then_every() -> Duration {
    Duration::from_mins(30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_and_its_sides_agree() {
        for target in [SiteRole::Primary, SiteRole::Secondary] {
            let direction = Direction::towards(target);
            assert_eq!(direction.target(), target);
            assert_eq!(direction.source(), target.other());
        }
    }

    #[test]
    fn the_default_pauses_are_those_of_the_specification() {
        // SPEC: PR-5
        let schedule = RetrySchedule::default();
        let minutes: Vec<u64> = schedule
            .pauses
            .iter()
            .map(|pause| pause.as_std().as_secs() / 60)
            .collect();
        assert_eq!(minutes, [1, 2, 4, 8, 10]);
        assert_eq!(schedule.then_every.as_std().as_secs(), 1800);
    }
}
