//! Failback where data is synchronised inside the run: how, with or without a hold between the phases, and
//! to another place.

use std::time::Duration;

use crate::lab::{Lab, MACHINES, Shop, shop};
use drover_api::{ActualSite, DecisionOutcome, MachinePhase, RunPhase};
use drover_simulator::{Fault, Latency};
use serde_json::{Value, json};

/// The shop with a failback policy.
fn returning(policy: &Value) -> Shop {
    let with_policy = shop().with("FailbackPolicy", "home-again", json!({}));
    with_policy
        .but("FailbackPolicy", "home-again", policy)
        .plan(&json!({"failbackPolicyRef": {"name": "home-again"}}))
}

/// At the secondary site, committed, and not replicating backwards.
async fn away(lab: &mut Lab, shop: &Shop) {
    lab.protect(shop).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-1", RunPhase::Committed).await;
    lab.until_all(MachinePhase::NotProtected).await;
    lab.pass(Duration::from_mins(10)).await;
    assert_eq!(lab.runs().await.len(), 1);
}

async fn passed_through(lab: &Lab, run: &str) -> Vec<RunPhase> {
    let status = lab.run(run).await.unwrap().status.unwrap();
    let history = status.history.into_iter();
    history.map(|entry| entry.phase).collect()
}

/// Committed, and protected in the first direction again.
async fn home(lab: &mut Lab) {
    assert_eq!(lab.serving("seoul"), MACHINES);
    lab.decide("shop-2", "Commit").await;
    lab.until_phase("shop-3", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.until_rests_at(ActualSite::Primary).await;
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_person_says_that_the_synchronisation_is_complete() {
    // SPEC: FB-0, FB-2, FB-3
    let mut lab = Lab::new(Latency::Realistic).await;
    let hold = json!({"dataSync": "DeltaBeforeFailover", "betweenPhases": "Hold"});
    away(&mut lab, &returning(&hold)).await;
    lab.set_active("primary").await;
    lab.until_phase("shop-2", RunPhase::Synchronizing).await;
    lab.say("shop-2", "too-soon", json!({"action": "CompleteSync"}))
        .await;
    let (outcome, why) = lab.answer("too-soon").await;
    assert_eq!(outcome, DecisionOutcome::Refused);
    assert!(why.contains("no synchronisation is held"), "{why}");

    lab.until_phase("shop-2", RunPhase::AwaitingCompleteSync)
        .await;
    lab.pass(Duration::from_hours(2)).await;
    assert_eq!(
        lab.phase("shop-2").await,
        Some(RunPhase::AwaitingCompleteSync)
    );
    // The machines run all the while.
    assert_eq!(lab.serving("busan"), MACHINES);
    lab.decide("shop-2", "CompleteSync").await;
    lab.until_phase("shop-2", RunPhase::CommitPending).await;
    home(&mut lab).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_hold_the_last_changes_follow_at_once() {
    // SPEC: FB-0, FB-3
    let mut lab = Lab::new(Latency::Realistic).await;
    away(
        &mut lab,
        &returning(&json!({"dataSync": "DeltaBeforeFailover"})),
    )
    .await;
    lab.set_active("primary").await;
    lab.until_phase("shop-2", RunPhase::CommitPending).await;
    let phases = passed_through(&lab, "shop-2").await;
    assert!(phases.contains(&RunPhase::Synchronizing));
    assert!(!phases.contains(&RunPhase::AwaitingCompleteSync));
    home(&mut lab).await;
}

#[tokio::test(start_paused = true)]
async fn everything_is_copied_while_the_machines_are_off() {
    // SPEC: FB-0, FB-3
    let mut lab = Lab::new(Latency::Realistic).await;
    away(
        &mut lab,
        &returning(&json!({"dataSync": "FullDuringFailover"})),
    )
    .await;
    lab.set_active("primary").await;
    lab.until_phase("shop-2", RunPhase::CommitPending).await;
    let phases = passed_through(&lab, "shop-2").await;
    assert!(!phases.contains(&RunPhase::Synchronizing), "{phases:?}");
    home(&mut lab).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_synchronisation_leaves_a_disk_that_is_not_started_and_is_taken_up_again() {
    // SPEC: FB-5
    let mut lab = Lab::new(Latency::Realistic).await;
    away(
        &mut lab,
        &returning(&json!({"dataSync": "DeltaBeforeFailover"})),
    )
    .await;
    lab.set_active("primary").await;
    lab.until_phase("shop-2", RunPhase::Synchronizing).await;
    lab.pass(Duration::from_secs(5)).await;
    lab.decide("shop-2", "Cancel").await;
    lab.until_phase("shop-2", RunPhase::Cancelled).await;
    lab.until("a machine is told to be inconsistent", async |lab| {
        let machines = lab.machines().await;
        machines.iter().any(|machine| {
            let phase = machine.status.as_ref().map(|status| status.phase);
            phase == Some(MachinePhase::Inconsistent)
        })
    })
    .await;
    assert_eq!(lab.serving("busan"), MACHINES);
    assert_eq!(lab.serving("seoul"), [""; 0]);
    let request = json!({
        "id": "once-more", "expires": "2026-03-03T09:00:00Z", "type": "Planned",
    });
    lab.change_plan(json!({"request": request})).await;
    lab.until_phase("shop-3", RunPhase::CommitPending).await;
    assert_eq!(lab.serving("seoul"), MACHINES);
    lab.decide("shop-3", "Commit").await;
    lab.until_phase("shop-4", RunPhase::Protected).await;
    lab.sound();
}

/// The old machines are gone.
fn delete_the_old(lab: &Lab) {
    for machine in MACHINES {
        lab.world.inject(&Fault::Delete {
            site: "seoul".parse().unwrap(),
            machine: machine.parse().unwrap(),
        });
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_made_at_another_place_only_when_that_is_declared() {
    // SPEC: FB-4, SA-9
    for create in [false, true] {
        let mut lab = Lab::new(Latency::Realistic).await;
        let location = json!({"type": "Alternate", "host": "kvm-7", "createIfMissing": create});
        let policy = json!({"dataSync": "FullDuringFailover", "location": location});
        away(&mut lab, &returning(&policy)).await;
        delete_the_old(&lab);
        lab.pass(Duration::from_mins(1)).await;
        lab.set_active("primary").await;
        if create {
            lab.until_phase("shop-2", RunPhase::CommitPending).await;
            home(&mut lab).await;
        } else {
            // It is known before anything is stopped.
            lab.holds("there is no machine").await;
            assert_eq!(lab.serving("busan"), MACHINES);
            assert_eq!(lab.runs().await.len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_manual_failback_a_person_asks_for_protection() {
    // SPEC: FB-1, FB-2, PL-9
    let mut lab = Lab::new(Latency::Zero).await;
    let policy = json!({"dataSync": "DeltaBeforeFailover", "reprotect": "Manual"});
    away(&mut lab, &returning(&policy)).await;
    lab.set_active("primary").await;
    lab.until_phase("shop-2", RunPhase::CommitPending).await;
    lab.decide("shop-2", "Commit").await;
    lab.until_all(MachinePhase::NotProtected).await;
    lab.pass(Duration::from_mins(20)).await;
    assert_eq!(lab.runs().await.len(), 2);
    lab.decide("shop-2", "Reprotect").await;
    lab.until_phase("shop-3", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.sound();
}
