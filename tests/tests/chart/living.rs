//! The chart in a cluster of its own, and an operator that is its service account.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use drover_control::{Operator, Scripts, Settings, Stopped};
use drover_fabric::{Clock, Registry};
use drover_simulator::{Latency, Options, Simulation};
use drover_tests::{
    chart::{self, NAMESPACE},
    controlplane::ControlPlane,
};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::cluster::Cluster;

/// Whatever is waited for takes seconds; a busy machine gets the benefit of the doubt.
const PATIENCE: Duration = Duration::from_mins(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// A cluster with the chart in it.
pub fn install(values: &str) -> Cluster {
    install_into(ControlPlane::start_with_audit().unwrap(), values)
}

/// The chart in this one.
pub fn install_into(control_plane: ControlPlane, values: &str) -> Cluster {
    let cluster = Cluster { control_plane };
    let values = chart::values_file(values).unwrap();
    let folder = chart::folder();
    let install = [
        "install",
        "drover",
        folder.to_str().unwrap(),
        "--namespace",
        NAMESPACE,
    ];
    let options = [
        "--create-namespace",
        "--values",
        values.path().to_str().unwrap(),
    ];
    cluster.helm(&[&install[..], &options[..]].concat());
    let crds = [
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=60s",
    ];
    cluster.kubectl(&crds);
    cluster
}

/// A running operator.
pub struct Running {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Running {
    pub fn end(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

/// Starts an operator as the service account, in this simulated world.
pub fn start(cluster: &Cluster, world: &Arc<Simulation>, scripts: Scripts) -> Running {
    let token = cluster.kubectl(&["create", "token", "drover", "--namespace", NAMESPACE]);
    let mut kubeconfig = Kubeconfig::read_from(cluster.control_plane.kubeconfig_path()).unwrap();
    let user = kubeconfig.auth_infos[0].auth_info.as_mut().unwrap();
    user.token = Some(token.trim().to_owned().into());
    let world = Arc::clone(world);
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let options = KubeConfigOptions::default();
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            let client = Client::try_from(config.unwrap()).unwrap();
            let clock = Clock::system();
            let registry = Registry::default().with("simulator", world);
            let settings = Settings {
                identity: "test".into(),
                namespace: NAMESPACE.into(),
                unauthenticated: false,
                scripts,
                ..Settings::default()
            };
            let operator = Operator::new(client, clock, registry, settings);
            let ended = operator.run(async move { drop(stopped.await) }).await;
            assert_eq!(ended, Stopped::Asked);
        });
    });
    Running { stop, thread }
}

/// A world that outlives the operators in it.
pub fn world() -> Arc<Simulation> {
    let mut options = Options::new(Clock::system());
    options.latency = Latency::Zero;
    Simulation::new(options)
}

/// A person's word on a run.
pub fn decision(run: &Value, action: &str) -> Value {
    let metadata = &run["metadata"];
    json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "RunDecision",
        "metadata": { "generateName": "word-", "namespace": "life" },
        "spec": {
            "runRef": { "name": metadata["name"], "uid": metadata["uid"] },
            "action": action,
            "digest": run["spec"]["digest"],
            "by": "admin",
        },
    })
}

pub fn condition(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    let mut found = conditions.filter(|condition| condition["type"] == kind);
    found.any(|condition| condition["status"] == "True")
}

pub fn wait(cluster: &Cluster, what: &str, object: &str) {
    let what = format!("--for={what}");
    let timeout = format!("--timeout={}s", PATIENCE.as_secs());
    cluster.kubectl(&["wait", &what, &timeout, "--namespace=life", object]);
}

pub fn delete(cluster: &Cluster, object: &str) {
    let timeout = format!("--timeout={}s", PATIENCE.as_secs());
    cluster.kubectl(&["delete", &timeout, "--namespace=life", object]);
}

/// Looks until something is there: for what no `kubectl wait` can say.
pub fn until<T>(cluster: &Cluster, what: &str, look: impl Fn(&Cluster) -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look(cluster) {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(BETWEEN_LOOKS);
    }
}
