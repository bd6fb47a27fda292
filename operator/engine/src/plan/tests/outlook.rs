//! Whether a run would start.

use drover_api::common::{Direction, FailoverType, SiteRole, SourceStop};
use serde_json::json;

use super::fixture::{World, named, plan, policy, site, two_tiers};
use crate::plan::{Authority, Failover, Intent, Scope, Stays, Verdict, WhyHeld};

const TO_SECONDARY: Direction = Direction::ToSecondary;

#[test]
fn a_plan_without_an_active_site_only_forecasts() {
    // SPEC: PL-7
    let outlook = two_tiers(None, json!({})).outlook(None);
    let reason = Stays::NoActiveSite;
    assert_eq!(outlook.verdict, Verdict::Stays { reason });
    assert_eq!(outlook.would_run(), None);
}

#[test]
fn the_declaration_decides_against_where_machines_are() {
    // SPEC: FO-10
    let world = two_tiers(None, json!({ "activeSite": "secondary" }));
    let run = Some((TO_SECONDARY, FailoverType::Planned));
    assert_eq!(world.outlook(None).would_run(), run);
    assert_eq!(world.outlook(Some(SiteRole::Primary)).would_run(), run);
    let there = world.outlook(Some(SiteRole::Secondary));
    assert_eq!(there.would_run(), None);
    assert_eq!(there.why_not(), ["the machines are where they should be"]);
    assert!(!there.assumed);
}

#[test]
fn a_standing_rule_says_how() {
    // SPEC: PL-9
    let rule = json!({
        "activeSite": "secondary",
        "failover": { "toSecondary": { "type": "Unplanned" } },
    });
    let outlook = two_tiers(None, rule).outlook(None);
    let expected = Intent::unplanned(SiteRole::Secondary, SourceStop::Required);
    assert_eq!(outlook.intent(), Some(&expected));
}

fn request(expires: &str) -> serde_json::Value {
    json!({
        "activeSite": "secondary",
        "failover": { "toSecondary": { "type": "Planned" } },
        "request": { "id": "typhoon-1", "expires": expires, "type": "Unplanned" },
    })
}

#[test]
fn a_request_is_above_the_rule() {
    // SPEC: PL-9
    let mut world = two_tiers(None, request("2026-11-20T12:00:00Z"));
    world.now = Some("2026-11-20T11:59:59Z".parse().unwrap());
    let Verdict::Run { intent, by, .. } = world.outlook(None).verdict else {
        panic!("a run starts");
    };
    assert_eq!(
        intent,
        Intent::unplanned(SiteRole::Secondary, SourceStop::Attempt)
    );
    let id = "typhoon-1".to_owned();
    assert_eq!(by, Authority::Request { id });
}

#[test]
fn an_expired_request_starts_nothing_not_even_by_the_rule() {
    // SPEC: PL-9
    let mut world = two_tiers(None, request("2026-11-20T12:00:00Z"));
    world.now = Some("2026-11-20T12:00:00Z".parse().unwrap());
    assert_eq!(
        world.outlook(None).why_not(),
        ["request typhoon-1 expired at 2026-11-20T12:00:00Z"]
    );
    // Without an instant nothing has expired.
    world.now = None;
    assert!(world.outlook(None).would_run().is_some());
}

#[test]
fn unplanned_is_never_chosen_by_itself() {
    // SPEC: PL-9
    let world = two_tiers(Some("VMwareToAzure"), json!({ "activeSite": "secondary" }));
    let Verdict::Held { reasons } = world.outlook(None).verdict else {
        panic!("it is held");
    };
    assert!(matches!(reasons[..], [WhyHeld::NeedsRule { .. }]));
    assert_eq!(
        reasons[0].to_string(),
        "no rule and no request says how, and planned is not possible; data: VMware to Azure \
         supports no planned failover to the secondary site; web: VMware to Azure supports no \
         planned failover to the secondary site"
    );
}

#[test]
fn a_rule_that_the_pair_does_not_support_is_held() {
    // SPEC: FO-2
    let rule = json!({
        "activeSite": "secondary",
        "failover": { "toSecondary": { "type": "Planned" } },
    });
    let held = two_tiers(Some("AzureToAzure"), rule)
        .outlook(None)
        .why_not();
    assert_eq!(held.len(), 2);
    assert_eq!(
        held[0],
        "data: Azure region to Azure region supports no planned failover to the secondary site"
    );
}

#[test]
fn what_cannot_come_home_is_held_whatever_a_rule_would_say() {
    // SPEC: FB-8
    let world = two_tiers(Some("PhysicalToAzure"), json!({ "activeSite": "primary" }));
    let held = world.outlook(Some(SiteRole::Secondary)).why_not();
    assert_eq!(
        held[0],
        "data: physical to Azure: a physical server comes back as a virtual machine, at another site"
    );
}

#[test]
fn a_one_way_move_does_not_come_back() {
    // SPEC: PR-9
    let world = two_tiers(None, json!({ "activeSite": "primary" }));
    let world = world.change("ProtectionGroup", "data", |group| {
        group["spec"]["purpose"] = json!("MigrationOnly");
    });
    let held = world.outlook(Some(SiteRole::Secondary)).why_not();
    assert_eq!(held, ["data: its purpose is MigrationOnly, a one-way move"]);
}

#[test]
fn an_override_moves_one_machine_while_the_plan_stays() {
    // SPEC: PL-6
    let world = two_tiers(
        None,
        json!({
            "activeSite": "primary",
            "overrides": [{ "machine": "db-2", "activeSite": "secondary" }],
        }),
    );
    let outlook = world.outlook(None);
    let intent = *outlook.intent().unwrap();
    assert_eq!(intent.scope, Scope::Overrides);
    assert_eq!(intent.to, SiteRole::Secondary);
    let report = world.plan(intent);
    assert_eq!(report.machines, 1);
    assert_eq!(report.groups[0].machines[0].name.as_str(), "db-2");
}

#[test]
fn what_a_run_would_wait_for_is_listed() {
    // SPEC: FB-9, SA-10
    let world = two_tiers(
        None,
        json!({
            "activeSite": "secondary",
            "failover": { "toSecondary": {
                "type": "Planned",
                "start": {
                    "policy": "WhenStable",
                    "stableFor": "2h",
                    "window": { "start": "01:00", "end": "05:00" },
                },
            } },
            "guards": {
                "approvals": 2,
                "freezeWindows": [{ "start": "09:00", "end": "18:00" }],
            },
        }),
    );
    let mut world = world.change("Site", "seoul", |site| {
        site["spec"]["maintenance"] =
            json!({ "reason": "new switches", "until": "2026-11-20T12:00:00Z" });
    });
    let waits = |world: &World| match world.outlook(None).verdict {
        Verdict::Run { waits, .. } => waits.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let all = waits(&world);
    assert_eq!(
        all,
        [
            "the maintenance of seoul to end (new switches, until 2026-11-20T12:00:00Z)",
            "busan to be stable for 2h, between 01:00 and 05:00",
            "the approval of 2 people",
            "the end of a freeze window: 09:00 to 18:00",
        ]
    );
    world.now = Some("2026-11-20T12:00:00Z".parse().unwrap());
    assert_eq!(waits(&world), all[1..]);
}

#[test]
fn a_pair_that_does_not_exist_is_held() {
    let libvirt = json!({
        "replicator": { "qemuBitmap": {} },
        "interval": "30s",
    });
    let world = World::new([
        site("seoul", json!([])),
        site("busan", json!([])),
        policy(None),
        named("ReplicationPolicy", "bitmaps", libvirt),
        super::fixture::group("data", &["db-1"]),
        plan(
            json!([{ "name": "data", "protectionGroups": ["data"] }]),
            json!({ "activeSite": "secondary" }),
        ),
    ]);
    let world = world.change("ProtectionGroup", "data", |group| {
        group["spec"]["policyRef"]["name"] = json!("bitmaps");
    });
    assert_eq!(
        world.outlook(None).why_not(),
        ["data: qemuBitmap does not replicate from simulator to simulator"]
    );
}

#[test]
fn a_request_chooses_the_point() {
    // SPEC: FO-4
    let world = two_tiers(
        None,
        json!({
            "activeSite": "secondary",
            "request": {
                "id": "r-1",
                "expires": "2026-11-20T12:00:00Z",
                "type": "Unplanned",
                "sourceStop": "Skip",
                "recoveryPoint": { "type": "LatestAppConsistent" },
            },
        }),
    );
    let outlook = world.outlook(None);
    let Failover::Unplanned { recovery_point, .. } = outlook.intent().unwrap().failover else {
        panic!("it is unplanned");
    };
    assert_eq!(
        recovery_point,
        drover_api::common::RecoveryPointType::LatestAppConsistent
    );
}
