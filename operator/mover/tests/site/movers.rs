//! A mover at each of two sites, in this process.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;

use drover_api::{ReplicationPolicySpec, SiteSpec};
use drover_fabric::{Driver as _, Fabric, PairConfig, Replicator, Secrets, SiteConfig};
use drover_lab::{Lab, Side, Site};
use drover_libvirt::Libvirt;
use drover_mover::serve::{Bound, Listen};
use drover_mover::site::{self, router};
use serde_json::{Value, json};

/// A busy machine takes its time; nothing that is waited for takes this long.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// What all movers said.
static SAID: LazyLock<Arc<Mutex<Vec<u8>>>> = LazyLock::new(Arc::default);

struct Ear;

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SAID.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The two sites; their movers end with this process.
pub struct Movers {
    lab: Lab,
}

impl Movers {
    pub fn get() -> &'static Self {
        static MOVERS: OnceLock<Movers> = OnceLock::new();
        MOVERS.get_or_init(Self::start)
    }

    fn start() -> Self {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(|| Ear)
            .init();
        let this = Self {
            lab: Lab::start().unwrap(),
        };
        for side in Side::ALL {
            this.begin(side);
        }
        this
    }

    /// On a thread of its own: a test's runtime ends with the test.
    fn begin(&self, side: Side) {
        let site = self.site(side);
        let options = site::Options {
            hosts: vec![format!("local={}", site.uri()).parse().unwrap()],
            folder: site.pool_folder(),
            run: site.pool_folder().join("run"),
            tls: None,
        };
        let socket = self.socket(side);
        let (ready, begun) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let site = site::Site::open(options).unwrap();
                let bound = Bound::new(vec![Listen::Unix(socket)]).await.unwrap();
                ready.send(()).unwrap();
                let serve = bound.serve(
                    router(Arc::clone(&site), site::Roles::default()),
                    std::future::pending(),
                );
                tokio::join!(serve, site.work());
            });
        });
        begun.recv().unwrap();
    }

    fn socket(&self, side: Side) -> PathBuf {
        self.site(side).pool_folder().join("mover.sock")
    }

    pub fn site(&self, side: Side) -> &Site {
        self.lab.site(side)
    }

    /// What movers said, line by line.
    pub fn said() -> Vec<String> {
        let said = SAID.lock().unwrap();
        let text = String::from_utf8_lossy(&said);
        text.lines().map(ToOwned::to_owned).collect()
    }

    /// What movers said last, for whoever looks at a failure.
    pub fn last_words() -> String {
        let said = Self::said();
        said[said.len().saturating_sub(40)..].join("\n")
    }

    fn spec(&self, side: Side) -> SiteSpec {
        let address = format!("unix://{}", self.socket(side).display());
        let hosts = json!([{"name": "local", "uri": "qemu:///system"}]);
        let libvirt = json!({"hosts": hosts, "mover": {"address": address}});
        let site = json!({"fabric": {"libvirt": libvirt}, "fencing": {"method": "Power"}});
        serde_json::from_value(site).unwrap()
    }

    /// Drivers under a policy that says so.
    pub async fn drivers(&self, policy: &Value) -> Drivers {
        let secrets = Secrets::default();
        let names = Side::ALL.map(|side| side.name().parse().unwrap());
        let specs = Side::ALL.map(|side| self.spec(side));
        let site = |at: usize| SiteConfig {
            name: &names[at],
            spec: &specs[at],
            secrets: &secrets,
        };
        let mut policy = policy.clone();
        policy["replicator"] = json!({"qemuBitmap": {}});
        let policy: ReplicationPolicySpec = serde_json::from_value(policy).unwrap();
        let pair = PairConfig {
            primary: site(0),
            secondary: site(1),
            policy: &policy,
        };
        Drivers {
            primary: Libvirt.fabric(site(0)).await.unwrap(),
            secondary: Libvirt.fabric(site(1)).await.unwrap(),
            pair: Libvirt.replicator(pair).await.unwrap(),
        }
    }
}

/// What the operator moves a machine with.
pub struct Drivers {
    pub primary: Arc<dyn Fabric>,
    pub secondary: Arc<dyn Fabric>,
    pub pair: Arc<dyn Replicator>,
}

/// What a command writes, which must succeed.
pub fn output(command: &mut Command) -> Vec<u8> {
    let done = command.output().unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {error}");
    done.stdout
}
