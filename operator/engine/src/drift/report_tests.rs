#![cfg(test)]

use drover_api::{DriftKind as K, DriftSeverity as S};
use serde_json::{Value, json};

use super::*;
use crate::drift::{meaning, remedy};

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn of<T: serde::de::DeserializeOwned>(kind: &str, name: &str, spec: &Value, status: &Value) -> T {
    let metadata = if kind == "Site" {
        json!({ "name": name, "generation": 1 })
    } else {
        json!({ "name": name, "namespace": "shop", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z" })
    };
    let mut status = status.clone();
    status["observedGeneration"] = json!(1);
    serde_json::from_value(json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }))
    .unwrap()
}

struct Found {
    sites: Vec<Site>,
    machines: Vec<ProtectedMachine>,
    plans: Vec<RecoveryPlan>,
    drills: Vec<RecoveryDrill>,
}

impl Found {
    fn report(&self) -> Report {
        let objects = Objects {
            sites: &self.sites,
            machines: &self.machines,
            plans: &self.plans,
            drills: &self.drills,
        };
        Report::of(&objects, now())
    }
}

fn machine(group: &str, name: &str, drift: &Value) -> ProtectedMachine {
    let spec = json!({
        "groupRef": { "name": group },
        "machine": name,
        "sites": { "primary": "seoul", "secondary": "busan" },
        "policyRef": { "name": "gold" },
    });
    of(
        "ProtectedMachine",
        &format!("{group}.{name}"),
        &spec,
        &json!({ "phase": "Protected", "drift": drift }),
    )
}

fn plan(name: &str, active: Option<&str>, groups: &Value, status: &Value) -> RecoveryPlan {
    let mut spec =
        json!({ "sites": { "primary": "seoul", "secondary": "busan" }, "groups": groups });
    if let Some(active) = active {
        spec["activeSite"] = json!(active);
    }
    of("RecoveryPlan", name, &spec, status)
}

fn site(name: &str, status: &Value) -> Site {
    of(
        "Site",
        name,
        &json!({ "fabric": { "simulator": {} } }),
        status,
    )
}

/// A shop with something wrong in each place.
fn shop() -> Found {
    let since = "2026-11-19T00:00:00Z";
    let drift = |kind: &str, severity: &str| json!({ "kind": kind, "severity": severity, "since": since, "message": "it differs" });
    Found {
        sites: vec![
            site(
                "seoul",
                &json!({
                    "reachability": { "state": "Reachable", "since": since },
                    "inventory": { "machines": 400, "protected": 100 },
                    "unprotected": { "count": 300, "offered": 1, "machines": [
                        { "name": "crm-1", "since": since, "offered": true },
                        { "name": "lab-1", "since": since },
                    ] },
                }),
            ),
            site(
                "busan",
                &json!({ "reachability": { "state": "Unknown", "since": since } }),
            ),
        ],
        machines: vec![
            machine(
                "data",
                "db-1",
                &json!([
                    drift("RpoExceeded", "Warning"),
                    drift("SplitBrain", "Critical")
                ]),
            ),
            machine("web", "web-1", &json!([])),
            machine("lone", "old-1", &json!([drift("NoLongerSelected", "Info")])),
        ],
        plans: vec![
            // It only drills: the other one answers for the same group.
            plan(
                "audit",
                None,
                &json!([{ "name": "data", "protectionGroups": ["data"] }]),
                &json!({}),
            ),
            plan(
                "shop",
                Some("primary"),
                &json!([
                    { "name": "data", "protectionGroups": ["data"] },
                    { "name": "web", "machines": [{ "protectionGroup": "web", "name": "web-1" }] },
                ]),
                &json!({
                    "activeSite": "Mixed",
                    "differences": [
                        { "kind": "SplitBrain", "severity": "Critical", "count": 1, "since": since, "message": "db-1" },
                        { "kind": "ActiveSite", "severity": "Critical", "count": 1, "since": since, "message": "held" },
                    ],
                }),
            ),
        ],
        drills: vec![of(
            "RecoveryDrill",
            "november",
            &json!({ "planRef": { "name": "shop" } }),
            &json!({ "phase": "Standing", "expires": "2026-11-20T10:00:00Z" }),
        )],
    }
}

#[test]
fn each_difference_is_told_once_in_its_place() {
    // SPEC: RD-2
    let report = shop().report();
    let kinds = |findings: &[Finding]| -> Vec<(K, String)> {
        findings
            .iter()
            .map(|each| (each.kind, each.subject.shown().to_owned()))
            .collect()
    };
    let [audit, shop] = report.plans.as_slice() else {
        panic!("{report:#?}")
    };
    assert_eq!((audit.machines, audit.findings.len()), (0, 0));
    assert_eq!(shop.machines, 2);
    assert_eq!(
        kinds(&shop.findings),
        [
            (K::SplitBrain, "db-1".to_owned()),
            (K::ActiveSite, "shop".to_owned()),
            (K::RpoExceeded, "db-1".to_owned()),
            (K::DrillExpired, "november".to_owned()),
        ]
    );
    assert_eq!(
        kinds(&report.without_plan),
        [(K::NoLongerSelected, "old-1".to_owned())]
    );
    let [busan, seoul] = report.sites.as_slice() else {
        panic!("{report:#?}")
    };
    assert_eq!(kinds(&busan.findings), [(K::Unseen, "busan".to_owned())]);
    assert_eq!(
        kinds(&seoul.findings),
        [
            (K::Unprotected, "crm-1".to_owned()),
            (K::Unprotected, "lab-1".to_owned())
        ]
    );
    assert_eq!((seoul.unprotected, seoul.not_listed), (300, 298));
    // One that nobody may protect is only told, and so are those that are not listed.
    assert_eq!(seoul.findings[1].severity, S::Info);
    assert_eq!(
        report.counts,
        Counts {
            critical: 2,
            warning: 4,
            info: 300
        }
    );
    assert_eq!(report.not_judged, []);
    let remedy = &shop.findings[0].remedy;
    assert!(
        remedy.contains("drover describe machine -n shop data.db-1 "),
        "{remedy}"
    );
}

#[test]
fn a_plan_by_itself_is_told_with_its_sites_and_nothing_else() {
    // SPEC: RD-2
    let mut report = shop().report();
    let all = report.digest.clone();
    let id = report.plans[1].plan.clone();
    report.only(&[id]);
    assert_eq!(report.plans.len(), 1);
    assert_eq!(report.without_plan, []);
    let sites: Vec<_> = report
        .sites
        .iter()
        .map(|site| site.findings.len())
        .collect();
    assert_eq!(sites, [1, 0]);
    assert_eq!(
        report.counts,
        Counts {
            critical: 2,
            warning: 3,
            info: 0
        }
    );
    assert_eq!(report.machines, 2);
    assert_ne!(report.digest, all);
}

#[test]
fn the_digest_is_of_what_is_said_and_not_of_when() {
    // SPEC: RD-2
    let found = shop();
    let first = found.report();
    let objects = Objects {
        sites: &found.sites,
        machines: &found.machines,
        plans: &found.plans,
        drills: &found.drills,
    };
    let later = Report::of(&objects, now() + jiff::SignedDuration::from_hours(1));
    assert_eq!(first.digest, later.digest);
    assert_ne!(first.at, later.at);
    let mut other = shop();
    other.machines[1] = machine(
        "web",
        "web-1",
        &json!([
            { "kind": "Missing", "severity": "Critical", "since": "2026-11-19T00:00:00Z", "message": "gone" },
        ]),
    );
    assert_ne!(other.report().digest, first.digest);
}

#[test]
fn levels_are_reached_or_not() {
    // SPEC: RD-2
    let mut found = shop();
    assert!(found.report().reaches(S::Critical));
    found.machines.remove(0);
    found.plans[1].status.as_mut().unwrap().differences.clear();
    let report = found.report();
    assert!(!report.reaches(S::Critical) && report.reaches(S::Warning));
    found.sites.clear();
    found.drills.clear();
    let report = found.report();
    assert!(!report.reaches(S::Warning) && report.reaches(S::Info));
    found.machines.clear();
    assert!(!found.report().reaches(S::Info));
}

#[test]
fn what_nobody_judged_yet_is_said() {
    // SPEC: RD-2
    let mut found = shop();
    found.machines[1].metadata.generation = Some(2);
    found.plans[0].status = None;
    let mut report = found.report();
    let names = |report: &Report| -> Vec<String> {
        let all = report.not_judged.iter();
        all.map(|each| each.subject.name.clone()).collect()
    };
    assert_eq!(names(&report), ["audit", "web.web-1"]);
    assert!(report.is_unsure());
    // Of a plan by itself only what is its own.
    let shop = report.plans[1].plan.clone();
    report.only(&[shop]);
    assert_eq!(names(&report), ["web.web-1"]);
    let mut report = found.report();
    let audit = report.plans[0].plan.clone();
    report.only(&[audit]);
    assert_eq!(names(&report), ["audit"]);
}

#[test]
fn an_operator_that_is_silent_is_not_believed() {
    // SPEC: RD-2, SA-1
    let mut report = shop().report();
    assert_eq!(report.silent_since(), None);
    assert!(!report.is_unsure());
    let ago = |seconds| now() - jiff::SignedDuration::from_secs(seconds);
    report.operator_seen = Some(ago(30));
    assert!(!report.is_unsure());
    report.operator_seen = Some(ago(600));
    assert_eq!(report.silent_since(), Some(ago(600)));
    assert!(report.is_unsure());
}

#[test]
fn the_kinds_all_say_what_they_mean_and_what_to_do() {
    // SPEC: RD-2
    assert!(super::super::KINDS.is_sorted(), "as they are declared");
    for kind in super::super::KINDS {
        assert!(!meaning(kind).is_empty(), "{kind:?}");
        let remedy = remedy(kind, Some(("shop", "data.db-1")));
        assert!(
            !remedy.contains("NAMESPACE") && remedy.len() > 20,
            "{kind:?}: {remedy}"
        );
    }
}
