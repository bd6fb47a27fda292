//! The condition types that Drover sets, so that each is spelt once.
//!
//! They are `metav1` conditions with `observedGeneration`. `Ready`, `Reconciling` and `Stalled` follow
//! kstatus: the last two are abnormal-true and absent when all is well. Waiting for a person is no
//! reconciling (KU-1).

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The declared state is reached, or only a person's word is awaited.
pub const READY: &str = "Ready";
/// Work is going on towards the declared state.
pub const RECONCILING: &str = "Reconciling";
/// Nothing more will happen without a person.
pub const STALLED: &str = "Stalled";
/// Machines run at the target and a commit or a cancel is awaited (FO-5).
pub const COMMIT_PENDING: &str = "CommitPending";
/// A run, or a step of it, does not go on before people approve it (PL-4, PL-10).
pub const APPROVAL_PENDING: &str = "ApprovalPending";
/// Machines replicate and can be recovered.
pub const PROTECTED: &str = "Protected";
/// Another group or plan claims the same machine (PR-11).
pub const CONFLICTED: &str = "Conflicted";
/// Two plans with an active site own the same machine, so all of them hold (PL-7).
pub const CONTESTED: &str = "Contested";
/// The measured RPO is above the policy's threshold (PR-6).
pub const RPO_EXCEEDED: &str = "RPOExceeded";
/// Changes did not arrive at the other site when they were sent last, and are sent again (PR-5).
pub const REPLICATION_FAILING: &str = "ReplicationFailing";
/// Points are only those that a loss of power would leave, although the policy asks for application-consistent
/// ones (PR-6).
pub const CRASH_CONSISTENT_ONLY: &str = "CrashConsistentOnly";
/// What is declared and what is differ, and nothing that goes on will change that (PL-8, RD-2).
pub const DRIFTED: &str = "Drifted";
/// A failover could be started now with what is known (RD-1).
pub const FAILOVER_READY: &str = "FailoverReady";
/// Nothing begins, because the annotation `drover.dev/suspend` says so.
pub const SUSPENDED: &str = "Suspended";
/// A site answers and its rights suffice.
pub const REACHABLE: &str = "Reachable";
/// Drills come by their schedule; `False` where one is held, with what would release it.
pub const DRILL_SCHEDULED: &str = "DrillScheduled";
