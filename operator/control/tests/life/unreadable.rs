//! One object that cannot be read, of a kind that everything depends on: all others go on, and it says
//! itself what is wrong. The schema takes each of these, because a pattern cannot know.

use crate::lab::{Lab, Shop, shop};
use drover_api::{ProtectionGroup, RecoveryDrill, RecoveryPlan, ReplicationPolicy, RunPhase, Site};
use drover_simulator::Latency;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, Resource};

use serde_json::{Value, json};

const BROKEN: &str = r"
apiVersion: drover.dev/v1alpha1
kind: Site
metadata: { name: mars }
spec: { fabric: { simulator: {} }, timeZone: Mars/Olympus }
---
apiVersion: drover.dev/v1alpha1
kind: ReplicationPolicy
metadata: { name: endless, namespace: default }
spec: { replicator: { simulator: {} }, rpoThreshold: 4000d }
---
apiVersion: drover.dev/v1alpha1
kind: ProtectionGroup
metadata: { name: broken, namespace: default }
spec:
  sites: { primary: seoul, secondary: busan }
  policyRef: { name: gold }
  machines: [{ name: other-1, targetSettings: { secondary: { memory: 9Ei } } }]
---
apiVersion: drover.dev/v1alpha1
kind: RecoveryPlan
metadata: { name: broken, namespace: default }
spec:
  sites: { primary: seoul, secondary: busan }
  drills: { schedule: { cron: '0 0 31 2 *' } }
  groups: [{ name: data, protectionGroups: [data] }]
";

/// As the API holds it, whether it can be read or not.
async fn raw<K: Resource<DynamicType = ()>>(lab: &Lab, name: &str) -> Value {
    let object = api::<K>(lab).get(name).await.unwrap();
    serde_json::to_value(object).unwrap()
}

fn api<K: Resource<DynamicType = ()>>(lab: &Lab) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("drover.dev", "v1alpha1", &K::kind(&()));
    let resource = ApiResource::from_gvk_with_plural(&kind, &K::plural(&()));
    if K::kind(&()) == "Site" {
        Api::all_with(lab.client.clone(), &resource)
    } else {
        Api::namespaced_with(lab.client.clone(), "default", &resource)
    }
}

async fn change<K: Resource<DynamicType = ()>>(lab: &Lab, name: &str, patch: Value) {
    let patch = Patch::Merge(patch);
    api::<K>(lab)
        .patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let list = object["status"]["conditions"].as_array();
    let mut list = list.into_iter().flatten();
    list.find(|condition| condition["type"] == kind)
        .unwrap_or(&Value::Null)
}

async fn until_invalid<K: Resource<DynamicType = ()>>(lab: &mut Lab, name: &str, says: &str) {
    lab.until(&format!("{name} says that it is invalid"), async |lab| {
        let object = raw::<K>(lab, name).await;
        let stalled = condition(&object, "Stalled");
        let ready = condition(&object, "Ready");
        let words = stalled["message"].as_str().unwrap_or_default();
        stalled["reason"] == "Invalid"
            && ready["status"] == "False"
            && stalled["observedGeneration"] == object["metadata"]["generation"]
            && words.contains(says)
    })
    .await;
}

async fn invalid_events(lab: &Lab, kind: &str, name: &str) -> usize {
    let api: Api<Event> = Api::all(lab.client.clone());
    let events = api.list(&ListParams::default()).await.unwrap();
    let about = |event: &Event| {
        let regarding = event.regarding.clone().unwrap_or_default();
        regarding.name.as_deref() == Some(name)
            && regarding.kind.as_deref() == Some(kind)
            && event.reason.as_deref() == Some("Invalid")
    };
    events.iter().filter(|event| about(event)).count()
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_says_so_and_stops_nobody() {
    // SPEC: BI-1, KU-1
    let mut lab = Lab::new(Latency::Zero).await;
    lab.create(&Shop::read(BROKEN)).await;
    lab.protect(&shop()).await;
    until_invalid::<Site>(&mut lab, "mars", "spec.timeZone").await;
    until_invalid::<ReplicationPolicy>(&mut lab, "endless", "spec.rpoThreshold").await;
    until_invalid::<ProtectionGroup>(&mut lab, "broken", "memory").await;
    until_invalid::<RecoveryPlan>(&mut lab, "broken", "cron").await;

    // A process that begins with lists has no trouble either, and does not say it all again.
    lab.crash();
    lab.start();
    lab.set_active("secondary").await;
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    assert_eq!(
        invalid_events(&lab, "ReplicationPolicy", "endless").await,
        1
    );
    lab.sound();

    // Mended, it is as good as any other.
    let mended = json!({ "spec": { "rpoThreshold": "5m" } });
    change::<ReplicationPolicy>(&lab, "endless", mended).await;
    lab.until("the policy is ready", async |lab| {
        let object = raw::<ReplicationPolicy>(lab, "endless").await;
        condition(&object, "Ready")["status"] == "True" && condition(&object, "Stalled").is_null()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_read_and_cannot_be_any_more_undoes_nothing() {
    // SPEC: BI-1, BI-2
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop()).await;
    let drill = r"
apiVersion: drover.dev/v1alpha1
kind: RecoveryDrill
metadata: { name: rehearsal, namespace: default }
spec: { planRef: { name: shop }, ttl: 8h }
";
    lab.create(&Shop::read(drill)).await;
    lab.until_phase("shop-1", RunPhase::Standing).await;

    let site = json!({ "spec": { "timeZone": "Mars/Olympus" } });
    change::<Site>(&lab, "busan", site).await;
    until_invalid::<Site>(&mut lab, "busan", "timeZone").await;
    // An instant that no instant has, where the schema sees a date.
    let marks =
        json!({ "metadata": { "annotations": { "seen": "yes" } }, "spec": { "ttl": "4000d" } });
    let broken = api::<RecoveryDrill>(&lab)
        .patch("rehearsal", &PatchParams::default(), &Patch::Merge(marks))
        .await;
    if broken.is_ok() {
        until_invalid::<RecoveryDrill>(&mut lab, "rehearsal", "ttl").await;
    }
    tokio::time::sleep(std::time::Duration::from_mins(5)).await;
    assert_eq!(lab.phase("shop-1").await, Some(RunPhase::Standing));
    lab.sound();

    let site = json!({ "spec": { "timeZone": "Asia/Seoul" } });
    change::<Site>(&lab, "busan", site).await;
    lab.until("the site is ready", async |lab| {
        let object = raw::<Site>(lab, "busan").await;
        condition(&object, "Ready")["status"] == "True"
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_a_run_cannot_be_read_its_plan_begins_no_other() {
    // SPEC: BI-1, SA-4
    let mut lab = Lab::new(Latency::Zero).await;
    lab.protect(&shop()).await;
    // As a newer Drover might leave one behind.
    let run = r"
apiVersion: drover.dev/v1alpha1
kind: RecoveryRun
metadata: { name: shop-7, namespace: default }
spec:
  planRef: { name: shop }
  number: 7
  kind: PlannedFailover
  direction: ToSecondary
  sites: { primary: seoul, secondary: busan }
  epoch: 2
  digest: sha256:3f5a9c0e7b1d4f628a90c3e1d7b5f2a4968c0d1e3b5a7f9c2d4e6f8091a3b5c7
  machines: 3
  groups: [{ name: data, wave: 1, machines: 3 }]
  source: { stop: Attempt, stopTimeout: 4000d }
  recoveryPoint: { type: Latest }
  commit: { policy: Manual }
  limits: { stops: 1, starts: 1 }
";
    lab.create(&Shop::read(run)).await;
    lab.set_active("secondary").await;
    lab.until("the plan says why", async |lab| {
        let object = raw::<RecoveryPlan>(lab, "shop").await;
        let stalled = condition(&object, "Stalled");
        let words = stalled["message"].as_str().unwrap_or_default();
        words.contains("RecoveryRun default/shop-7 cannot be read: spec.source.stopTimeout")
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_mins(5)).await;
    assert!(lab.run("shop-1").await.is_none());
    assert!(
        api::<drover_api::RecoveryRun>(&lab)
            .get_opt("shop-8")
            .await
            .unwrap()
            .is_none()
    );

    let api = api::<drover_api::RecoveryRun>(&lab);
    api.delete("shop-7", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    lab.until_phase("shop-1", RunPhase::CommitPending).await;
    lab.sound();
}
