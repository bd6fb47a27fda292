//! What a run leaves behind: what was done, when, who decided, how long it took, what was lost.
//!
//! For programs it is this, and fields are added and never renamed within a version:
//!
//! ```json
//! {
//!   "apiVersion": "drover.dev/report/v1alpha1", "kind": "RunReport", "asOf": "...",
//!   "factsDigest": "sha256:...",
//!   "run": { "namespace": "shop", "name": "shop-7", "uid": "...", "number": 7 },
//!   "plan": "shop", "what": { "kind": "PlannedFailover", "direction": "ToSecondary",
//!                             "source": "seoul", "target": "busan", "requestId": null },
//!   "revision": "4f1d2c...", "digest": "sha256:...", "epoch": { "compiled": 4, "now": 5 },
//!   "result": { "verdict": "succeeded", "phase": "Committed", "since": "...", "halt": null },
//!   "started": "...", "ended": "...", "duration": "1h2m",
//!   "rto": { "objective": "15m", "forecast": "8m", "reached": "7m", "met": true }, "rpo": {},
//!   "estimates": "Recorded",
//!   "machines": { "total": 12, "left": 12, "healthy": 12, "failed": 0 },
//!   "phases": [{ "phase": "Leaving", "at": "...", "took": "2m" }],
//!   "order": { "verdict": "kept", "findings": [] },
//!   "groups": [], "members": [], "decisions": [], "accepted": {}, "failures": [],
//!   "drill": null, "gaps": [{ "code": "unchecked", "says": "..." }]
//! }
//! ```

mod gaps;
mod gather;
mod parts;
mod sheet;
mod timeline;
pub mod words;

use drover_api::annotations::{DRILL, DRILL_UID};
use drover_api::common::RunKind;
use drover_api::value::Duration;
use drover_api::{
    AcceptedRisks, DrillResult, EstimateSource, MachineRun, RecoveryRun, RecoveryRunStatus,
    RunPhase,
};
use drover_engine::decide::drill_result;
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::moments::between;
use super::order::{self, Order};
use super::words::is_over;
use crate::digest;
use gather::{accepted, decisions, failures, groups, members, phases};
pub use parts::*;
pub use sheet::{decisions as decisions_table, sheet};
pub use timeline::timeline;

/// The version of the report.
pub const API_VERSION: &str = "drover.dev/report/v1alpha1";

/// What a run leaves behind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    api_version: &'static str,
    kind: &'static str,
    /// When the run was looked at; nothing in a report of a period.
    pub as_of: Option<Timestamp>,
    /// Digest of all that is said here but for the moment of printing.
    pub facts_digest: String,
    /// Which run.
    pub run: Identity,
    /// Its plan.
    pub plan: String,
    /// What it does.
    pub what: What,
    /// Revision of the manifests that were in force.
    pub revision: Option<String>,
    /// Digest of what was compiled, and what decisions are bound to.
    pub digest: String,
    /// Its epochs.
    pub epoch: Epochs,
    /// How it stands.
    pub result: Outcome,
    /// The drill that it carried out, where it is one.
    pub drill: Option<Drill>,
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
    /// The decisions of people that were taken until the end, oldest first.
    pub decisions: Vec<Decision>,
    /// Risks that were accepted by name.
    pub accepted: AcceptedRisks,
    /// What failed and why.
    pub failures: Vec<Failed>,
    /// What an auditor would ask about.
    pub gaps: Vec<Gap>,
}

impl Report {
    /// The evidence of a run: from it and from the journals of its machines, and from nothing else, so
    /// that it can be made again as long as they are there.
    pub fn of(run: &RecoveryRun, machines: &[MachineRun]) -> Self {
        let nothing = RecoveryRunStatus::default();
        let status = run.status.as_ref().unwrap_or(&nothing);
        let (started, ended) = (started(run), ended(run));
        let groups = groups(run, machines);
        let members = members(run, machines);
        let failures = failures(&groups, &members);
        let mut report = Self {
            api_version: API_VERSION,
            kind: "RunReport",
            as_of: None,
            facts_digest: String::new(),
            run: identity(run),
            plan: run.spec.plan_ref.name.to_string(),
            what: what(run),
            revision: run.spec.revision.clone(),
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
            drill: drill(run),
            started,
            ended,
            duration: started.zip(ended).map(|(from, to)| between(from, to)),
            rto: rto(run),
            rpo: rpo(run, &members),
            estimates: run.spec.forecast.as_ref().map(|forecast| forecast.source),
            machines: Machines {
                total: run.spec.machines,
                counts: status.machines,
            },
            phases: phases(status),
            order: order::kept(run, &groups),
            groups,
            members,
            decisions: decisions(status, ended),
            accepted: accepted(status, ended),
            failures,
            gaps: Vec::new(),
        };
        report.gaps = gaps::of(&report);
        report.facts_digest = digest::of_facts(&report);
        report
    }

    /// The same, looked at in this moment.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.as_of = Some(now);
        self
    }

    /// Whether it is a drill that passed.
    pub fn is_green_drill(&self) -> bool {
        let result = self.drill.as_ref().and_then(|drill| drill.result);
        result == Some(DrillResult::Passed)
    }

    /// The run, with its namespace.
    pub fn name(&self) -> String {
        format!("{}/{}", self.run.namespace, self.run.name)
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

/// The drill that a run carries out: its annotations say which, its record what came out of it.
fn drill(run: &RecoveryRun) -> Option<Drill> {
    if run.spec.kind != RunKind::TestFailover {
        return None;
    }
    let annotation = |key: &str| run.annotations().get(key).cloned().unwrap_or_default();
    Some(Drill {
        name: annotation(DRILL),
        uid: annotation(DRILL_UID),
        result: drill_result(run),
        point: run.spec.recovery_point.clone(),
    })
}

/// When a run was compiled.
pub fn started(run: &RecoveryRun) -> Option<Timestamp> {
    let first = run
        .status
        .as_ref()
        .and_then(|status| status.history.first());
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
    match run.phase() {
        RunPhase::Cancelled => Verdict::Cancelled,
        _ if !super::waiting::waits(run).is_empty() => Verdict::WaitsForAPerson,
        _ if !is_over(run) => Verdict::InProgress,
        _ if failures.is_empty() => Verdict::Succeeded,
        _ => Verdict::SucceededInPart,
    }
}

fn rto(run: &RecoveryRun) -> Measure {
    let status = run.status.as_ref();
    let objectives = run.spec.objectives.as_ref();
    let forecast = run.spec.forecast.as_ref();
    measure(
        objectives.and_then(|objectives| objectives.rto.clone()),
        forecast.map(|forecast| forecast.rto.clone()),
        status.and_then(|status| status.rto.clone()),
    )
}

fn rpo(run: &RecoveryRun, members: &[Member]) -> Measure {
    let status = run.status.as_ref();
    let objectives = run.spec.objectives.as_ref();
    let forecast = run.spec.forecast.as_ref();
    let points = members.iter().filter_map(|member| member.point.as_ref());
    let worst = points.filter_map(|point| point.loss.clone()).max();
    measure(
        objectives.and_then(|objectives| objectives.rpo.clone()),
        forecast.map(|forecast| forecast.rpo.clone()),
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

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
