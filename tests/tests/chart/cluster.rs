//! An API server into which helm installed the chart with its defaults, shared by all tests of this binary.
//! Its audit log says who asked for what.

use std::{
    fs,
    process::Output,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use drover_tests::{
    chart::{self, NAMESPACE},
    controlplane::ControlPlane,
};
use serde_json::Value;

use crate::matrix;

/// A policy takes effect when the server has heard of it: seconds at most.
const IN_FORCE: Duration = Duration::from_mins(1);
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// The user that the operator is.
pub const OPERATOR: &str = "system:serviceaccount:drover-system:drover";

pub struct Cluster {
    pub control_plane: ControlPlane,
}

pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = Cluster {
            control_plane: ControlPlane::start_with_audit().unwrap(),
        };
        cluster.kubectl_with_input(&["create", "--filename=-"], &matrix::foreign());
        for namespace in [NAMESPACE, "shop", "bank"] {
            cluster.kubectl(&["create", "namespace", namespace]);
        }
        // Nothing runs in this cluster, so nothing is waited for.
        let folder = chart::folder();
        let install = [
            "install",
            "drover",
            folder.to_str().unwrap(),
            "--namespace",
            NAMESPACE,
        ];
        cluster.helm(&install);
        let crds = [
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            "--timeout=60s",
        ];
        cluster.kubectl(&crds);
        cluster.wait_until_policies_are_in_force();
        cluster
    })
}

impl Cluster {
    /// What `kubectl` wrote, provided that it succeeded.
    pub fn kubectl(&self, args: &[&str]) -> String {
        said(args, &self.control_plane.kubectl(args).unwrap())
    }

    /// As [`kubectl`](Self::kubectl), with something to read.
    pub fn kubectl_with_input(&self, args: &[&str], input: &str) -> String {
        said(
            args,
            &self.control_plane.kubectl_with_input(args, input).unwrap(),
        )
    }

    /// What `helm` wrote, provided that it succeeded.
    pub fn helm(&self, args: &[&str]) -> String {
        let kubeconfig = self.control_plane.kubeconfig_path();
        said(args, &chart::helm(args, Some(&kubeconfig)).unwrap())
    }

    /// Why the server refused; nothing where it did not.
    pub fn refusal(&self, args: &[&str], input: &str) -> Option<String> {
        let output = self.control_plane.kubectl_with_input(args, input).unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        (!output.status.success()).then_some(words)
    }

    /// `kubectl get` as JSON.
    pub fn get(&self, args: &[&str]) -> Value {
        let text = self.kubectl(&[&["get", "--output=json"], args].concat());
        serde_json::from_str(&text).unwrap()
    }

    /// The audit log until now.
    pub fn audit_log(&self) -> String {
        fs::read_to_string(self.control_plane.audit_log_path()).unwrap()
    }

    /// Both are looked for: the server hears of each by itself.
    fn wait_until_policies_are_in_force(&self) {
        let started = Instant::now();
        let create = ["create", "--dry-run=server", "--filename=-"];
        for (kind, text) in [("decisions", DECISION), ("records", RUN)] {
            let word = format!("'drover-{kind}'");
            while !self
                .refusal(&create, text)
                .is_some_and(|words| words.contains(&word))
            {
                assert!(started.elapsed() < IN_FORCE, "{kind} is not in force");
                thread::sleep(BETWEEN_TRIES);
            }
        }
    }
}

/// A decision that says who makes it wrongly.
const DECISION: &str = "
apiVersion: drover.dev/v1alpha1
kind: RunDecision
metadata: { name: probe, namespace: default }
spec:
  runRef: { name: probe-1, uid: probe }
  action: Commit
  digest: sha256:0000000000000000000000000000000000000000000000000000000000000000
  by: nobody
";

/// A part of a run that a person makes.
const RUN: &str = "
apiVersion: drover.dev/v1alpha1
kind: MachineRun
metadata: { name: probe, namespace: default }
spec:
  run: probe-1
  group: probe
  machine: { protectionGroup: probe, name: probe }
";

fn said(args: &[&str], output: &Output) -> String {
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {message}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
