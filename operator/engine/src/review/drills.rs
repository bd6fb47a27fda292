//! Drills that start and end with a change, and decisions that come with it (FO-1, PL-10).

use std::collections::BTreeSet;

use drover_api::common::{Direction, RecoveryPointType};
use drover_api::{RecoveryDrill, RecoveryDrillSpec, RecoveryPlanSpec, RunDecision};

use super::codes::{
    CANNOT_BE_CHANGED, DECISION_ADDED, DECISION_REMOVED, DRILL_CLEANED_UP, DRILL_WOULD_START,
};
use super::meaning::{Class, Meaning};
use super::settings;
use super::sheet::Sheet;
use super::sides::{Key, Pair, Sides, View, pairs};
use super::words::count;
use crate::plan::PlanGraph;
use crate::problem::FieldPath;

pub(super) fn review(sides: &Sides<'_>, out: &mut Vec<Meaning>) {
    let (before, after) = (&sides.before.declared.drills, &sides.after.declared.drills);
    for (key, pair) in pairs(before, after) {
        let sheet = Sheet::new(out, pair.subject("RecoveryDrill", key));
        drill(sides, key, &pair, sheet);
    }
    let (before, after) = (
        &sides.before.declared.decisions,
        &sides.after.declared.decisions,
    );
    for (key, pair) in pairs(before, after) {
        let sheet = Sheet::new(out, pair.subject("RunDecision", key));
        decision(&pair, sheet);
    }
}

fn drill(sides: &Sides<'_>, key: Key<'_>, pair: &Pair<'_, RecoveryDrill>, mut sheet: Sheet<'_>) {
    match pair {
        Pair::Added(new) => starts(&sides.after, key, &new.object.spec, &mut sheet),
        Pair::Removed(old) => {
            let plan = &old.object.spec.plan_ref.name;
            let message = format!("the test failover of plan {plan} is cleaned up");
            sheet
                .say(
                    DRILL_CLEANED_UP,
                    Class::Harmless,
                    FieldPath::name(),
                    message,
                )
                .effect("everything that it made is removed, and its result stays with its run");
        }
        Pair::Both(old, new) => {
            let (old, new) = (&old.object.spec, &new.object.spec);
            refused(
                &mut sheet,
                old,
                new,
                "a drill cannot be changed: delete it and create another",
            );
        }
    }
}

fn starts(view: &View<'_>, key: Key<'_>, drill: &RecoveryDrillSpec, sheet: &mut Sheet<'_>) {
    let RecoveryDrillSpec {
        plan_ref,
        recovery_point,
        ttl,
        direction,
        groups: _,
    } = drill;
    let found = view
        .declared
        .plans
        .get_key_value(&(key.0, plan_ref.name.as_str()));
    let Some(((namespace, _), plan)) = found else {
        // A dangling reference is among the problems.
        return;
    };
    let plan = &plan.object.spec;
    // Away from the active site, unless it says otherwise.
    let active = plan
        .active_site
        .unwrap_or(drover_api::common::SiteRole::Primary);
    let direction = direction.unwrap_or(Direction::towards(active.other()));
    let target = plan.sites.at(direction.target());
    let machines = count(machines(view, namespace, plan, drill), "machine");
    let point = match recovery_point.kind {
        RecoveryPointType::Latest => "the latest recovery points",
        RecoveryPointType::LatestProcessed => "the latest recovery points already processed",
        RecoveryPointType::LatestAppConsistent => "the latest application-consistent points",
        RecoveryPointType::Time | RecoveryPointType::Named => "the recovery points that it names",
    };
    let message = format!(
        "a test failover of {machines} of plan {} starts at {target}, for {ttl}",
        plan_ref.name
    );
    sheet
        .say(
            DRILL_WOULD_START,
            Class::WouldRun,
            FieldPath::name(),
            message,
        )
        .effects([
            format!("on isolated networks, from {point}"),
            "production and replication go on".to_owned(),
        ]);
}

/// The machines of the groups that are rehearsed, with those that they depend on.
fn machines<'a>(
    view: &View<'a>,
    namespace: &'a str,
    plan: &'a RecoveryPlanSpec,
    drill: &RecoveryDrillSpec,
) -> usize {
    let (machines, _) = view.machines_of(namespace, plan);
    let Ok(graph) = PlanGraph::of(plan) else {
        return machines.len();
    };
    if drill.groups.is_empty() {
        return machines.len();
    }
    let wanted = |position: &usize| drill.groups.contains(&plan.groups[*position].name);
    let mut next: Vec<usize> = (0..plan.groups.len()).filter(wanted).collect();
    let mut rehearsed = BTreeSet::new();
    while let Some(group) = next.pop() {
        if rehearsed.insert(plan.groups[group].name.as_str()) {
            next.extend(graph.dependencies(group));
        }
    }
    machines
        .iter()
        .filter(|(_, group)| rehearsed.contains(group))
        .count()
}

fn decision(pair: &Pair<'_, RunDecision>, mut sheet: Sheet<'_>) {
    match pair {
        Pair::Added(new) => {
            let spec = &new.object.spec;
            let message = format!("says {:?} on run {}", spec.action, spec.run_ref.name);
            sheet
                .say(DECISION_ADDED, Class::WouldRun, FieldPath::spec("action"), message)
                .effect("a decision counts for who creates it, and here that is who applies the manifests");
        }
        Pair::Removed(old) => {
            let run = &old.object.spec.run_ref.name;
            let message = format!("the word on run {run} is deleted, which takes nothing back");
            sheet.say(
                DECISION_REMOVED,
                Class::Harmless,
                FieldPath::name(),
                message,
            );
        }
        Pair::Both(old, new) => {
            let (old, new) = (&old.object.spec, &new.object.spec);
            refused(
                &mut sheet,
                old,
                new,
                "a decision cannot be changed: take another",
            );
        }
    }
}

/// The API compares what is written, not what it means.
fn refused<T: serde::Serialize>(sheet: &mut Sheet<'_>, before: &T, after: &T, why: &str) {
    let changes = settings::differences(before, after);
    if !changes.is_empty() {
        sheet
            .say(CANNOT_BE_CHANGED, Class::Refused, FieldPath::name(), why)
            .effects(changes);
    }
}
