//! The whole life of three machines: protected, failed over, committed, reprotected, failed back.

#![cfg(test)]

mod lab;

use drover_api::{ActualSite, MachinePhase, RunPhase};
use drover_simulator::Latency;
use lab::{Lab, SHOP};

async fn all(lab: &Lab, phase: MachinePhase) -> bool {
    let machines = lab.machines().await;
    machines.len() == 3
        && machines.iter().all(|machine| {
            machine
                .status
                .as_ref()
                .is_some_and(|status| status.phase == phase)
        })
}

async fn until_all(lab: &mut Lab, phase: MachinePhase) {
    lab.until(&format!("all {phase:?}"), async |lab| all(lab, phase).await)
        .await;
}

async fn until_at(lab: &mut Lab, site: ActualSite) {
    lab.until(&format!("at {site:?}"), async |lab| {
        lab.plan()
            .await
            .status
            .and_then(|status| status.active_site)
            == Some(site)
    })
    .await;
}

async fn there_and_back(latency: Latency) {
    let mut lab = Lab::new(latency).await;
    lab.create(SHOP).await;
    until_all(&mut lab, MachinePhase::Protected).await;
    until_at(&mut lab, ActualSite::Primary).await;

    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    until_all(&mut lab, MachinePhase::CommitPending).await;
    until_at(&mut lab, ActualSite::Secondary).await;
    lab.sound();

    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-1", RunPhase::Committed).await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    until_all(&mut lab, MachinePhase::Protected).await;
    lab.sound();

    lab.set_active("primary").await;
    lab.until_phase("shop-3", RunPhase::CommitPending).await;
    lab.decide("shop-3", "Commit").await;
    lab.until_phase("shop-3", RunPhase::Committed).await;
    lab.until_phase("shop-4", RunPhase::Protected).await;
    until_all(&mut lab, MachinePhase::Protected).await;
    until_at(&mut lab, ActualSite::Primary).await;
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
    lab.create(SHOP).await;
    until_all(&mut lab, MachinePhase::Protected).await;
    until_at(&mut lab, ActualSite::Primary).await;
    lab.faults.record(true);
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    until_all(&mut lab, MachinePhase::CommitPending).await;
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
    lab.create(SHOP).await;
    until_all(&mut lab, MachinePhase::Protected).await;
    until_at(&mut lab, ActualSite::Primary).await;
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
