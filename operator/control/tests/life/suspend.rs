//! Left alone, and looked at now, because an annotation says so.

use std::time::Duration;

use drover_api::conditions::Condition;
use drover_api::{MachinePhase, ProtectionGroup, RunPhase, Site};
use drover_simulator::{Fault, Latency};
use kube::Api;
use serde_json::json;

use crate::lab::{Lab, MACHINES, Shop, shop};

const SUSPEND: &str = "drover.dev/suspend";
const NOW: &str = "drover.dev/reconcile-now";

fn is_true(conditions: &[Condition], kind: &str) -> bool {
    let mut conditions = conditions.iter();
    conditions.any(|condition| condition.type_ == kind && condition.status == "True")
}

async fn plan_is(lab: &Lab, kind: &str) -> bool {
    let status = lab.plan().await.status;
    status.is_some_and(|status| is_true(&status.conditions, kind))
}

async fn group(lab: &Lab, name: &str) -> ProtectionGroup {
    let api: Api<ProtectionGroup> = Api::namespaced(lab.client.clone(), "default");
    api.get(name).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn nothing_begins_while_a_plan_is_suspended_and_it_does_afterwards() {
    // SPEC: KU-2, PL-8, SA-10
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.annotate("RecoveryPlan", "shop", json!({SUSPEND: "true"}))
        .await;
    lab.until("it is suspended", async |lab| {
        plan_is(lab, "Suspended").await
    })
    .await;
    assert!(!plan_is(&lab, "Drifted").await);
    lab.set_active("secondary").await;
    lab.holds("suspended: 3 machines would go to the secondary site")
        .await;
    assert!(
        plan_is(&lab, "Ready").await,
        "a person's word is awaited, and nothing is wrong"
    );
    assert_eq!(lab.runs().await.len(), 0);
    assert_eq!(lab.serving("seoul"), MACHINES);

    lab.annotate("RecoveryPlan", "shop", json!({SUSPEND: null}))
        .await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert!(!plan_is(&lab, "Suspended").await);
    assert_eq!(lab.serving("busan"), MACHINES);
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_under_way_goes_on_and_what_follows_it_waits() {
    // SPEC: KU-2, FO-9
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::Leaving).await;
    lab.annotate(
        "RecoveryPlan",
        "shop",
        json!({SUSPEND: "until the audit is over"}),
    )
    .await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.decide("shop-1", "Commit").await;
    lab.until_phase("shop-1", RunPhase::Committed).await;
    lab.holds("suspended: nothing replicates").await;
    assert_eq!(lab.runs().await.len(), 1);
    lab.annotate("RecoveryPlan", "shop", json!({SUSPEND: "false"}))
        .await;
    lab.until_phase("shop-2", RunPhase::Protected).await;
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_drill_waits_while_its_plan_is_suspended() {
    // SPEC: KU-2, FO-1
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.annotate("RecoveryPlan", "shop", json!({SUSPEND: "true"}))
        .await;
    let spec = json!({"planRef": {"name": "shop"}});
    lab.create(&Shop::default().with("RecoveryDrill", "practice", spec))
        .await;
    lab.until("it says why it waits", async |lab| {
        let status = lab.practice().await.and_then(|drill| drill.status);
        let conditions = status.unwrap_or_default().conditions;
        let mut messages = conditions.iter().map(|condition| &condition.message);
        messages.any(|message| message.contains("its plan is suspended"))
    })
    .await;
    lab.pass(Duration::from_mins(5)).await;
    assert_eq!(lab.runs().await.len(), 0);
    lab.annotate("RecoveryPlan", "shop", json!({SUSPEND: null}))
        .await;
    lab.until_phase("shop-1", RunPhase::Standing).await;
}

#[tokio::test(start_paused = true)]
async fn a_suspended_group_takes_up_and_lets_go_of_nobody() {
    // SPEC: KU-2, PR-10
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    lab.annotate("ProtectionGroup", "data", json!({SUSPEND: "true"}))
        .await;
    let groups: Api<ProtectionGroup> = Api::namespaced(lab.client.clone(), "default");
    let members = json!({"spec": {"machines": [{"name": "db-1"}, {"name": "db-3"}]}});
    let patch = kube::api::Patch::Merge(members);
    groups
        .patch("data", &kube::api::PatchParams::default(), &patch)
        .await
        .unwrap();
    lab.pass(Duration::from_mins(5)).await;
    let status = group(&lab, "data").await.status.unwrap();
    assert!(is_true(&status.conditions, "Suspended"));
    let left: Vec<&str> = status
        .no_longer_matching
        .iter()
        .map(drover_api::value::MachineName::as_str)
        .collect();
    assert_eq!(left, ["db-2"]);
    let names = async |lab: &Lab| {
        let machines = lab.machines().await;
        let mut names: Vec<_> = machines
            .iter()
            .map(|one| one.spec.machine.to_string())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&lab).await, MACHINES);
    lab.annotate("ProtectionGroup", "data", json!({SUSPEND: null}))
        .await;
    lab.until("the group is as declared", async |lab| {
        names(lab).await == ["db-1", "db-3", "web-1"]
    })
    .await;
}

/// What the machines say of themselves.
async fn said(lab: &Lab) -> String {
    let machines = lab.machines().await;
    let status = machines.into_iter().filter_map(|machine| machine.status);
    let conditions = status.flat_map(|status| status.conditions);
    let messages: Vec<_> = conditions.map(|condition| condition.message).collect();
    messages.join("\n")
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_asked_for_at_once_when_a_person_says_so() {
    // SPEC: KU-2, PR-5
    let mut lab = Lab::new(Latency::Realistic).await;
    let [one, other] = ["seoul", "busan"].map(|site| site.parse().unwrap());
    lab.world.inject(&Fault::CutLink {
        one,
        other,
        silent: false,
    });
    // Long enough for pauses to have grown to the longest.
    let retry = json!({"retry": {"pauses": ["1s"], "thenEvery": "1h"}});
    lab.create(&shop().but("ReplicationPolicy", "gold", &retry))
        .await;
    lab.until("it waits", async |lab| {
        said(lab).await.contains("it is tried again")
    })
    .await;
    lab.pass(Duration::from_mins(5)).await;
    let [one, other] = ["seoul", "busan"].map(|site| site.parse().unwrap());
    lab.world.inject(&Fault::HealLink { one, other });
    lab.pass(Duration::from_mins(5)).await;
    assert!(
        said(&lab).await.contains("it is tried again"),
        "{}",
        said(&lab).await
    );

    let asked = tokio::time::Instant::now();
    for name in ["data", "web"] {
        lab.annotate("ProtectionGroup", name, json!({NOW: "10:15"}))
            .await;
    }
    lab.until_all(MachinePhase::Protected).await;
    assert!(
        asked.elapsed() < Duration::from_mins(30),
        "{:?}",
        asked.elapsed()
    );
    let status = group(&lab, "data").await.status.unwrap();
    assert_eq!(status.last_handled_reconcile.as_deref(), Some("10:15"));
}

#[tokio::test(start_paused = true)]
async fn what_credentials_kept_from_being_done_is_done_with_new_ones() {
    // SPEC: KU-2, PR-5
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.create(&shop()).await;
    let busan = || "busan".parse().unwrap();
    lab.until_all(MachinePhase::InitialReplication).await;
    lab.world
        .inject(&Fault::ExpireCredentials { site: busan() });
    lab.until_all(MachinePhase::Failed).await;
    lab.world.inject(&Fault::RenewCredentials { site: busan() });
    lab.pass(Duration::from_mins(30)).await;
    assert!(said(&lab).await.contains("refuses the credentials"));
    lab.annotate("Site", "busan", json!({NOW: "now"})).await;
    lab.until_all(MachinePhase::Protected).await;
    lab.sound();
}

#[tokio::test(start_paused = true)]
async fn a_site_is_opened_anew_when_a_person_says_so() {
    // SPEC: KU-2, PR-11
    let mut lab = Lab::new(Latency::Realistic).await;
    lab.protect(&shop()).await;
    let before = lab.faults.opened();
    lab.annotate("Site", "busan", json!({NOW: "10:15"})).await;
    lab.annotate("RecoveryPlan", "shop", json!({NOW: "10:16"}))
        .await;
    let sites: Api<Site> = Api::all(lab.client.clone());
    lab.until("it was answered", async |lab| {
        let site = sites.get("busan").await.unwrap().status.unwrap();
        let plan = lab.plan().await.status.unwrap();
        site.last_handled_reconcile.as_deref() == Some("10:15")
            && plan.last_handled_reconcile.as_deref() == Some("10:16")
    })
    .await;
    lab.until("the site and its pair are opened anew", async |lab| {
        let now = lab.faults.opened();
        let more: Vec<_> = now
            .into_iter()
            .map(|(what, times)| {
                let former = before.get(&what).copied().unwrap_or_default();
                (what, times - former)
            })
            .collect();
        more == [
            ("busan".to_owned(), 1),
            ("seoul".to_owned(), 0),
            ("seoul to busan".to_owned(), 1),
        ]
    })
    .await;
    // What was opened anew works.
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.sound();
}
