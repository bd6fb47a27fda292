//! `drover drift` over ten thousand machines that an embedded API holds, from the start of the process to its end.
//!
//!     cargo bench -p drover --bench drift
//!
//! One machine in ten differs from what is declared in two ways. No harness: what is measured is a program.

// What it finds goes to standard output, and a benchmark is a test: it may panic.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use drover_api::{KINDS, ProtectedMachine, RecoveryPlan, Site};
use drover_embedded::{Api as Embedded, Options, ServeOptions};
use futures::StreamExt as _;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

const MACHINES: usize = 10_000;
/// Plans, each with one group.
const PLANS: usize = 200;
/// One machine in so many differs.
const DIFFERS: usize = 10;
/// Rounds of each form; the median counts.
const ROUNDS: usize = 7;
/// Writes that are under way at the same time.
const WRITES: usize = 64;

fn main() {
    // As a test it is enough that it still works.
    let measured = std::env::args().any(|argument| argument == "--bench");
    let (machines, rounds) = if measured {
        (MACHINES, ROUNDS)
    } else {
        (100, 1)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(machines, rounds));
}

async fn measure(machines: usize, rounds: usize) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        crds: KINDS.iter().map(|kind| (kind.crd)()).collect(),
        ..Options::default()
    };
    let api = Embedded::open(options).await.unwrap();
    fill(&api.client("default"), machines).await;
    let server = api.serve(ServeOptions::default()).await.unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, server.kubeconfig()).unwrap();
    println!("{machines} machines, {PLANS} plans; one machine in {DIFFERS} differs in two ways");
    for format in ["text", "json", "markdown", "html"] {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..rounds {
            let (kubeconfig, format) = (kubeconfig.clone(), format.to_owned());
            let round = tokio::task::spawn_blocking(move || round(&kubeconfig, &format));
            let (took, said) = round.await.unwrap();
            times.push(took);
            bytes = said;
        }
        times.sort();
        println!(
            "{format:>8}  median {:>5} ms, {} to {} ms, {} kB",
            times[times.len() / 2].as_millis(),
            times[0].as_millis(),
            times[times.len() - 1].as_millis(),
            bytes / 1_000
        );
    }
}

/// One command: how long it took, and how much it said.
fn round(kubeconfig: &Path, format: &str) -> (Duration, usize) {
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_drover"))
        .args(["drift", "-A", "--format", format])
        .env("KUBECONFIG", kubeconfig)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let took = begun.elapsed();
    assert_eq!(output.status.code(), Some(2), "there is drift");
    (took, output.stdout.len())
}

async fn fill(client: &Client, machines: usize) {
    let sites: Api<Site> = Api::all(client.clone());
    for name in ["seoul", "busan"] {
        let spec = json!({ "fabric": { "simulator": {} } });
        let status = json!({
            "observedGeneration": 1,
            "reachability": { "state": "Reachable", "since": "2026-11-01T00:00:00Z" },
            "inventory": { "machines": machines, "protected": machines },
        });
        put(&sites, object("Site", name, &spec, &status)).await;
    }
    let plans: Api<RecoveryPlan> = Api::namespaced(client.clone(), "default");
    for number in 0..PLANS {
        let spec = json!({
            "sites": { "primary": "seoul", "secondary": "busan" },
            "activeSite": "primary",
            "groups": [{ "name": "all", "protectionGroups": [format!("group-{number}")] }],
        });
        let status = json!({ "observedGeneration": 1, "activeSite": "primary" });
        put(
            &plans,
            object("RecoveryPlan", &format!("plan-{number}"), &spec, &status),
        )
        .await;
    }
    let all: Api<ProtectedMachine> = Api::namespaced(client.clone(), "default");
    let all = &all;
    futures::stream::iter(0..machines)
        .for_each_concurrent(WRITES, |number| put(all, machine(number)))
        .await;
}

/// A machine as the operator keeps it.
fn machine(number: usize) -> Value {
    let (group, name) = (
        format!("group-{}", number % PLANS),
        format!("vm-{number:05}"),
    );
    let spec = json!({
        "groupRef": { "name": group },
        "machine": name,
        "sites": { "primary": "seoul", "secondary": "busan" },
        "policyRef": { "name": "gold" },
        "networkMappingRef": { "name": "networks" },
        "nics": [{ "network": "app", "addresses": { "primary": ["10.20.0.7"], "secondary": ["10.30.0.7"] } }],
    });
    let since = "2026-11-19T00:00:00Z";
    let drift = json!([
        { "kind": "DisksChanged", "severity": "Warning", "since": since, "message": "disk vdb of 40Gi was added" },
        { "kind": "HardwareChanged", "severity": "Warning", "since": since, "message": "it has 8 processors and had 4" },
    ]);
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": "Protected", "observedGeneration": 1,
            "message": "replicates, and can be recovered", "lastTransitionTime": since,
        })
    };
    let instance = |site: &str, state: &str| json!({ "site": site, "state": state, "at": since });
    let status = json!({
        "observedGeneration": 1,
        "phase": "Protected",
        "activeSite": "primary",
        "instances": [instance("primary", "Healthy"), instance("secondary", "Off")],
        "replication": {
            "towards": "secondary", "rpo": "30s", "pendingBytes": 4096, "recoveryPoints": 24,
            "newestPoint": "2026-11-20T11:59:30Z",
        },
        "hardware": [{
            "site": "primary", "at": since, "cpus": 4, "memory": "8Gi",
            "disks": [{ "name": "vda", "size": "40Gi" }], "networks": ["app"],
        }],
        "drift": if number.is_multiple_of(DIFFERS) { drift } else { json!([]) },
        "conditions": [condition("Ready"), condition("Protected")],
    });
    object(
        "ProtectedMachine",
        &format!("{group}.{name}"),
        &spec,
        &status,
    )
}

fn object(kind: &str, name: &str, spec: &Value, status: &Value) -> Value {
    json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": kind,
        "metadata": { "name": name },
        "spec": spec,
        "status": status,
    })
}

async fn put<K>(api: &Api<K>, object: Value)
where
    K: kube::Resource + serde::Serialize + serde::de::DeserializeOwned + Clone + std::fmt::Debug,
{
    let object: K = serde_json::from_value(object).unwrap();
    let params = PostParams::default();
    let made = api.create(&params, &object).await.unwrap();
    let mut status = object;
    status.meta_mut().resource_version = made.resource_version();
    api.replace_status(&made.name_any(), &params, &status)
        .await
        .unwrap();
}
