//! Single machines that go where the rest of their plan does not, and machines of one plan that are found
//! in two places.

use std::time::Duration;

use crate::lab::{Lab, MACHINES, Shop, shop};
use drover_api::{ActualSite, MachinePhase, RunPhase};
use drover_simulator::Latency;
use serde_json::json;

/// The shop, whose databases take the clients with them.
fn with_clients() -> Shop {
    let traffic = json!([{"name": "move-clients", "dns": {
        "record": "shop.example.com",
        "primary": ["203.0.113.10"],
        "secondary": ["198.51.100.10"],
        "rfc2136": {"server": "127.0.0.1:53", "zone": "example.com"},
    }}]);
    shop().plan(&json!({"groups": [
        {"name": "data", "protectionGroups": ["data"], "after": traffic},
        {"name": "web", "protectionGroups": ["web"]},
    ]}))
}

async fn committed(lab: &mut Lab, run: &str) {
    lab.until_phase(run, RunPhase::CommitPending).await;
    lab.decide(run, "Commit").await;
    lab.until_phase(run, RunPhase::Committed).await;
}

async fn at(lab: &Lab) -> Option<ActualSite> {
    lab.plan().await.status.unwrap().active_site
}

#[tokio::test(start_paused = true)]
async fn a_machine_with_an_override_moves_alone_and_comes_back_without_it() {
    // SPEC: PL-6, PL-8, FO-9
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&with_clients()).await;
    let away = json!([{"machine": "web-1", "activeSite": "secondary"}]);
    lab.change_plan(json!({"overrides": away})).await;
    committed(&mut lab, "shop-1").await;
    assert_eq!(lab.serving("busan"), ["web-1"]);
    assert_eq!(lab.serving("seoul"), ["db-1", "db-2"]);
    lab.until_phase("shop-2", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    // That is what was declared: nothing is out of order, and nothing else follows.
    lab.pass(Duration::from_mins(20)).await;
    assert_eq!(at(&lab).await, Some(ActualSite::Mixed));
    assert_eq!(lab.drift().await, "");
    assert_eq!(lab.runs().await.len(), 2);
    // The group that stayed did nothing either.
    assert_eq!(lab.world.record("shop.example.com"), None);

    lab.change_plan(json!({"overrides": null})).await;
    committed(&mut lab, "shop-3").await;
    lab.until_phase("shop-4", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.until_rests_at(ActualSite::Primary).await;
    assert_eq!(lab.serving("seoul"), MACHINES);
    assert_eq!(lab.world.record("shop.example.com"), None);
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn the_plan_goes_first_and_its_exception_follows_the_other_way() {
    // SPEC: PL-6, PL-8
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop()).await;
    let exception = |site: &str| json!([{"machine": "web-1", "activeSite": site}]);
    lab.change_plan(json!({"overrides": exception("secondary")}))
        .await;
    committed(&mut lab, "shop-1").await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    let turned = json!({"activeSite": "secondary", "overrides": exception("primary")});
    lab.change_plan(turned).await;
    committed(&mut lab, "shop-3").await;
    assert_eq!(lab.serving("busan"), MACHINES);
    lab.until_phase("shop-4", RunPhase::Protected).await;
    committed(&mut lab, "shop-5").await;
    assert_eq!(lab.serving("busan"), ["db-1", "db-2"]);
    assert_eq!(lab.serving("seoul"), ["web-1"]);
    lab.until_phase("shop-6", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.pass(Duration::from_mins(20)).await;
    assert_eq!(lab.runs().await.len(), 6);
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn an_override_that_was_cancelled_is_not_served_again_by_itself() {
    // SPEC: PL-6, PL-8, SA-10
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    let away = json!([{"machine": "web-1", "activeSite": "secondary"}]);
    lab.change_plan(json!({"overrides": away})).await;
    lab.until_phase("shop-1", RunPhase::Leaving).await;
    lab.decide("shop-1", "Cancel").await;
    lab.until_phase("shop-1", RunPhase::Cancelled).await;
    lab.holds("run shop-1 served this intent").await;
    assert_eq!(lab.runs().await.len(), 1);
    assert_eq!(lab.serving("seoul"), MACHINES);
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn taking_an_override_away_in_the_middle_of_its_run_cancels_it() {
    // SPEC: PL-6, PL-8
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    let away = json!([{"machine": "web-1", "activeSite": "secondary"}]);
    lab.change_plan(json!({"overrides": away})).await;
    lab.until_phase("shop-1", RunPhase::Leaving).await;
    lab.change_plan(json!({"overrides": null})).await;
    lab.until_phase("shop-1", RunPhase::Cancelled).await;
    lab.until_all(MachinePhase::Protected).await;
    assert_eq!(lab.serving("seoul"), MACHINES);
    assert_eq!(lab.drift().await, "");
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_member_of_a_consistency_group_goes_nowhere_alone() {
    // SPEC: PL-6, PR-7
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop()).await;
    let away = json!([{"machine": "db-1", "activeSite": "secondary"}]);
    lab.change_plan(json!({"overrides": away})).await;
    lab.refuses("belongs to consistency group `data`").await;
    assert!(lab.runs().await.is_empty());
    assert_eq!(lab.serving("seoul"), MACHINES);
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_store_left_in_two_places_is_brought_together_by_a_request() {
    // SPEC: SA-11, PL-8, PL-9, FO-10
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.set_active("secondary").await;
    lab.until("the databases run", async |lab| {
        lab.serving("busan") == ["db-1", "db-2"]
    })
    .await;
    lab.crash();
    lab.pass(Duration::from_mins(2)).await;
    lab.lose_store().await;
    lab.create(&shop().plan(&json!({"activeSite": "secondary"})))
        .await;
    lab.holds("a request with a fresh id moves them").await;
    assert_eq!(at(&lab).await, Some(ActualSite::Mixed));
    assert!(lab.runs().await.is_empty());

    let request = json!({
        "id": "the-rest", "expires": "2026-03-03T09:00:00Z", "type": "Planned",
    });
    lab.change_plan(json!({"request": request})).await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert_eq!(lab.serving("busan"), MACHINES);
    assert_eq!(lab.run("shop-1").await.unwrap().spec.machines, 1);
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_could_not_follow_is_brought_by_a_request() {
    // SPEC: FO-3, FO-10, PL-8, SA-10
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.world.inject(&drover_simulator::Fault::FailBoots {
        site: "busan".parse().unwrap(),
        machine: "web-1".parse().unwrap(),
        times: 1,
    });
    lab.emergency("typhoon-1", json!({})).await;
    committed(&mut lab, "shop-1").await;
    assert_eq!(lab.serving("busan"), ["db-1", "db-2"]);
    lab.pass(Duration::from_mins(20)).await;
    assert_eq!(lab.runs().await.len(), 1);

    lab.emergency("typhoon-2", json!({})).await;
    committed(&mut lab, "shop-2").await;
    assert_eq!(lab.run("shop-2").await.unwrap().spec.machines, 1);
    assert_eq!(lab.serving("busan"), MACHINES);
    // All of them are protected together then.
    lab.decide("shop-2", "Reprotect").await;
    lab.until_phase("shop-3", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.sound();
}
