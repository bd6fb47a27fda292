//! The store is lost altogether: applying the manifests to an empty one adopts what the fabrics report, and
//! starts nothing by itself.

#![cfg(test)]

mod lab;

use std::time::Duration;

use drover_api::{MachinePhase, RecoveryRun};
use drover_simulator::Latency;
use kube::Api;
use lab::{Lab, SHOP};

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

/// What would be a step of a run. That a replica which nobody started is sent changes again is none.
fn is_step(what: &str) -> bool {
    let steps = [
        "stop",
        "start",
        "materialize",
        "commit",
        "Reverse begins",
        "Final begins",
        "Resync begins",
    ];
    steps.iter().any(|step| what.starts_with(step))
}

/// A failover that is cut off after so long, with everything that was known of it.
async fn cut_off_after(seconds: u64) {
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.create(SHOP).await;
    protected(&mut lab).await;
    lab.until("settled", async |lab| {
        lab.plan()
            .await
            .status
            .is_some_and(|status| status.intent_served.is_some())
    })
    .await;
    lab.set_active("secondary").await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    lab.crash();
    // What was asked for before the loss has its end.
    tokio::time::sleep(Duration::from_mins(2)).await;
    let before = lab.world.log().len();
    lab.lose_store().await;
    lab.create(&SHOP.replace("activeSite: primary", "activeSite: secondary"))
        .await;
    tokio::time::sleep(Duration::from_mins(10)).await;

    let steps: Vec<_> = lab
        .world
        .log()
        .into_iter()
        .skip(before)
        .filter(|entry| is_step(&entry.what))
        .collect();
    assert!(
        steps.is_empty(),
        "cut off after {seconds} s: {steps:?}\n{}",
        lab.picture().await
    );
    let runs: Api<RecoveryRun> = Api::namespaced(lab.client.clone(), "default");
    assert!(
        runs.list(&kube::api::ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    lab.sound();
    // Where the machines are is told, and what would move them.
    let status = lab.plan().await.status.unwrap();
    assert!(status.active_site.is_some());
    assert!(
        status
            .intent_served
            .is_some_and(|served| served.run.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_store_is_adopted_in_every_phase_of_a_run() {
    // SPEC: SA-11, SA-5, PL-8
    for seconds in (0..90).step_by(3) {
        cut_off_after(seconds).await;
    }
}
