//! An unplanned failover while the old site runs on and nobody can reach it.

#![cfg(test)]

mod lab;

use std::time::Duration;

use drover_api::{MachinePhase, RecoveryPlan, RunPhase};
use drover_simulator::Latency;
use drover_world::Power;
use kube::Api;
use kube::api::{Patch, PatchParams};
use lab::{Lab, SHOP};
use serde_json::json;

async fn protected(lab: &mut Lab) {
    lab.until("all protected", async |lab| {
        let machines = lab.machines().await;
        machines.len() == 3
            && machines.iter().all(|machine| {
                machine
                    .status
                    .as_ref()
                    .is_some_and(|status| status.phase == MachinePhase::Protected)
            })
    })
    .await;
}

async fn ask(lab: &Lab, unfenced: &str) {
    let plans: Api<RecoveryPlan> = Api::namespaced(lab.client.clone(), "default");
    let patch = Patch::Merge(json!({"spec": {
        "activeSite": "secondary",
        "request": {
            "id": "typhoon-1",
            "expires": "2026-03-03T09:00:00Z",
            "type": "Unplanned",
            "sourceStop": "Attempt",
            "unfenced": unfenced,
        },
    }}));
    plans
        .patch("shop", &PatchParams::default(), &patch)
        .await
        .unwrap();
}

fn powers(lab: &Lab, site: &str) -> Vec<Power> {
    let site = site.parse().unwrap();
    ["db-1", "db-2", "web-1"]
        .iter()
        .map(|name| {
            lab.world
                .machine(&site, &name.parse().unwrap())
                .unwrap()
                .instance
                .power
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn without_a_fence_nothing_starts_until_a_person_accepts_the_risk() {
    // SPEC: SA-2, FO-3, FO-8
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.create(&SHOP.replace("  fencing: { method: Power }\n", ""))
        .await;
    protected(&mut lab).await;
    lab.world.partition(&"seoul".parse().unwrap());
    tokio::time::sleep(Duration::from_mins(1)).await;
    ask(&lab, "Refuse").await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(lab.phase("shop-1").await, Some(RunPhase::Leaving));
    assert!(
        powers(&lab, "busan")
            .iter()
            .all(|power| *power == Power::Absent)
    );
    let ready = lab.run("shop-1").await.unwrap().status.unwrap().conditions;
    assert!(
        ready
            .iter()
            .any(|condition| condition.message.contains("AcceptSplitBrain")),
        "{ready:?}"
    );

    lab.decide("shop-1", "AcceptSplitBrain").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert!(
        powers(&lab, "busan")
            .iter()
            .all(|power| *power == Power::Healthy)
    );

    // The old site is reached again: its copies are stopped and held before anything else.
    lab.world.heal(&"seoul".parse().unwrap());
    lab.until("the stale copies are stopped", async |lab| {
        powers(lab, "seoul")
            .iter()
            .all(|power| *power == Power::Off)
    })
    .await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(
        powers(&lab, "seoul")
            .iter()
            .all(|power| *power == Power::Off)
    );
    assert!(
        powers(&lab, "busan")
            .iter()
            .all(|power| *power == Power::Healthy)
    );
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_fence_is_enough_and_is_not_lifted_by_the_return_of_the_site() {
    // SPEC: SA-2, FO-8
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.create(SHOP).await;
    protected(&mut lab).await;
    lab.world.partition(&"seoul".parse().unwrap());
    tokio::time::sleep(Duration::from_mins(1)).await;
    ask(&lab, "Refuse").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.sound();
    lab.world.heal(&"seoul".parse().unwrap());
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(
        powers(&lab, "seoul")
            .iter()
            .all(|power| *power == Power::Off)
    );
    assert!(
        powers(&lab, "busan")
            .iter()
            .all(|power| *power == Power::Healthy)
    );
    lab.sound();
}
