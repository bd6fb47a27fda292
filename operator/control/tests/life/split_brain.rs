//! An unplanned failover while the old site runs on and nobody can reach it.

use std::time::Duration;

use crate::lab::{Lab, shop};
use drover_api::RunPhase;
use drover_simulator::Latency;
use drover_world::Power;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn without_a_fence_nothing_starts_until_a_person_accepts_the_risk() {
    // SPEC: SA-2, FO-3, FO-8
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop().sites(&json!({"fencing": null}))).await;
    lab.world.partition(&"seoul".parse().unwrap());
    tokio::time::sleep(Duration::from_mins(1)).await;
    lab.emergency("typhoon-1", json!({"unfenced": "Refuse"}))
        .await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(lab.phase("shop-1").await, Some(RunPhase::Leaving));
    assert!(lab.all_are("busan", Power::Absent));
    let ready = lab.run("shop-1").await.unwrap().status.unwrap().conditions;
    assert!(
        ready
            .iter()
            .any(|condition| condition.message.contains("AcceptSplitBrain")),
        "{ready:?}"
    );

    lab.decide("shop-1", "AcceptSplitBrain").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert!(lab.all_are("busan", Power::Healthy));

    // The old site is reached again: its copies are stopped and held before anything else.
    lab.world.heal(&"seoul".parse().unwrap());
    lab.until("the stale copies are stopped", async |lab| {
        lab.all_are("seoul", Power::Off)
    })
    .await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(lab.all_are("seoul", Power::Off));
    assert!(lab.all_are("busan", Power::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_fence_is_enough_and_is_not_lifted_by_the_return_of_the_site() {
    // SPEC: SA-2, FO-8
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.world.partition(&"seoul".parse().unwrap());
    tokio::time::sleep(Duration::from_mins(1)).await;
    lab.emergency("typhoon-1", json!({"unfenced": "Refuse"}))
        .await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.sound();
    lab.world.heal(&"seoul".parse().unwrap());
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(lab.all_are("seoul", Power::Off));
    assert!(lab.all_are("busan", Power::Healthy));
    lab.sound();
}
