//! Going back to the source: before anything started at the target, and after; asked for, and because the
//! declaration changed its mind.

use std::time::Duration;

use crate::lab::{Lab, MACHINES, shop};
use drover_api::{ActualSite, DecisionOutcome, MachinePhase, RunPhase};
use drover_simulator::Latency;
use drover_world::Power;
use serde_json::json;

/// Nothing goes on by itself; a request with an id of its own does.
async fn only_a_request_starts_again(lab: &mut Lab) {
    lab.holds("run shop-1 served this intent").await;
    assert_eq!(lab.runs().await.len(), 1);
    let request = json!({
        "id": "once-more", "expires": "2026-03-03T09:00:00Z", "type": "Planned",
    });
    lab.change_plan(json!({"request": request})).await;
    lab.until_phase("shop-2", RunPhase::CommitPending).await;
    assert_eq!(lab.serving("busan"), MACHINES);
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_before_anything_started_brings_the_machines_home() {
    // SPEC: FO-6, PL-8, SA-10
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.set_active("secondary").await;
    lab.until("the web server is off", async |lab| {
        lab.power("seoul", "web-1") == Power::Off
    })
    .await;
    lab.decide("shop-1", "Cancel").await;
    lab.until_phase("shop-1", RunPhase::Cancelled).await;
    assert!(lab.all_are("busan", Power::Absent));
    lab.until_all(MachinePhase::Protected).await;
    assert_eq!(lab.serving("seoul"), MACHINES);
    only_a_request_starts_again(&mut lab).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_written_at_the_target_is_discarded_only_with_consent() {
    // SPEC: FO-6, PL-8, PL-10, SA-5
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    let (seoul, db) = ("seoul".parse().unwrap(), "db-1".parse().unwrap());
    let left = lab.world.content(&seoul, &db, false);

    lab.say("shop-1", "too-soon", json!({"action": "Cancel"}))
        .await;
    let (outcome, why) = lab.answer("too-soon").await;
    assert_eq!(outcome, DecisionOutcome::Refused);
    assert!(why.contains("decide AcceptDiscard first"), "{why}");
    lab.pass(Duration::from_mins(5)).await;
    assert_eq!(lab.serving("busan"), MACHINES);
    // Nothing came back while it could still be cancelled.
    assert_eq!(lab.world.content(&seoul, &db, false), left);

    lab.decide("shop-1", "AcceptDiscard").await;
    lab.decide("shop-1", "Cancel").await;
    lab.until_phase("shop-1", RunPhase::Cancelled).await;
    lab.until_all(MachinePhase::Protected).await;
    assert_eq!(lab.serving("seoul"), MACHINES);
    assert_eq!(lab.serving("busan"), [""; 0]);
    only_a_request_starts_again(&mut lab).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_mind_cancels_a_run_as_long_as_nothing_started_at_the_target() {
    // SPEC: PL-8
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::Leaving).await;
    lab.set_active("primary").await;
    lab.until_phase("shop-1", RunPhase::Cancelled).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.until_rests_at(ActualSite::Primary).await;
    assert_eq!(lab.drift().await, "");
    assert_eq!(lab.runs().await.len(), 1);
    // That intent was served: it takes a request to ask for it once more.
    lab.set_active("secondary").await;
    only_a_request_starts_again(&mut lab).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_mind_waits_for_a_person_once_machines_started_at_the_target() {
    // SPEC: PL-8, SA-6
    let mut lab = Lab::new(Latency::Realistic).await;
    // It would commit by itself, but not what nobody wants any more.
    let soak = json!({"commit": {"policy": "Automatic", "soak": "5m"}});
    lab.protect(&shop().plan(&soak)).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::Entering).await;
    lab.set_active("primary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.pass(Duration::from_mins(20)).await;
    assert_eq!(lab.phase("shop-1").await, Some(RunPhase::CommitPending));
    assert_eq!(lab.serving("busan"), MACHINES);
    let words = lab.words("shop-1").await;
    assert!(words.contains("the declaration changed"), "{words}");
    // Committed, they are protected there and then go where they are wanted.
    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    lab.until_phase("shop-3", RunPhase::CommitPending).await;
    assert_eq!(lab.serving("seoul"), MACHINES);
    lab.sound();
}
