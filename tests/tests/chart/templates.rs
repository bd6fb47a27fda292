//! What the chart prints.

use std::collections::BTreeSet;

use drover_tests::{
    chart,
    manifests::{self, Document},
};
use serde_json::{Value, json};

use crate::matrix;

/// These have no namespace.
const OF_THE_CLUSTER: &[&str] = &[
    "ClusterRole",
    "ClusterRoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

#[test]
fn helm_finds_nothing_to_say_against_it() {
    // SPEC: KU-3
    for (name, values) in matrix::VALUES {
        let values = chart::values_file(values).unwrap();
        let folder = chart::folder();
        let args = ["lint", "--strict", "--quiet", folder.to_str().unwrap()];
        let file = ["--values", values.path().to_str().unwrap()];
        let output = chart::helm(&[&args[..], &file[..]].concat(), None).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{name}: {said}");
    }
}

#[test]
fn every_object_is_named_once_and_says_where_it_belongs() {
    for (name, documents) in matrix::rendered() {
        let mut seen = BTreeSet::new();
        for document in &documents {
            let who = (document.kind(), document.namespace(), document.name());
            assert!(seen.insert(who), "{name}: {who:?} twice");
            let in_cluster = OF_THE_CLUSTER.contains(&document.kind());
            assert_eq!(
                document.namespace().is_none(),
                in_cluster,
                "{name}: {who:?}"
            );
            let labels = &document.value["metadata"]["labels"];
            assert_eq!(
                labels["app.kubernetes.io/part-of"], "drover",
                "{name}: {who:?}"
            );
        }
    }
}

#[test]
fn the_operator_may_do_little_on_its_node() {
    // SPEC: KU-3
    for (name, documents) in matrix::rendered() {
        let pod = pod(&documents);
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], true, "{name}");
        assert_eq!(
            security["seccompProfile"]["type"], "RuntimeDefault",
            "{name}"
        );
        for container in pod["containers"].as_array().unwrap() {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(
                security["capabilities"],
                json!({ "drop": ["ALL"] }),
                "{name}"
            );
            assert_eq!(security["privileged"], Value::Null, "{name}");
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                assert!(container[probe].is_object(), "{name}: {probe}");
            }
        }
        for shared in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_eq!(pod[shared], Value::Null, "{name}");
        }
    }
}

#[test]
fn its_roles_name_what_they_are_for() {
    // SPEC: KU-3
    for (name, documents) in matrix::rendered() {
        let own = documents.iter().filter(|document| {
            let reads_all = ["-view", "-approver"];
            document.kind().ends_with("Role")
                && !reads_all.iter().any(|end| document.name().ends_with(end))
        });
        for role in own {
            let text = role.value["rules"].to_string();
            assert!(!text.contains('*'), "{name}: {}: {text}", role.name());
        }
    }
}

#[test]
fn two_replicas_keep_apart_and_one_stays_while_nodes_are_drained() {
    // SPEC: KU-3
    let documents = matrix::of("defaults");
    let deployment = only(&documents, "Deployment");
    assert_eq!(deployment["spec"]["replicas"], 2);
    let pod = pod(&documents);
    let apart =
        &pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    assert_eq!(
        apart[0]["podAffinityTerm"]["topologyKey"],
        "kubernetes.io/hostname"
    );
    let spread = &pod["topologySpreadConstraints"][0];
    assert_eq!(spread["topologyKey"], "topology.kubernetes.io/zone");
    let budget = only(&documents, "PodDisruptionBudget");
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    let chosen = &deployment["spec"]["selector"];
    assert_eq!(&budget["spec"]["selector"], chosen);
}

#[test]
fn the_flags_are_those_of_the_values() {
    let flags = |name: &str| -> Vec<String> {
        let pod = pod(&matrix::of(name));
        let args = pod["containers"][0]["args"].as_array().unwrap().clone();
        args.iter()
            .map(|arg| arg.as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        flags("defaults"),
        [
            "run",
            "--listen=0.0.0.0:8080",
            "--log-format=json",
            "--log-level=info",
            "--webhook-listen=0.0.0.0:9443",
            "--webhook-config=drover",
            "--webhook-service=drover-system/drover-webhook",
        ]
    );
    assert!(flags("smallest").contains(&"--no-webhook".to_owned()));
    assert!(flags("everything").contains(&"--scripts=jobs".to_owned()));
    let of_company = flags("of a company");
    assert!(of_company.contains(&"--webhook-cert-dir=/etc/drover/webhook".to_owned()));
    assert!(
        !of_company
            .iter()
            .any(|flag| flag.starts_with("--webhook-config"))
    );
}

#[test]
fn a_secret_is_read_where_it_is_named() {
    // SPEC: BI-3
    let documents = matrix::of("everything");
    let role = documents
        .iter()
        .find(|document| document.kind() == "Role" && document.namespace() == Some("shop"));
    let rules = &role.unwrap().value["rules"];
    let expected = json!([{
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": ["vcenter", "dns-key"],
        "verbs": ["get"],
    }]);
    assert_eq!(rules, &expected);
    let everywhere = documents
        .iter()
        .filter(|document| document.kind() == "ClusterRole");
    for role in everywhere {
        assert!(
            !role.value["rules"].to_string().contains("secrets"),
            "{}",
            role.name()
        );
    }
}

#[test]
fn an_image_of_a_digest_is_no_other() {
    let pod = pod(&matrix::of("everything"));
    let image = pod["containers"][0]["image"].as_str().unwrap();
    assert!(
        image.starts_with("registry.example.com/drover@sha256:00"),
        "{image}"
    );
}

#[test]
fn notes_say_what_is_to_be_done_next() {
    let folder = chart::folder();
    let args = [
        "install",
        "drover",
        folder.to_str().unwrap(),
        "--dry-run=client",
        "--namespace",
        "here",
    ];
    let output = chart::helm(&args, None).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in [
        "kubectl -n here get lease drover",
        "--clusterrole=drover-approver",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn the_chart_has_the_version_of_the_programs() {
    let of = |path: &str, begin: &str| {
        let text = manifests::read(&manifests::repository().join(path)).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(begin))
            .unwrap();
        line.trim_matches([' ', '"']).to_owned()
    };
    let version = of("Cargo.toml", "version = ");
    assert_eq!(of("charts/drover/Chart.yaml", "version: "), version);
    assert_eq!(of("charts/drover/Chart.yaml", "appVersion: "), version);
}

/// The only object of a kind.
fn only<'a>(documents: &'a [Document], kind: &str) -> &'a Value {
    let mut found = documents.iter().filter(|document| document.kind() == kind);
    let first = found.next().unwrap();
    assert!(found.next().is_none(), "several of {kind}");
    &first.value
}

/// The pod of the deployment.
fn pod(documents: &[Document]) -> Value {
    only(documents, "Deployment")["spec"]["template"]["spec"].clone()
}
