//! Which fields belong together.

use serde_json::{Value, json};

use crate::check::testing::World;

const PLAN: &str = "RecoveryPlan/shop";

fn plan(pointer: &str, value: Value) -> Vec<String> {
    World::example().set(PLAN, pointer, value).found()
}

#[test]
fn a_field_that_another_makes_meaningless_is_refused() {
    let found = |pointer, value: Value| plan(pointer, value);
    let cases = [
        (
            "/spec/commit",
            json!({ "policy": "Manual", "soak": "5m" }),
            "commit.soak",
        ),
        (
            "/spec/failover/toPrimary",
            json!({ "type": "Planned", "sourceStop": "Attempt" }),
            "failover.toPrimary.sourceStop",
        ),
        (
            "/spec/failover/toPrimary/start",
            json!({ "policy": "Immediately", "stableFor": "2h" }),
            "failover.toPrimary.start.stableFor",
        ),
        (
            "/spec/failover/toPrimary/start",
            json!({ "policy": "Immediately", "window": { "start": "01:00", "end": "02:00" } }),
            "failover.toPrimary.start.window",
        ),
    ];
    for (pointer, value, path) in cases {
        let expected = format!("error field-not-applicable {PLAN} spec.{path}");
        assert_eq!(found(pointer, value), [expected]);
    }
}

#[test]
fn a_field_that_another_makes_necessary_is_asked_for() {
    let cases = [
        ("/spec/commit", json!({ "policy": "Automatic" }), "commit"),
        (
            "/spec/failover/toPrimary/start",
            json!({ "policy": "WhenStable" }),
            "failover.toPrimary.start",
        ),
    ];
    for (pointer, value, path) in cases {
        let expected = format!("error field-required {PLAN} spec.{path}");
        assert_eq!(plan(pointer, value), [expected]);
    }
}

#[test]
fn a_planned_request_has_no_point_and_takes_no_risk() {
    let request = |more: Value| {
        let mut request = json!({
            "id": "typhoon-1", "expires": "2026-11-20T12:00:00Z", "type": "Planned",
        });
        for (field, value) in more.as_object().unwrap() {
            request[field] = value.clone();
        }
        plan("/spec/request", request)
    };
    let refused = |field: &str| {
        vec![format!(
            "error field-not-applicable {PLAN} spec.request.{field}"
        )]
    };
    assert_eq!(request(json!({})), Vec::<String>::new());
    assert_eq!(
        request(json!({ "unfenced": "Refuse" })),
        Vec::<String>::new()
    );
    assert_eq!(
        request(json!({ "sourceStop": "Skip" })),
        refused("sourceStop")
    );
    assert_eq!(
        request(json!({ "recoveryPoint": { "type": "Latest" } })),
        refused("recoveryPoint")
    );
    assert_eq!(
        request(json!({ "unfenced": "AcceptSplitBrain" })),
        refused("unfenced")
    );
}

#[test]
fn skipping_the_source_is_no_standing_rule() {
    // SPEC: PL-9
    let rule = json!({ "type": "Unplanned", "sourceStop": "Skip" });
    assert_eq!(
        plan("/spec/failover/toSecondary", rule),
        [format!(
            "error not-for-standing-rule {PLAN} spec.failover.toSecondary.sourceStop"
        )]
    );
}

#[test]
fn a_plan_without_active_site_only_drills() {
    // SPEC: PL-7
    let overrides = json!([{ "machine": "web-1", "activeSite": "secondary" }]);
    let request = json!({ "id": "a", "expires": "2026-11-20T12:00:00Z", "type": "Planned" });
    let world = World::example()
        .remove(PLAN, "/spec/activeSite")
        .set(PLAN, "/spec/overrides", overrides)
        .set(PLAN, "/spec/request", request);
    assert_eq!(
        world.found_of("needs-active-site"),
        [
            format!("error needs-active-site {PLAN} spec.overrides"),
            format!("error needs-active-site {PLAN} spec.request"),
        ]
    );
}

#[test]
fn a_recovery_point_is_named_or_dated_when_it_says_so() {
    // SPEC: FO-4
    let drill = "RecoveryDrill/shop-november";
    let found = |point| {
        World::example()
            .set(drill, "/spec/recoveryPoint", point)
            .found()
    };
    let at = |code: &str, path: &str| vec![format!("error {code} {drill} spec.{path}")];
    assert_eq!(
        found(json!({ "type": "Time" })),
        at("field-required", "recoveryPoint")
    );
    assert_eq!(
        found(json!({ "type": "Named" })),
        at("field-required", "recoveryPoint")
    );
    assert_eq!(
        found(json!({ "type": "Latest", "name": "a" })),
        at("field-not-applicable", "recoveryPoint.name")
    );
    assert_eq!(
        found(json!({ "type": "Latest", "time": "2026-11-20T12:00:00Z" })),
        at("field-not-applicable", "recoveryPoint.time")
    );
}

#[test]
fn the_first_copy_has_a_time_when_it_is_scheduled() {
    let policy = "ReplicationPolicy/gold";
    let world = World::example().set(policy, "/spec/initialReplication", json!("Scheduled"));
    assert_eq!(
        world.told(),
        [format!(
            "error field-required {policy} spec: `initialReplication: Scheduled` needs \
             `initialReplicationAt` (set `initialReplicationAt`)"
        )]
    );
    let world = World::example().set(policy, "/spec/initialReplicationAt", json!("22:00"));
    let expected = format!("error field-not-applicable {policy} spec.initialReplicationAt");
    assert_eq!(world.found(), [expected]);
}

#[test]
fn copies_that_would_not_be_encrypted_are_not_promised_to_be() {
    // SPEC: PR-8
    let policy = "ReplicationPolicy/gold";
    let key = json!({ "atRestKeySecretRef": { "name": "key" } });
    let world = World::example().set(policy, "/spec/encryption", key);
    assert!(world.found().is_empty());
    let world = world.set(policy, "/spec/replicator", json!({ "qemuBitmap": {} }));
    let path = "spec.encryption.atRestKeySecretRef";
    let expected = format!("error field-not-applicable {policy} {path}");
    assert!(world.found().contains(&expected), "{:?}", world.found());
}

#[test]
fn a_location_names_a_place_when_it_is_another_one() {
    // SPEC: FB-4
    let policy = "FailbackPolicy/home-again";
    let found = |location| {
        World::example()
            .set(policy, "/spec/location", location)
            .found()
    };
    let at = |code: &str, path: &str| vec![format!("error {code} {policy} spec.{path}")];
    assert_eq!(
        found(json!({ "type": "Alternate", "createIfMissing": true })),
        at("field-required", "location")
    );
    assert_eq!(
        found(json!({ "type": "Original", "host": "kvm-7" })),
        at("field-not-applicable", "location.host")
    );
    assert_eq!(
        found(json!({ "createIfMissing": true })),
        at("field-not-applicable", "location.createIfMissing")
    );
    assert_eq!(
        found(json!({ "type": "Alternate", "pool": "fast" })),
        Vec::<String>::new()
    );
}

#[test]
fn nothing_holds_between_the_phases_of_a_copy_with_one() {
    // SPEC: FB-3
    let world = World::example()
        .set(
            "FailbackPolicy/home-again",
            "/spec/dataSync",
            json!("FullDuringFailover"),
        )
        .set(
            "FailbackPolicy/home-again",
            "/spec/betweenPhases",
            json!("Hold"),
        );
    assert_eq!(
        world.found(),
        ["error field-not-applicable FailbackPolicy/home-again spec.betweenPhases"]
    );
}

#[test]
fn sites_differ_and_windows_open() {
    let world = World::example()
        .set("RecoveryPlan/shop", "/spec/sites/secondary", json!("seoul"))
        .set(
            "ReplicationPolicy/gold",
            "/spec/resyncWindow",
            json!({ "start": "22:00", "end": "22:00" }),
        );
    assert_eq!(
        world.found_of("window-never-opens"),
        ["error window-never-opens ReplicationPolicy/gold spec.resyncWindow"]
    );
    assert_eq!(
        world.found_of("same-site-twice"),
        ["error same-site-twice RecoveryPlan/shop spec.sites.secondary"]
    );
}

#[test]
fn a_group_says_who_its_members_are() {
    let world = World::example().remove("ProtectionGroup/shop-web", "/spec/selector");
    assert_eq!(
        world.found_of("field-required"),
        ["error field-required ProtectionGroup/shop-web spec"]
    );
    assert_eq!(
        world.found_of("field-not-applicable"),
        ["error field-not-applicable ProtectionGroup/shop-web spec.memberSettings"]
    );
    let world = World::example().remove(PLAN, "/spec/groups/1/protectionGroups");
    let expected = format!("error field-required {PLAN} spec.groups[1]");
    assert_eq!(world.found_of("field-required"), [expected]);
}

#[test]
fn a_hyperv_site_is_hosts_or_a_cloud() {
    let fabric = json!({
        "hyperv": { "credentialsSecretRef": { "namespace": "drover", "name": "hyperv" } },
    });
    let world = World::example().set("Site/seoul", "/spec/fabric", fabric);
    assert_eq!(
        world.found_of("exactly-one-of"),
        ["error exactly-one-of Site/seoul spec.fabric.hyperv"]
    );
}

#[test]
fn a_decision_has_the_details_of_its_action() {
    // SPEC: PL-10
    let decision = |more: Value| {
        let mut spec = json!({
            "runRef": { "name": "shop-7", "uid": "1" },
            "action": "Approve",
            "digest": format!("sha256:{}", "0".repeat(64)),
            "by": "kim",
        });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        World::example()
            .with_shop("RunDecision", "go", &spec)
            .found()
    };
    let at = |code: &str, path: &str| vec![format!("error {code} RunDecision/go {path}")];
    // Without a step the run as a whole is approved.
    assert_eq!(decision(json!({})), Vec::<String>::new());
    let step = json!({ "group": "web", "action": "business-says-go" });
    assert_eq!(decision(json!({ "step": step })), Vec::<String>::new());
    assert_eq!(
        decision(json!({ "action": "Commit", "step": step })),
        at("field-not-applicable", "spec.step")
    );
    assert_eq!(
        decision(json!({ "action": "ChangePoint" })),
        at("field-required", "spec")
    );
    let point = json!({ "type": "Named" });
    assert_eq!(
        decision(json!({ "action": "ChangePoint", "recoveryPoint": point })),
        at("field-required", "spec.recoveryPoint")
    );
}
