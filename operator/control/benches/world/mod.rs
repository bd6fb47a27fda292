//! Simulated sites where everything is done at once, an API with durable writes, an operator, and many machines
//! that one plan is about. The API is the embedded one, or with `--cluster` a real API server with its etcd.

#![allow(clippy::unwrap_used, dead_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use drover_api::{KINDS, ProtectionGroup};
use drover_control::{Operator, Settings};
use drover_embedded::{Api as Embedded, Options};
use drover_fabric::{Clock, Registry};
use drover_simulator::Simulation;
use drover_tests::{controlplane::ControlPlane, manifests};
use http::{Method, Request};
use kube::api::PostParams;
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;
use tempfile::TempDir;
use tower::Service;

/// Counts writes on their way to the API.
#[derive(Clone)]
struct Counting<S> {
    inner: S,
    writes: Arc<AtomicUsize>,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Counting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.method() != Method::GET {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.call(request)
    }
}

/// Everything but an operator.
pub struct World {
    pub sites: Arc<Simulation>,
    pub client: Client,
    pub writes: Arc<AtomicUsize>,
    clock: Clock,
    api: Backend,
}

/// Where the objects are kept.
enum Backend {
    Embedded { _data: TempDir },
    Cluster { _processes: ControlPlane },
}

/// A durable API in this process.
async fn embedded(clock: Clock, writes: &Arc<AtomicUsize>) -> (Client, Backend) {
    let data = tempfile::tempdir().unwrap();
    let opened = Embedded::open(Options {
        data: Some(data.path().to_owned()),
        crds: KINDS.iter().map(|kind| (kind.crd)()).collect(),
        now: Arc::new(move || clock.now()),
        ..Options::default()
    });
    let counting = Counting {
        inner: opened.await.unwrap().service(),
        writes: Arc::clone(writes),
    };
    let client = Client::new(counting, "default");
    (client, Backend::Embedded { _data: data })
}

/// An API server and its etcd, beside this process.
async fn cluster(writes: &Arc<AtomicUsize>) -> (Client, Backend) {
    let processes = ControlPlane::start_durable().unwrap();
    let crds = manifests::repository().join("crds");
    let crds = crds.to_str().unwrap();
    for arguments in [
        &["apply", "--server-side", "-f", crds][..],
        &["wait", "--for=condition=Established", "crd", "--all"],
    ] {
        let output = processes.kubectl(arguments).unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let kubeconfig = Kubeconfig::read_from(processes.kubeconfig_path()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let counting = tower::layer::layer_fn(|inner| Counting {
        inner,
        writes: Arc::clone(writes),
    });
    let client = ClientBuilder::try_from(config.unwrap()).unwrap();
    let client = client.with_layer(&counting).build();
    (
        client,
        Backend::Cluster {
            _processes: processes,
        },
    )
}

/// Measures, on two threads.
pub fn run(measure: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure);
}

/// What a benchmark was asked for: numbers, and whether the API is a real one.
pub fn asked<const N: usize>(usual: [usize; N]) -> ([usize; N], bool) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = arguments.iter().filter_map(|text| text.parse().ok());
    let numbers = usual.map(|usual| numbers.next().unwrap_or(usual));
    (numbers, arguments.iter().any(|text| text == "--cluster"))
}

impl World {
    pub async fn open(real: bool) -> Self {
        let clock = Clock::system();
        let sites = Simulation::new(drover_simulator::Options::new(clock));
        let writes = Arc::new(AtomicUsize::new(0));
        let (client, api) = if real {
            cluster(&writes).await
        } else {
            embedded(clock, &writes).await
        };
        Self {
            sites,
            client,
            writes,
            clock,
            api,
        }
    }

    pub fn operator(&self) -> Operator {
        let registry = Registry::default().with("simulator", self.sites.clone() as _);
        Operator::new(
            self.client.clone(),
            self.clock,
            registry,
            Settings::default(),
        )
    }

    pub fn written(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    /// Asks the groups: a list of all machines would cost more than what is measured.
    pub async fn protected(&self, machines: usize) -> bool {
        let api: Api<ProtectionGroup> = Api::namespaced(self.client.clone(), "default");
        let list = api.list(&kube::api::ListParams::default()).await.unwrap();
        let members = list.items.iter().filter_map(|group| {
            let status = group.status.as_ref()?;
            Some(usize::try_from(status.members.as_ref()?.protected).unwrap())
        });
        members.sum::<usize>() == machines
    }

    /// A simulated site as it is made has room for 16,384 machines; what is measured here is not that.
    pub fn make_room(&self) {
        let plenty = "1000Ti".parse().unwrap();
        for site in ["seoul", "busan"] {
            self.sites
                .set_capacity(&site.parse().unwrap(), &plenty, &plenty, 1_000_000);
        }
    }
}

pub async fn until<F: Future<Output = bool>>(so: impl Fn() -> F) {
    while !so().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn declare(client: &Client, machines: usize, groups: usize) {
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
