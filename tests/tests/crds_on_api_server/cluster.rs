//! An API server with Drover's definitions, shared by all tests of this binary. Each test uses
//! namespaces, and names of sites, of its own.

use std::{
    process::Output,
    sync::{LazyLock, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use drover_tests::{
    controlplane::ControlPlane,
    manifests::{self, Document},
};
use serde_json::Value;

/// How long a server may take to serve what was defined. It is a second on a quiet machine.
const ESTABLISHED: &str = "--timeout=60s";

/// The names that people's manifests use, `seoul` and `busan`: sites are in no namespace, so whoever
/// makes and removes them writes, and whoever is disturbed by that reads.
static COMMON_NAMES: RwLock<()> = RwLock::new(());

/// Holds the common names alone.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    // A test that failed with them is one failure, not that of all who come after it.
    COMMON_NAMES.write().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps others from making and removing what has a common name.
pub fn undisturbed() -> RwLockReadGuard<'static, ()> {
    COMMON_NAMES.read().unwrap_or_else(PoisonError::into_inner)
}

pub struct Cluster {
    control_plane: &'static ControlPlane,
    /// What the server said besides that it took the definitions.
    pub warnings: String,
}

/// The API server, with the definitions established.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let control_plane = ControlPlane::shared().unwrap();
        let create = control_plane.kubectl(&["create", &crds()]).unwrap();
        let warnings = String::from_utf8_lossy(&create.stderr).into_owned();
        assert!(create.status.success(), "{warnings}");
        let cluster = Cluster {
            control_plane,
            warnings,
        };
        cluster.kubectl(&["wait", "--for=condition=Established", ESTABLISHED, &crds()]);
        cluster
    })
}

/// The flag of `kubectl` that names the folder of definitions.
pub fn crds() -> String {
    format!(
        "--filename={}",
        manifests::repository().join("crds").display()
    )
}

/// The documents of a file in `tests/fixtures`, with `from` in names and namespaces replaced, so
/// that two tests can use one fixture at a time.
pub fn fixture(file: &str, from: &str, to: &str) -> String {
    let path = manifests::repository().join("tests/fixtures").join(file);
    manifests::read(&path).unwrap().replace(from, to)
}

impl Cluster {
    /// What `kubectl` wrote, provided that it succeeded.
    pub fn kubectl(&self, args: &[&str]) -> String {
        succeeds(&self.control_plane.kubectl(args).unwrap(), args)
    }

    /// As [`kubectl`](Self::kubectl), with something to read.
    pub fn kubectl_with_input(&self, args: &[&str], input: &str) -> String {
        succeeds(
            &self.control_plane.kubectl_with_input(args, input).unwrap(),
            args,
        )
    }

    /// What `kubectl` answered, whatever it was.
    pub fn try_kubectl_with_input(&self, args: &[&str], input: &str) -> Output {
        self.control_plane.kubectl_with_input(args, input).unwrap()
    }

    /// Why the server refused.
    pub fn refusal(&self, args: &[&str]) -> String {
        let output = self.control_plane.kubectl(args).unwrap();
        assert!(!output.status.success(), "{args:?} was not refused");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// `kubectl get` as JSON.
    pub fn get(&self, args: &[&str]) -> Value {
        let text = self.kubectl(&[&["get", "--output=json"], args].concat());
        serde_json::from_str(&text).unwrap()
    }

    /// Makes the namespaces that these documents are in, where they are missing.
    pub fn ensure_namespaces(&self, documents: &[Document]) {
        // Two tests at once would find one missing, and then one of them finds it made.
        static MADE: LazyLock<std::sync::Mutex<Vec<String>>> = LazyLock::new(Default::default);
        let mut made = MADE.lock().unwrap();
        for namespace in documents.iter().filter_map(Document::namespace) {
            if namespace != "default" && !made.iter().any(|name| name == namespace) {
                self.kubectl(&["create", "namespace", namespace]);
                made.push(namespace.to_owned());
            }
        }
    }

    /// Applies a text as people do, and strictly: an unknown field is an error.
    pub fn apply(&self, text: &str) {
        self.ensure_namespaces(&manifests::documents(text).unwrap());
        self.kubectl_with_input(&["apply", "--validate=strict", "--filename=-"], text);
    }
}

fn succeeds(output: &Output, args: &[&str]) -> String {
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "kubectl {args:?} ({}): {message}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
