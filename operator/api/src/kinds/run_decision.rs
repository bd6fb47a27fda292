//! `RunDecision`: a person's word on one run.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::RecoveryPointChoice;
use crate::value::{RunName, StepName};

/// A person's word on one run: approve, commit, cancel, resume, complete the sync, choose another
/// point, accept a loss. It is bound to that run and to the digest of what was shown, and cannot be
/// changed (PL-10).
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "RunDecision",
    namespaced,
    derive = "PartialEq",
    status = "RunDecisionStatus",
    shortname = "rd",
    category = "drover",
    doc = "A person's word on one run: approve, commit, cancel, resume.",
    printcolumn(name = "Run", type_ = "string", json_path = ".spec.runRef.name"),
    printcolumn(name = "Action", type_ = "string", json_path = ".spec.action"),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.by"),
    printcolumn(name = "Outcome", type_ = "string", json_path = ".status.outcome"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("a decision cannot be changed: take another"))]
#[x_kube(validation = Rule::new("!has(self.step) || self.action == 'Approve'").message("step is for action: Approve; without it the run as a whole is approved"))]
#[x_kube(validation = Rule::new("(self.action == 'ChangePoint') == has(self.recoveryPoint)").message("recoveryPoint is set when, and only when, action is ChangePoint"))]
pub struct RunDecisionSpec {
    /// The run that the decision is about.
    pub run_ref: RunRef,
    /// What is decided.
    pub action: DecisionAction,
    /// For `Approve`: the manual step; unset means the run as a whole, before it does anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepRef>,
    /// For `ChangePoint`: the point that machines are rebuilt from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_point: Option<RecoveryPointChoice>,
    /// Digest of what was shown to the person. Another one is refused.
    #[schemars(length(min = 71, max = 71), regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub digest: String,
    /// Who decides. In a cluster, admission makes this the requesting user.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
    /// Why, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
}

/// Refers to one run, by name and identity: a run of the same name made later is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRef {
    /// Name of the `RecoveryRun`.
    pub name: RunName,
    /// Its uid.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
}

/// A manual step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepRef {
    /// The group that the action belongs to.
    pub group: StepName,
    /// The action.
    pub action: StepName,
}

/// What is decided.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum DecisionAction {
    /// A manual step is approved.
    Approve,
    /// The failover is made final: other recovery points are removed.
    Commit,
    /// The machines go back to the source.
    Cancel,
    /// A halted run goes on from where it stopped.
    Resume,
    /// The hold between the phases of a failback's synchronisation ends.
    CompleteSync,
    /// Machines are rebuilt from another recovery point.
    ChangePoint,
    /// More may be lost than `maxDataLoss` says.
    AcceptDataLoss,
    /// What was written at the target may be discarded by a cancel.
    AcceptDiscard,
    /// The source could not be fenced and the run goes on all the same.
    AcceptSplitBrain,
    /// The machines of a committed failover are protected in the other direction (FB-1).
    Reprotect,
}

/// What became of a decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunDecisionStatus {
    /// Accepted or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<DecisionOutcome>,
    /// Why, and what would lift a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether nobody checked who `by` is: true in the embedded mode.
    #[serde(default)]
    pub unauthenticated: bool,
    /// Conditions; `Ready` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Accepted or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DecisionOutcome {
    /// It took effect.
    Accepted,
    /// It did not.
    Refused,
}
