//! Drills by the schedule of a plan: each instant makes one, whatever happens to the operator.

use std::sync::Arc;
use std::time::Duration;

use crate::lab::faults::{EVERY_FAULT, Fault, Faults};
use crate::lab::shop as the_shop;
use crate::lab::{Lab, Shop};
use drover_api::common::RunKind;
use drover_api::{
    ActualSite, DrillPhase, DrillResult, MachinePhase, RecoveryDrill, RecoveryPlan, RecoveryRun,
    RunPhase, Site,
};
use drover_simulator::Latency;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

const FIRST: &str = "shop-20260302-1000";
const SECOND: &str = "shop-20260302-1100";

/// The shop, with a drill at each full hour that stands for twenty minutes. It is nine o'clock.
fn shop() -> Shop {
    every("0 * * * *")
}

fn every(cron: &str) -> Shop {
    the_shop().plan(&json!({"drills": {"schedule": {"cron": cron}, "ttl": "20m"}}))
}

async fn protected_shop(faults: Arc<Faults>) -> Lab {
    protected(&shop(), faults).await
}

async fn protected(manifests: &Shop, faults: Arc<Faults>) -> Lab {
    let mut lab = Lab::with(Latency::Realistic, faults).await;
    lab.create(manifests).await;
    lab.until("all protected at the primary site", async |lab| {
        let machines = lab.machines().await;
        let protected = |machine: &drover_api::ProtectedMachine| {
            let status = machine.status.as_ref();
            status.is_some_and(|status| status.phase == MachinePhase::Protected)
        };
        let status = lab.plan().await.status.unwrap_or_default();
        machines.len() == 3
            && machines.iter().all(protected)
            && status.active_site == Some(ActualSite::Primary)
    })
    .await;
    lab
}

async fn drills(lab: &Lab) -> Vec<RecoveryDrill> {
    let api: Api<RecoveryDrill> = Api::namespaced(lab.client.clone(), "default");
    api.list(&ListParams::default()).await.unwrap().items
}

async fn names(lab: &Lab) -> Vec<String> {
    let drills = drills(lab).await;
    drills.iter().map(ResourceExt::name_any).collect()
}

async fn rehearsals(lab: &Lab) -> usize {
    let api: Api<RecoveryRun> = Api::namespaced(lab.client.clone(), "default");
    let runs = api.list(&ListParams::default()).await.unwrap().items;
    let rehearsals = runs
        .iter()
        .filter(|run| run.spec.kind == RunKind::TestFailover);
    rehearsals.count()
}

fn phase(drill: &RecoveryDrill) -> Option<DrillPhase> {
    Some(drill.status.as_ref()?.phase)
}

/// Sleeps, on virtual time, until this time of the day.
async fn until(lab: &Lab, time: &str) {
    let at: jiff::Timestamp = format!("2026-03-02T{time}Z").parse().unwrap();
    tokio::time::sleep_until(lab.clock.instant_of(at)).await;
}

/// What the plan says of its schedule.
async fn said(lab: &Lab) -> String {
    let status = lab.plan().await.status.unwrap_or_default();
    let mut conditions = status.conditions.into_iter();
    let said = conditions.find(|condition| condition.type_ == "DrillScheduled");
    said.map_or_else(String::new, |said| {
        format!("{} {}: {}", said.status, said.reason, said.message)
    })
}

async fn patch_drills(lab: &Lab, drills: serde_json::Value) {
    let plans: Api<RecoveryPlan> = Api::namespaced(lab.client.clone(), "default");
    let patch = Patch::Merge(json!({"spec": {"drills": drills}}));
    plans
        .patch("shop", &PatchParams::default(), &patch)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_schedule_fires_and_its_drills_stand_and_go() {
    // SPEC: FO-1, RD-1, RD-5
    let lab = protected_shop(Arc::default()).await;
    assert_eq!(
        said(&lab).await,
        "True Scheduled: the next drill is due at 2026-03-02T10:00:00+00:00[UTC]"
    );
    until(&lab, "09:59:59").await;
    assert_eq!(names(&lab).await, [""; 0]);

    until(&lab, "10:05:00").await;
    let first = &drills(&lab).await[0];
    assert_eq!(first.name_any(), FIRST);
    assert_eq!(phase(first), Some(DrillPhase::Standing));
    assert_eq!(first.spec.ttl, "20m".parse().unwrap());
    let owner = &first.owner_references()[0];
    assert_eq!(
        (&*owner.kind, &*owner.name, owner.controller),
        ("RecoveryPlan", "shop", Some(true))
    );
    assert_eq!(first.labels().len(), 0);
    let due = "2026-03-02T10:00:00Z";
    assert_eq!(first.annotations()["drover.dev/scheduled-for"], due);
    let status = lab.plan().await.status.unwrap();
    assert_eq!(status.last_scheduled_drill, Some(due.parse().unwrap()));
    assert!(status.last_green_drill.is_some());
    lab.sound();

    // At its TTL the machines go and the object stays.
    until(&lab, "10:25:00").await;
    let first = &drills(&lab).await[0];
    assert_eq!(phase(first), Some(DrillPhase::CleanedUp));
    let result = first.status.as_ref().unwrap().result;
    assert_eq!(result, Some(DrillResult::Passed));

    until(&lab, "11:05:00").await;
    assert_eq!(names(&lab).await, [FIRST, SECOND]);
    assert_eq!(phase(&drills(&lab).await[1]), Some(DrillPhase::Standing));
    assert_eq!(rehearsals(&lab).await, 2);
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_comes_back_makes_no_second_drill() {
    // SPEC: FO-7
    let mut lab = protected_shop(Arc::default()).await;
    until(&lab, "10:05:00").await;
    lab.crash();
    tokio::time::sleep(Duration::from_mins(1)).await;
    lab.start();
    until(&lab, "10:55:00").await;
    assert_eq!(names(&lab).await, [FIRST]);
    assert_eq!(rehearsals(&lab).await, 1);
    // Nor does one that was away over the drill's end, or a person who throws the drill away.
    let api: Api<RecoveryDrill> = Api::namespaced(lab.client.clone(), "default");
    api.delete(FIRST, &kube::api::DeleteParams::default())
        .await
        .unwrap();
    until(&lab, "10:58:00").await;
    assert_eq!(names(&lab).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_around_its_creation_there_is_one_drill() {
    // SPEC: FO-7, BI-2
    async fn live(planned: Vec<(String, Fault)>) -> Vec<String> {
        let what = format!("{planned:?}");
        let faults = Faults::planned(planned);
        let soon = every("5 9 * * *");
        let mut lab = protected(&soon, Arc::clone(&faults)).await;
        until(&lab, "09:04:50").await;
        faults.record(true);
        lab.until(&what, async |lab| {
            let drills = drills(lab).await;
            drills.first().and_then(phase) > Some(DrillPhase::Pending)
        })
        .await;
        faults.record(false);
        until(&lab, "09:15:00").await;
        assert_eq!(names(&lab).await, ["shop-20260302-0905"], "{what}");
        assert_eq!(rehearsals(&lab).await, 1, "{what}");
        lab.sound();
        faults.points()
    }
    let about = |point: &&String| {
        let write = !point.starts_with("GET") && !point.starts_with("WATCH");
        write && (point.contains("recoveryplans") || point.contains("recoverydrills"))
    };
    let points = live(vec![]).await;
    let points: Vec<&String> = points.iter().filter(about).collect();
    assert!(
        points.contains(&&"POST recoverydrills shop-20260302-0905 #1".to_owned()),
        "{points:?}"
    );
    for point in points {
        for fault in EVERY_FAULT {
            live(vec![(point.clone(), fault)]).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_is_made_up_for_once_and_not_too_late() {
    // SPEC: FO-7, SA-10
    let mut lab = protected_shop(Arc::default()).await;
    lab.crash();
    until(&lab, "12:40:00").await;
    lab.start();
    until(&lab, "12:50:00").await;
    assert_eq!(names(&lab).await, ["shop-20260302-1200"]);
    until(&lab, "12:58:00").await;
    patch_drills(&lab, json!({"startingDeadline": "10m"})).await;
    lab.crash();
    until(&lab, "13:30:00").await;
    lab.start();
    until(&lab, "13:40:00").await;
    assert_eq!(names(&lab).await, ["shop-20260302-1200"]);
    assert_eq!(
        said(&lab).await,
        "True Missed: the drill of 2026-03-02T13:00:00+00:00[UTC] was missed: it did not begin before \
         its starting deadline; the next one is due at 2026-03-02T14:00:00+00:00[UTC]"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drill_waits_for_the_end_of_a_maintenance() {
    // SPEC: SA-10
    let lab = protected_shop(Arc::default()).await;
    let sites: Api<Site> = Api::all(lab.client.clone());
    let maintain = async |maintenance: serde_json::Value| {
        let patch = Patch::Merge(json!({"spec": {"maintenance": maintenance}}));
        let params = PatchParams::default();
        sites.patch("busan", &params, &patch).await.unwrap();
    };
    maintain(json!({"reason": "new switches"})).await;
    until(&lab, "10:20:00").await;
    assert_eq!(
        said(&lab).await,
        "False Held: the drill of 2026-03-02T10:00:00+00:00[UTC] waits: site busan is under \
         maintenance: new switches; after 2026-03-02T11:00:00+00:00[UTC] it counts as missed"
    );
    assert_eq!(names(&lab).await, [""; 0]);
    maintain(json!(null)).await;
    until(&lab, "10:25:00").await;
    assert_eq!(names(&lab).await, [FIRST]);
}

#[tokio::test(start_paused = true)]
async fn a_drill_waits_for_the_end_of_a_run() {
    // SPEC: FO-1, PL-8
    let mut lab = protected_shop(Arc::default()).await;
    until(&lab, "09:59:00").await;
    lab.set_active("secondary").await;
    until(&lab, "10:20:00").await;
    assert_eq!(lab.phase("shop-1").await, Some(RunPhase::CommitPending));
    assert!(said(&lab).await.contains("waits: run shop-1 is under way"));
    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    // Then it rehearses the way back.
    until(&lab, "10:40:00").await;
    assert_eq!(names(&lab).await, [FIRST]);
    assert_eq!(phase(&drills(&lab).await[0]), Some(DrillPhase::Standing));
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_rests_makes_none_and_a_new_one_looks_ahead() {
    // SPEC: SA-10, SA-11
    let lab = protected_shop(Arc::default()).await;
    patch_drills(&lab, json!({"suspend": true})).await;
    until(&lab, "10:30:00").await;
    assert_eq!(
        said(&lab).await,
        "False Suspended: the plan or its schedule is suspended: no drill is made"
    );
    // Another schedule, whose instant was ten minutes ago, makes up for nothing.
    let schedule = json!({"schedule": {"cron": "20 * * * *"}, "suspend": false});
    patch_drills(&lab, schedule).await;
    until(&lab, "11:15:00").await;
    assert_eq!(names(&lab).await, [""; 0]);
    until(&lab, "11:25:00").await;
    assert_eq!(names(&lab).await, ["shop-20260302-1120"]);
    patch_drills(&lab, json!(null)).await;
    until(&lab, "11:30:00").await;
    assert_eq!(said(&lab).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_lost_store_starts_no_drill() {
    // SPEC: SA-11
    let mut lab = protected_shop(Arc::default()).await;
    until(&lab, "10:50:00").await;
    lab.lose_store().await;
    lab.create(&shop()).await;
    until(&lab, "10:59:00").await;
    assert_eq!(names(&lab).await, [""; 0]);
    until(&lab, "11:05:00").await;
    assert_eq!(names(&lab).await, [SECOND]);
}
