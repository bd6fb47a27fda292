//! The store is lost altogether: applying the manifests to an empty one adopts what the fabrics report, and
//! starts nothing by itself.

use std::time::Duration;

use crate::lab::{Lab, shop};
use drover_api::common::RunKind;
use drover_api::conditions::Condition;
use drover_api::{MachinePhase, ProtectionGroup, RunPhase};
use drover_simulator::Latency;
use kube::Api;
use serde_json::json;

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
    lab.protect(&shop()).await;
    lab.set_active("secondary").await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    lab.crash();
    // What was asked for before the loss has its end.
    tokio::time::sleep(Duration::from_mins(2)).await;
    let before = lab.world.log().len();
    lab.lose_store().await;
    lab.create(&shop().plan(&json!({"activeSite": "secondary"})))
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
    // What would protect them is compiled at most, and waits for a person.
    for run in lab.runs().await {
        assert_eq!(run.spec.kind, RunKind::Reprotect);
        assert_eq!(run.spec.approvals, Some(1));
        let phase = run.status.map(|status| status.record.phase);
        assert!(phase.is_none_or(|phase| phase == RunPhase::Pending));
    }
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

/// The machines are left for good at the secondary site by an unplanned failover, and nothing replicates.
async fn moved_and_committed(lab: &mut Lab) {
    lab.protect(&shop()).await;
    lab.emergency("typhoon-1", json!({})).await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-1", RunPhase::Committed).await;
    unprotected(lab).await;
}

async fn unprotected(lab: &mut Lab) {
    lab.until("nothing replicates", async |lab| {
        let machines = lab.machines().await;
        let unprotected = |machine: &drover_api::ProtectedMachine| {
            let status = machine.status.as_ref();
            status.is_some_and(|status| status.phase == MachinePhase::NotProtected)
        };
        machines.len() == 3 && machines.iter().all(unprotected)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
}

/// A condition as its status, reason and message.
fn said(conditions: &[Condition], kind: &str) -> Option<String> {
    let found = conditions.iter().find(|found| found.type_ == kind)?;
    Some(format!(
        "{} {}: {}",
        found.status, found.reason, found.message
    ))
}

async fn of_group(lab: &Lab) -> Vec<Condition> {
    let groups: Api<ProtectionGroup> = Api::namespaced(lab.client.clone(), "default");
    let group = groups.get("data").await.unwrap();
    group.status.unwrap().conditions
}

#[tokio::test(start_paused = true)]
async fn a_failover_that_nobody_reprotects_is_a_wait_for_a_person() {
    // SPEC: KU-1, FO-9
    let mut lab = Lab::new(Latency::Realistic).await;
    moved_and_committed(&mut lab).await;
    let words = "failed over: nothing replicates until a person decides Reprotect on run shop-1";
    let group = of_group(&lab).await;
    let ready = format!("True AwaitingReprotect: 0 of 2 machines are protected; {words}");
    assert_eq!(said(&group, "Ready"), Some(ready));
    assert_eq!(said(&group, "Stalled"), None);
    let loud = said(&group, "Protected").unwrap();
    assert!(loud.starts_with("False AwaitingReprotect"), "{loud}");
    let status = lab.plan().await.status.unwrap();
    assert_eq!(status.drift, [words]);
    let ready = Some(format!("True AwaitingReprotect: {words}"));
    assert_eq!(said(&status.conditions, "Ready"), ready);
    assert_eq!(said(&status.conditions, "Stalled"), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_committed_before_the_loss_is_protected_again_when_a_person_approves() {
    // SPEC: SA-11, SA-5, FB-1, PL-10
    let mut lab = Lab::new(Latency::Realistic).await;
    moved_and_committed(&mut lab).await;
    let before = lab.world.log().len();
    lab.lose_store().await;
    let moved = shop().plan(&json!({"activeSite": "secondary"}));
    lab.create(&moved).await;
    unprotected(&mut lab).await;
    // It is compiled and shown, and does nothing by itself.
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(lab.phase("shop-1").await, Some(RunPhase::Pending));
    let log = lab.world.log();
    assert!(!log.iter().skip(before).any(|entry| is_step(&entry.what)));
    let words = "a person approves run shop-1, or cancels it";
    let status = lab.plan().await.status.unwrap();
    let ready = Some(format!("True AwaitingApproval: {words}"));
    assert_eq!(said(&status.conditions, "Ready"), ready);
    assert!(
        status
            .intent_served
            .is_some_and(|served| served.run.is_none())
    );
    let group = said(&of_group(&lab).await, "Ready").unwrap();
    assert!(group.ends_with(words), "{group}");

    lab.decide("shop-1", "Approve").await;
    lab.until_phase("shop-1", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.sound();
    // From then on it is as if nothing had been lost.
    lab.set_active("primary").await;
    lab.until_phase("shop-2", RunPhase::CommitPending).await;
    lab.decide("shop-2", "Commit").await;
    lab.until_phase("shop-3", RunPhase::Protected).await;
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_failover_that_nobody_remembers_is_committed_by_who_approves_its_reprotect() {
    // SPEC: SA-11, SA-6, FO-6
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.emergency("typhoon-1", json!({})).await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.lose_store().await;
    let moved = shop().plan(&json!({"activeSite": "secondary"}));
    lab.create(&moved).await;
    lab.until_phase("shop-1", RunPhase::Pending).await;
    let run = lab.run("shop-1").await.unwrap();
    assert!(run.spec.commits && run.spec.approvals == Some(1));
    let before = lab.world.log().len();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let log = lab.world.log();
    assert!(!log.iter().skip(before).any(|entry| is_step(&entry.what)));

    lab.decide("shop-1", "Approve").await;
    lab.until_phase("shop-1", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.sound();
    // And back again, with nothing lost.
    lab.set_active("primary").await;
    lab.until_phase("shop-2", RunPhase::CommitPending).await;
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_reprotect_that_cannot_end_is_cancelled_and_begun_again() {
    // SPEC: FB-1, PL-10, SA-9
    let mut lab = Lab::new(Latency::Realistic).await;
    moved_and_committed(&mut lab).await;
    lab.world.lose_site(&"seoul".parse().unwrap());
    lab.decide("shop-1", "Reprotect").await;
    lab.until_phase("shop-2", RunPhase::Reprotecting).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    lab.decide("shop-2", "Cancel").await;
    lab.until_phase("shop-2", RunPhase::Cancelled).await;
    lab.until_drift("decides Reprotect on it").await;
    lab.world.return_site(&"seoul".parse().unwrap());
    tokio::time::sleep(Duration::from_mins(2)).await;
    lab.decide("shop-2", "Reprotect").await;
    lab.until_phase("shop-3", RunPhase::Protected).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn an_offer_to_reprotect_that_a_person_cancelled_waits_for_a_persons_word() {
    // SPEC: PL-10, SA-10
    let mut lab = Lab::new(Latency::Realistic).await;
    moved_and_committed(&mut lab).await;
    lab.lose_store().await;
    let moved = shop().plan(&json!({"activeSite": "secondary"}));
    lab.create(&moved).await;
    lab.until_phase("shop-1", RunPhase::Pending).await;
    lab.decide("shop-1", "Cancel").await;
    lab.until_phase("shop-1", RunPhase::Cancelled).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(lab.phase("shop-2").await, None);
    let status = lab.plan().await.status.unwrap();
    let stalled = said(&status.conditions, "Stalled").unwrap();
    let words = "a person cancelled run shop-1, and decides Reprotect on it";
    assert!(stalled.contains(words), "{stalled}");
    lab.decide("shop-1", "Reprotect").await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn an_offer_to_reprotect_goes_with_the_wish_for_it() {
    // SPEC: PL-8, SA-10
    let mut lab = Lab::new(Latency::Realistic).await;
    moved_and_committed(&mut lab).await;
    lab.lose_store().await;
    lab.create(&shop().plan(&json!({"activeSite": "secondary"})))
        .await;
    lab.until_phase("shop-1", RunPhase::Pending).await;
    lab.set_active("primary").await;
    lab.until_phase("shop-1", RunPhase::Cancelled).await;
    lab.sound();
}
