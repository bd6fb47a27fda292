//! Another recovery point, chosen while the machines run at the target.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::lab::{Lab, MACHINES, shop};
use drover_api::conditions::CRASH_CONSISTENT_ONLY;
use drover_api::{DecisionOutcome, MachineRun, RunPhase};
use drover_simulator::{Fault, Latency};
use jiff::Timestamp;
use kube::Api;
use serde_json::json;

/// The recovery points of a machine.
fn points(lab: &Lab, machine: &str) -> BTreeSet<String> {
    let link = lab
        .world
        .link(&"seoul".parse().unwrap(), &machine.parse().unwrap());
    let points = link.unwrap().points.into_iter();
    points.map(|point| point.name).collect()
}

/// The instants that the machines of a run were started from.
async fn started_from(lab: &Lab) -> Vec<Timestamp> {
    let parts: Api<MachineRun> = Api::namespaced(lab.client.clone(), "default");
    let list = parts.list(&kube::api::ListParams::default()).await.unwrap();
    let points = list.items.into_iter();
    points
        .filter_map(|part| Some(part.status?.point?.at))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn machines_are_rebuilt_from_another_point_and_no_point_goes_before_the_commit() {
    // SPEC: FO-4, FO-5, PR-7
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.pass(Duration::from_hours(3)).await;
    lab.emergency("typhoon-1", json!({})).await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    let before = MACHINES.map(|machine| points(&lab, machine));
    assert!(before.iter().all(|points| points.len() > 10));
    let lost = lab.run("shop-1").await.unwrap().status.unwrap().rpo;

    let earlier: Timestamp = "2026-03-02T10:30:00Z".parse().unwrap();
    let choice =
        json!({"action": "ChangePoint", "recoveryPoint": {"type": "Time", "time": earlier}});
    lab.say("shop-1", "earlier", choice).await;
    assert_eq!(lab.answer("earlier").await.0, DecisionOutcome::Accepted);
    lab.until_phase("shop-1", RunPhase::Rebuilding).await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert_eq!(lab.serving("busan"), MACHINES);
    let from = started_from(&lab).await;
    assert_eq!(from.len(), 3);
    assert!(from.iter().all(|at| *at <= earlier), "{from:?}");
    // Members of a consistency group go back to the same instant.
    assert_eq!(from[0], from[1]);
    let loses = lab.run("shop-1").await.unwrap().status.unwrap().rpo;
    let seconds = |loss: Option<drover_api::value::Duration>| loss.unwrap().as_secs();
    assert!(seconds(loses) > seconds(lost) + 3600);
    // Retention is paused too: nothing went, however long it takes.
    lab.pass(Duration::from_hours(25)).await;
    for (machine, before) in MACHINES.iter().zip(&before) {
        assert!(points(&lab, machine).is_superset(before), "{machine}");
    }

    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-1", RunPhase::Committed).await;
    for (machine, before) in MACHINES.iter().zip(&before) {
        assert!(points(&lab, machine).is_disjoint(before), "{machine}");
    }
    lab.say(
        "shop-1",
        "too-late",
        json!({
            "action": "ChangePoint", "recoveryPoint": {"type": "Latest"},
        }),
    )
    .await;
    let (outcome, why) = lab.answer("too-late").await;
    assert_eq!(outcome, DecisionOutcome::Refused);
    assert!(why.contains("while a run is commit pending"), "{why}");
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_planned_failover_has_no_other_point() {
    // SPEC: FO-2, FO-5
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop()).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    let choice = json!({"action": "ChangePoint", "recoveryPoint": {"type": "LatestAppConsistent"}});
    lab.say("shop-1", "earlier", choice).await;
    let (outcome, why) = lab.answer("earlier").await;
    assert_eq!(outcome, DecisionOutcome::Refused);
    assert!(why.contains("loses nothing"), "{why}");
    assert_eq!(lab.phase("shop-1").await, Some(RunPhase::CommitPending));
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_guest_whose_agent_is_silent_is_told_of_and_no_longer_when_it_answers() {
    // SPEC: PR-6
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    let (site, machine) = (|| "seoul".parse().unwrap(), || "web-1".parse().unwrap());
    lab.pass(Duration::from_hours(3)).await;
    assert_eq!(crash_consistent(&lab).await, Vec::<String>::new());
    lab.world.inject(&Fault::SilenceAgent {
        site: site(),
        machine: machine(),
    });
    lab.pass(Duration::from_hours(2)).await;
    assert_eq!(crash_consistent(&lab).await, ["web-1"]);
    lab.world.inject(&Fault::WakeAgent {
        site: site(),
        machine: machine(),
    });
    lab.pass(Duration::from_hours(2)).await;
    assert_eq!(crash_consistent(&lab).await, Vec::<String>::new());
}

/// The machines of which it is said that their points are only consistent as after a crash.
async fn crash_consistent(lab: &Lab) -> Vec<String> {
    let machines = lab.machines().await.into_iter();
    let told = machines.filter(|machine| {
        let status = machine.status.as_ref();
        let mut conditions = status.iter().flat_map(|status| &status.conditions);
        conditions.any(|condition| condition.type_ == CRASH_CONSISTENT_ONLY)
    });
    told.map(|machine| machine.spec.machine.to_string())
        .collect()
}
