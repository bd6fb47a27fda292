//! The plan that the documentation shows, number by number.

use drover_api::common::SiteRole;
use serde_json::{Value, json};

use super::fixture::{World, named, object, seconds, shop};
use crate::plan::{Authority, Failover, Intent, Note, Stays, Verdict};

fn sites_and_networks() -> Vec<Value> {
    let tenants = json!([{ "namespaceSelector": {}, "inventorySelector": {} }]);
    let site = |name: &str, limits: Value| {
        json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": "Site",
            "metadata": { "name": name },
            "spec": {
                "fabric": { "simulator": {} },
                "tenants": tenants,
                "limits": limits,
                "timeZone": "Asia/Seoul",
            },
        })
    };
    let policy = json!({
        "replicator": { "simulator": {} },
        "initialReplication": "Online",
        "rpoThreshold": "15m",
        "interval": "30s",
        "recoveryPoints": { "retention": "24h", "appConsistentEvery": "60m" },
        "resyncWindow": { "start": "22:00", "end": "05:00" },
    });
    vec![
        site("seoul", json!({ "concurrentStarts": 20 })),
        site("busan", json!({})),
        named("ReplicationPolicy", "gold", policy),
    ]
}

fn groups() -> Vec<Value> {
    let sites = json!({ "primary": "seoul", "secondary": "busan" });
    let nic = |last: u8| {
        json!([{ "network": "data", "addresses": {
            "primary": [format!("10.20.0.{last}")],
            "secondary": [format!("10.120.0.{last}")],
        } }])
    };
    let data = json!({
        "sites": sites,
        "policyRef": { "name": "gold" },
        "networkMappingRef": { "name": "seoul-busan" },
        "consistency": "Group",
        "machines": [
            { "name": "db-1", "nics": nic(11) },
            { "name": "db-2", "nics": nic(12) },
        ],
    });
    let web = json!({
        "sites": sites,
        "policyRef": { "name": "gold" },
        "networkMappingRef": { "name": "seoul-busan" },
        "selector": { "matchLabels": { "app": "shop", "tier": "web" } },
        "memberSettings": [{
            "selector": { "matchLabels": { "tier": "web" } },
            "nics": [{ "network": "web" }],
        }],
    });
    vec![
        named("ProtectionGroup", "shop-data", data),
        named("ProtectionGroup", "shop-web", web),
    ]
}

fn plan() -> Value {
    let data = json!({
        "name": "data",
        "protectionGroups": ["shop-data"],
        "after": [{
            "name": "database-answers",
            "http": { "machine": "db-1", "port": 8008, "path": "/health", "expectStatus": 200 },
            "timeout": "2m",
            "retries": 5,
            "onFailure": "Halt",
        }],
    });
    let web = json!({
        "name": "web",
        "dependsOn": ["data"],
        "protectionGroups": ["shop-web"],
        "after": [
            { "name": "move-traffic", "dns": {
                "record": "shop.example.com",
                "ttl": "30s",
                "primary": ["203.0.113.10"],
                "secondary": ["198.51.100.10"],
                "rfc2136": {
                    "server": "127.0.0.1:5353",
                    "zone": "example.com",
                    "keySecretRef": { "name": "dns-key" },
                },
            } },
            {
                "name": "business-says-go",
                "manual": { "message": "Place a test order, then approve." },
                "when": {
                    "runs": ["PlannedFailover", "UnplannedFailover"],
                    "directions": ["ToSecondary"],
                },
            },
        ],
    });
    let spec = json!({
        "sites": { "primary": "seoul", "secondary": "busan" },
        "activeSite": "primary",
        "objectives": { "rto": "15m", "rpo": "5m" },
        "failover": {
            "toSecondary": { "type": "Planned", "maxDataLoss": "5m" },
            "toPrimary": { "type": "Planned", "start": { "policy": "Immediately" } },
        },
        "commit": { "policy": "Manual" },
        "failbackPolicyRef": { "name": "home-again" },
        "guards": { "drillNotOlderThan": "90d" },
        "groups": [data, web],
    });
    named("RecoveryPlan", "shop", spec)
}

fn world() -> World {
    let failback = json!({
        "replicationPolicyRef": { "name": "gold" },
        "dataSync": "DeltaBeforeFailover",
        "betweenPhases": "Continue",
        "location": { "type": "Original" },
        "reprotect": "Automatic",
    });
    let mut values = sites_and_networks();
    values.extend(groups());
    values.push(named("FailbackPolicy", "home-again", failback));
    values.push(plan());
    World::new(values)
}

#[test]
fn the_way_out_takes_a_minute_and_loses_nothing() {
    // SPEC: PL-5, FO-2
    let report = world().plan(Intent::planned(SiteRole::Secondary));
    assert_eq!(report.plan, shop());
    assert_eq!(report.machines, 2);
    // Stop 10, last changes 5; make 5, start 30, ask the database 5; DNS 5.
    assert_eq!(seconds(&report.makespan), 15 + 35 + 5 + 5);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["direction"], "ToSecondary");
    assert_eq!(json["waves"], json!([["data"], ["web"]]));
    assert_eq!(json["stopOrder"], json!(["web", "data"]));
    assert_eq!(
        json["phases"],
        json!([
            { "phase": "leave", "start": "0s", "end": "15s" },
            { "phase": "enter", "start": "15s", "end": "1m" },
        ])
    );
    assert_eq!(
        json["forecast"],
        json!({
            "rto": {
                "value": "1m",
                "against": { "verdict": "meets", "by": "14m" },
                "objective": "15m",
                "source": "Fabric",
                "recorded": 0,
                "fabric": 2,
            },
            "rpo": {
                "expected": { "value": "0s", "against": { "verdict": "meets", "by": "5m" } },
                "worst": { "value": "0s", "against": { "verdict": "meets", "by": "5m" } },
                "limit": "5m",
            },
            "maxDataLoss": {
                "expected": { "value": "0s", "against": { "verdict": "meets", "by": "5m" } },
                "worst": { "value": "0s", "against": { "verdict": "meets", "by": "5m" } },
                "limit": "5m",
            },
        })
    );
}

#[test]
fn the_critical_path_names_each_step() {
    // SPEC: PL-5
    let report = world().plan(Intent::planned(SiteRole::Secondary));
    let json = serde_json::to_value(&report.critical_path).unwrap();
    let order = "order";
    assert_eq!(
        json,
        json!([
            { "step": "stop", "group": "data", "machine": "db-2",
              "at": "0s", "length": "10s", "waitedFor": "nothing" },
            { "step": "finalSync", "group": "data", "machine": "db-2",
              "at": "10s", "length": "5s", "waitedFor": order },
            { "step": "allLeft", "at": "15s", "length": "0s", "waitedFor": order },
            { "step": "start", "group": "data", "machine": "db-2",
              "at": "15s", "length": "35s", "waitedFor": order },
            { "step": "after", "group": "data", "action": "database-answers",
              "at": "50s", "length": "5s", "waitedFor": order },
            { "step": "after", "group": "web", "action": "move-traffic",
              "at": "55s", "length": "5s", "waitedFor": order },
            { "step": "after", "group": "web", "action": "business-says-go",
              "at": "1m", "length": "0s", "waitedFor": order },
        ])
    );
}

#[test]
fn one_group_is_told_whole() {
    let report = world().plan(Intent::planned(SiteRole::Secondary));
    let json = serde_json::to_value(&report.groups).unwrap();
    assert_eq!(
        json[0]["machines"][0],
        json!({
            "protectionGroup": "shop-data",
            "name": "db-1",
            "stop": "10s",
            "finalSync": "5s",
            "materialize": "5s",
            "start": "30s",
            "source": "Fabric",
            "loss": { "expected": "0s", "worst": "0s" },
            "leave": { "start": "0s", "end": "15s" },
            "enter": { "start": "15s", "end": "50s" },
        })
    );
    assert_eq!(json[0]["leave"], json!({ "start": "0s", "end": "15s" }));
    assert_eq!(json[0]["enter"], json!({ "start": "15s", "end": "55s" }));
    assert_eq!(
        json[1],
        json!({
            "name": "web",
            "wave": 2,
            "dependsOn": ["data"],
            "machines": [],
            "open": ["shop-web"],
            "before": [],
            "after": [
                { "name": "move-traffic", "kind": "dns", "expected": "5s" },
                { "name": "business-says-go", "kind": "manual" },
            ],
            "enter": { "start": "55s", "end": "1m" },
        })
    );
}

#[test]
fn what_is_left_out_is_said() {
    let report = world().plan(Intent::planned(SiteRole::Secondary));
    let notes: Vec<String> = report.notes.iter().map(Note::to_string).collect();
    assert_eq!(
        notes,
        [
            "members of shop-web unknown: selected by label, no inventory of seoul; 0 counted",
            "plus 1 manual step that waits for a person: web/business-says-go",
            "assumed without retries: 1 HTTP call at 5s, 1 DNS change at 5s",
            "clients may keep the old address of shop.example.com for 30s more",
            "before it starts, it waits for a green drill not older than 90d",
        ]
    );
}

#[test]
fn an_unplanned_way_out_loses_half_a_minute_or_more_than_is_aimed_at() {
    // SPEC: FO-4, PL-11
    let intent = Intent::unplanned(SiteRole::Secondary, drover_api::common::SourceStop::Skip);
    let report = world().plan(intent);
    assert_eq!(seconds(&report.makespan), 35 + 5 + 5);
    let json = serde_json::to_value(&report.forecast.rpo).unwrap();
    assert_eq!(
        json,
        json!({
            "expected": { "value": "30s", "against": { "verdict": "meets", "by": "4m30s" } },
            "worst": { "value": "15m", "against": { "verdict": "misses", "by": "10m" } },
            "limit": "5m",
        })
    );
}

#[test]
fn the_way_home_asks_nobody_and_copies_before_it_stops() {
    // SPEC: FB-3
    let report = world().plan(Intent::planned(SiteRole::Primary));
    assert_eq!(seconds(&report.makespan), 60);
    let notes: Vec<String> = report.notes.iter().map(Note::to_string).collect();
    assert_eq!(
        notes[3..],
        [
            "data is copied back before machines stop; that time is not counted",
            "before it starts, it waits for a green drill not older than 90d",
        ]
    );
    assert_eq!(report.groups[1].after.len(), 1);
}

#[test]
fn nothing_runs_until_the_one_line_changes() {
    // SPEC: PL-8, PL-9
    let world = world();
    let stays = world.outlook(None);
    let reason = Stays::AlreadyThere;
    assert_eq!(stays.verdict, Verdict::Stays { reason });
    assert!(stays.assumed);
    let changed = world.change("RecoveryPlan", "shop", |plan| {
        plan["spec"]["activeSite"] = json!("secondary");
    });
    let Verdict::Run { intent, by, waits } = changed.outlook(None).verdict else {
        panic!("a run starts");
    };
    assert_eq!(intent.failover, Failover::Planned);
    assert_eq!(by, Authority::StandingRule);
    assert_eq!(waits[0].to_string(), "a green drill not older than 90d");
}

#[test]
fn objects_are_read_as_they_are_written() {
    assert_eq!(object(plan()).name(), "shop");
}
