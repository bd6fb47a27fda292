//! What must hold before a run does anything: each guard says what would release it, and releases it once.

use std::time::Duration;

use crate::lab::{Lab, MACHINES, shop};
use drover_api::{DecisionOutcome, RunPhase};
use drover_simulator::Latency;
use serde_json::json;

/// It ran, and only once.
async fn released(lab: &mut Lab, run: &str) {
    lab.until_phase(run, RunPhase::CommitPending).await;
    assert_eq!(lab.serving("busan"), MACHINES);
    lab.pass(Duration::from_mins(20)).await;
    assert_eq!(lab.phase(run).await, Some(RunPhase::CommitPending));
    assert_eq!(lab.drift().await, "");
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn two_different_people_approve_a_run() {
    // SPEC: PL-10, PL-8
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop().plan(&json!({"guards": {"approvals": 2}})))
        .await;
    lab.set_active("secondary").await;
    lab.until("it waits for two", async |lab| {
        let words = lab.words("shop-1").await;
        words.contains("2 more people must approve the run") && words.contains("decides Approve")
    })
    .await;
    let approve = |by: &str| json!({"action": "Approve", "by": by});
    lab.say("shop-1", "kim", approve("kim")).await;
    assert_eq!(lab.answer("kim").await.0, DecisionOutcome::Accepted);
    let refused = [
        ("again", approve("kim"), "the same person"),
        (
            "stale",
            json!({"action": "Approve", "by": "lee", "digest": format!("sha256:{:064}", 7)}),
            "another digest",
        ),
        (
            "of-another",
            json!({"action": "Approve", "by": "lee", "runRef": {"name": "shop-1", "uid": "7"}}),
            "an earlier run of this name",
        ),
        (
            "no-such-step",
            json!({"action": "Approve", "by": "lee", "step": {"group": "web", "action": "go"}}),
            "no such step",
        ),
    ];
    for (name, decision, reason) in refused {
        lab.say("shop-1", name, decision).await;
        let (outcome, why) = lab.answer(name).await;
        assert_eq!(outcome, DecisionOutcome::Refused, "{name}");
        assert!(why.contains(reason), "{name}: {why}");
    }
    lab.pass(Duration::from_mins(20)).await;
    assert_eq!(lab.phase("shop-1").await, Some(RunPhase::Pending));
    assert_eq!(lab.serving("seoul"), MACHINES);
    let words = lab.words("shop-1").await;
    assert!(words.contains("1 more people"), "{words}");

    lab.say("shop-1", "lee", approve("lee")).await;
    released(&mut lab, "shop-1").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_reviewed_does_not_run() {
    // SPEC: RD-3, SA-4
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop()).await;
    let other = format!("sha256:{:064}", 7);
    lab.change_plan(json!({"activeSite": "secondary", "guards": {"planDigest": other}}))
        .await;
    lab.holds("would not be the one that was reviewed").await;
    assert!(lab.runs().await.is_empty());
    // It says which it would be, so that somebody can look at that one.
    let drift = lab.drift().await;
    let digest = drift.split(' ').find(|word| word.starts_with("sha256:"));
    let digest = digest.expect("a digest").trim_end_matches([',', ';', ':']);
    lab.change_plan(json!({"guards": {"planDigest": digest}}))
        .await;
    released(&mut lab, "shop-1").await;
    assert_eq!(lab.run("shop-1").await.unwrap().spec.digest, digest);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_window_ends_by_itself() {
    // SPEC: SA-10
    let mut lab = Lab::new(Latency::Zero).await;
    let frozen = json!({"freezeWindows": [{"start": "08:00", "end": "11:00"}]});
    lab.protect(&shop().plan(&json!({"guards": frozen}))).await;
    lab.set_active("secondary").await;
    lab.holds("frozen from 08:00 to 11:00").await;
    assert!(lab.runs().await.is_empty());
    lab.pass(Duration::from_hours(2)).await;
    released(&mut lab, "shop-1").await;
}

#[tokio::test(start_paused = true)]
async fn a_freeze_window_does_not_hold_an_emergency() {
    // SPEC: PL-9
    let mut lab = Lab::new(Latency::Zero).await;
    let frozen = json!({"freezeWindows": [{"start": "08:00", "end": "11:00"}]});
    lab.protect(&shop().plan(&json!({"guards": frozen}))).await;
    lab.emergency("typhoon-1", json!({})).await;
    released(&mut lab, "shop-1").await;
}

#[tokio::test(start_paused = true)]
async fn a_green_drill_releases_what_waits_for_one() {
    // SPEC: RD-1, FO-1
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop().plan(&json!({"guards": {"drillNotOlderThan": "1d"}})))
        .await;
    lab.set_active("secondary").await;
    lab.holds("there was no green drill yet").await;
    lab.rehearse(json!({"planRef": {"name": "shop"}})).await;
    // A planned failover waits for what stands of it.
    lab.holds("drill practice stands").await;
    lab.end_rehearsal().await;
    released(&mut lab, "shop-2").await;
}

#[tokio::test(start_paused = true)]
async fn a_loss_beyond_what_is_allowed_is_accepted_by_name() {
    // SPEC: FO-4, SA-8
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.pass(Duration::from_mins(10)).await;
    lab.world.lose_site(&"seoul".parse().unwrap());
    lab.pass(Duration::from_mins(10)).await;
    lab.emergency("typhoon-1", json!({"maxDataLoss": "10s"}))
        .await;
    lab.until("it holds", async |lab| {
        let words = lab.words("shop-1").await;
        words.contains("s would be lost, 10 s are allowed") && words.contains("AcceptDataLoss")
    })
    .await;
    lab.pass(Duration::from_hours(1)).await;
    assert_eq!(lab.phase("shop-1").await, Some(RunPhase::Leaving));
    assert_eq!(lab.serving("busan"), [""; 0]);
    lab.decide("shop-1", "AcceptDataLoss").await;
    released(&mut lab, "shop-1").await;
    let status = lab.run("shop-1").await.unwrap().status.unwrap();
    assert!(status.record.accepted.data_loss);
    assert!(status.rpo.unwrap().as_secs() > 10);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_used_up_by_its_id_and_refused_after_it_expires() {
    // SPEC: PL-8, PL-9
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop()).await;
    lab.emergency("typhoon-1", json!({"expires": "2026-03-02T08:00:00Z"}))
        .await;
    lab.holds("request typhoon-1 has expired").await;
    assert!(lab.runs().await.is_empty());
    lab.emergency("typhoon-2", json!({})).await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.decide("shop-1", "AcceptDiscard").await;
    lab.decide("shop-1", "Cancel").await;
    lab.until_phase("shop-1", RunPhase::Cancelled).await;
    lab.holds("run shop-1 served this intent").await;
    // Taking away what was used up asks for nothing.
    lab.change_plan(json!({"request": null})).await;
    lab.holds("run shop-1 served this intent").await;
    lab.emergency("typhoon-2", json!({})).await;
    lab.holds("run shop-1 served this intent").await;
    assert_eq!(lab.runs().await.len(), 1);
    lab.emergency("typhoon-3", json!({})).await;
    released(&mut lab, "shop-2").await;
}

#[tokio::test(start_paused = true)]
async fn the_maintenance_of_a_site_holds_what_is_automatic() {
    // SPEC: SA-10
    let mut lab = Lab::new(Latency::Zero).await;
    let works = json!({"maintenance": {"reason": "new switches", "until": "2026-03-02T12:00:00Z"}});
    lab.protect(&shop().but("Site", "busan", &works)).await;
    lab.set_active("secondary").await;
    lab.holds("site busan is under maintenance: new switches")
        .await;
    assert!(lab.runs().await.is_empty());
    lab.pass(Duration::from_hours(3)).await;
    released(&mut lab, "shop-1").await;
}
