//! The whole life of three machines: protected, failed over, committed, reprotected, failed back.

use crate::lab::{Lab, shop};
use drover_api::{ActualSite, EstimateSource, MachinePhase, RunPhase};
use drover_simulator::Latency;
use serde_json::json;

async fn there_and_back(latency: Latency) {
    let mut lab = Lab::new(latency).await;
    lab.protect(&shop()).await;

    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.until_all(MachinePhase::CommitPending).await;
    lab.until("they are told to be there", async |lab| {
        let status = lab.plan().await.status;
        status.is_some_and(|status| status.active_site == Some(ActualSite::Secondary))
    })
    .await;
    lab.sound();

    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-1", RunPhase::Committed).await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.sound();

    lab.set_active("primary").await;
    lab.until_phase("shop-3", RunPhase::CommitPending).await;
    lab.decide("shop-3", "Commit").await;
    lab.until_phase("shop-3", RunPhase::Committed).await;
    lab.until_phase("shop-4", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.until_rests_at(ActualSite::Primary).await;
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn there_and_back_at_once() {
    // SPEC: FO-2, FO-5, FO-9, FB-2
    there_and_back(Latency::Zero).await;
}

#[tokio::test(start_paused = true)]
async fn there_and_back_in_believable_times() {
    // SPEC: FO-2, FO-5, FO-9, FB-2, PL-3
    there_and_back(Latency::Realistic).await;
}

#[tokio::test(start_paused = true)]
async fn a_planned_failover_costs_at_most_four_writes_for_each_machine() {
    // SPEC: FO-2
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop()).await;
    lab.faults.record(true);
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    // At once, not when something else happens to wake them.
    lab.pass(std::time::Duration::from_secs(2)).await;
    for machine in lab.machines().await {
        let status = machine.status.unwrap();
        assert_eq!(status.phase, MachinePhase::CommitPending);
        assert_eq!(
            status.active_site,
            Some(drover_api::common::SiteRole::Secondary)
        );
    }
    let points = lab.faults.points();
    let of_machines = |point: &&String| {
        let reads = point.starts_with("GET") || point.starts_with("WATCH");
        !reads && (point.contains(" machineruns") || point.contains(" protectedmachines"))
    };
    let writes: Vec<_> = points.iter().filter(of_machines).collect();
    assert!(writes.len() <= 4 * 3, "{writes:#?}");
    // One creation, two outcomes, and what is told of the protected machine.
    assert_eq!(writes.len(), 4 * 3, "{writes:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_failover_takes_no_longer_than_its_forecast_says() {
    // SPEC: PL-5, PL-11
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    let run = lab.run("shop-1").await.unwrap();
    let reached = run.status.unwrap().rto.unwrap().as_millis();
    let forecast = run.spec.forecast.unwrap().rto.as_millis();
    println!("reached {reached} ms, forecast {forecast} ms");
    assert!(
        reached * 100 <= forecast * 102,
        "{reached} ms, {forecast} ms"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_run_took_is_what_the_next_one_is_expected_to_take() {
    // SPEC: PL-5
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    let forecast = async |lab: &Lab| lab.plan().await.status.unwrap().forecast.unwrap();
    let by_fabric = forecast(&lab).await;
    assert_eq!(by_fabric.source, EstimateSource::Fabric);

    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    // Nobody has come home yet.
    assert_eq!(forecast(&lab).await.source, EstimateSource::Fabric);

    lab.set_active("primary").await;
    lab.until_phase("shop-3", RunPhase::CommitPending).await;
    lab.decide("shop-3", "Commit").await;
    lab.until_phase("shop-4", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.until_rests_at(ActualSite::Primary).await;
    let recorded = forecast(&lab).await;
    assert_eq!(recorded.source, EstimateSource::Recorded);
    let reached = lab
        .run("shop-1")
        .await
        .unwrap()
        .status
        .unwrap()
        .rto
        .unwrap();
    let off_by = reached.as_millis().abs_diff(recorded.rto.as_millis());
    println!(
        "reached {reached}, forecast {}, by the fabric {}",
        recorded.rto, by_fabric.rto
    );
    assert!(off_by < 2_000, "{reached}, {}", recorded.rto);

    // Another operator reads the same out of the same journals.
    lab.crash();
    lab.start();
    lab.set_active("secondary").await;
    lab.until_phase("shop-5", RunPhase::CommitPending).await;
    let run = lab.run("shop-5").await.unwrap();
    assert_eq!(run.spec.forecast.unwrap().source, EstimateSource::Recorded);
}

#[tokio::test(start_paused = true)]
async fn a_drill_from_what_is_processed_does_not_wait_for_the_next_point() {
    // SPEC: FO-1, FO-4
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    let spec = json!({"planRef": {"name": "shop"}, "recoveryPoint": {"type": "LatestProcessed"}});
    lab.rehearse(spec).await;
    let took = lab
        .run("shop-1")
        .await
        .unwrap()
        .status
        .unwrap()
        .rto
        .unwrap();
    // Two groups, one after the other, of half a minute each; what was received is ready after ten seconds.
    assert!(took.as_secs() < 120, "{took}");
    lab.sound();
}
