//! What happened in a period: its runs and drills, and what plans lack by its end.
//!
//! For programs it is this, and fields are added and never renamed within a version:
//!
//! ```json
//! {
//!   "apiVersion": "drover.dev/report/v1alpha1", "kind": "PeriodReport", "asOf": "...",
//!   "factsDigest": "sha256:...", "namespace": "shop", "since": "...", "until": "...",
//!   "plans": [{
//!     "namespace": "shop", "name": "shop", "declared": true, "activeSite": "secondary",
//!     "objectives": { "rto": "15m", "rpo": "5m" },
//!     "failovers": 1, "missed": 0, "worst": { "rto": "7m", "rpo": "0s" },
//!     "drills": { "all": 3, "passed": 3 }, "lastGreenDrill": { "run": "shop-6", "at": "..." },
//!     "guard": { "drillNotOlderThan": "90d", "holds": true },
//!     "machines": { "all": 12, "protected": 12 }
//!   }],
//!   "gaps": [{ "code": "noDrill", "about": "plan shop/mail", "says": "..." }],
//!   "runs": []
//! }
//! ```
//!
//! Runs are as they are in reports of their own. Plans and machines are as they stand when it is printed.

mod gaps;
mod sheet;

use std::collections::BTreeMap;

use drover_api::common::RunKind;
use drover_api::value::Duration;
use drover_api::{
    MachinePhase, MachineRun, Objectives, ProtectedMachine, RecoveryPlan, RecoveryRun,
};
use drover_engine::decide::{is_young_enough, last_green_drill};
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::evidence::{API_VERSION, GapCode, Report, started};
use super::words::actual_word;
use crate::digest;
pub use sheet::sheet;

/// What happened in a period.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Period {
    api_version: &'static str,
    kind: &'static str,
    /// When it was looked at.
    pub as_of: Timestamp,
    /// Digest of all that is said here but for the moment of printing.
    pub facts_digest: String,
    /// The namespace; nothing for all of them.
    pub namespace: Option<String>,
    /// Runs that began from here on.
    pub since: Timestamp,
    /// And before here.
    pub until: Timestamp,
    /// Whether that is the moment of printing, as the period is not over yet: printed again it ends here
    /// only where that is asked for.
    #[serde(skip)]
    pub goes_on: bool,
    /// The plans.
    pub plans: Vec<PlanRow>,
    /// What an auditor would ask about.
    pub gaps: Vec<Gap>,
    /// The runs, oldest first.
    pub runs: Vec<Report>,
}

/// A plan in a period.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it is still declared; its runs outlive it.
    pub declared: bool,
    /// Where its machines are.
    pub active_site: &'static str,
    /// What it aims at.
    pub objectives: Option<Objectives>,
    /// Failovers and failbacks.
    pub failovers: usize,
    /// Of them and of the drills those that missed an objective.
    pub missed: usize,
    /// The longest RTO and RPO of failovers and failbacks.
    pub worst: Objectives,
    /// Its drills.
    pub drills: Drills,
    /// The last drill that counts, by the end of the period.
    pub last_green_drill: Option<GreenDrill>,
    /// The guard that asks for it.
    pub guard: Option<Guard>,
    /// Its machines.
    pub machines: Machines,
}

/// Drills of a plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drills {
    /// All of them.
    pub all: usize,
    /// Those that passed.
    pub passed: usize,
}

/// A drill that counts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GreenDrill {
    /// Its run, where that is still there.
    pub run: Option<String>,
    /// When all stood.
    pub at: Timestamp,
}

/// The guard that asks for a young drill.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// The age that is allowed.
    pub drill_not_older_than: Duration,
    /// Whether the last drill is young enough at the end of the period.
    pub holds: bool,
}

/// Machines of a plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machines {
    /// All of them.
    pub all: usize,
    /// Those that replicate.
    pub protected: usize,
    /// The others.
    #[serde(skip)]
    pub others: Vec<(String, MachinePhase)>,
}

/// Something that an auditor would ask about.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// Which kind of gap.
    pub code: GapCode,
    /// What it is about: a plan, a machine, a run.
    pub about: String,
    /// In words.
    pub says: String,
}

/// Which period, and of what.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The namespace; nothing for all of them.
    pub namespace: Option<String>,
    /// One plan; nothing for all of them.
    pub plan: Option<String>,
    /// From here on.
    pub since: Timestamp,
    /// Before here.
    pub until: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// What a report of a period is made from.
#[derive(Debug)]
pub struct Found {
    /// The plans.
    pub plans: Vec<RecoveryPlan>,
    /// The runs, those of other periods among them.
    pub runs: Vec<RecoveryRun>,
    /// The journals of their machines.
    pub journals: Vec<MachineRun>,
    /// The machines that are protected, or should be.
    pub machines: Vec<ProtectedMachine>,
}

impl Period {
    /// What these say of a period. Nothing is told of the future.
    pub fn of(asked: &Asked, found: &Found) -> Self {
        let goes_on = asked.until >= asked.now;
        // Whole seconds: the moment stands in every form, and in each as it is asked for again.
        let until = if goes_on {
            whole_seconds(asked.now)
        } else {
            asked.until
        };
        let in_period = |run: &RecoveryRun| {
            started(run).is_some_and(|began| asked.since <= began && began < until)
        };
        let is_asked = |plan: &str| asked.plan.as_ref().is_none_or(|asked| asked == plan);
        let runs = found.runs.iter();
        let runs = runs.filter(|run| in_period(run) && is_asked(run.spec.plan_ref.name.as_str()));
        let mut runs: Vec<Report> = runs
            .map(|run| Report::of(run, &own(run, &found.journals)))
            .collect();
        runs.sort_by_key(|run| (run.started, run.name()));
        let plans = plans(found, &runs, &is_asked, until);
        let gaps = gaps::of(&plans, &runs, until);
        let mut period = Self {
            api_version: API_VERSION,
            kind: "PeriodReport",
            as_of: asked.now,
            facts_digest: String::new(),
            namespace: asked.namespace.clone(),
            since: asked.since,
            until,
            goes_on,
            plans,
            gaps,
            runs,
        };
        period.facts_digest = digest::of_facts(&period);
        period
    }
}

/// An instant without its fraction of a second.
fn whole_seconds(at: Timestamp) -> Timestamp {
    // The second of an instant is one.
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The journals of the machines of a run.
pub fn own(run: &RecoveryRun, journals: &[MachineRun]) -> Vec<MachineRun> {
    let (name, uid) = (run.name_any(), run.uid());
    // A run of the same name made later is another: its machines are owned by another uid.
    let is_own = |machine: &&MachineRun| {
        let owners = machine.owner_references();
        machine.metadata.namespace == run.metadata.namespace
            && machine.spec.run.as_str() == name
            && (owners.is_empty() || owners.iter().any(|owner| Some(&owner.uid) == uid.as_ref()))
    };
    journals.iter().filter(is_own).cloned().collect()
}

/// The plans that are declared, and those whose runs outlived them.
fn plans(
    found: &Found,
    runs: &[Report],
    is_asked: &impl Fn(&str) -> bool,
    until: Timestamp,
) -> Vec<PlanRow> {
    let mut rows: BTreeMap<(String, String), Option<&RecoveryPlan>> = BTreeMap::new();
    for run in runs {
        rows.insert((run.run.namespace.clone(), run.plan.clone()), None);
    }
    for plan in &found.plans {
        let name = plan.name_any();
        if is_asked(&name) {
            rows.insert((plan.namespace().unwrap_or_default(), name), Some(plan));
        }
    }
    let rows = rows.into_iter();
    rows.map(|((namespace, name), plan)| row(namespace, name, plan, found, runs, until))
        .collect()
}

fn row(
    namespace: String,
    name: String,
    plan: Option<&RecoveryPlan>,
    found: &Found,
    runs: &[Report],
    until: Timestamp,
) -> PlanRow {
    let own = runs.iter();
    let own: Vec<&Report> = own
        .filter(|run| run.run.namespace == namespace && run.plan == name)
        .collect();
    let of = |kinds: &[RunKind]| -> Vec<&Report> {
        let own = own.iter().filter(|run| kinds.contains(&run.what.kind));
        own.copied().collect()
    };
    let failovers = of(&[RunKind::PlannedFailover, RunKind::UnplannedFailover]);
    let drills = of(&[RunKind::TestFailover]);
    let missed = |run: &&&Report| run.rto.met == Some(false) || run.rpo.met == Some(false);
    let last = last_drill(&namespace, &name, plan, &found.runs, until);
    PlanRow {
        declared: plan.is_some(),
        active_site: actual_word(
            plan.and_then(|plan| plan.status.as_ref())
                .and_then(|status| status.active_site),
        ),
        objectives: plan.and_then(|plan| plan.spec.objectives.clone()),
        failovers: failovers.len(),
        missed: failovers.iter().chain(&drills).filter(missed).count(),
        worst: Objectives {
            rto: failovers
                .iter()
                .filter_map(|run| run.rto.reached.clone())
                .max(),
            rpo: failovers
                .iter()
                .filter_map(|run| run.rpo.reached.clone())
                .max(),
        },
        drills: Drills {
            all: drills.len(),
            passed: drills.iter().filter(|run| run.is_green_drill()).count(),
        },
        guard: plan.and_then(|plan| guard(plan, last.as_ref(), until)),
        last_green_drill: last,
        machines: plan.map_or_else(Machines::none, |plan| Machines::of(plan, &found.machines)),
        namespace,
        name,
    }
}

/// The last drill that counts: of the runs that there are, and of what the plan remembers of others.
fn last_drill(
    namespace: &str,
    name: &str,
    plan: Option<&RecoveryPlan>,
    runs: &[RecoveryRun],
    until: Timestamp,
) -> Option<GreenDrill> {
    let own = runs.iter().filter(|run| {
        run.metadata.namespace.as_deref() == Some(namespace)
            && run.spec.plan_ref.name.as_str() == name
            && started(run).is_some_and(|began| began < until)
    });
    let last = last_green_drill(own).filter(|green| green.at <= until);
    let remembered = plan.and_then(|plan| plan.status.as_ref()?.last_green_drill);
    let remembered = remembered.filter(|at| *at <= until);
    let last = last.map(|green| GreenDrill {
        run: Some(green.run.name_any()),
        at: green.at,
    });
    match (last, remembered) {
        (Some(last), at) if at.is_none_or(|at| at <= last.at) => Some(last),
        (_, Some(at)) => Some(GreenDrill { run: None, at }),
        (last, None) => last,
    }
}

/// What the guard says at the end of the period, by the function that holds runs back.
fn guard(plan: &RecoveryPlan, last: Option<&GreenDrill>, until: Timestamp) -> Option<Guard> {
    let limit = plan.spec.guards.as_ref()?.drill_not_older_than.clone()?;
    let holds = last.is_some_and(|last| is_young_enough(last.at, &limit, until));
    Some(Guard {
        drill_not_older_than: limit,
        holds,
    })
}

impl Machines {
    fn none() -> Self {
        Self {
            all: 0,
            protected: 0,
            others: Vec::new(),
        }
    }

    fn of(plan: &RecoveryPlan, machines: &[ProtectedMachine]) -> Self {
        let mut found = Self::none();
        let own = machines.iter().filter(|machine| is_of(plan, machine));
        for machine in own {
            let phase = machine.status.as_ref().map(|status| status.phase);
            let phase = phase.unwrap_or_default();
            found.all += 1;
            if phase.is_protected() {
                found.protected += 1;
            } else if phase != MachinePhase::Migrated {
                let (group, name) = (&machine.spec.group_ref.name, &machine.spec.machine);
                found.others.push((format!("{group}/{name}"), phase));
            }
        }
        found
    }
}

fn is_of(plan: &RecoveryPlan, machine: &ProtectedMachine) -> bool {
    let of_group = &machine.spec.group_ref.name;
    let mut groups = plan.spec.groups.iter();
    plan.metadata.namespace == machine.metadata.namespace
        && groups.any(|group| {
            let mut single = group.machines.iter();
            group.protection_groups.contains(of_group)
                || single.any(|each| {
                    each.protection_group == *of_group
                        && each.name.as_str() == machine.spec.machine.as_str()
                })
        })
}

#[cfg(test)]
#[path = "period_tests.rs"]
mod tests;
