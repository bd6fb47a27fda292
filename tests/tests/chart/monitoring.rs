//! Alerts and dashboard: they ask for metrics that are on one list, in words that are whole.

use std::collections::BTreeSet;

use drover_tests::{chart, manifests};
use serde_json::Value;

use crate::matrix;

fn read(name: &str) -> String {
    manifests::read(&chart::folder().join("files").join(name)).unwrap()
}

/// The names of the list.
fn listed() -> Vec<String> {
    read("metrics.txt").lines().map(str::to_owned).collect()
}

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !word(c));
    words
        .filter(|word| word.starts_with("drover_"))
        .map(str::to_owned)
        .collect()
}

fn alerts() -> Vec<Value> {
    let text = read("alerts.yaml");
    let mut documents = manifests::documents(&text).unwrap();
    documents.remove(0).value.as_array().unwrap().clone()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("dashboard.json")).unwrap()
}

#[test]
fn whatever_is_asked_for_is_on_the_list_and_the_other_way_round() {
    // SPEC: KU-3
    let listed = listed();
    assert!(listed.is_sorted());
    let mut asked = named(&read("dashboard.json"));
    for alert in alerts() {
        asked.extend(named(alert["expr"].as_str().unwrap()));
    }
    let asked: Vec<String> = asked.into_iter().collect();
    assert_eq!(asked, listed);
}

#[test]
fn the_list_is_of_what_the_operator_has() {
    // SPEC: KU-3
    let known = named(&drover_control::Metrics::example());
    let missing: Vec<String> = listed()
        .into_iter()
        .filter(|name| !known.contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn an_alert_says_what_is_so_what_it_means_and_what_to_do() {
    // SPEC: KU-3
    let alerts = alerts();
    let names: Vec<&str> = alerts
        .iter()
        .map(|alert| alert["alert"].as_str().unwrap())
        .collect();
    for name in [
        "DroverDown",
        "DroverRPOExceeded",
        "DroverUnprotected",
        "DroverDrillOverdue",
        "DroverRunHalted",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    let unique: BTreeSet<&&str> = names.iter().collect();
    assert_eq!(unique.len(), names.len());
    let page = manifests::read(&manifests::repository().join("docs/install.md")).unwrap();
    for alert in &alerts {
        let name = &alert["alert"];
        for part in ["summary", "description", "action"] {
            assert!(
                alert["annotations"][part].is_string(),
                "{name} has no {part}"
            );
        }
        assert!(
            ["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap()),
            "{name}"
        );
        is_balanced(alert["expr"].as_str().unwrap());
        assert!(
            page.contains(&format!("`{}`", name.as_str().unwrap())),
            "{name} is not in docs/install.md"
        );
    }
}

#[test]
fn the_values_shape_the_alerts() {
    let rules = |values: &str| -> Vec<Value> {
        let documents = chart::render(values).unwrap();
        let mut found = documents
            .iter()
            .filter(|document| document.kind() == "PrometheusRule");
        let rules = &found.next().unwrap().value["spec"]["groups"][0]["rules"];
        rules.as_array().unwrap().clone()
    };
    let all = rules(
        "metrics: { prometheusRule: { enabled: true, drillMaxAgeDays: 30, alertLabels: { team: a, severity: page } } }",
    );
    assert_eq!(all.len(), alerts().len());
    let text = serde_json::to_string(&all).unwrap();
    assert!(
        text.contains("drover_plan_drill_age_seconds) > 2592000"),
        "{text}"
    );
    assert!(all.iter().all(|rule| rule["labels"]["team"] == "a"));
    let some = rules("metrics: { prometheusRule: { enabled: true, disabled: [DroverDown] } }");
    assert_eq!(some.len(), all.len() - 1);
    // What belongs to Prometheus reaches it as it is.
    assert!(
        text.contains("{{ $labels.namespace }}/{{ $labels.group }}"),
        "{text}"
    );
}

#[test]
fn the_dashboard_is_one_that_grafana_can_show() {
    // SPEC: KU-3
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(!title.is_empty());
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let at = |field: &str| panel["gridPos"][field].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title} is too wide");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title} lies over another");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            is_balanced(target["expr"].as_str().unwrap());
        }
    }
    let documents = matrix::of("everything");
    let map = documents
        .iter()
        .find(|document| document.kind() == "ConfigMap")
        .unwrap();
    let shown: Value =
        serde_json::from_str(map.value["data"]["drover.json"].as_str().unwrap()).unwrap();
    assert_eq!(shown, dashboard);
}

/// A bracket that is not closed is the commonest of mistakes.
fn is_balanced(expression: &str) {
    let mut open = Vec::new();
    for c in expression.chars() {
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' => assert_eq!(open.pop(), Some(c), "{expression}"),
            _ => {}
        }
    }
    assert!(open.is_empty(), "{expression}");
}
