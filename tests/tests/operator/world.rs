//! An API server, simulated sites, and an operator between them.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use drover_control::{Operator, Scripts, Settings, Stopped};
use drover_fabric::{Clock, Registry};
use drover_simulator::{Options, Simulation};
use drover_tests::{controlplane::ControlPlane, manifests};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::proxy::Proxy;

/// Whatever is waited for takes seconds; a busy machine gets the benefit of the doubt.
const PATIENCE: Duration = Duration::from_mins(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
const NAMESPACE: &str = "drover-system";

pub struct World {
    // Declared first, so that the operator ends before what it talks to.
    operator: Option<Running>,
    pub proxy: Proxy,
    pub control_plane: ControlPlane,
    pub sites: Arc<Simulation>,
    /// How often an operator ended by itself and another took its place.
    pub ended: Arc<Mutex<Vec<Stopped>>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(Running { stop, thread }) = self.operator.take() {
            // It may have come to its end already, by a panic that is told of elsewhere.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

impl World {
    /// Everything in `tests/fixtures/operator/shop.yaml`, protected.
    pub fn new() -> Self {
        let control_plane = ControlPlane::start().unwrap();
        let proxy = Proxy::new(control_plane.port());
        let clock = Clock::system();
        let mut world = Self {
            operator: None,
            proxy,
            control_plane,
            sites: Simulation::new(Options::new(clock)),
            ended: Arc::default(),
        };
        let crds = manifests::repository().join("crds");
        world.kubectl(&["apply", "--server-side", "-f", crds.to_str().unwrap()]);
        world.kubectl(&["wait", "--for=condition=Established", "crd", "--all"]);
        world.kubectl(&["create", "namespace", NAMESPACE]);
        world.kubectl(&["create", "namespace", "life"]);
        // An ordinary user, whom the API server may throttle.
        world.kubectl(&["create", "serviceaccount", "drover", "-n", NAMESPACE]);
        let subject = format!("--serviceaccount={NAMESPACE}:drover");
        let binding = [
            "create",
            "clusterrolebinding",
            "drover",
            "--clusterrole=cluster-admin",
        ];
        world.kubectl(&[&binding[..], &[&subject]].concat());
        world.operator = Some(world.start(clock));
        let path = manifests::repository().join("tests/fixtures/operator/shop.yaml");
        world.apply(&manifests::read(&path).unwrap());
        world.rests();
        world
    }

    fn start(&self, clock: Clock) -> Running {
        let token = self.kubectl(&["create", "token", "drover", "-n", NAMESPACE]);
        let mut kubeconfig = Kubeconfig::read_from(self.control_plane.kubeconfig_path()).unwrap();
        let user = kubeconfig.auth_infos[0].auth_info.as_mut().unwrap();
        user.token = Some(token.trim().to_owned().into());
        let cluster = kubeconfig.clusters[0].cluster.as_mut().unwrap();
        cluster.server = Some(format!("https://127.0.0.1:{}", self.proxy.port()));
        let (stop, mut stopped) = oneshot::channel::<()>();
        let (sites, ended) = (Arc::clone(&self.sites), Arc::clone(&self.ended));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            // A process that loses its lease ends, and its cluster starts it again.
            runtime.block_on(async move {
                for incarnation in 1.. {
                    let options = KubeConfigOptions::default();
                    let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await;
                    let client = Client::try_from(config.unwrap()).unwrap();
                    let driver: Arc<Simulation> = Arc::clone(&sites);
                    let registry = Registry::default().with("simulator", driver);
                    let settings = Settings {
                        identity: format!("test-{incarnation}"),
                        namespace: NAMESPACE.into(),
                        unauthenticated: false,
                        scripts: Scripts::Off,
                        ..Settings::default()
                    };
                    let operator = Operator::new(client, clock, registry, settings);
                    let told = async { drop((&mut stopped).await) };
                    let reason = operator.run(told).await;
                    if reason == Stopped::Asked {
                        return;
                    }
                    ended.lock().unwrap().push(reason);
                }
            });
        });
        Running { stop, thread }
    }

    /// What kubectl wrote; it must succeed. It does not go through the proxy.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.control_plane.kubectl(arguments).unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {words}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub fn apply(&self, text: &str) {
        let arguments = ["apply", "--filename=-"];
        let output = self.control_plane.kubectl_with_input(&arguments, text);
        let output = output.unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}");
    }

    /// `kubectl get` as JSON; nothing while the API server does not answer.
    pub fn get(&self, what: &[&str]) -> Option<Value> {
        let arguments = [&["get", "--output=json", "--namespace=life"], what].concat();
        let output = self.control_plane.kubectl(&arguments).unwrap();
        let found = output.status.success().then_some(output.stdout)?;
        serde_json::from_slice(&found).ok()
    }

    /// Looks until something is there.
    #[track_caller]
    pub fn until<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let plan = || self.get(&["recoveryplan", "shop"]);
            assert!(
                started.elapsed() < PATIENCE,
                "waited in vain for {what}: {:#}",
                plan().unwrap_or_default()
            );
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// The plan is as it should be, and nothing is under way.
    #[track_caller]
    pub fn rests(&self) {
        self.until("the plan to rest", |world| {
            let plan = world.get(&["recoveryplan", "shop"])?;
            let current = plan["status"]["observedGeneration"] == plan["metadata"]["generation"];
            let ready = is_true(&plan, "Ready") && is_true(&plan, "FailoverReady");
            (current && ready && plan["status"]["currentRun"].is_null()).then_some(())
        });
    }

    /// Moves production to a site; gives the run when it is between its groups.
    #[track_caller]
    pub fn fail_over(&self, site: &str) -> String {
        let patch = json!({ "spec": { "activeSite": site } }).to_string();
        let arguments = [
            "patch",
            "recoveryplan",
            "shop",
            "-n",
            "life",
            "--type=merge",
            "--patch",
        ];
        self.kubectl(&[&arguments[..], &[&patch]].concat());
        self.until("a run that enters", |world| {
            let runs = world.get(&["recoveryruns"])?;
            let mut runs = runs["items"].as_array()?.iter();
            let run = runs.find(|run| run["status"]["phase"] == "Entering")?;
            run["metadata"]["name"].as_str().map(str::to_owned)
        })
    }

    /// The run comes to its end, is committed, and the next could begin.
    #[track_caller]
    pub fn completes(&self, name: &str) {
        let run = self.until("a run that awaits a commit", |world| {
            let run = world.get(&["recoveryrun", name])?;
            (run["status"]["phase"] == "CommitPending").then_some(run)
        });
        assert_eq!(run["status"]["machines"]["healthy"], 3, "{run:#}");
        assert_eq!(run["status"]["rpo"], "0s", "{run:#}");
        let decision = json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": "RunDecision",
            "metadata": { "name": format!("commit-{name}"), "namespace": "life" },
            "spec": {
                "runRef": { "name": name, "uid": run["metadata"]["uid"] },
                "action": "Commit",
                "digest": run["spec"]["digest"],
                "by": "admin",
            },
        });
        self.apply(&decision.to_string());
        self.until("the commit", |world| {
            let run = world.get(&["recoveryrun", name])?;
            (run["status"]["phase"] == "Committed").then_some(())
        });
        self.rests();
        assert!(
            self.sites.violations().is_empty(),
            "{:#?}",
            self.sites.violations()
        );
    }
}

pub fn is_true(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    let mut found = conditions.into_iter().flatten();
    found.any(|condition| condition["type"] == kind && condition["status"] == "True")
}
