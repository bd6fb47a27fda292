//! A laboratory in one process, on virtual time: an embedded API in memory, a simulated world, and an
//! operator.

#![cfg(test)]
#![allow(dead_code)] // Each test uses what it needs.

pub mod faults;
mod shop;

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use drover_api::{
    ActualSite, DecisionOutcome, DrillPhase, KINDS, MachinePhase, ProtectedMachine, RecoveryDrill,
    RecoveryPlan, RecoveryRun, RunDecision, RunDecisionStatus, RunPhase, Site,
};
use drover_control::{Metrics, Operator, Settings};
use drover_embedded::Options;
use drover_fabric::{Clock, Registry};
use drover_simulator::{Latency, Simulation};
use drover_world::Power;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use faults::{Faults, FaultyApi, FaultyDriver};
pub use shop::{Shop, shop};

pub struct Lab {
    pub clock: Clock,
    pub world: Arc<Simulation>,
    pub api: drover_embedded::Api,
    /// Of somebody to whom nothing goes wrong.
    pub client: Client,
    pub faults: Arc<Faults>,
    operator: Option<JoinHandle<()>>,
    metrics: Arc<Metrics>,
    second: Option<JoinHandle<()>>,
}

pub const START: &str = "2026-03-02T09:00:00Z";

/// The machines of [`shop`].
pub const MACHINES: [&str; 3] = ["db-1", "db-2", "web-1"];

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
            metrics: Arc::default(),
            second: None,
        };
        lab.start();
        lab
    }

    pub fn start(&mut self) {
        self.faults.revive();
        let faults = Arc::clone(&self.faults);
        let (operator, metrics) = self.operate("one", faults);
        self.operator = Some(operator);
        self.metrics = metrics;
    }

    /// A second operator, to whom nothing goes wrong.
    pub fn start_second(&mut self) {
        self.second = Some(self.operate("two", Arc::default()).0);
    }

    /// What the operator would answer who asks for its metrics.
    pub fn metrics(&self) -> String {
        self.metrics.text()
    }

    fn operate(&self, identity: &str, faults: Arc<Faults>) -> (JoinHandle<()>, Arc<Metrics>) {
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
        let metrics = Arc::clone(operator.metrics());
        let work = tokio::spawn(async move {
            loop {
                operator.run(std::future::pending()).await;
            }
        });
        (work, metrics)
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

    /// Creates everything that is declared.
    pub async fn create(&self, shop: &Shop) {
        for value in shop.objects() {
            let object: DynamicObject = serde_json::from_value(value.clone()).unwrap();
            self.api_of(&object)
                .create(&PostParams::default(), &object)
                .await
                .unwrap_or_else(|error| panic!("{value}: {error}"));
        }
    }

    /// Creates it and waits until all of its machines are protected and the plan is settled.
    pub async fn protect(&mut self, shop: &Shop) {
        self.create(shop).await;
        self.until_protected().await;
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

    /// Changes the plan as a pull request does; a merge patch of its spec.
    pub async fn change_plan(&self, different: Value) {
        self.change("shop", different).await;
    }

    /// Changes a plan of this name.
    pub async fn change(&self, plan: &str, different: Value) {
        let api: Api<RecoveryPlan> = Api::namespaced(self.client.clone(), "default");
        patch(&api, plan, different).await;
    }

    /// Changes the limits of a site.
    pub async fn limit(&self, site: &str, limits: Value) {
        let api: Api<Site> = Api::all(self.client.clone());
        patch(&api, site, json!({ "limits": limits })).await;
    }

    /// Annotates an object as `kubectl annotate` does; `null` takes an annotation away.
    pub async fn annotate(&self, kind: &str, name: &str, annotations: Value) {
        let types = json!({"apiVersion": "drover.dev/v1alpha1", "kind": kind, "metadata": {}});
        let object: DynamicObject = serde_json::from_value(types).unwrap();
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        let api = self.api_of(&object);
        let params = PatchParams::default();
        api.patch(name, &params, &patch).await.unwrap();
    }

    pub async fn set_active(&self, site: &str) {
        self.change_plan(json!({"activeSite": site})).await;
    }

    /// Asks for an unplanned failover to the secondary site, with whatever else the request says.
    pub async fn emergency(&self, id: &str, different: Value) {
        let mut request = json!({
            "id": id,
            "expires": "2026-03-03T09:00:00Z",
            "type": "Unplanned",
            "sourceStop": "Attempt",
        });
        let fields = request.as_object_mut().unwrap();
        fields.extend(different.as_object().cloned().unwrap_or_default());
        self.change_plan(json!({"activeSite": "secondary", "request": request}))
            .await;
    }

    /// Rehearses the plan, and returns when the drill `practice` stands.
    pub async fn rehearse(&mut self, spec: Value) {
        self.create(&Shop::default().with("RecoveryDrill", "practice", spec))
            .await;
        self.until("the drill stands", async |lab| {
            let status = lab.practice().await.and_then(|drill| drill.status);
            status.is_some_and(|status| status.phase == DrillPhase::Standing)
        })
        .await;
    }

    /// The drill, while it is there.
    pub async fn practice(&self) -> Option<RecoveryDrill> {
        let drills: Api<RecoveryDrill> = Api::namespaced(self.client.clone(), "default");
        drills.get_opt("practice").await.unwrap()
    }

    /// Asks for its clean-up.
    pub async fn end_rehearsal(&self) {
        let drills: Api<RecoveryDrill> = Api::namespaced(self.client.clone(), "default");
        let params = DeleteParams::default();
        drills.delete("practice", &params).await.unwrap();
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

    /// A decision of whoever is on duty.
    pub async fn decide(&self, run: &str, action: &str) {
        let name = format!("{run}-{}", action.to_lowercase());
        self.say(run, &name, json!({"action": action})).await;
    }

    /// A decision with whatever else it says, which may be wrong.
    pub async fn say(&self, run: &str, name: &str, different: Value) {
        let run = self.run(run).await.unwrap();
        let mut spec = json!({
            "runRef": {"name": run.metadata.name, "uid": run.metadata.uid},
            "digest": run.spec.digest,
            "by": "operator-on-duty",
        });
        let fields = spec.as_object_mut().unwrap();
        fields.extend(different.as_object().cloned().unwrap_or_default());
        let decision: RunDecision = serde_json::from_value(json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": "RunDecision",
            "metadata": {"name": name},
            "spec": spec,
        }))
        .unwrap();
        let api: Api<RunDecision> = Api::namespaced(self.client.clone(), "default");
        api.create(&PostParams::default(), &decision).await.unwrap();
    }

    /// What became of a decision, once something did.
    pub async fn answer(&mut self, name: &str) -> (DecisionOutcome, String) {
        let api: Api<RunDecision> = Api::namespaced(self.client.clone(), "default");
        let status = async || api.get(name).await.unwrap().status;
        let answered = |status: Option<RunDecisionStatus>| {
            let status = status?;
            Some((status.outcome?, status.reason.unwrap_or_default()))
        };
        self.until(&format!("{name} is answered"), async |_| {
            answered(status().await).is_some()
        })
        .await;
        answered(status().await).unwrap()
    }

    /// Waits, on virtual time, until something is so.
    pub async fn until(&mut self, what: &str, mut so: impl AsyncFnMut(&Self) -> bool) {
        for _ in 0..3_000 {
            if so(self).await {
                return;
            }
            self.pass(Duration::from_millis(500)).await;
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

    /// Waits until all machines are in a phase.
    pub async fn until_all(&mut self, phase: MachinePhase) {
        self.until(&format!("all {phase:?}"), async |lab| {
            let machines = lab.machines().await;
            let there = |machine: &ProtectedMachine| {
                let status = machine.status.as_ref();
                status.is_some_and(|status| status.phase == phase)
            };
            !machines.is_empty() && machines.iter().all(there)
        })
        .await;
    }

    /// Waits until all machines are protected, and the plan knows where they are and runs nothing.
    pub async fn until_protected(&mut self) {
        self.until_all(MachinePhase::Protected).await;
        self.until("the plan is settled", async |lab| {
            let status = lab.plan().await.status;
            status.is_some_and(|status| {
                let known = status
                    .active_site
                    .is_some_and(|at| at != ActualSite::Unknown);
                known && status.intent_served.is_some() && status.current_run.is_none()
            })
        })
        .await;
    }

    /// Waits until the plan says that its machines are there, and runs nothing.
    pub async fn until_rests_at(&mut self, site: ActualSite) {
        self.until(&format!("at {site:?}"), async |lab| {
            let status = lab.plan().await.status;
            status.is_some_and(|status| {
                status.active_site == Some(site) && status.current_run.is_none()
            })
        })
        .await;
    }

    /// Time passes, on virtual time; what was to happen has happened. An operator that crashes meanwhile is
    /// started again.
    pub async fn pass(&mut self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        let faults = Arc::clone(&self.faults);
        loop {
            tokio::select! {
                biased;
                () = faults.crash.notified() => {
                    self.crash();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    self.start();
                }
                () = tokio::time::sleep_until(end) => return,
            }
        }
    }

    /// What the conditions of a run say.
    pub async fn words(&self, run: &str) -> String {
        let status = self.run(run).await.and_then(|run| run.status);
        let conditions = status.map(|status| status.conditions).unwrap_or_default();
        let words = conditions.into_iter().map(|condition| condition.message);
        words.collect::<Vec<_>>().join("\n")
    }

    /// The plan cannot be used, says why, and nothing has begun for a long time.
    pub async fn refuses(&mut self, words: &str) {
        let before = self.runs().await.len();
        self.until(&format!("refused: {words}"), async |lab| {
            let conditions = lab.plan().await.status.unwrap().conditions;
            let mut stalled = conditions.iter().filter(|of| of.type_ == "Stalled");
            stalled.any(|condition| condition.message.contains(words))
        })
        .await;
        self.pass(Duration::from_mins(20)).await;
        assert_eq!(self.runs().await.len(), before);
    }

    /// Why nothing starts although something is to be done.
    pub async fn drift(&self) -> String {
        let status = self.plan().await.status;
        status
            .map(|status| status.drift.join("\n"))
            .unwrap_or_default()
    }

    /// Waits until the plan says so in its drift.
    pub async fn until_drift(&mut self, words: &str) {
        self.until(&format!("drift: {words}"), async |lab| {
            lab.drift().await.contains(words)
        })
        .await;
    }

    /// The plan says why it holds, and nothing has begun for a long time.
    pub async fn holds(&mut self, words: &str) {
        self.until_drift(words).await;
        self.pass(Duration::from_mins(20)).await;
        assert!(self.drift().await.contains(words), "{}", self.drift().await);
        let status = self.plan().await.status.unwrap();
        assert_eq!(status.current_run, None);
    }

    pub async fn runs(&self) -> Vec<RecoveryRun> {
        let api: Api<RecoveryRun> = Api::namespaced(self.client.clone(), "default");
        let list = api.list(&kube::api::ListParams::default()).await;
        list.unwrap().items
    }

    /// The power of a machine at a site; absent where the site never heard of it.
    pub fn power(&self, site: &str, machine: &str) -> Power {
        let seen = self
            .world
            .machine(&site.parse().unwrap(), &machine.parse().unwrap());
        seen.map_or(Power::Absent, |seen| seen.instance.power)
    }

    /// Whether every machine of the shop is so at a site.
    pub fn all_are(&self, site: &str, power: Power) -> bool {
        MACHINES
            .iter()
            .all(|machine| self.power(site, machine) == power)
    }

    /// The machines that serve at a site.
    pub fn serving(&self, site: &str) -> Vec<&'static str> {
        MACHINES
            .into_iter()
            .filter(|machine| self.power(site, machine) == Power::Healthy)
            .collect()
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

/// A merge patch of a spec.
async fn patch<K>(api: &Api<K>, name: &str, different: Value)
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let patch = Patch::Merge(json!({"spec": different}));
    api.patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}
