//! What a report says.

use std::time::Duration;

use drover_api::EstimateSource;
use drover_api::common::{Direction, RecoveryPointType, SiteRole, SourceStop};
use drover_world::{Estimates, MachineId};
use serde_json::json;

use super::fixture::{World, group, named, plan, policy, seconds, site, two_tiers};
use crate::plan::{Failover, Intent, Note, PlanError, Scope};

const OUT: Intent = Intent {
    to: SiteRole::Secondary,
    failover: Failover::Planned,
    scope: Scope::Plan,
};

fn unplanned(source_stop: SourceStop, recovery_point: RecoveryPointType) -> Intent {
    let failover = Failover::Unplanned {
        source_stop,
        recovery_point,
    };
    Intent { failover, ..OUT }
}

fn machine(group: &str, name: &str) -> MachineId {
    MachineId {
        namespace: "shop".parse().unwrap(),
        group: group.parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

fn figures(seconds: u64) -> Estimates {
    let each = Duration::from_secs(seconds);
    Estimates {
        stop: each,
        final_sync: each,
        materialize: each,
        start: each,
    }
}

fn notes(world: &World, intent: Intent) -> Vec<String> {
    let report = world.plan(intent);
    report.notes.iter().map(Note::to_string).collect()
}

#[test]
fn recorded_runs_come_before_the_fabric_and_it_says_which() {
    // SPEC: PL-5
    let mut world = two_tiers(None, json!({}));
    let source = |world: &World| world.plan(OUT).forecast.rto.source;
    assert_eq!(source(&world), Some(EstimateSource::Fabric));
    let out = Direction::ToSecondary;
    world
        .records
        .insert(out, machine("data", "db-1"), figures(100));
    let report = world.plan(OUT);
    assert_eq!(report.forecast.rto.source, Some(EstimateSource::Mixed));
    assert_eq!(
        (report.forecast.rto.recorded, report.forecast.rto.fabric),
        (1, 2)
    );
    assert_eq!(
        report.groups[0].machines[0].source,
        EstimateSource::Recorded
    );
    assert_eq!(seconds(&report.groups[0].machines[0].stop), 100);
    for name in [machine("data", "db-2"), machine("web", "web-1")] {
        world.records.insert(out, name, figures(1));
    }
    assert_eq!(source(&world), Some(EstimateSource::Recorded));
    // What the way out took says nothing of the way home.
    let home = world.plan(Intent::planned(SiteRole::Primary));
    assert_eq!(home.forecast.rto.source, Some(EstimateSource::Fabric));
}

#[test]
fn a_machine_may_have_figures_of_its_own() {
    let world = World::new([
        site(
            "seoul",
            json!([{ "name": "db-1", "bootTime": "2m", "shutdownTime": "1m" }]),
        ),
        site("busan", json!([])),
        policy(None),
        group("data", &["db-1"]),
        plan(
            json!([{ "name": "data", "protectionGroups": ["data"] }]),
            json!({}),
        ),
    ]);
    let report = world.plan(OUT);
    assert_eq!(seconds(&report.makespan), (60 + 5) + (5 + 120));
    assert_eq!(report.forecast.rto.source, Some(EstimateSource::Fabric));
}

#[test]
fn members_that_a_selector_finds_are_counted() {
    // SPEC: PR-10
    let selected = json!({
        "sites": { "primary": "seoul", "secondary": "busan" },
        "policyRef": { "name": "gold" },
        "selector": { "matchLabels": { "tier": "web" } },
    });
    let world = World::new([
        site(
            "seoul",
            json!([
                { "name": "web-2", "labels": { "tier": "web" } },
                { "name": "web-1", "labels": { "tier": "web" } },
                { "name": "db-1", "labels": { "tier": "data" } },
            ]),
        ),
        site("busan", json!([])),
        policy(None),
        named("ProtectionGroup", "web", selected),
        plan(
            json!([{ "name": "web", "protectionGroups": ["web"] }]),
            json!({}),
        ),
    ]);
    let report = world.plan(OUT);
    let names: Vec<&str> = report.groups[0]
        .machines
        .iter()
        .map(|m| m.name.as_str())
        .collect();
    assert_eq!(names, ["web-1", "web-2"]);
    assert!(report.notes.is_empty());
}

#[test]
fn a_group_may_name_single_machines() {
    // SPEC: PL-1
    let world = two_tiers(None, json!({})).change("RecoveryPlan", "shop", |plan| {
        plan["spec"]["groups"] = json!([
            { "name": "first", "machines": [{ "protectionGroup": "data", "name": "db-2" }] },
            { "name": "rest", "protectionGroups": ["data", "web"] },
        ]);
    });
    let report = world.plan(OUT);
    let names = |group: usize| -> Vec<&str> {
        let machines = report.groups[group].machines.iter();
        machines.map(|machine| machine.name.as_str()).collect()
    };
    assert_eq!(names(0), ["db-2"]);
    // A second claim is a problem for the check; here the first one counts.
    assert_eq!(names(1), ["db-1", "web-1"]);
}

#[test]
fn what_is_not_declared_is_an_error_and_no_panic() {
    // SPEC: BI-1
    let broken = |groups| {
        let world = two_tiers(None, json!({})).change("RecoveryPlan", "shop", |plan| {
            plan["spec"]["groups"] = groups;
        });
        world.try_plan(OUT).unwrap_err().to_string()
    };
    assert_eq!(
        broken(json!([{ "name": "a", "protectionGroups": ["nope"] }])),
        "group a: there is no protection group nope"
    );
    assert_eq!(
        broken(json!([{ "name": "a", "machines": [{ "protectionGroup": "data", "name": "x" }] }])),
        "group a: protection group data has no machine x"
    );
    assert_eq!(
        broken(json!([{ "name": "a", "dependsOn": ["a"], "protectionGroups": ["data"] }])),
        "groups wait for each other in a circle: a -> a"
    );
    assert_eq!(
        broken(json!([{
            "name": "a", "protectionGroups": ["data"], "after": [{ "name": "x" }],
        }])),
        "group a: action x must be of one kind, not of 0"
    );
    let lost = World::new([]).try_plan(OUT).unwrap_err();
    assert!(matches!(lost, PlanError::NoSuchPlan(_)));
}

#[test]
fn the_plan_and_both_sites_limit_how_much_moves_at_once() {
    // SPEC: PL-2
    let limits = |concurrency: serde_json::Value| {
        let world = two_tiers(None, concurrency)
            .change("Site", "seoul", |site| {
                site["spec"]["limits"] = json!({ "concurrentStops": 3, "concurrentStarts": 1 });
            })
            .change("Site", "busan", |site| {
                site["spec"]["limits"] = json!({ "concurrentStops": 1, "concurrentStarts": 7 });
            });
        let limits = world.plan(OUT).limits;
        (limits.stops, limits.starts)
    };
    assert_eq!(limits(json!({})), (3, 7));
    assert_eq!(limits(json!({ "concurrency": 5 })), (3, 5));
    assert_eq!(limits(json!({ "concurrency": 2 })), (2, 2));
}

#[test]
fn a_source_that_is_skipped_is_neither_stopped_nor_synced() {
    // SPEC: FO-3
    let world = two_tiers(None, json!({}));
    let intent = unplanned(SourceStop::Skip, RecoveryPointType::Latest);
    let report = world.plan(intent);
    assert!(report.stop_order.is_empty());
    assert_eq!(report.phases.len(), 1);
    assert_eq!(seconds(&report.makespan), 35 + 35);
    assert!(report.groups.iter().all(|group| group.leave.is_none()));
    assert!(notes(&world, intent)[0].starts_with("the source is not stopped: a confirmed fence"));
}

#[test]
fn an_attempt_is_counted_as_if_the_source_answered() {
    // SPEC: FO-3
    let world = two_tiers(None, json!({}));
    let intent = unplanned(SourceStop::Attempt, RecoveryPointType::Latest);
    // Stops one tier after the other, then the last sync of the data tier.
    assert_eq!(seconds(&world.plan(intent).makespan), (10 + 10 + 5) + 70);
    assert_eq!(
        notes(&world, intent)[0],
        "counted as if seoul answers; where it does not, a stop is given up after 5m"
    );
}

fn loss(world: &World, intent: Intent) -> Option<(u64, u64)> {
    let rpo = world.plan(intent).forecast.rpo;
    Some((seconds(&rpo.expected?.value), seconds(&rpo.worst?.value)))
}

#[test]
fn data_loss_depends_on_the_source_and_the_point() {
    // SPEC: FO-2, FO-3, FO-4
    use RecoveryPointType::{Latest, LatestAppConsistent, LatestProcessed, Time};
    let world = two_tiers(None, json!({}));
    let minutes = 60;
    assert_eq!(loss(&world, OUT), Some((0, 0)));
    let of = |stop, point| loss(&world, unplanned(stop, point));
    assert_eq!(of(SourceStop::Required, Latest), Some((0, 0)));
    assert_eq!(of(SourceStop::Attempt, Latest), Some((30, 15 * minutes)));
    assert_eq!(
        of(SourceStop::Skip, LatestProcessed),
        Some((30, 15 * minutes))
    );
    assert_eq!(
        of(SourceStop::Skip, LatestAppConsistent),
        Some((60 * minutes, 75 * minutes))
    );
    assert_eq!(of(SourceStop::Skip, Time), None);
    let given = notes(&world, unplanned(SourceStop::Skip, Time));
    assert!(given.contains(&"the data loss depends on the recovery point that is named".into()));
}

#[test]
fn a_synchronous_array_loses_nothing_and_commits_at_once() {
    // SPEC: FO-5
    let world = two_tiers(Some("HyperVSan"), json!({}));
    let intent = unplanned(SourceStop::Skip, RecoveryPointType::Latest);
    assert_eq!(loss(&world, intent), Some((0, 0)));
    let notes = notes(&world, OUT);
    assert_eq!(notes, ["commits by itself at once: data, web"]);
}

#[test]
fn the_way_home_without_a_policy_has_fixed_values() {
    // SPEC: FB-7
    let world = two_tiers(None, json!({}));
    let home = Intent {
        to: SiteRole::Primary,
        ..unplanned(SourceStop::Skip, RecoveryPointType::Latest)
    };
    assert_eq!(loss(&world, home), Some((15 * 60, 15 * 60)));
    let declared = world
        .add(named(
            "FailbackPolicy",
            "home",
            json!({ "replicationPolicyRef": { "name": "gold" } }),
        ))
        .change("RecoveryPlan", "shop", |plan| {
            plan["spec"]["failbackPolicyRef"] = json!({ "name": "home" });
        });
    assert_eq!(loss(&declared, home), Some((30, 15 * 60)));
}

#[test]
fn objectives_are_met_or_missed_by_so_much() {
    // SPEC: PL-11
    let world = two_tiers(None, json!({ "objectives": { "rto": "90s", "rpo": "1m" } }));
    let report = world.plan(OUT);
    assert_eq!(
        serde_json::to_value(&report.forecast.rto.expected).unwrap(),
        json!({ "value": "1m35s", "against": { "verdict": "misses", "by": "5s" } })
    );
    assert!(report.forecast.rto.expected.misses());
    assert!(!report.forecast.rpo.expected.unwrap().misses());
}

#[test]
fn what_a_request_allows_to_lose_is_above_the_rule() {
    // SPEC: FO-4
    let mut world = two_tiers(
        None,
        json!({
            "activeSite": "primary",
            "failover": { "toSecondary": { "type": "Planned", "maxDataLoss": "5m" } },
            "request": {
                "id": "r-1", "expires": "2026-11-20T12:00:00Z",
                "type": "Unplanned", "maxDataLoss": "1h",
            },
        }),
    );
    let limit = |world: &World| {
        world
            .plan(OUT)
            .forecast
            .max_data_loss
            .unwrap()
            .limit
            .unwrap()
    };
    assert_eq!(limit(&world).to_string(), "1h");
    world.now = Some("2026-11-21T00:00:00Z".parse().unwrap());
    assert_eq!(limit(&world).to_string(), "5m");
}

#[test]
fn what_follows_is_said_before_anyone_starts() {
    // SPEC: FO-9, PR-9, FB-8
    let forced = unplanned(SourceStop::Required, RecoveryPointType::Latest);
    let azure = two_tiers(Some("HyperVToAzure"), json!({}));
    let unprotected = "not protected after the commit until reprotected: data, web";
    assert_eq!(notes(&azure, OUT), [unprotected]);
    let own = two_tiers(None, json!({}));
    assert_eq!(notes(&own, OUT), [""; 0]);
    assert_eq!(notes(&own, forced), [unprotected]);
    let physical = two_tiers(Some("PhysicalToAzure"), json!({}));
    assert_eq!(
        notes(&physical, forced),
        ["there is no way back: data, web"]
    );
}

#[test]
fn a_full_copy_while_machines_are_stopped_is_not_guessed() {
    // SPEC: FB-3
    let policy = json!({ "dataSync": "FullDuringFailover" });
    let world = two_tiers(
        Some("HyperVToAzure"),
        json!({ "failbackPolicyRef": { "name": "home" } }),
    )
    .add(named("FailbackPolicy", "home", policy));
    let home = Intent::planned(SiteRole::Primary);
    assert!(notes(&world, home)[0].starts_with("all data is copied while machines are stopped"));
    let held = world.change("FailbackPolicy", "home", |policy| {
        policy["spec"] = json!({ "betweenPhases": "Hold" });
    });
    assert!(notes(&held, home)[0].contains("then a person says complete"));
}

#[test]
fn an_override_keeps_a_machine_where_it_is() {
    // SPEC: PL-6
    let world = two_tiers(
        None,
        json!({
            "activeSite": "secondary",
            "overrides": [{ "machine": "db-2", "activeSite": "primary" }],
        }),
    );
    let report = world.plan(OUT);
    assert_eq!(report.machines, 2);
    assert_eq!(
        report.notes[0].to_string(),
        "kept where they are by an override: shop/data/db-2"
    );
}

#[test]
fn actions_take_part_by_run_and_direction() {
    // SPEC: PL-4
    let world = two_tiers(None, json!({})).change("RecoveryPlan", "shop", |plan| {
        plan["spec"]["groups"][0]["before"] = json!([
            { "name": "drain", "script": { "command": ["drain"] }, "timeout": "10s" },
            { "name": "settle", "wait": { "for": "1m" },
              "when": { "directions": ["ToPrimary"] } },
            { "name": "drill", "wait": { "for": "1h" }, "when": { "runs": ["TestFailover"] } },
        ]);
    });
    let names = |intent| -> Vec<String> {
        let report = world.plan(intent);
        let actions = report.groups[0].before.iter();
        actions
            .map(|action| format!("{} {}", action.name, action.expected.as_ref().unwrap()))
            .collect()
    };
    // Never longer than the timeout of an attempt.
    assert_eq!(names(OUT), ["drain 10s"]);
    assert_eq!(
        names(Intent::planned(SiteRole::Primary)),
        ["drain 10s", "settle 1m"]
    );
}

#[test]
fn the_summary_is_what_the_status_shows() {
    let summary = two_tiers(None, json!({})).plan(OUT).summary().unwrap();
    assert_eq!(
        serde_json::to_value(summary).unwrap(),
        json!({ "waves": 2, "rto": "1m35s", "rpo": "0s", "source": "Fabric" })
    );
}
