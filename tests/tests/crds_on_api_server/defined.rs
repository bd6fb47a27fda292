//! The definitions themselves: taken without a word, served, structural.

use drover_api::KINDS;
use serde_json::Value;

use crate::cluster::{cluster, crds};

#[test]
fn the_server_takes_them_without_a_warning() {
    // SPEC: KU-1
    assert_eq!(cluster().warnings, "");
}

#[test]
fn they_are_served_and_structural() {
    // SPEC: KU-1
    let list = cluster().get(&["customresourcedefinitions"]);
    let crds = list["items"].as_array().unwrap();
    assert_eq!(crds.len(), KINDS.len());
    for crd in crds {
        let name = &crd["metadata"]["name"];
        let conditions = crd["status"]["conditions"].as_array().unwrap();
        let is_true = |condition: &Value| condition["status"] == "True";
        let holds = |kind: &str| {
            conditions
                .iter()
                .any(|condition| condition["type"] == kind && is_true(condition))
        };
        assert!(
            holds("Established") && holds("NamesAccepted"),
            "{name}: {conditions:?}"
        );
        // The server sets it only where a schema is none of its kind, and then prunes nothing.
        assert!(!holds("NonStructuralSchema"), "{name}: {conditions:?}");
        assert_eq!(
            crd["status"]["storedVersions"],
            serde_json::json!(["v1alpha1"])
        );
    }
}

#[test]
fn what_the_server_keeps_is_what_it_was_given() {
    // SPEC: KU-2
    // Else a GitOps tool would report a difference for ever and write it anew at each look.
    assert_eq!(cluster().kubectl(&["diff", &crds()]), "");
}
