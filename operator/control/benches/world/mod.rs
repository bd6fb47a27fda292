//! Simulated sites where everything is done at once, the embedded API with durable writes, an operator, and
//! many machines that one plan is about.

#![allow(clippy::unwrap_used, dead_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use drover_api::{KINDS, ProtectionGroup};
use drover_control::{Operator, Settings};
use drover_embedded::{Api as Embedded, ApiBody, ApiService, Options};
use drover_fabric::{Clock, Registry};
use drover_simulator::Simulation;
use http::{Method, Request, Response};
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;
use tempfile::TempDir;
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

/// Everything but an operator.
pub struct World {
    pub sites: Arc<Simulation>,
    pub client: Client,
    pub writes: Arc<AtomicUsize>,
    clock: Clock,
    _data: TempDir,
}

impl World {
    pub async fn open() -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let sites = Simulation::new(drover_simulator::Options::new(clock));
        let opened = Embedded::open(Options {
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
        Self {
            sites,
            client: Client::new(counting, "default"),
            writes,
            clock,
            _data: data,
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
