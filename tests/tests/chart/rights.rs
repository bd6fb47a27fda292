//! The operator with the rights that the chart gives it, and no other, against a real API server: it lives
//! through a whole life, misses none of them, and leaves none of them unused.

use std::collections::BTreeSet;

use drover_control::Scripts;
use drover_tests::{
    chart::{self, NAMESPACE},
    manifests, rights,
};
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, OPERATOR},
    health,
    living::{condition, decision, delete, install, start, until, wait, world},
};

/// The webhook belongs to the process, not to the controllers that run here.
const VALUES: &str = "webhook: { enabled: false }";

/// Rights that this life does not use, and why they are given.
const FOR_OTHER_DAYS: &[(&str, &str)] = &[
    ("get failbackpolicies.drover.dev", "after a conflict"),
    ("get machineruns.drover.dev", "after a conflict"),
    ("get networkmappings.drover.dev", "after a conflict"),
    ("get protectedmachines.drover.dev", "after a conflict"),
    ("get protectiongroups.drover.dev", "after a conflict"),
    ("get recoverydrills.drover.dev", "after a conflict"),
    ("get recoveryplans.drover.dev", "after a conflict"),
    ("get recoveryruns.drover.dev", "after a conflict"),
    ("get replicationpolicies.drover.dev", "after a conflict"),
    ("get rundecisions.drover.dev", "after a conflict"),
    ("get sites.drover.dev", "after a conflict"),
    (
        "get secrets in drover-system",
        "no simulated site has credentials",
    ),
    (
        "update protectiongroups/finalizers.drover.dev",
        "asked for within admission",
    ),
    (
        "update recoveryruns/finalizers.drover.dev",
        "asked for within admission",
    ),
];

#[test]
fn the_operator_has_the_rights_that_it_uses_and_no_other() {
    // SPEC: KU-3
    // Given the chart in a cluster, and an operator that is its service account
    let cluster = install(VALUES);
    let operator = start(&cluster, &world(), Scripts::Off);

    // When a machine is protected, rehearsed, moved, brought home and let go
    live(&cluster);
    operator.end();

    // Then it was refused nothing
    let log = cluster.audit_log();
    assert_eq!(lines(rights::missed(&log, OPERATOR)), Vec::<String>::new());
    // and has nothing that it never uses
    let documents = chart::render(VALUES).unwrap();
    let granted = rights::granted(&documents, NAMESPACE, "drover");
    let difference = rights::compare(&granted, &rights::used(&log, OPERATOR));
    assert_eq!(lines(difference.missing), Vec::<String>::new());
    let mut idle = lines(difference.idle);
    // The status of an object that cannot be read is patched.
    idle.retain(|right| {
        let known = FOR_OTHER_DAYS.iter().any(|(known, _)| known == right);
        let unreadable = right.starts_with("patch ") && right.contains("/status.");
        !(known || unreadable)
    });
    assert_eq!(idle, Vec::<String>::new());
    // And Argo CD would have seen it as what it was, at each step.
    look_through_argo_cd(&log);
}

/// Every status that the operator wrote, as `docs/argocd/health.lua` judges it.
fn look_through_argo_cd(log: &str) {
    let events = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let written: Vec<Value> = events
        .map(|mut event| event["requestObject"].take())
        .filter(|object| object["status"].is_object())
        .collect();
    let mut seen = BTreeSet::new();
    for (object, (status, message)) in written.iter().zip(health::judge(&written)) {
        let kind = object["kind"].as_str().unwrap();
        if let Some(phase) = object["status"]["phase"].as_str()
            && object["metadata"]["deletionTimestamp"].is_null()
        {
            assert_eq!(status, health::expected(kind, phase), "{message}: {object}");
        }
        seen.insert((kind, status));
    }
    for (kind, status) in [
        ("RecoveryPlan", "Healthy"),
        ("RecoveryPlan", "Progressing"),
        ("RecoveryPlan", "Suspended"),
        ("RecoveryRun", "Healthy"),
        ("RecoveryRun", "Progressing"),
        ("RecoveryRun", "Suspended"),
        ("RecoveryDrill", "Healthy"),
        ("ProtectionGroup", "Healthy"),
        ("Site", "Healthy"),
    ] {
        let status = status.to_owned();
        assert!(
            seen.contains(&(kind, status.clone())),
            "{kind} was never {status}"
        );
    }
}

fn lines(rights: impl IntoIterator<Item = rights::Right>) -> Vec<String> {
    rights.into_iter().map(|right| right.to_string()).collect()
}

fn live(cluster: &Cluster) {
    cluster.kubectl(&["create", "namespace", "life"]);
    let path = manifests::repository().join("tests/fixtures/chart/life.yaml");
    let life = manifests::read(&path).unwrap();
    cluster.kubectl_with_input(&["apply", "--filename=-"], &life);
    wait(cluster, "condition=Ready", "protectiongroup/data");
    wait(cluster, "condition=FailoverReady", "recoveryplan/shop");

    let drill = json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "RecoveryDrill",
        "metadata": { "name": "november", "namespace": "life" },
        "spec": { "planRef": { "name": "shop" } },
    });
    cluster.kubectl_with_input(&["create", "--filename=-"], &drill.to_string());
    wait(
        cluster,
        "jsonpath={.status.phase}=Standing",
        "recoverydrill/november",
    );
    delete(cluster, "recoverydrill/november");

    // There and back, so that the record of the first is given up for that of the next.
    for site in ["secondary", "primary", "secondary"] {
        until(cluster, "the plan to rest", |cluster| {
            let plan = cluster.get(&["recoveryplan", "shop", "--namespace=life"]);
            let ready = condition(&plan, "Ready") && condition(&plan, "FailoverReady");
            (ready && plan["status"]["currentRun"].is_null()).then_some(())
        });
        let patch = json!({ "spec": { "activeSite": site } }).to_string();
        let whole = [
            "patch",
            "recoveryplan",
            "shop",
            "--namespace=life",
            "--type=merge",
            "--patch",
        ];
        cluster.kubectl(&[&whole[..], &[patch.as_str()]].concat());
        let run = until(cluster, "a run that awaits a commit", |cluster| {
            let runs = cluster.get(&["recoveryruns", "--namespace=life"]);
            let mut runs = runs["items"].as_array().unwrap().clone();
            runs.retain(|run| run["status"]["phase"] == "CommitPending");
            runs.pop()
        });
        cluster.kubectl_with_input(
            &["create", "--filename=-"],
            &decision(&run, "Commit").to_string(),
        );
        let name = format!("recoveryrun/{}", run["metadata"]["name"].as_str().unwrap());
        wait(cluster, "jsonpath={.status.phase}=Committed", &name);
    }
    delete(cluster, "recoveryplan/shop");
    delete(cluster, "protectiongroup/data");
}
