#![cfg(test)]

use drover_api::DriftKind as K;
use drover_api::DriftSeverity as S;
use serde_json::json;

use super::*;

fn minute(number: i64) -> Timestamp {
    Timestamp::from_second(number * 60).unwrap()
}

fn shop() -> RecoveryPlan {
    let plan = json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "RecoveryPlan",
        "metadata": { "name": "shop", "namespace": "shop", "creationTimestamp": minute(0) },
        "spec": {
            "sites": { "primary": "seoul", "secondary": "busan" },
            "activeSite": "primary",
            "groups": [{ "name": "data", "protectionGroups": ["data"] }],
            "guards": { "drillNotOlderThan": "1h" },
        },
    });
    serde_json::from_value(plan).unwrap()
}

fn machine(name: &str, drift: &serde_json::Value) -> ProtectedMachine {
    let machine = json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "ProtectedMachine",
        "metadata": { "name": format!("data.{name}"), "namespace": "shop" },
        "spec": {
            "groupRef": { "name": "data" },
            "machine": name,
            "sites": { "primary": "seoul", "secondary": "busan" },
            "policyRef": { "name": "gold" },
        },
        "status": { "phase": "Protected", "drift": drift },
    });
    serde_json::from_value(machine).unwrap()
}

fn drill(phase: &str, expires: i64) -> RecoveryDrill {
    let drill = json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "RecoveryDrill",
        "metadata": { "name": "november", "namespace": "shop" },
        "spec": { "planRef": { "name": "shop" } },
        "status": { "phase": phase, "expires": minute(expires) },
    });
    serde_json::from_value(drill).unwrap()
}

fn judge<'a>(plan: &'a RecoveryPlan, change: impl FnOnce(&mut PlanFacts<'a>)) -> Vec<PlanDrift> {
    let mut facts = PlanFacts {
        plan,
        machines: &[],
        drills: &[],
        unseen: &[],
        intent: Intent::default(),
        now: minute(30),
    };
    change(&mut facts);
    super::plan(&facts)
}

#[test]
fn machines_are_added_up_by_kind_and_the_worst_comes_first() {
    // SPEC: RD-2
    let changed = |since| json!([{ "kind": "DisksChanged", "severity": "Warning", "since": minute(since), "message": "x" }]);
    let mut all: Vec<ProtectedMachine> = (1..=5)
        .map(|number| machine(&format!("db-{number}"), &changed(10 - number)))
        .collect();
    all.push(machine(
        "web-1",
        &json!([
            { "kind": "Missing", "severity": "Critical", "since": minute(9), "message": "x" },
        ]),
    ));
    let all: Vec<&ProtectedMachine> = all.iter().collect();
    let found = judge(&shop(), |facts| facts.machines = &all);
    let shown: Vec<_> = found
        .iter()
        .map(|each| {
            (
                each.kind,
                each.severity,
                each.count,
                each.since,
                each.message.as_str(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (K::Missing, S::Critical, 1, minute(9), "web-1"),
            (
                K::DisksChanged,
                S::Warning,
                5,
                minute(5),
                "db-1, db-2, db-3 and 2 more"
            ),
        ]
    );
}

#[test]
fn another_site_than_declared_is_drift_unless_a_run_answers_for_it() {
    // SPEC: RD-2, PL-8
    let mut plan = shop();
    let held = ["run shop-1 served this intent".to_owned()];
    let intent = Intent {
        misplaced: 2,
        held: &held,
        ..Intent::default()
    };
    let found = judge(&plan, |facts| facts.intent = intent);
    assert_eq!(found[0].kind, K::ActiveSite);
    assert_eq!(
        (found[0].severity, found[0].count, found[0].since),
        (S::Critical, 2, minute(30))
    );
    assert_eq!(found[0].message, held[0]);

    // It keeps its time.
    plan.status.get_or_insert_default().differences = found;
    let later = judge(&plan, |facts| {
        facts.intent = intent;
        facts.now = minute(50);
    });
    assert_eq!(later[0].since, minute(30));

    let running = Intent {
        in_run: true,
        ..intent
    };
    assert_eq!(judge(&plan, |facts| facts.intent = running), []);
    let wanted = Intent {
        held: &[],
        awaits: &held,
        ..intent
    };
    assert_eq!(
        judge(&plan, |facts| facts.intent = wanted)[0].severity,
        S::Warning
    );
    let silent = Intent {
        held: &[],
        misplaced: 1,
        ..intent
    };
    let found = judge(&plan, |facts| facts.intent = silent);
    assert_eq!(found[0].message, "1 machine is elsewhere than declared");
}

#[test]
fn drills_that_are_over_are_told_when_their_clean_up_had_its_time() {
    // SPEC: RD-2, FO-1
    let standing = drill("Standing", 15);
    let cleaning = drill("CleaningUp", 15);
    let drills = [&standing, &cleaning];
    let found = judge(&shop(), |facts| facts.drills = &drills);
    let shown: Vec<_> = found
        .iter()
        .map(|each| (each.kind, each.count, each.since))
        .collect();
    assert_eq!(shown, [(K::DrillExpired, 2, minute(15))]);
    for (phase, expires) in [("Standing", 25), ("CleanedUp", 5), ("Pending", 5)] {
        assert_eq!(expired(&drill(phase, expires), minute(30)), None, "{phase}");
    }
}

#[test]
fn a_green_drill_that_is_too_old_is_told_and_so_is_none_at_all() {
    // SPEC: RD-2
    let mut plan = shop();
    let at = |plan: &RecoveryPlan, now| overdue_since(plan, minute(now));
    assert_eq!(at(&plan, 59), None);
    assert_eq!(at(&plan, 61), Some(minute(60)));
    plan.status.get_or_insert_default().last_green_drill = Some(minute(40));
    assert_eq!(at(&plan, 61), None);
    assert_eq!(at(&plan, 101), Some(minute(100)));
    let found = judge(&plan, |facts| facts.now = minute(101));
    assert_eq!(found[0].message, "no drill was green for 1h");
    // That it will be is known before.
    let facts = |now| PlanFacts {
        plan: &plan,
        machines: &[],
        drills: &[],
        unseen: &[],
        intent: Intent::default(),
        now: minute(now),
    };
    let moment = jiff::SignedDuration::from_secs(1);
    assert_eq!(again(&facts(50)), Some(minute(100) + moment));
    assert_eq!(again(&facts(101)), None);
    plan.spec.guards = None;
    assert_eq!(at(&plan, 101), None);
}

#[test]
fn a_site_that_does_not_answer_is_not_taken_for_right() {
    // SPEC: RD-2, SA-1
    let unseen = [("busan".parse().unwrap(), minute(7))];
    let found = judge(&shop(), |facts| facts.unseen = &unseen);
    let shown: Vec<_> = found
        .iter()
        .map(|each| (each.kind, each.since, each.message.as_str()))
        .collect();
    assert_eq!(shown, [(K::Unseen, minute(7), "busan")]);
    // Another process saw it later, and it is the same silence.
    let mut plan = shop();
    plan.status.get_or_insert_default().differences = found;
    let unseen = [("busan".parse().unwrap(), minute(20))];
    assert_eq!(
        judge(&plan, |facts| facts.unseen = &unseen)[0].since,
        minute(7)
    );
}
