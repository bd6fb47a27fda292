//! What cannot be changed once it is written.

use std::collections::BTreeSet;

use drover_tests::rules;

use crate::cluster::{cluster, fixture};

/// Kind and name in `only-required.yaml`, a change, and the words of the refusal.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    (
        "networkmapping",
        "least",
        r#"{"spec":{"sites":{"secondary":"jeju"}}}"#,
        "the sites of a mapping cannot be changed: make a new one",
    ),
    (
        "protectiongroup",
        "least",
        r#"{"spec":{"sites":{"primary":"jeju"}}}"#,
        "the sites of a protection group cannot be changed: make a new group",
    ),
    (
        "protectiongroup",
        "least",
        r#"{"spec":{"consistency":"Group"}}"#,
        "the consistency of a protection group cannot be changed: make a new group",
    ),
    (
        "recoveryplan",
        "least",
        r#"{"spec":{"sites":{"primary":"busan","secondary":"seoul"}}}"#,
        "the sites of a plan cannot be changed: make a new plan",
    ),
    (
        "recoverydrill",
        "least",
        r#"{"spec":{"ttl":"8h"}}"#,
        "a drill cannot be changed: delete it and create another",
    ),
    (
        "rundecision",
        "least",
        r#"{"spec":{"action":"Cancel"}}"#,
        "a decision cannot be changed: take another",
    ),
    (
        "recoveryrun",
        "least-1",
        r#"{"spec":{"epoch":2}}"#,
        "a run is immutable",
    ),
    (
        "machinerun",
        "least-1-db-1",
        r#"{"spec":{"group":"web"}}"#,
        "a machine's part of a run is immutable",
    ),
    (
        "protectedmachine",
        "least",
        r#"{"spec":{"machine":"db-2"}}"#,
        "a protected machine stays the same machine",
    ),
];

/// Changes that stay allowed, so that the rules refuse no more than they say.
const TAKEN: &[(&str, &str, &str)] = &[
    (
        "recoveryplan",
        "least",
        r#"{"spec":{"activeSite":"secondary"}}"#,
    ),
    (
        "protectiongroup",
        "least",
        r#"{"spec":{"policyRef":{"name":"halves"}}}"#,
    ),
    (
        "networkmapping",
        "least",
        r#"{"spec":{"networks":[{"name":"data","primary":{"network":"vlan21"},"secondary":{"network":"vlan121"}}]}}"#,
    ),
    (
        "recoverydrill",
        "least",
        r#"{"metadata":{"labels":{"reviewed":"yes"}}}"#,
    ),
    (
        "rundecision",
        "least",
        r#"{"metadata":{"annotations":{"ticket":"17"}}}"#,
    ),
    (
        "protectedmachine",
        "least",
        r#"{"spec":{"policyRef":{"name":"halves"}}}"#,
    ),
    (
        "site",
        "immutable",
        r#"{"spec":{"fabric":{"simulator":null,"kubernetes":{}}}}"#,
    ),
];

#[test]
fn what_cannot_be_changed_is_not() {
    // SPEC: KU-1
    // SPEC: PL-10
    // Given an object of each kind
    cluster().apply(&fixture("only-required.yaml", "only-required", "immutable"));
    for (kind, name, patch, message) in REFUSED {
        // When somebody changes what must stay, then the server refuses it and says what to do.
        let patch = format!("--patch={patch}");
        let refusal = cluster().refusal(&[
            "patch",
            "--namespace=immutable",
            "--type=merge",
            &patch,
            kind,
            name,
        ]);
        assert!(refusal.contains(message), "{kind}: {refusal}");
    }
    for (kind, name, patch) in TAKEN {
        let patch = format!("--patch={patch}");
        let answer = cluster().kubectl(&[
            "patch",
            "--namespace=immutable",
            "--type=merge",
            &patch,
            kind,
            name,
        ]);
        assert!(answer.trim_end().ends_with("patched"), "{kind}: {answer}");
    }
}

#[test]
fn every_rule_about_a_change_is_tried() {
    let tried: BTreeSet<&str> = REFUSED.iter().map(|(.., message)| *message).collect();
    let rules = rules::all().unwrap();
    let all: BTreeSet<&str> = rules
        .iter()
        .filter(|rule| rule.is_about_a_change())
        .map(|rule| &*rule.message)
        .collect();
    assert_eq!(tried, all);
}
