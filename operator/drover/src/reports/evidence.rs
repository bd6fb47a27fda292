//! What a run leaves behind: what was done, when, who decided, how long it took, what was lost.
//!
//! For programs it is this, and fields are added and never renamed within a version:
//!
//! ```json
//! {
//!   "apiVersion": "drover.dev/report/v1alpha1", "kind": "RunReport", "asOf": "...",
//!   "run": { "namespace": "shop", "name": "shop-7", "uid": "...", "number": 7 },
//!   "plan": "shop", "what": { "kind": "PlannedFailover", "direction": "ToSecondary",
//!                             "source": "seoul", "target": "busan", "requestId": null },
//!   "digest": "sha256:...", "epoch": { "compiled": 4, "now": 5 },
//!   "result": { "verdict": "succeeded", "phase": "Committed", "since": "...", "halt": null },
//!   "started": "...", "ended": "...", "duration": "1h2m",
//!   "rto": { "objective": "15m", "forecast": "8m", "reached": "7m", "met": true }, "rpo": {},
//!   "estimates": "Recorded",
//!   "machines": { "total": 12, "left": 12, "healthy": 12, "failed": 0 },
//!   "phases": [{ "phase": "Leaving", "at": "...", "took": "2m" }],
//!   "order": { "verdict": "kept", "findings": [] },
//!   "groups": [], "members": [], "decisions": [], "accepted": {}, "failures": []
//! }
//! ```

use drover_api::common::{Direction, RunKind};
use drover_api::value::Duration;
use drover_api::{
    AcceptedRisks, ActionState, DecisionAction, DecisionOutcome, EstimateSource, GroupRecord,
    LeftProof, MachineRun, MachineRunStatus, PointUsed, RecoveryPlan, RecoveryRun,
    RecoveryRunStatus, RunCounts, RunDecision, RunPhase, StepRecord, StepState,
};
use jiff::Timestamp;
use serde::Serialize;

use super::moments::between;
use super::order::{self, Order};
use super::progress::{self, Standing};
use super::words::{is_over, phase_of};

/// The version of the report.
const API_VERSION: &str = "drover.dev/report/v1alpha1";

/// What a run leaves behind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    api_version: &'static str,
    kind: &'static str,
    /// When the run was looked at.
    pub as_of: Option<Timestamp>,
    /// Which run.
    pub run: Identity,
    /// Its plan.
    pub plan: String,
    /// What it does.
    pub what: What,
    /// Digest of what was compiled, and what decisions are bound to.
    pub digest: String,
    /// Its epochs.
    pub epoch: Epochs,
    /// How it stands.
    pub result: Outcome,
    /// When it was compiled.
    pub started: Option<Timestamp>,
    /// When nothing more could happen.
    pub ended: Option<Timestamp>,
    /// From the one to the other.
    pub duration: Option<Duration>,
    /// Time until the service was back.
    pub rto: Measure,
    /// Data loss.
    pub rpo: Measure,
    /// Where the forecast came from.
    pub estimates: Option<EstimateSource>,
    /// Machines in numbers.
    pub machines: Machines,
    /// The phases, in the order in which they were entered.
    pub phases: Vec<Phase>,
    /// Whether the order between groups was kept.
    pub order: Order,
    /// The groups, in the order of the plan.
    pub groups: Vec<Group>,
    /// The machines, by group and name.
    pub members: Vec<Member>,
    /// The decisions of people, oldest first.
    pub decisions: Vec<Decision>,
    /// Risks that were accepted by name.
    pub accepted: AcceptedRisks,
    /// What failed and why.
    pub failures: Vec<Failed>,
}

/// Which run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: a run of the same name made later is another.
    pub uid: String,
    /// The counter of its plan's runs.
    pub number: u64,
}

/// What a run does.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct What {
    /// Its kind.
    pub kind: RunKind,
    /// Its direction.
    pub direction: Direction,
    /// The site that machines leave.
    pub source: String,
    /// The site that machines go to.
    pub target: String,
    /// The request that it serves.
    pub request_id: Option<String>,
    /// In words.
    #[serde(skip)]
    pub words: &'static str,
}

/// Epochs of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Epochs {
    /// That it was compiled with.
    pub compiled: u64,
    /// That its effects carry now.
    pub now: u64,
}

/// How a run stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// In a word.
    pub verdict: Verdict,
    /// Its phase.
    pub phase: RunPhase,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why it halted.
    pub halt: Option<String>,
}

/// How a run stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It goes on.
    InProgress,
    /// A person must act.
    WaitsForAPerson,
    /// It came to its end, and nothing failed.
    Succeeded,
    /// It came to its end, and something failed.
    SucceededInPart,
    /// It was cancelled.
    Cancelled,
}

/// What was aimed at, expected and reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measure {
    /// Aimed at.
    pub objective: Option<Duration>,
    /// Expected when the run was compiled.
    pub forecast: Option<Duration>,
    /// Reached.
    pub reached: Option<Duration>,
    /// Whether what was reached is no more than what was aimed at.
    pub met: Option<bool>,
}

/// Machines in numbers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machines {
    /// All of the run.
    pub total: u32,
    /// By state.
    #[serde(flatten)]
    pub counts: RunCounts,
}

/// A phase that was entered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// Which.
    pub phase: RunPhase,
    /// When.
    pub at: Timestamp,
    /// How long it was in it; nothing for the one that it is in.
    pub took: Option<Duration>,
}

/// A group of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its wave.
    pub wave: u32,
    /// Groups that it waits for.
    pub depends_on: Vec<String>,
    /// Its machines.
    pub machines: u32,
    /// Of them, those that are healthy.
    pub healthy: usize,
    /// Of them, those that failed.
    pub failed: usize,
    /// Leaving the source: from the release to the last outcome.
    pub leave: Span,
    /// Starting at the target: from the release to the last outcome.
    pub enter: Span,
    /// Actions, in order.
    pub actions: Vec<Action>,
}

/// From the release of a group to the last outcome of its machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// When it was released.
    pub released: Option<Timestamp>,
    /// When the last machine had an outcome; nothing as long as one has none.
    pub done: Option<Timestamp>,
}

impl Span {
    /// How long it took.
    pub fn took(self) -> Option<Duration> {
        Some(between(self.released?, self.done?))
    }
}

/// An action of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: &'static str,
    /// Before or after the machines of the group.
    pub around: &'static str,
    /// How it stands.
    pub state: ActionState,
    /// Attempts that were begun.
    pub attempts: u32,
    /// When the last attempt began.
    pub since: Option<Timestamp>,
    /// Who approved it.
    pub approved_by: Vec<String>,
    /// The last error.
    pub error: Option<String>,
}

/// A machine of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its protection group.
    pub protection_group: String,
    /// The group of the run.
    pub group: String,
    /// Where it stands.
    pub standing: Standing,
    /// Its durable steps that have an outcome, in the order in which they can happen.
    pub steps: Vec<Step>,
    /// How its leaving was proven.
    pub left: Option<LeftProof>,
    /// The recovery point that it was started from.
    pub point: Option<PointUsed>,
}

/// An outcome of a durable step of a machine.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Which.
    pub step: &'static str,
    /// Done or failed.
    pub state: StepState,
    /// When.
    pub at: Option<Timestamp>,
    /// Since its group was released.
    pub took: Option<Duration>,
    /// The epoch that it was reached at.
    pub epoch: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// A decision of a person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Name of the `RunDecision`.
    pub name: String,
    /// What was decided, where the object is still there.
    pub action: Option<DecisionAction>,
    /// Who decided.
    pub by: String,
    /// Whether nobody checked who that is.
    pub unauthenticated: Option<bool>,
    /// Why, in the words of who decided.
    pub why: Option<String>,
    /// Whether it took effect.
    pub outcome: DecisionOutcome,
    /// Why it did not.
    pub refused_because: Option<String>,
    /// When it was answered.
    pub at: Timestamp,
}

/// Something that failed.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// What.
    pub what: String,
    /// Why.
    pub error: String,
    /// When.
    pub at: Option<Timestamp>,
}

impl Report {
    /// The evidence of a run: from it, the journals of its machines and, where it is still there, its
    /// plan, which says what was aimed at.
    pub fn of(run: &RecoveryRun, machines: &[MachineRun], plan: Option<&RecoveryPlan>) -> Self {
        let nothing = RecoveryRunStatus::default();
        let status = run.status.as_ref().unwrap_or(&nothing);
        let (started, ended) = (started(run), ended(run));
        let groups = groups(run, machines);
        let members = members(run, machines);
        let failures = failures(&groups, &members);
        Self {
            api_version: API_VERSION,
            kind: "RunReport",
            as_of: None,
            run: identity(run),
            plan: run.spec.plan_ref.name.to_string(),
            what: what(run),
            digest: run.spec.digest.clone(),
            epoch: Epochs {
                compiled: run.spec.epoch,
                now: status.record.epoch.max(run.spec.epoch),
            },
            result: Outcome {
                verdict: verdict(run, &failures),
                phase: status.record.phase,
                since: status.record.since,
                halt: status.record.halt.as_ref().map(|halt| halt.reason.clone()),
            },
            started,
            ended,
            duration: started.zip(ended).map(|(from, to)| between(from, to)),
            rto: rto(run, plan),
            rpo: rpo(run, plan, &members),
            estimates: run.spec.forecast.as_ref().map(|forecast| forecast.source),
            machines: Machines {
                total: run.spec.machines,
                counts: status.machines,
            },
            phases: phases(status),
            order: order::kept(run, &groups),
            groups,
            members,
            decisions: decisions(status),
            accepted: status.record.accepted,
            failures,
        }
    }

    /// The same, with what the decisions themselves say.
    #[must_use]
    pub fn with_decisions(mut self, decisions: &[RunDecision]) -> Self {
        for entry in &mut self.decisions {
            let is = |each: &&RunDecision| each.metadata.name.as_deref() == Some(&entry.name);
            if let Some(found) = decisions.iter().find(is) {
                entry.action = Some(found.spec.action);
                entry.why.clone_from(&found.spec.reason);
                entry.unauthenticated = found.status.as_ref().map(|status| status.unauthenticated);
            }
        }
        self
    }

    /// The same, looked at in this moment.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.as_of = Some(now);
        self
    }
}

fn identity(run: &RecoveryRun) -> Identity {
    let metadata = &run.metadata;
    Identity {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        number: run.spec.number,
    }
}

fn what(run: &RecoveryRun) -> What {
    let (sites, direction) = (&run.spec.sites, run.spec.direction);
    What {
        kind: run.spec.kind,
        direction,
        source: sites.at(direction.source()).to_string(),
        target: sites.at(direction.target()).to_string(),
        request_id: run.spec.request_id.clone(),
        words: super::words::what(&run.spec),
    }
}

/// When a run was compiled.
pub fn started(run: &RecoveryRun) -> Option<Timestamp> {
    let first = run.status.as_ref().and_then(|status| status.history.first());
    let created = run.metadata.creation_timestamp.as_ref().map(|time| time.0);
    first.map(|entry| entry.at).or(created)
}

/// When nothing more could happen in it.
fn ended(run: &RecoveryRun) -> Option<Timestamp> {
    let status = run.status.as_ref().filter(|_| is_over(run))?;
    let last = status.history.last().map(|entry| entry.at);
    last.or(status.record.since)
}

fn verdict(run: &RecoveryRun, failures: &[Failed]) -> Verdict {
    match phase_of(run) {
        RunPhase::Cancelled => Verdict::Cancelled,
        _ if !super::waiting::waits(run).is_empty() => Verdict::WaitsForAPerson,
        _ if !is_over(run) => Verdict::InProgress,
        _ if failures.is_empty() => Verdict::Succeeded,
        _ => Verdict::SucceededInPart,
    }
}

fn rto(run: &RecoveryRun, plan: Option<&RecoveryPlan>) -> Measure {
    let status = run.status.as_ref();
    let objectives = plan.and_then(|plan| plan.spec.objectives.as_ref());
    measure(
        objectives.and_then(|objectives| objectives.rto.clone()),
        run.spec.forecast.as_ref().map(|forecast| forecast.rto.clone()),
        status.and_then(|status| status.rto.clone()),
    )
}

fn rpo(run: &RecoveryRun, plan: Option<&RecoveryPlan>, members: &[Member]) -> Measure {
    let status = run.status.as_ref();
    let objectives = plan.and_then(|plan| plan.spec.objectives.as_ref());
    let points = members.iter().filter_map(|member| member.point.as_ref());
    let worst = points.filter_map(|point| point.loss.clone()).max();
    measure(
        objectives.and_then(|objectives| objectives.rpo.clone()),
        run.spec.forecast.as_ref().map(|forecast| forecast.rpo.clone()),
        status.and_then(|status| status.rpo.clone()).or(worst),
    )
}

fn measure(
    objective: Option<Duration>,
    forecast: Option<Duration>,
    reached: Option<Duration>,
) -> Measure {
    let met = objective.as_ref().zip(reached.as_ref());
    Measure {
        met: met.map(|(objective, reached)| reached <= objective),
        objective,
        forecast,
        reached,
    }
}

fn phases(status: &RecoveryRunStatus) -> Vec<Phase> {
    let next = status.history.iter().skip(1).map(|entry| Some(entry.at));
    let entries = status.history.iter().zip(next.chain([None]));
    entries
        .map(|(entry, next)| Phase {
            phase: entry.phase,
            at: entry.at,
            took: next.map(|next| between(entry.at, next)),
        })
        .collect()
}

fn groups(run: &RecoveryRun, machines: &[MachineRun]) -> Vec<Group> {
    let (record, none) = (progress::record(run), GroupRecord::default());
    let progress = progress::groups(run, machines);
    let groups = run.spec.groups.iter().zip(progress).enumerate();
    groups
        .map(|(position, (group, progress))| {
            let released = record.groups.get(position).unwrap_or(&none);
            let own = || machines.iter().filter(|machine| machine.spec.group == group.name);
            let span = |released, step: fn(&MachineRunStatus) -> &StepRecord| Span {
                released,
                done: last_outcome(own(), group.machines, step),
            };
            Group {
                name: group.name.to_string(),
                wave: group.wave,
                depends_on: group.depends_on.iter().map(ToString::to_string).collect(),
                machines: group.machines,
                healthy: progress.healthy,
                failed: progress.failed,
                leave: span(released.leave_released, |journal| &journal.leave),
                enter: span(released.enter_released, |journal| &journal.enter),
                actions: actions(group, released),
            }
        })
        .collect()
}

/// When the last machine of a group had an outcome, where all have one.
fn last_outcome<'m>(
    machines: impl Iterator<Item = &'m MachineRun>,
    expected: u32,
    step: fn(&MachineRunStatus) -> &StepRecord,
) -> Option<Timestamp> {
    let mut last = None;
    let mut number = 0;
    for machine in machines {
        let at = step(machine.status.as_ref()?).at?;
        last = last.max(Some(at));
        number += 1;
    }
    last.filter(|_| number >= expected)
}

fn actions(group: &drover_api::RunGroup, released: &GroupRecord) -> Vec<Action> {
    let sides = [
        ("before", &group.before, &released.before),
        ("after", &group.after, &released.after),
    ];
    let mut actions = Vec::new();
    for (around, declared, states) in sides {
        for (position, action) in declared.iter().enumerate() {
            let state = states.get(position).cloned().unwrap_or_default();
            actions.push(Action {
                name: action.name.to_string(),
                kind: action.kind().map_or("?", |kind| kind.as_str()),
                around,
                state: state.state,
                attempts: state.attempts,
                since: state.since,
                approved_by: state.approved_by,
                error: state.error,
            });
        }
    }
    actions
}

fn members(run: &RecoveryRun, machines: &[MachineRun]) -> Vec<Member> {
    let (record, none) = (progress::record(run), MachineRunStatus::default());
    let position = |machine: &MachineRun| {
        let groups = &run.spec.groups;
        groups.iter().position(|group| group.name == machine.spec.group)
    };
    let mut members: Vec<(Option<usize>, Member)> = machines
        .iter()
        .map(|machine| {
            let journal = machine.status.as_ref().unwrap_or(&none);
            let position = position(machine);
            let released = position.and_then(|position| record.groups.get(position));
            let member = Member {
                name: machine.spec.machine.name.to_string(),
                protection_group: machine.spec.machine.protection_group.to_string(),
                group: machine.spec.group.to_string(),
                standing: progress::standing(run, released, journal),
                steps: steps(journal, released),
                left: journal.left,
                point: journal.point.clone(),
            };
            (position, member)
        })
        .collect();
    members.sort_by(|(one, a), (other, b)| (one, &a.name).cmp(&(other, &b.name)));
    members.into_iter().map(|(_, member)| member).collect()
}

fn steps(journal: &MachineRunStatus, released: Option<&GroupRecord>) -> Vec<Step> {
    let released_at = |step: &str| {
        let group = released?;
        match step {
            "leave" => group.leave_released,
            "enter" => group.enter_released,
            "withdraw" => group.withdraw_released,
            "return" => group.return_released,
            _ => None,
        }
    };
    let all = progress::steps(journal).into_iter();
    let told = all.filter(|(_, record)| record.state != StepState::Pending);
    told.map(|(step, record)| Step {
        step,
        state: record.state,
        at: record.at,
        took: released_at(step).zip(record.at).map(|(from, to)| between(from, to)),
        epoch: record.epoch,
        error: record.error.clone(),
    })
    .collect()
}

fn decisions(status: &RecoveryRunStatus) -> Vec<Decision> {
    let entries = status.record.decisions.iter();
    entries
        .map(|entry| Decision {
            name: entry.name.clone(),
            action: None,
            by: entry.by.clone(),
            unauthenticated: None,
            why: None,
            outcome: entry.outcome,
            refused_because: entry.reason.clone(),
            at: entry.at,
        })
        .collect()
}

fn failures(groups: &[Group], members: &[Member]) -> Vec<Failed> {
    let mut failures = Vec::new();
    for group in groups {
        for action in group.actions.iter().filter(|action| action.state == ActionState::Failed) {
            failures.push(Failed {
                what: format!("action {}/{}", group.name, action.name),
                error: action.error.clone().unwrap_or_else(|| "no reason is recorded".to_owned()),
                at: action.since,
            });
        }
    }
    for member in members {
        for step in member.steps.iter().filter(|step| step.state == StepState::Failed) {
            failures.push(Failed {
                what: format!("{} of machine {}/{}", step.step, member.protection_group, member.name),
                error: step.error.clone().unwrap_or_else(|| "no reason is recorded".to_owned()),
                at: step.at,
            });
        }
    }
    failures
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
