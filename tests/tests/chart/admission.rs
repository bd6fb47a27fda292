//! Who may decide about runs, and who may write what Drover records: enforced by the API server itself.

use drover_tests::{chart, manifests};
use serde_json::{Value, json};

use crate::cluster::{Cluster, OPERATOR, cluster};

/// An approver, one of the plan `shop` only, one who may create decisions and nothing else, and a person who
/// writes plans.
const PEOPLE: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: ann, namespace: NAMESPACE }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: drover-approver }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: ann@example.com }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: shop-approver, namespace: NAMESPACE }
rules:
  - { apiGroups: [drover.dev], resources: [rundecisions], verbs: [create] }
  - { apiGroups: [drover.dev], resources: [recoveryplans], resourceNames: [shop], verbs: [approve] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: bob, namespace: NAMESPACE }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: shop-approver }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: bob }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: creator, namespace: NAMESPACE }
rules:
  - { apiGroups: [drover.dev], resources: [rundecisions], verbs: [create] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: cat, namespace: NAMESPACE }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: creator }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: cat }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: dan, namespace: NAMESPACE }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: drover-edit }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: dan }]
";

/// A namespace with these people, and with all objects of the fixtures as Drover and they would make them.
fn people(namespace: &'static str) -> &'static Cluster {
    let cluster = cluster();
    cluster.kubectl(&["create", "namespace", namespace]);
    let people = PEOPLE.replace("NAMESPACE", namespace);
    cluster.kubectl_with_input(&["create", "--filename=-"], &people);
    cluster
}

fn decision(namespace: &str, name: &str, run: &str, action: &str, by: &str) -> String {
    let mut spec = json!({
        "runRef": { "name": run, "uid": "b0e1" },
        "action": action,
        "digest": format!("sha256:{:064}", 0),
        "by": by,
    });
    if action == "ChangePoint" {
        spec["recoveryPoint"] = json!({ "type": "Latest" });
    }
    let decision = json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "RunDecision",
        "metadata": { "name": name, "namespace": namespace },
        "spec": spec,
    });
    decision.to_string()
}

/// All that can be decided, as the definition has it.
fn actions() -> Vec<String> {
    let path = manifests::repository().join("crds/rundecisions.yaml");
    let crd = manifests::documents(&manifests::read(&path).unwrap())
        .unwrap()
        .remove(0);
    let schema = &crd.value["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let actions = schema["properties"]["spec"]["properties"]["action"]["enum"].as_array();
    actions
        .unwrap()
        .iter()
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

const CREATE: [&str; 2] = ["create", "--filename=-"];

fn by(user: &str) -> [String; 3] {
    [
        "create".to_owned(),
        "--filename=-".to_owned(),
        format!("--as={user}"),
    ]
}

fn refused(cluster: &Cluster, user: &str, text: &str) -> String {
    let args = by(user);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    cluster
        .refusal(&args, text)
        .unwrap_or_else(|| panic!("{user} was not refused: {text}"))
}

fn accepted(cluster: &Cluster, user: &str, text: &str) {
    let args = by(user);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    cluster.kubectl_with_input(&args, text);
}

#[test]
fn an_approver_decides_in_their_own_name() {
    // SPEC: PL-10
    let cluster = people("decides");
    let actions = actions();
    assert!(actions.len() >= 10, "{actions:?}");
    for action in actions {
        let name = action.to_lowercase();
        let forged = decision("decides", &name, "shop-3", &action, "boss@example.com");
        let words = refused(cluster, "ann@example.com", &forged);
        let expected = "spec.by is boss@example.com, and you are ann@example.com: a decision is signed by who makes it";
        assert!(words.contains(expected), "{words}");
        let own = decision("decides", &name, "shop-3", &action, "ann@example.com");
        accepted(cluster, "ann@example.com", &own);
    }
    // An administrator is no exception: what is on record is who it was.
    let forged = decision("decides", "admin", "shop-3", "Commit", "ann@example.com");
    let words = cluster.refusal(&CREATE, &forged).unwrap();
    assert!(words.contains("you are admin"), "{words}");
}

#[test]
fn deciding_takes_a_right_of_its_own() {
    // SPEC: PL-10
    let cluster = people("may");
    // Creating the object is not enough.
    let words = refused(
        cluster,
        "cat",
        &decision("may", "a", "shop-3", "Commit", "cat"),
    );
    let expected = "cat may not decide about runs of shop: that takes the verb approve on recoveryplans in may, \
                    which the role drover-approver has";
    assert!(words.contains(expected), "{words}");
    // Writing plans is not enough either.
    let words = refused(
        cluster,
        "dan",
        &decision("may", "a", "shop-3", "Commit", "dan"),
    );
    assert!(
        words.contains("cannot create resource \"rundecisions\""),
        "{words}"
    );
    // The right can be that to one plan.
    accepted(
        cluster,
        "bob",
        &decision("may", "a", "shop-3", "Commit", "bob"),
    );
    for run in ["shop-front-3", "bank-1", "shopping"] {
        let words = refused(cluster, "bob", &decision("may", "b", run, "Commit", "bob"));
        assert!(
            words.contains("bob may not decide about runs of"),
            "{words}"
        );
    }
    // And a right in one namespace is none in another.
    let words = refused(
        cluster,
        "ann@example.com",
        &decision("default", "a", "shop-3", "Commit", "ann@example.com"),
    );
    assert!(words.contains("cannot create resource"), "{words}");
}

#[test]
fn a_decision_stays_as_it_was_made() {
    // SPEC: PL-10
    let cluster = people("stays");
    accepted(
        cluster,
        "ann@example.com",
        &decision("stays", "a", "shop-3", "Commit", "ann@example.com"),
    );
    let patch = |patch: &str| {
        let args = [
            "patch",
            "rundecision",
            "a",
            "--namespace=stays",
            "--type=merge",
            "--patch",
            patch,
        ];
        cluster.refusal(&args, "")
    };
    let words = patch(r#"{"spec":{"action":"Cancel"}}"#).unwrap();
    assert!(
        words.contains("a decision cannot be changed: take another"),
        "{words}"
    );
    let words = patch(r#"{"spec":{"by":"admin"}}"#).unwrap();
    assert!(
        words.contains("a decision cannot be changed: take another"),
        "{words}"
    );
    assert_eq!(patch(r#"{"metadata":{"labels":{"ticket":"42"}}}"#), None);
    // What became of it is said by the operator.
    let args = [
        "patch",
        "rundecision",
        "a",
        "--namespace=stays",
        "--subresource=status",
        "--type=merge",
        "--patch",
        r#"{"status":{"outcome":"Accepted"}}"#,
    ];
    let words = cluster.refusal(&args, "").unwrap();
    let expected = "the status of rundecisions stays/a is written by Drover alone, and you are admin: \
                    what people say goes into a RunDecision";
    assert!(words.contains(expected), "{words}");
}

/// The objects that Drover makes, from the fixtures, in a namespace.
fn made_by_drover(namespace: &str) -> Vec<(String, Value)> {
    let path = manifests::repository().join("tests/fixtures/only-required.yaml");
    let documents = manifests::documents(&manifests::read(&path).unwrap()).unwrap();
    let kinds = ["RecoveryRun", "MachineRun", "ProtectedMachine"];
    let ours = documents
        .into_iter()
        .filter(|document| kinds.contains(&document.kind()));
    ours.map(|document| {
        let mut value = document.value;
        value["metadata"]["namespace"] = json!(namespace);
        (value["kind"].as_str().unwrap().to_lowercase(), value)
    })
    .collect()
}

#[test]
fn nobody_but_the_operator_writes_what_it_records() {
    // SPEC: PL-10, RD-5
    let cluster = people("records");
    let objects = made_by_drover("records");
    assert_eq!(objects.len(), 3);
    for (kind, object) in objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        let text = object.to_string();
        // Made by a person, an administrator at that
        let words = cluster.refusal(&CREATE, &text).unwrap();
        assert!(
            words.contains("this kind is made by Drover alone, and you are admin"),
            "{words}"
        );
        // Made by the operator
        accepted(cluster, OPERATOR, &text);
        let whole = [&kind, name, "--namespace=records"];
        let patch = |part: &[&str], patch: &str| {
            let args = ["patch", "--type=merge", "--patch", patch];
            cluster.refusal(&[&args[..], &whole[..], part].concat(), "")
        };
        // Its spec and status are left alone by everybody else
        let spec = match kind.as_str() {
            "protectedmachine" => r#"{"spec":{"policyRef":{"name":"another"}}}"#,
            "machinerun" => r#"{"spec":{"run":"shop-9"}}"#,
            _ => r#"{"spec":{"number":9}}"#,
        };
        let words = patch(&[], spec).unwrap();
        assert!(
            words.contains("is written by Drover alone") || words.contains("immutable"),
            "{words}"
        );
        let status = match kind.as_str() {
            "machinerun" => r#"{"status":{"leave":{"state":"Done"}}}"#,
            "protectedmachine" => r#"{"status":{"phase":"Protected"}}"#,
            _ => r#"{"status":{"phase":"Committed"}}"#,
        };
        let words = patch(&["--subresource=status"], status).unwrap();
        assert!(
            words.contains("is written by Drover alone, and you are admin"),
            "{words}"
        );
        // Labels are not Drover's
        assert_eq!(
            patch(&[], r#"{"metadata":{"labels":{"ticket":"42"}}}"#),
            None
        );
        // The operator writes its status the way it does: by replacing it
        let mut seen = cluster.get(&whole);
        let status: Value = serde_json::from_str(status).unwrap();
        seen["status"] = status["status"].clone();
        let replace = [
            "replace",
            "--subresource=status",
            "--filename=-",
            "--as",
            OPERATOR,
        ];
        cluster.kubectl_with_input(&replace, &seen.to_string());
        // And an administrator can still remove it
        cluster.kubectl(&[&["delete", "--wait=false"], &whole[..]].concat());
    }
}

#[test]
fn who_restores_backups_can_be_let_in() {
    let values = "admissionPolicy: { recordWriters: ['system:serviceaccount:velero:velero'] }";
    let documents = chart::render(values).unwrap();
    let policies = documents
        .iter()
        .filter(|document| document.kind() == "ValidatingAdmissionPolicy");
    for policy in policies {
        let text = policy.value["spec"]["matchConditions"].to_string();
        assert!(
            text.contains("system:serviceaccount:velero:velero"),
            "{}",
            policy.name()
        );
    }
}
