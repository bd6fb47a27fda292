//! `RecoveryPlan`: groups of machines with an order between them, and where they should be active.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::drift::PlanDrift;
use crate::common::{
    FailbackPolicyRef, FailoverType, MachineRef, RecoveryPointChoice, SitePair, SiteRole,
    SourceStop, Unfenced, Window,
};
use crate::value::{Cron, Duration, GroupName, MachineName, RunName, StepName, TimeZone};

/// Groups of machines with an order between them, plus actions around each group. `activeSite` is the
/// one line that a pull request changes to fail over, and changes back to fail back.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "RecoveryPlan",
    namespaced,
    derive = "PartialEq",
    status = "RecoveryPlanStatus",
    shortname = "rp",
    category = "drover",
    doc = "Groups of machines with an order between them, and the site where they should be active.",
    printcolumn(name = "Declared", type_ = "string", json_path = ".spec.activeSite"),
    printcolumn(name = "Actual", type_ = "string", json_path = ".status.activeSite"),
    printcolumn(name = "Run", type_ = "string", json_path = ".status.currentRun"),
    printcolumn(name = "RTO", type_ = "string", json_path = ".status.forecast.rto"),
    printcolumn(name = "RPO", type_ = "string", json_path = ".status.forecast.rpo"),
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
#[x_kube(validation = Rule::new("has(self.activeSite) || (!has(self.overrides) && !has(self.request))").message("overrides and request need activeSite: a plan without it only drills and forecasts"))]
pub struct RecoveryPlanSpec {
    /// The two sites.
    #[x_kube(validation = Rule::new("self == oldSelf").message("the sites of a plan cannot be changed: make a new plan"))]
    pub sites: SitePair,
    /// Where the machines should be active. Changing it starts a failover or a failback. Unset: the
    /// plan only drills and forecasts (PL-7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_site: Option<SiteRole>,
    /// Single machines that should be active elsewhere than the rest (PL-6).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 1000))]
    pub overrides: Vec<Override>,
    /// What is aimed at; every run and drill is measured against it (PL-11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objectives: Option<Objectives>,
    /// Standing rules by direction (PL-9).
    #[serde(default)]
    pub failover: FailoverRules,
    /// What is special to one run: used up by its id, refused after it expires (PL-9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// Who commits a failover, and when (FO-5).
    #[serde(default)]
    pub commit: Commit,
    /// How the way back goes. Unset: fixed values that the status shows (FB-7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback_policy_ref: Option<FailbackPolicyRef>,
    /// What must hold before a run starts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guards: Option<Guards>,
    /// The groups, in order. Each starts after the one before it unless `dependsOn` says otherwise.
    #[schemars(length(min = 1, max = 10_000))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub groups: Vec<PlanGroup>,
    /// Machines of this plan that may be stopping, or starting, at the same time; the sites' limits hold
    /// too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrency: Option<u32>,
    /// Drills on a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drills: Option<Drills>,
    /// How many runs are kept as evidence (PL-12).
    #[serde(default)]
    pub run_history: RunHistory,
}

/// A machine that should be active elsewhere than the rest of its plan (PL-6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// The machine's name.
    pub machine: MachineName,
    /// Its protection group; needed where two groups of the plan have a machine of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection_group: Option<GroupName>,
    /// Where it should be active.
    pub active_site: SiteRole,
}

/// What is aimed at (PL-11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Objectives {
    /// Time from the start of a run to the service being back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Duration>,
    /// Data loss measured in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Duration>,
}

/// Standing rules by direction (PL-9).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailoverRules {
    /// When machines leave the primary site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_secondary: Option<StandingRule>,
    /// When machines come home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_primary: Option<StandingRule>,
}

/// How a run in one direction goes unless a request says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.sourceStop) || self.type == 'Unplanned'").message("sourceStop is for type: Unplanned; a planned failover always stops the source"))]
#[x_kube(validation = Rule::new("!has(self.sourceStop) || self.sourceStop != 'Skip'").message("sourceStop: Skip is not for a standing rule; ask for it with a request"))]
pub struct StandingRule {
    /// Planned loses nothing or does not go on; Unplanned works with the source lost.
    #[serde(rename = "type")]
    pub kind: FailoverType,
    /// A failover that would lose more is held (FO-4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_data_loss: Option<Duration>,
    /// For `Unplanned`: what is done about the source. `Required` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_stop: Option<SourceStop>,
    /// When the run starts after the declaration changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
}

/// When a run starts after the declaration changed (FB-9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.policy == 'WhenStable') == has(self.stableFor)").message("stableFor is set when, and only when, policy is WhenStable"))]
#[x_kube(validation = Rule::new("!has(self.window) || self.policy == 'WhenStable'").message("window is for policy: WhenStable"))]
pub struct Start {
    /// Whether it waits.
    pub policy: StartPolicy,
    /// For `WhenStable`: how long the target site must have answered without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_for: Option<Duration>,
    /// For `WhenStable`: the daily window, in the target site's time zone, in which it may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// Whether a run waits for its target site to be stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StartPolicy {
    /// It does not.
    Immediately,
    /// It does.
    WhenStable,
}

/// What is special to one run (PL-9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type == 'Unplanned' || (!has(self.sourceStop) && !has(self.recoveryPoint) && (!has(self.unfenced) || self.unfenced == 'Refuse'))").message("sourceStop, recoveryPoint and unfenced are for type: Unplanned"))]
pub struct Request {
    /// Identifies the request; a run is started for an id once.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
    )]
    pub id: String,
    /// The request is refused from this instant on.
    pub expires: Timestamp,
    /// Planned or unplanned.
    #[serde(rename = "type")]
    pub kind: FailoverType,
    /// The recovery point to start from; `Latest` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_point: Option<RecoveryPointChoice>,
    /// What is done about the source; `Attempt` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_stop: Option<SourceStop>,
    /// What happens when the source could neither be stopped nor fenced.
    #[serde(default)]
    pub unfenced: Unfenced,
    /// A failover that would lose more is held; overrides the standing rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_data_loss: Option<Duration>,
}

/// Who commits a failover, and when (FO-5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.policy == 'Automatic') == has(self.soak)").message("soak is set when, and only when, policy is Automatic"))]
pub struct Commit {
    /// Who commits.
    pub policy: CommitPolicy,
    /// For `Automatic`: how long checks must have passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Duration>,
}

impl Default for Commit {
    fn default() -> Self {
        Self {
            policy: CommitPolicy::Manual,
            soak: None,
        }
    }
}

/// Who commits a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CommitPolicy {
    /// A person, with a decision bound to that one run.
    Manual,
    /// Drover, after checks passed for the soak time. Commit cannot be undone (SA-6).
    Automatic,
}

/// What must hold before a run starts by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guards {
    /// The last green drill must not be older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill_not_older_than: Option<Duration>,
    /// So many different people must approve the run before it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub approvals: Option<u32>,
    /// Daily windows, in the source site's time zone, in which no planned run starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub freeze_windows: Vec<Window>,
    /// Digest of the plan as it was reviewed; a run that would be another is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^sha256:[0-9a-f]{64}$"), length(max = 71))]
    pub plan_digest: Option<String>,
}

/// One group of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.protectionGroups) || has(self.machines)").message("a group names protection groups, machines, or both"))]
pub struct PlanGroup {
    /// Name of the group, unique in the plan.
    pub name: StepName,
    /// Groups that must be healthy before this one starts. Unset: the group before it in the list.
    /// An empty list: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub depends_on: Option<Vec<StepName>>,
    /// Protection groups whose members start with this group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256))]
    pub protection_groups: Vec<GroupName>,
    /// Single machines that start with this group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 1000))]
    pub machines: Vec<MachineRef>,
    /// Actions before the machines start, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub before: Vec<Action>,
    /// Actions after the machines are healthy, one after the other. Groups that depend on this one
    /// wait for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub after: Vec<Action>,
}

/// Drills on a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drills {
    /// When.
    pub schedule: Schedule,
    /// How long the machines of a drill stand before they are removed.
    #[serde(default = "four_hours")]
    pub ttl: Duration,
    /// How late a drill may begin, when something held it or Drover did not run. Later than that it is
    /// missed, and the next one comes when the schedule says so.
    #[serde(default = "an_hour")]
    pub starting_deadline: Duration,
    /// Whether the schedule rests. Drills that stand already are not touched, and what falls due
    /// meanwhile is not made up for.
    #[serde(default)]
    pub suspend: bool,
}

fn four_hours() -> Duration {
    Duration::from_hours(4)
}

/// A drill in the night must not begin in the middle of the day.
fn an_hour() -> Duration {
    Duration::from_hours(1)
}

/// A cron schedule in a time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Minute, hour, day of month, month, day of week.
    pub cron: Cron,
    /// The time zone that it is read in.
    #[serde(default)]
    pub time_zone: TimeZone,
}

/// How many runs are kept as evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunHistory {
    /// The newest runs of each kind that are kept.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 1000))]
    pub keep: u32,
}

impl Default for RunHistory {
    fn default() -> Self {
        Self { keep: thirty() }
    }
}

fn thirty() -> u32 {
    30
}

/// Where the machines of a plan really are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ActualSite {
    /// All at the primary site.
    #[serde(rename = "primary")]
    Primary,
    /// All at the secondary site.
    #[serde(rename = "secondary")]
    Secondary,
    /// Some here, some there, be it that an override has it so (PL-6).
    Mixed,
    /// A site that would know does not answer (SA-1).
    Unknown,
}

/// How a plan stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPlanStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation `drover.dev/reconcile-now` that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile: Option<String>,
    /// Where the machines really are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_site: Option<ActualSite>,
    /// The intent that the last run served (PL-8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_served: Option<IntentServed>,
    /// What a run would do now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastSummary>,
    /// The run that is going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_run: Option<RunName>,
    /// The last runs, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub last_runs: Vec<RunName>,
    /// When the last green drill ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_green_drill: Option<Timestamp>,
    /// The schedule of drills that is followed, and since when; unset while it rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill_schedule: Option<FollowedSchedule>,
    /// The instant of the schedule that a drill was created for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scheduled_drill: Option<Timestamp>,
    /// Why declared and actual differ, where they do and nothing starts by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 1024)))]
    pub drift: Vec<String>,
    /// Where what is differs from what is declared, of the plan and of its machines: an entry for each kind
    /// of difference, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind"]))]
    pub differences: Vec<PlanDrift>,
    /// Conditions; `Ready` and `FailoverReady` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A schedule, and since when it is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FollowedSchedule {
    /// The schedule.
    pub schedule: Schedule,
    /// Since when. What it would have fallen due for before that is not made up for.
    pub since: Timestamp,
}

/// The intent that a run served (PL-8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IntentServed {
    /// The declared site.
    pub active_site: SiteRole,
    /// The declared exceptions from it (PL-6).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub overrides: Vec<Override>,
    /// The request's id, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub request_id: Option<String>,
    /// The run that served it. Unset: nothing was run for it, the machines were found there, or what
    /// was found was adopted (SA-11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunName>,
}

/// What a run would do, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForecastSummary {
    /// Waves of groups.
    pub waves: u32,
    /// Expected time until the service is back.
    pub rto: Duration,
    /// Expected data loss; `0s` for a planned failover.
    pub rpo: Duration,
    /// Where the estimates come from.
    pub source: EstimateSource,
}

/// Where an estimate comes from (PL-5).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum EstimateSource {
    /// Recorded runs of the same machines.
    Recorded,
    /// The fabric's own figures.
    Fabric,
    /// Some machines by recorded runs, some by the fabric's figures.
    Mixed,
}
