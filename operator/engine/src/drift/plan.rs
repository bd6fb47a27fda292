//! A plan: how it differs itself, and how its machines do, in a handful of entries however many they are.

use std::collections::BTreeMap;

use drover_api::value::SiteName;
use drover_api::{
    DriftKind, DriftSeverity, DrillPhase, PlanDrift, ProtectedMachine, RecoveryDrill, RecoveryPlan,
};
use jiff::{SignedDuration, Timestamp};

use super::{severity, shortened, some};

/// So long a drill may take to be cleaned up after its time is over.
pub const DRILL_GRACE: SignedDuration = SignedDuration::from_mins(10);

/// Everything that is known of a plan.
#[derive(Clone, Debug)]
pub struct PlanFacts<'a> {
    /// The plan, with what was recorded before.
    pub plan: &'a RecoveryPlan,
    /// Its machines.
    pub machines: &'a [&'a ProtectedMachine],
    /// Its drills.
    pub drills: &'a [&'a RecoveryDrill],
    /// Those of its sites that do not answer, and since when.
    pub unseen: &'a [(SiteName, Timestamp)],
    /// What is declared of where machines are, against where they are.
    pub intent: Intent<'a>,
    /// The time.
    pub now: Timestamp,
}

/// How the machines of a plan stand to what is declared of where they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Intent<'a> {
    /// Whether a run goes on that is no drill: it answers for where they are.
    pub in_run: bool,
    /// Machines that are at the other site than declared.
    pub misplaced: usize,
    /// Why nothing begins.
    pub held: &'a [String],
    /// What a person may decide, and wanted it so.
    pub awaits: &'a [String],
}

/// One kind of difference, as it adds up.
struct Sum<'a> {
    severity: DriftSeverity,
    since: Timestamp,
    names: Vec<&'a str>,
}

/// How a plan and its machines differ, the worst first.
pub fn plan(facts: &PlanFacts<'_>) -> Vec<PlanDrift> {
    let mut found = of_machines(facts.machines);
    found.extend(active_site(facts));
    found.extend(expired_drills(facts));
    found.extend(overdue(facts));
    found.extend(unseen(facts));
    found.sort_by_key(|drift| (std::cmp::Reverse(drift.severity), drift.kind));
    found
}

/// When time alone will have changed something about a plan and its drills.
pub fn again(facts: &PlanFacts<'_>) -> Option<Timestamp> {
    let drills = facts.drills.iter().filter_map(|drill| {
        let expires = standing_until(drill)?;
        expires.checked_add(DRILL_GRACE).ok()
    });
    let all = drills.chain(overdue_at(facts.plan));
    // A moment later, so that it is over then.
    let moment = SignedDuration::from_secs(1);
    let all = all.filter_map(|at| at.checked_add(moment).ok());
    all.filter(|at| *at > facts.now).min()
}

fn recorded(plan: &RecoveryPlan, kind: DriftKind) -> Option<&PlanDrift> {
    let mut recorded = plan.status.iter().flat_map(|status| &status.differences);
    recorded.find(|former| former.kind == kind)
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

fn of_machines(machines: &[&ProtectedMachine]) -> Vec<PlanDrift> {
    let mut sums: BTreeMap<DriftKind, Sum<'_>> = BTreeMap::new();
    for machine in machines {
        let drift = machine.status.iter().flat_map(|status| &status.drift);
        for each in drift {
            let sum = sums.entry(each.kind).or_insert_with(|| Sum {
                severity: each.severity,
                since: each.since,
                names: Vec::new(),
            });
            sum.severity = sum.severity.max(each.severity);
            sum.since = sum.since.min(each.since);
            sum.names.push(machine.spec.machine.as_str());
        }
    }
    let sums = sums.into_iter();
    sums.map(|(kind, sum)| PlanDrift {
        kind,
        severity: sum.severity,
        count: count(sum.names.len()),
        since: sum.since,
        message: shortened(some(&sum.names)),
    })
    .collect()
}

fn active_site(facts: &PlanFacts<'_>) -> Option<PlanDrift> {
    let kind = DriftKind::ActiveSite;
    let intent = facts.intent;
    if intent.in_run || intent.misplaced == 0 {
        return None;
    }
    let former = recorded(facts.plan, kind);
    let reasons: Vec<&str> = intent
        .held
        .iter()
        .chain(intent.awaits)
        .map(String::as_str)
        .collect();
    let wanted = intent.held.is_empty() && !intent.awaits.is_empty();
    let message = match (reasons.as_slice(), intent.misplaced) {
        ([], 1) => "1 machine is elsewhere than declared".to_owned(),
        ([], machines) => format!("{machines} machines are elsewhere than declared"),
        (reasons, _) => reasons.join("; "),
    };
    Some(PlanDrift {
        kind,
        // A person wanted it so for now, and knows.
        severity: if wanted {
            DriftSeverity::Warning
        } else {
            severity(kind)
        },
        count: count(intent.misplaced),
        since: former.map_or(facts.now, |former| former.since),
        message: shortened(message),
    })
}

/// Since when a drill should be gone that still stands.
pub fn expired(drill: &RecoveryDrill, now: Timestamp) -> Option<Timestamp> {
    let expires = standing_until(drill)?;
    (now.duration_since(expires) > DRILL_GRACE).then_some(expires)
}

fn standing_until(drill: &RecoveryDrill) -> Option<Timestamp> {
    let status = drill.status.as_ref()?;
    let stands = !matches!(status.phase, DrillPhase::Pending | DrillPhase::CleanedUp);
    status.expires.filter(|_| stands)
}

fn expired_drills(facts: &PlanFacts<'_>) -> Option<PlanDrift> {
    let drills = facts.drills.iter();
    let over: Vec<(&str, Timestamp)> = drills
        .filter_map(|drill| {
            let name = drill.metadata.name.as_deref()?;
            Some((name, expired(drill, facts.now)?))
        })
        .collect();
    let since = over.iter().map(|(_, since)| *since).min()?;
    let names: Vec<&str> = over.iter().map(|(name, _)| *name).collect();
    Some(PlanDrift {
        kind: DriftKind::DrillExpired,
        severity: severity(DriftKind::DrillExpired),
        count: count(over.len()),
        since,
        message: shortened(some(&names)),
    })
}

/// Since when the last green drill is older than the plan's guard allows. A plan that never had one is as
/// old as its oldest drill could be.
pub fn overdue_since(plan: &RecoveryPlan, now: Timestamp) -> Option<Timestamp> {
    overdue_at(plan).filter(|since| *since < now)
}

fn overdue_at(plan: &RecoveryPlan) -> Option<Timestamp> {
    let limit = plan.spec.guards.as_ref()?.drill_not_older_than.as_ref()?;
    let green = plan
        .status
        .as_ref()
        .and_then(|status| status.last_green_drill);
    let made = plan.metadata.creation_timestamp.as_ref().map(|made| made.0);
    green.or(made)?.checked_add(limit.as_std()).ok()
}

fn overdue(facts: &PlanFacts<'_>) -> Option<PlanDrift> {
    let since = overdue_since(facts.plan, facts.now)?;
    Some(PlanDrift {
        kind: DriftKind::DrillOverdue,
        severity: severity(DriftKind::DrillOverdue),
        count: 1,
        since,
        message: overdue_words(facts.plan),
    })
}

/// What is said of a drill that is overdue.
pub(super) fn overdue_words(plan: &RecoveryPlan) -> String {
    let limit = plan.spec.guards.as_ref();
    let limit = limit.and_then(|guards| guards.drill_not_older_than.as_ref());
    let limit = limit
        .map(|limit| format!(" for {limit}"))
        .unwrap_or_default();
    format!("no drill was green{limit}")
}

fn unseen(facts: &PlanFacts<'_>) -> Option<PlanDrift> {
    let kind = DriftKind::Unseen;
    let since = facts.unseen.iter().map(|(_, since)| *since).min()?;
    // A process that has just begun saw the site fall silent later than its forerunner did.
    let former = recorded(facts.plan, kind);
    let since = former.map_or(since, |former| former.since.min(since));
    let names: Vec<&str> = facts.unseen.iter().map(|(site, _)| site.as_str()).collect();
    Some(PlanDrift {
        kind,
        severity: severity(kind),
        count: count(names.len()),
        since,
        message: shortened(some(&names)),
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
