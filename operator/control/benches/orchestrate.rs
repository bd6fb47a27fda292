//! How much time the orchestrator itself adds to a failover.
//!
//! A planned failover of many machines on simulated sites where everything is done at once, through the
//! embedded API with durable writes: from the change of `activeSite` to all *commit pending*.
//!
//!     cargo bench -p drover-control --bench orchestrate -- [MACHINES [GROUPS]]

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use drover_api::{KINDS, ProtectionGroup, RecoveryPlan, RecoveryRun, RunPhase};
use drover_control::{Operator, Settings};
use drover_embedded::{ApiBody, ApiService, Options};
use drover_fabric::{Clock, Registry};
use drover_simulator::Simulation;
use http::{Method, Request, Response};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tower::Service;

/// Counts writes on their way to the API.
#[derive(Clone)]
struct Counting {
    inner: ApiService,
    writes: Arc<AtomicUsize>,
}

impl Service<Request<kube::client::Body>> for Counting {
    type Response = Response<ApiBody>;
    type Error = <ApiService as Service<Request<kube::client::Body>>>::Error;
    type Future = <ApiService as Service<Request<kube::client::Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<kube::client::Body>>::poll_ready(&mut self.inner, context)
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        if request.method() != Method::GET {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.call(request)
    }
}

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse::<usize>().ok());
    let machines = numbers.next().unwrap_or(5_000);
    let groups = numbers.next().unwrap_or(50);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(machines, groups));
}

async fn measure(machines: usize, groups: usize) {
    let data = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let world = Simulation::new(drover_simulator::Options::new(clock));
    let opened = drover_embedded::Api::open(Options {
        data: Some(data.path().to_owned()),
        crds: KINDS.iter().map(|kind| (kind.crd)()).collect(),
        now: Arc::new(move || clock.now()),
        ..Options::default()
    });
    let api = opened.await.unwrap();
    let writes = Arc::new(AtomicUsize::new(0));
    let counting = Counting {
        inner: api.service(),
        writes: Arc::clone(&writes),
    };
    let client = Client::new(counting, "default");
    let registry = Registry::default().with("simulator", world.clone() as _);
    let operator = Operator::new(client.clone(), clock, registry, Settings::default());
    tokio::spawn(async move { operator.run(std::future::pending()).await });
    declare(&client, machines, groups).await;

    let begun = Instant::now();
    until(|| protected(&client, machines)).await;
    println!(
        "protected {machines} machines in {:.2} s, {} writes",
        begun.elapsed().as_secs_f64(),
        writes.load(Ordering::Relaxed)
    );
    roomy(&world);
    // Whatever the protection left to do has its end.
    tokio::time::sleep(Duration::from_secs(2)).await;
    writes.store(0, Ordering::Relaxed);

    let begun = Instant::now();
    let plans: Api<RecoveryPlan> = Api::namespaced(client.clone(), "default");
    let patch = Patch::Merge(json!({"spec": {"activeSite": "secondary"}}));
    plans
        .patch("shop", &PatchParams::default(), &patch)
        .await
        .unwrap();
    until(|| commit_pending(&client)).await;
    let took = begun.elapsed().as_secs_f64();
    let at_commit = writes.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let all = writes.load(Ordering::Relaxed);
    assert_eq!(world.violations(), []);
    println!(
        "failover of {machines} machines in {groups} groups: {took:.2} s, {:.0} us each; {:.2} writes each ({:.2} with what follows); peak {} MB",
        took * 1e6 / count(machines),
        count(at_commit) / count(machines),
        count(all) / count(machines),
        peak_mb(),
    );
}

/// A simulated site as it is made has room for 16,384 machines; what is measured here is not that.
fn roomy(world: &Simulation) {
    let plenty = "1000Ti".parse().unwrap();
    for site in ["seoul", "busan"] {
        world.set_capacity(&site.parse().unwrap(), &plenty, &plenty, 1_000_000);
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn count(of: usize) -> f64 {
    of as f64
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kb: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kb / 1024
}

async fn until<F: Future<Output = bool>>(so: impl Fn() -> F) {
    while !so().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks the groups: a list of all machines would cost more than what is measured.
async fn protected(client: &Client, machines: usize) -> bool {
    let api: Api<ProtectionGroup> = Api::namespaced(client.clone(), "default");
    let list = api.list(&kube::api::ListParams::default()).await.unwrap();
    let members = list.items.iter().filter_map(|group| {
        let status = group.status.as_ref()?;
        Some(usize::try_from(status.members.as_ref()?.protected).unwrap())
    });
    members.sum::<usize>() == machines
}

async fn commit_pending(client: &Client) -> bool {
    let api: Api<RecoveryRun> = Api::namespaced(client.clone(), "default");
    let run = api.get_opt("shop-1").await.unwrap();
    let status = run.and_then(|run| run.status);
    status.is_some_and(|status| status.record.phase == RunPhase::CommitPending)
}

async fn declare(client: &Client, machines: usize, groups: usize) {
    let create = async |kind: &str, plural: &str, value: serde_json::Value| {
        let gvk = kube::core::GroupVersionKind::gvk("drover.dev", "v1alpha1", kind);
        let resource = kube::discovery::ApiResource::from_gvk_with_plural(&gvk, plural);
        let api: Api<kube::api::DynamicObject> = if kind == "Site" {
            Api::all_with(client.clone(), &resource)
        } else {
            Api::namespaced_with(client.clone(), "default", &resource)
        };
        let object = serde_json::from_value(value).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap();
    };
    let head = |kind: &str, name: &str| {
        (
            json!("drover.dev/v1alpha1"),
            json!(kind),
            json!({"name": name}),
        )
    };
    for site in ["seoul", "busan"] {
        let (version, kind, metadata) = head("Site", site);
        let limits = json!({"concurrentStarts": 10_000, "concurrentStops": 10_000, "concurrentCopies": 10_000});
        let tenants = json!([{"namespaceSelector": {}, "inventorySelector": {}}]);
        let spec = json!({"fabric": {"simulator": {}}, "tenants": tenants, "limits": limits});
        create(
            "Site",
            "sites",
            json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}),
        )
        .await;
    }
    let (version, kind, metadata) = head("ReplicationPolicy", "gold");
    let spec = json!({"replicator": {"simulator": {}}, "interval": "30s"});
    create(
        "ReplicationPolicy",
        "replicationpolicies",
        json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}),
    )
    .await;
    let sites = json!({"primary": "seoul", "secondary": "busan"});
    let of_group = |group: usize| (group * machines / groups)..((group + 1) * machines / groups);
    for group in 0..groups {
        let (version, kind, metadata) = head("ProtectionGroup", &format!("g{group}"));
        let members: Vec<_> = of_group(group)
            .map(|machine| json!({"name": format!("m{machine}")}))
            .collect();
        let spec = json!({"sites": sites, "policyRef": {"name": "gold"}, "machines": members});
        create(
            "ProtectionGroup",
            "protectiongroups",
            json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}),
        )
        .await;
    }
    let list: Vec<_> = (0..groups)
        .map(
            |group| json!({"name": format!("g{group}"), "protectionGroups": [format!("g{group}")]}),
        )
        .collect();
    let (version, kind, metadata) = head("RecoveryPlan", "shop");
    let spec = json!({"sites": sites, "activeSite": "primary", "groups": list});
    create(
        "RecoveryPlan",
        "recoveryplans",
        json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}),
    )
    .await;
}
