//! Why a plan cannot be laid out.

use drover_api::value::{
    FailbackPolicyName, GroupName, MachineName, PolicyName, SiteName, StepName,
};
use drover_world::PlanId;
use thiserror::Error;

/// Why a plan cannot be laid out. [`crate::check`] finds all of these with their places; whoever
/// plans without checking gets the first.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// The plan is not declared.
    #[error("there is no recovery plan {0}")]
    NoSuchPlan(PlanId),
    /// One of its sites is not declared.
    #[error("there is no site {0}")]
    NoSuchSite(SiteName),
    /// Two groups have one name.
    #[error("two groups are called {0}")]
    DuplicateGroup(String),
    /// A group depends on one that the plan does not have.
    #[error("group {group} depends on {depends_on}, which is no group of the plan")]
    UnknownGroup {
        /// The group.
        group: String,
        /// What it depends on.
        depends_on: String,
    },
    /// Groups wait for each other. Each depends on the one before it, the first on the last.
    #[error("groups wait for each other in a circle: {}", circle(.0))]
    Cycle(Vec<String>),
    /// A group names a protection group that is not declared.
    #[error("group {group}: there is no protection group {protection_group}")]
    NoSuchProtectionGroup {
        /// The group of the plan.
        group: StepName,
        /// What it names.
        protection_group: GroupName,
    },
    /// A group names a machine that is no member of its protection group.
    #[error("group {group}: protection group {protection_group} has no machine {machine}")]
    NoSuchMachine {
        /// The group of the plan.
        group: StepName,
        /// The protection group.
        protection_group: GroupName,
        /// The machine.
        machine: MachineName,
    },
    /// A replication policy is not declared.
    #[error("there is no replication policy {0}")]
    NoSuchPolicy(PolicyName),
    /// The plan's failback policy is not declared.
    #[error("there is no failback policy {0}")]
    NoSuchFailbackPolicy(FailbackPolicyName),
    /// An action is of no kind, or of several.
    #[error("group {group}: action {action} must be of one kind, not of {kinds}")]
    NotOneKind {
        /// The group.
        group: StepName,
        /// The action.
        action: StepName,
        /// How many kinds are set.
        kinds: usize,
    },
}

fn circle(groups: &[String]) -> String {
    let mut names: Vec<&str> = groups.iter().map(String::as_str).collect();
    names.extend(groups.first().map(String::as_str));
    names.join(" -> ")
}
