//! An API server with Drover's kinds.

use std::fs;

use drover_tests::controlplane::ControlPlane;
use drover_tests::{chart, manifests};
use serde_json::Value;
use tempfile::TempDir;

pub struct Cluster {
    pub control_plane: ControlPlane,
    pub folder: TempDir,
    /// Who takes decisions.
    person: &'static str,
}

/// What kubectl said, and whether it was content.
pub struct Said {
    pub data: String,
    pub talk: String,
    pub fine: bool,
}

impl Cluster {
    pub fn new() -> Self {
        let cluster = Self {
            control_plane: ControlPlane::start().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            person: "kim",
        };
        let crds = manifests::repository().join("crds");
        cluster.kubectl(&["apply", "--server-side", "-f", crds.to_str().unwrap()]);
        let wait = ["wait", "--for=condition=Established", "crd", "--all"];
        cluster.kubectl(&wait);
        cluster.kubectl(&["create", "namespace", "shop"]);
        cluster
    }

    /// What `helm template` makes of the chart is in it, and nothing else of Drover; what is asked of it is
    /// logged.
    pub fn installed(values: &str) -> Self {
        let cluster = Self {
            control_plane: ControlPlane::start_with_audit().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            // Nobody decides in the name of another there.
            person: "admin",
        };
        for namespace in [chart::NAMESPACE, "shop"] {
            cluster.kubectl(&["create", "namespace", namespace]);
        }
        let objects = chart::render_text(values).unwrap();
        let said = cluster.anywhere(&["apply", "--server-side", "--filename=-"], &objects);
        assert!(said.fine, "{}", said.talk);
        let wait = ["wait", "--for=condition=Established", "crd", "--all"];
        cluster.kubectl(&wait);
        cluster
    }

    /// Runs kubectl, for the namespace of the shop.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Said {
        let mut all = vec!["--namespace", "shop"];
        all.extend(arguments);
        self.anywhere(&all, input)
    }

    /// Runs kubectl, for namespaces that its input names.
    pub fn anywhere(&self, arguments: &[&str], input: &str) -> Said {
        let output = self.control_plane.kubectl_with_input(arguments, input);
        let output = output.unwrap();
        Said {
            data: String::from_utf8(output.stdout).unwrap(),
            talk: String::from_utf8(output.stderr).unwrap(),
            fine: output.status.success(),
        }
    }

    /// The same; it must succeed.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let said = self.try_kubectl(arguments, "");
        assert!(said.fine, "{arguments:?}: {}", said.talk);
        said.data
    }

    /// An object, as kubectl shows it.
    #[track_caller]
    pub fn object(&self, kind: &str, name: &str) -> Value {
        let text = self.kubectl(&["get", kind, name, "--output", "json"]);
        serde_json::from_str(&text).unwrap()
    }

    /// Applies a manifest.
    #[track_caller]
    pub fn apply(&self, text: &str) {
        let said = self.anywhere(&["apply", "--filename=-"], text);
        assert!(said.fine, "{}", said.talk);
    }

    /// A person's word on a run.
    #[track_caller]
    pub fn decide(&self, run: &str, action: &str, step: Option<(&str, &str)>) {
        let object = self.object("recoveryrun", run);
        let mut decision = serde_json::json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": "RunDecision",
            "metadata": { "name": format!("{run}-{}", action.to_lowercase()), "namespace": "shop" },
            "spec": {
                "runRef": { "name": run, "uid": object["metadata"]["uid"] },
                "action": action,
                "digest": object["spec"]["digest"],
                "by": self.person,
            },
        });
        if let Some((group, action)) = step {
            decision["spec"]["step"] = serde_json::json!({ "group": group, "action": action });
        }
        self.apply(&decision.to_string());
    }
}

/// All documents of the quickstart, in the order in which they refer to each other.
pub fn quickstart() -> String {
    [declared(), drill()].join("\n---\n")
}

/// What stays declared: all but the drill.
pub fn declared() -> String {
    ["sites", "policies", "networks", "protection", "plan"]
        .map(file_of_quickstart)
        .join("\n---\n")
}

/// A test failover, for as long as it is there.
pub fn drill() -> String {
    file_of_quickstart("drill")
}

fn file_of_quickstart(name: &str) -> String {
    let folder = manifests::repository().join("examples/quickstart");
    fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap()
}
