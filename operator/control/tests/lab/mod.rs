//! A laboratory in one process, on virtual time: an embedded API in memory, a simulated world, and an
//! operator.

#![cfg(test)]
#![allow(dead_code)] // Each test uses what it needs.

pub mod faults;

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use drover_api::{KINDS, ProtectedMachine, RecoveryPlan, RecoveryRun, RunDecision, RunPhase};
use drover_control::{Operator, Settings};
use drover_embedded::Options;
use drover_fabric::{Clock, Registry};
use drover_simulator::{Latency, Simulation};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, Client};
use serde_json::json;
use tokio::task::JoinHandle;

use faults::{Faults, FaultyApi, FaultyDriver};

pub struct Lab {
    pub clock: Clock,
    pub world: Arc<Simulation>,
    pub api: drover_embedded::Api,
    /// Of somebody to whom nothing goes wrong.
    pub client: Client,
    pub faults: Arc<Faults>,
    operator: Option<JoinHandle<()>>,
    second: Option<JoinHandle<()>>,
}

pub const START: &str = "2026-03-02T09:00:00Z";

impl Lab {
    pub async fn new(latency: Latency) -> Self {
        Self::with(latency, Arc::default()).await
    }

    pub async fn with(latency: Latency, faults: Arc<Faults>) -> Self {
        let clock = Clock::starting_at(START.parse().unwrap());
        let mut options = drover_simulator::Options::new(clock);
        options.latency = latency;
        let world = Simulation::new(options);
        let api = open(clock).await;
        let client = api.client("default");
        let mut lab = Self {
            clock,
            world,
            api,
            client,
            faults,
            operator: None,
            second: None,
        };
        lab.start();
        lab
    }

    pub fn start(&mut self) {
        self.faults.revive();
        let faults = Arc::clone(&self.faults);
        self.operator = Some(self.operate("one", faults));
    }

    /// A second operator, to whom nothing goes wrong.
    pub fn start_second(&mut self) {
        self.second = Some(self.operate("two", Arc::default()));
    }

    fn operate(&self, identity: &str, faults: Arc<Faults>) -> JoinHandle<()> {
        let settings = Settings {
            identity: identity.into(),
            ..Settings::default()
        };
        let api = FaultyApi {
            inner: self.api.service(),
            faults: Arc::clone(&faults),
            world: Arc::clone(&self.world),
            read: Arc::default(),
        };
        let driver = FaultyDriver {
            world: Arc::clone(&self.world),
            faults,
        };
        let registry = Registry::default().with("simulator", Arc::new(driver));
        let client = Client::new(api, "default");
        let operator = Operator::new(client, self.clock, registry, settings);
        tokio::spawn(async move {
            loop {
                operator.run(std::future::pending()).await;
            }
        })
    }

    /// The store is lost altogether: an empty one takes its place.
    pub async fn lose_store(&mut self) {
        self.crash();
        self.api = open(self.clock).await;
        self.client = self.api.client("default");
        self.start();
    }

    /// Ends the operator as a crash does.
    pub fn crash(&mut self) {
        if let Some(operator) = self.operator.take() {
            operator.abort();
        }
    }

    /// Creates everything in a text of manifests.
    pub async fn create(&self, text: &str) {
        for document in text.split("\n---\n") {
            let value: serde_json::Value = serde_yaml::from_str(document).unwrap();
            let object: DynamicObject = serde_json::from_value(value).unwrap();
            self.api_of(&object)
                .create(&PostParams::default(), &object)
                .await
                .unwrap();
        }
    }

    fn api_of(&self, object: &DynamicObject) -> Api<DynamicObject> {
        let types = object.types.as_ref().unwrap();
        let kind = KINDS.iter().find(|kind| kind.kind == types.kind).unwrap();
        let gvk = GroupVersionKind::gvk("drover.dev", "v1alpha1", kind.kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural);
        if kind.namespaced {
            Api::namespaced_with(self.client.clone(), "default", &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        }
    }

    pub async fn set_active(&self, site: &str) {
        let api: Api<RecoveryPlan> = Api::namespaced(self.client.clone(), "default");
        let patch = Patch::Merge(json!({"spec": {"activeSite": site}}));
        api.patch("shop", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub async fn plan(&self) -> RecoveryPlan {
        Api::namespaced(self.client.clone(), "default")
            .get("shop")
            .await
            .unwrap()
    }

    pub async fn run(&self, name: &str) -> Option<RecoveryRun> {
        Api::namespaced(self.client.clone(), "default")
            .get_opt(name)
            .await
            .unwrap()
    }

    pub async fn machines(&self) -> Vec<ProtectedMachine> {
        let api: Api<ProtectedMachine> = Api::namespaced(self.client.clone(), "default");
        api.list(&kube::api::ListParams::default())
            .await
            .unwrap()
            .items
    }

    pub async fn decide(&self, run: &str, action: &str) {
        let run = self.run(run).await.unwrap();
        let name = run.metadata.name.unwrap();
        let decision: RunDecision = serde_json::from_value(json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": "RunDecision",
            "metadata": {"name": format!("{name}-{}", action.to_lowercase())},
            "spec": {
                "runRef": {"name": name, "uid": run.metadata.uid},
                "action": action,
                "digest": run.spec.digest,
                "by": "operator-on-duty",
            },
        }))
        .unwrap();
        let api: Api<RunDecision> = Api::namespaced(self.client.clone(), "default");
        api.create(&PostParams::default(), &decision).await.unwrap();
    }

    /// Waits, on virtual time, until something is so. An operator that crashed is started again.
    pub async fn until(&mut self, what: &str, mut so: impl AsyncFnMut(&Self) -> bool) {
        for _ in 0..3_000 {
            if so(self).await {
                return;
            }
            let faults = Arc::clone(&self.faults);
            tokio::select! {
                biased;
                () = faults.crash.notified() => {
                    self.crash();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    self.start();
                }
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
        panic!("{what}: not so after a long time\n{}", self.picture().await);
    }

    pub async fn phase(&self, run: &str) -> Option<RunPhase> {
        Some(self.run(run).await?.status?.record.phase)
    }

    pub async fn until_phase(&mut self, run: &str, phase: RunPhase) {
        let what = format!("{run} {phase:?}");
        self.until(&what, async |lab| lab.phase(run).await == Some(phase))
            .await;
    }

    /// Everything, for a person who looks at a failure.
    pub async fn picture(&self) -> String {
        let mut text = String::new();
        for kind in KINDS {
            let gvk = GroupVersionKind::gvk("drover.dev", "v1alpha1", kind.kind);
            let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural);
            let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
            for object in api.list(&kube::api::ListParams::default()).await.unwrap() {
                let status = object.data.get("status").cloned().unwrap_or_default();
                let name = object.metadata.name.unwrap();
                writeln!(text, "{} {name}: {status}", kind.kind).unwrap();
            }
        }
        for entry in self.world.log().iter().rev().take(40).rev() {
            writeln!(text, "{entry:?}").unwrap();
        }
        text
    }

    /// The world found nothing that broke an invariant.
    pub fn sound(&self) {
        assert_eq!(self.world.violations(), []);
    }
}

async fn open(clock: Clock) -> drover_embedded::Api {
    let options = Options {
        crds: KINDS.iter().map(|kind| (kind.crd)()).collect(),
        now: Arc::new(move || clock.now()),
        uid_seed: Some(1),
        ..Options::default()
    };
    drover_embedded::Api::open(options).await.unwrap()
}

/// Two sites, three machines in two groups, one plan.
pub const SHOP: &str = r"
apiVersion: drover.dev/v1alpha1
kind: Site
metadata: { name: seoul }
spec:
  fabric: { simulator: {} }
  tenants: [{ namespaceSelector: {}, inventorySelector: {} }]
  fencing: { method: Power }
---
apiVersion: drover.dev/v1alpha1
kind: Site
metadata: { name: busan }
spec:
  fabric: { simulator: {} }
  tenants: [{ namespaceSelector: {}, inventorySelector: {} }]
  fencing: { method: Power }
---
apiVersion: drover.dev/v1alpha1
kind: ReplicationPolicy
metadata: { name: gold, namespace: default }
spec:
  replicator: { simulator: {} }
  interval: 30s
---
apiVersion: drover.dev/v1alpha1
kind: ProtectionGroup
metadata: { name: data, namespace: default }
spec:
  sites: { primary: seoul, secondary: busan }
  policyRef: { name: gold }
  consistency: Group
  machines: [{ name: db-1 }, { name: db-2 }]
---
apiVersion: drover.dev/v1alpha1
kind: ProtectionGroup
metadata: { name: web, namespace: default }
spec:
  sites: { primary: seoul, secondary: busan }
  policyRef: { name: gold }
  machines: [{ name: web-1 }]
---
apiVersion: drover.dev/v1alpha1
kind: RecoveryPlan
metadata: { name: shop, namespace: default }
spec:
  sites: { primary: seoul, secondary: busan }
  activeSite: primary
  groups:
    - name: data
      protectionGroups: [data]
    - name: web
      protectionGroups: [web]
";
