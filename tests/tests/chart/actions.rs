//! Actions that are objects of the cluster: scripts as Jobs, records for `ExternalDNS`. An operator with the
//! rights of the chart makes them, as its service account, against a real API server.
//!
//! No kubelet runs here and no Job controller: where a Job ends, the test writes the status that they would.

use drover_control::Scripts;
use drover_tests::{chart::NAMESPACE, controlplane::ControlPlane, manifests, rights};
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, OPERATOR},
    living::{condition, decision, install, install_into, start, until, wait, world},
};

const VALUES: &str = "
webhook: { enabled: false }
scripts: { jobs: true }
dns: { endpoints: true }
";

/// A machine is protected, and this is done after it was moved; nothing is simulated but the sites.
fn live(cluster: &Cluster, action: &Value) {
    cluster.kubectl(&["create", "namespace", "life"]);
    // What Jobs of plans fit into.
    let strict = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["label", "namespace", "life", strict]);
    let path = manifests::repository().join("tests/fixtures/chart/life.yaml");
    let life = manifests::documents(&manifests::read(&path).unwrap()).unwrap();
    let mut items: Vec<Value> = life.into_iter().map(|document| document.value).collect();
    for object in &mut items {
        if object["kind"] == "Site" {
            object["spec"]["fabric"]["simulator"]["zones"] = json!([]);
        }
        if object["kind"] == "RecoveryPlan" {
            object["spec"]["groups"][0]["after"] = json!([action]);
        }
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    cluster.kubectl_with_input(&["apply", "--filename=-"], &list.to_string());
    wait(cluster, "condition=Ready", "protectiongroup/data");
    wait(cluster, "condition=FailoverReady", "recoveryplan/shop");
}

fn move_to(cluster: &Cluster, site: &str) {
    until(cluster, "the plan to rest", |cluster| {
        let plan = cluster.get(&["recoveryplan", "shop", "--namespace=life"]);
        let ready = condition(&plan, "Ready") && condition(&plan, "FailoverReady");
        (ready && plan["status"]["currentRun"].is_null()).then_some(())
    });
    let patch = json!({"spec": {"activeSite": site}}).to_string();
    let plan = ["patch", "recoveryplan", "shop", "--namespace=life"];
    cluster.kubectl(&[&plan[..], &["--type=merge", "--patch", &patch]].concat());
}

/// The run that is in this phase, once there is one.
fn run(cluster: &Cluster, phase: &str) -> Value {
    until(cluster, &format!("a run that is {phase}"), |cluster| {
        let runs = cluster.get(&["recoveryruns", "--namespace=life"]);
        let mut runs = runs["items"].as_array().unwrap().clone();
        runs.retain(|run| run["status"]["phase"] == phase);
        runs.pop()
    })
}

fn decide(cluster: &Cluster, run: &Value, action: &str) {
    let decision = decision(run, action).to_string();
    cluster.kubectl_with_input(&["create", "--filename=-"], &decision);
}

/// Why the action of a halted run failed.
fn why(run: &Value) -> String {
    let action = &run["status"]["groups"][0]["after"][0];
    action["error"].as_str().unwrap_or_default().to_owned()
}

fn jobs(cluster: &Cluster) -> Vec<Value> {
    let jobs = cluster.get(&["jobs", "--namespace=life"]);
    jobs["items"].as_array().unwrap().clone()
}

/// The Job that has not ended, once there is one.
fn open_job(cluster: &Cluster) -> Value {
    until(cluster, "a Job", |cluster| {
        let mut open = jobs(cluster);
        open.retain(|job| job["status"]["conditions"].is_null());
        open.pop()
    })
}

/// Writes what the Job controller writes when a Job ends.
fn end(cluster: &Cluster, job: &Value, success: bool) {
    let now = "2026-03-02T09:00:00Z";
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now,
            "reason": if success { "CompletionsReached" } else { "BackoffLimitExceeded" },
            "message": if success { "done" } else { "Job has reached the specified backoff limit" },
        })
    };
    let mut status = if success {
        json!({"succeeded": 1, "completionTime": now,
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]})
    } else {
        json!({"failed": 1, "conditions": [condition("FailureTarget"), condition("Failed")]})
    };
    status["startTime"] = json!(now);
    status["uncountedTerminatedPods"] = json!({});
    let patch = json!({"status": status}).to_string();
    let name = job["metadata"]["name"].as_str().unwrap();
    let whole = [
        "patch",
        "job",
        name,
        "--namespace=life",
        "--subresource=status",
    ];
    cluster.kubectl(&[&whole[..], &["--type=merge", "--patch", &patch]].concat());
}

/// Nothing was asked for that the chart does not allow.
fn missed(cluster: &Cluster) -> Vec<String> {
    let missed = rights::missed(&cluster.audit_log(), OPERATOR);
    missed.into_iter().map(|right| right.to_string()).collect()
}

fn used(cluster: &Cluster, resource: &str) -> Vec<String> {
    let used = rights::used(&cluster.audit_log(), OPERATOR);
    let words = used.into_iter().map(|right| right.to_string());
    let mut verbs: Vec<String> = words
        .filter(|right| right.contains(resource))
        .filter_map(|right| right.split(' ').next().map(str::to_owned))
        .collect();
    verbs.sort();
    verbs.dedup();
    verbs
}

#[test]
fn a_script_is_one_job_whoever_carries_it_on() {
    // SPEC: PL-4, KU-3
    // Given a plan with a script, in a namespace that takes only restricted pods
    let cluster = install(VALUES);
    let world = world();
    let operator = start(&cluster, &world, Scripts::Jobs);
    let script = json!({"command": ["/bin/warm"], "image": "registry.example.com/warm:1"});
    live(
        &cluster,
        &json!({"name": "warm", "script": script, "timeout": "5m"}),
    );

    // When it fails over, and another operator takes over while the script runs
    move_to(&cluster, "secondary");
    let job = open_job(&cluster);
    fits(&cluster, &job);
    operator.end();
    let operator = start(&cluster, &world, Scripts::Jobs);
    until(&cluster, "the other to look", |cluster| {
        let leases = cluster.get(&["lease", "drover", "--namespace", NAMESPACE]);
        leases["spec"]["holderIdentity"].is_string().then_some(())
    });
    end(&cluster, &job, true);

    // Then it goes on when that one Job has ended
    let ended = run(&cluster, "CommitPending");
    assert_eq!(jobs(&cluster).len(), 1);

    // And when it fails on the way back, the run halts and says where to look
    decide(&cluster, &ended, "Commit");
    move_to(&cluster, "primary");
    let job = open_job(&cluster);
    end(&cluster, &job, false);
    let halted = run(&cluster, "Halted");
    let name = job["metadata"]["name"].as_str().unwrap();
    assert!(
        why(&halted).contains("BackoffLimitExceeded"),
        "{}",
        why(&halted)
    );
    let look = format!("kubectl logs --namespace life job/{name}");
    assert!(why(&halted).contains(&look), "{}", why(&halted));

    // And a person's Resume is another Job, with the same key.
    decide(&cluster, &halted, "Resume");
    let next = open_job(&cluster);
    let key = "drover.dev/idempotency-key";
    assert_ne!(next["metadata"]["name"], job["metadata"]["name"]);
    assert_eq!(
        next["metadata"]["annotations"][key],
        job["metadata"]["annotations"][key]
    );
    end(&cluster, &next, true);
    run(&cluster, "CommitPending");
    operator.end();
    assert_eq!(missed(&cluster), Vec::<String>::new());
    assert_eq!(used(&cluster, "jobs.batch"), ["create", "get"]);
}

/// Whether the pod that the Job asks for would be taken, and what else it says.
fn fits(cluster: &Cluster, job: &Value) {
    let template = &job["spec"]["template"];
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "life", "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    });
    let create = ["create", "--dry-run=server", "--filename=-"];
    assert_eq!(cluster.refusal(&create, &pod.to_string()), None);
    // The policy is in force: one that may be root is refused.
    let mut lax = pod;
    lax["spec"]["securityContext"] = json!({});
    let refusal = cluster.refusal(&create, &lax.to_string()).unwrap();
    assert!(refusal.contains("restricted"), "{refusal}");

    let spec = &job["spec"];
    assert_eq!(spec["backoffLimit"], 0);
    assert_eq!(spec["activeDeadlineSeconds"], 300);
    assert!(spec["ttlSecondsAfterFinished"].is_number());
    assert_eq!(
        spec["template"]["spec"]["automountServiceAccountToken"],
        false
    );
    assert_eq!(job["metadata"]["ownerReferences"][0]["kind"], "RecoveryRun");
    let labels = &job["metadata"]["labels"];
    assert_eq!(labels["drover.dev/plan"], "shop");
    assert_eq!(labels["drover.dev/action"], "warm");
    let env = spec["template"]["spec"]["containers"][0]["env"]
        .as_array()
        .unwrap();
    let told = env
        .iter()
        .find(|it| it["name"] == "DROVER_CONTEXT")
        .unwrap();
    let told: Value = serde_json::from_str(told["value"].as_str().unwrap()).unwrap();
    assert_eq!(told["direction"], "ToSecondary");
    assert_eq!(told["machines"][0]["name"], "db-1");
}

#[test]
fn a_job_that_nothing_starts_is_taken_away() {
    // SPEC: PL-4
    let cluster = install(VALUES);
    let operator = start(&cluster, &world(), Scripts::Jobs);
    let script = json!({"command": ["/bin/warm"], "image": "registry.example.com/warm:1"});
    live(
        &cluster,
        &json!({"name": "warm", "script": script, "timeout": "1s"}),
    );
    move_to(&cluster, "secondary");
    open_job(&cluster);
    let halted = run(&cluster, "Halted");
    let why = why(&halted);
    assert!(
        why.contains("longer than 1 s") || why.contains("too long"),
        "{why}"
    );
    until(&cluster, "the Job to go", |cluster| {
        jobs(cluster).is_empty().then_some(())
    });
    operator.end();
    assert_eq!(missed(&cluster), Vec::<String>::new());
    assert_eq!(used(&cluster, "jobs.batch"), ["create", "delete", "get"]);
}

#[test]
fn an_attempt_begins_when_the_job_of_the_one_before_is_gone() {
    // SPEC: PL-4
    // With the garbage collector, which ends what is deleted in the foreground; it takes some seconds to hear of
    // new kinds, and Drover's are new here.
    let cluster = install_into(ControlPlane::start_with_controllers().unwrap(), VALUES);
    let operator = start(&cluster, &world(), Scripts::Jobs);
    let script = json!({"command": ["/bin/warm"], "image": "registry.example.com/warm:1"});
    let action = json!({"name": "warm", "script": script, "timeout": "40s", "retries": 1});
    live(&cluster, &action);
    move_to(&cluster, "secondary");
    let first = open_job(&cluster)["metadata"]["name"].clone();
    let standing = until(&cluster, "the second attempt", |cluster| {
        let standing = jobs(cluster);
        let other = standing.iter().any(|job| job["metadata"]["name"] != first);
        other.then_some(standing)
    });
    assert_eq!(standing.len(), 1);
    operator.end();
}

#[test]
fn a_record_is_an_object_for_external_dns_that_its_plan_alone_changes() {
    // SPEC: NM-6, SA-7, SA-4, KU-3
    // Given a plan that moves a record, in a cluster without ExternalDNS
    let cluster = install(VALUES);
    let operator = start(&cluster, &world(), Scripts::Jobs);
    let dns = json!({
        "record": "shop.example.com",
        "primary": ["203.0.113.10"],
        "secondary": ["198.51.100.10", "2001:db8::10"],
        "dnsEndpoint": {"labels": {"zone": "public"}},
    });
    live(&cluster, &json!({"name": "clients", "dns": dns}));
    move_to(&cluster, "secondary");
    let halted = run(&cluster, "Halted");
    assert!(
        why(&halted).contains("this API has no DNSEndpoint"),
        "{}",
        why(&halted)
    );

    // When its definition is installed, and somebody has an object of that name
    cluster.kubectl_with_input(&["create", "--filename=-"], DEFINITION);
    let definition = "crd/dnsendpoints.externaldns.k8s.io";
    cluster.kubectl(&[
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        definition,
    ]);
    until(&cluster, "the new kind to be served", |cluster| {
        let create = ["create", "--filename=-"];
        cluster.refusal(&create, FOREIGN).is_none().then_some(())
    });
    decide(&cluster, &halted, "Resume");

    // Then that one is left alone
    let halted = until(&cluster, "another reason", |cluster| {
        let halted = run(cluster, "Halted");
        why(&halted)
            .contains("was not made by Drover")
            .then_some(halted)
    });
    let object = ["dnsendpoint", "shop.example.com", "--namespace=life"];
    assert_eq!(
        cluster.get(&object)["spec"]["endpoints"][0]["targets"],
        json!(["192.0.2.99"])
    );

    // And when it is gone, Drover makes its own,
    cluster.kubectl(&[&["delete"], &object[..]].concat());
    decide(&cluster, &halted, "Resume");
    let ended = run(&cluster, "CommitPending");
    let made = cluster.get(&object);
    assert_eq!(
        made["metadata"]["labels"]["app.kubernetes.io/managed-by"],
        "drover"
    );
    assert_eq!(made["metadata"]["labels"]["zone"], "public");
    assert_eq!(made["metadata"]["annotations"]["drover.dev/plan"], "shop");
    let endpoints = &made["spec"]["endpoints"];
    assert_eq!(endpoints[0]["targets"], json!(["198.51.100.10"]));
    assert_eq!(endpoints[1]["recordType"], "AAAA");

    // and changes it on the way back.
    decide(&cluster, &ended, "Commit");
    move_to(&cluster, "primary");
    run(&cluster, "CommitPending");
    let moved = cluster.get(&object);
    assert_eq!(moved["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(moved["spec"]["endpoints"].as_array().unwrap().len(), 1);
    assert_eq!(
        moved["spec"]["endpoints"][0]["targets"],
        json!(["203.0.113.10"])
    );
    operator.end();
    assert_eq!(missed(&cluster), Vec::<String>::new());
    assert_eq!(used(&cluster, "dnsendpoints"), ["create", "get", "update"]);
}

/// As little of `ExternalDNS` as the API server needs to keep its objects.
const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: dnsendpoints.externaldns.k8s.io
  annotations: { api-approved.kubernetes.io: 'https://github.com/kubernetes-sigs/external-dns/pull/2007' }
spec:
  group: externaldns.k8s.io
  names: { kind: DNSEndpoint, listKind: DNSEndpointList, plural: dnsendpoints, singular: dnsendpoint }
  scope: Namespaced
  versions:
    - name: v1alpha1
      served: true
      storage: true
      subresources: { status: {} }
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                endpoints:
                  type: array
                  items:
                    type: object
                    properties:
                      dnsName: { type: string }
                      recordType: { type: string }
                      recordTTL: { type: integer, format: int64 }
                      targets: { type: array, items: { type: string } }
            status: { type: object, x-kubernetes-preserve-unknown-fields: true }
";

/// What somebody else wrote.
const FOREIGN: &str = "
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: { name: shop.example.com, namespace: life }
spec:
  endpoints: [{ dnsName: shop.example.com, recordType: A, targets: ['192.0.2.99'] }]
";
