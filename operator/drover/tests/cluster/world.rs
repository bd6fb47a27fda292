//! A namespace on a real API server, and the two tools that are used on it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use drover_tests::controlplane::ControlPlane;
use serde_json::Value;
use tempfile::TempDir;

/// A namespace and a folder, for one test.
pub struct World {
    control_plane: &'static ControlPlane,
    pub namespace: String,
    folder: TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub data: String,
    pub talk: String,
    pub exit: Option<i32>,
}

impl Said {
    /// It ended well.
    #[track_caller]
    pub fn fine(self) -> Self {
        assert_eq!(self.exit, Some(0), "{self:#?}");
        self
    }

    /// It did not.
    #[track_caller]
    pub fn wrong(self) -> Self {
        assert_eq!(self.exit, Some(1), "{self:#?}");
        self
    }

    /// The data as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            data: String::from_utf8(output.stdout).unwrap(),
            talk: String::from_utf8(output.stderr).unwrap(),
            exit: output.status.code(),
        }
    }
}

impl World {
    /// A world with a namespace of this name.
    pub fn new(namespace: &str) -> Self {
        let world = Self {
            control_plane: control_plane(),
            namespace: namespace.to_owned(),
            folder: tempfile::tempdir().unwrap(),
        };
        world.kubectl(&["create", "namespace", namespace]).fine();
        world
    }

    /// Runs drover in the folder and for the namespace.
    pub fn drover(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// The same, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
        command
            .args(arguments)
            .args(["--namespace", &self.namespace])
            .current_dir(self.folder.path())
            .env("KUBECONFIG", self.control_plane.kubeconfig_path())
            .env("LOGNAME", "kim")
            .env_remove("COLUMNS")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs kubectl as administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Said {
        self.control_plane.kubectl(arguments).unwrap().into()
    }

    /// Runs kubectl for the namespace.
    pub fn kubectl_here(&self, arguments: &[&str]) -> Said {
        let mut all = vec!["--namespace", self.namespace.as_str()];
        all.extend(arguments);
        self.kubectl(&all)
    }

    /// An object as the cluster holds it.
    pub fn object(&self, kind: &str, name: &str) -> Value {
        self.kubectl_here(&["get", kind, name, "-o", "json"])
            .fine()
            .json()
    }

    /// What a controller would write.
    pub fn set_status(&self, kind: &str, name: &str, status: &Value) {
        let patch = serde_json::json!({ "status": status }).to_string();
        let arguments = [
            "patch",
            kind,
            name,
            "--subresource=status",
            "--type=merge",
            "--patch",
            &patch,
        ];
        self.kubectl_here(&arguments).fine();
    }

    /// Objects that Drover would make, in the namespace of the test.
    pub fn make(&self, manifests: &str) {
        let text = manifests.replace("NAMESPACE", &self.namespace);
        let output = self
            .control_plane
            .kubectl_with_input(&["create", "-f", "-"], &text);
        Said::from(output.unwrap()).fine();
    }

    /// Writes a file; `NAMESPACE` becomes the one of the test.
    pub fn put(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("NAMESPACE", &self.namespace)).unwrap();
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The API server, with Drover's kinds.
fn control_plane() -> &'static ControlPlane {
    static READY: OnceLock<()> = OnceLock::new();
    let control_plane = ControlPlane::shared().unwrap();
    READY.get_or_init(|| {
        let crds = Command::new(env!("CARGO_BIN_EXE_drover"))
            .arg("crd")
            .output()
            .unwrap();
        let crds = String::from_utf8(crds.stdout).unwrap();
        let apply = ["apply", "--server-side", "-f", "-"];
        Said::from(control_plane.kubectl_with_input(&apply, &crds).unwrap()).fine();
        let wait = [
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            "--timeout=120s",
        ];
        Said::from(control_plane.kubectl(&wait).unwrap()).fine();
    });
    control_plane
}

/// The two sites that all tests share; they live in no namespace.
pub const SITES: &str = "
apiVersion: drover.dev/v1alpha1
kind: Site
metadata: { name: seoul }
spec:
  fabric: { simulator: {} }
  tenants: [{ namespaceSelector: {}, inventorySelector: {} }]
---
apiVersion: drover.dev/v1alpha1
kind: Site
metadata: { name: busan }
spec:
  fabric: { simulator: {} }
  tenants: [{ namespaceSelector: {}, inventorySelector: {} }]
";

/// What stands in the namespace of a test.
pub const SHOP: &str = "
apiVersion: drover.dev/v1alpha1
kind: RecoveryPlan
metadata: { name: shop, namespace: NAMESPACE }
spec:
  sites: { primary: seoul, secondary: busan }
  activeSite: primary
  objectives: { rto: 15m, rpo: 5m }
  groups:
    - name: data
      protectionGroups: [shop-data]
      after:
        - name: business-says-go
          manual: { message: Place a test order. }
---
apiVersion: drover.dev/v1alpha1
kind: ReplicationPolicy
metadata: { name: gold, namespace: NAMESPACE }
spec:
  replicator: { simulator: {} }
---
apiVersion: drover.dev/v1alpha1
kind: ProtectionGroup
metadata:
  name: shop-data
  namespace: NAMESPACE
  annotations: { note: \"<data> & more\" }
spec:
  sites: { primary: seoul, secondary: busan }
  policyRef: { name: gold }
  machines: [{ name: NAMESPACE-db }]
";

/// A run as the plan would make it.
pub const RUN: &str = "
apiVersion: drover.dev/v1alpha1
kind: RecoveryRun
metadata: { name: shop-1, namespace: NAMESPACE }
spec:
  planRef: { name: shop }
  number: 1
  kind: UnplannedFailover
  direction: ToSecondary
  sites: { primary: seoul, secondary: busan }
  epoch: 2
  digest: sha256:3f5a9c0e7b1d4f628a90c3e1d7b5f2a4968c0d1e3b5a7f9c2d4e6f8091a3b5c7
  machines: 1
  groups:
    - name: data
      wave: 1
      machines: 1
      after:
        - name: business-says-go
          manual: { message: Place a test order. }
  source: { stop: Attempt, stopTimeout: 5m }
  recoveryPoint: { type: Latest }
  commit: { policy: Manual }
  limits: { stops: 1, starts: 1 }
  objectives: { rto: 15m, rpo: 5m }
---
apiVersion: drover.dev/v1alpha1
kind: MachineRun
metadata: { name: shop-1-db, namespace: NAMESPACE }
spec:
  run: shop-1
  group: data
  machine: { protectionGroup: shop-data, name: NAMESPACE-db }
";
