//! The values of the chart: each is described, and what is none of them is refused.

use std::{collections::BTreeSet, env, fmt::Write as _, fs};

use drover_tests::{chart, manifests};
use serde_json::Value;

#[test]
fn what_is_no_value_is_refused_with_its_name() {
    // SPEC: BI-1
    for (values, word) in [
        ("replcias: 3", "replcias"),
        ("replicas: two", "replicas"),
        ("image: { name: drover }", "name"),
        ("image: { digest: latest }", "digest"),
        ("webhook: { failurePolicy: Maybe }", "failurePolicy"),
        ("admissionPolicy: { actions: [] }", "actions"),
        ("admissionPolicy: { actions: [Deny, Warn] }", "actions"),
        ("secrets: { readable: [{ namespace: shop }] }", "names"),
        ("log: { level: loud }", "level"),
        (
            "metrics: { serviceMonitor: { interval: often } }",
            "interval",
        ),
    ] {
        let refused = chart::render(values).unwrap_err().to_string();
        assert!(refused.contains(word), "{values}: {refused}");
    }
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let values = manifests::read(&chart::folder().join("values.yaml")).unwrap();
    let values = manifests::documents(&values).unwrap().remove(0).value;
    let schema = manifests::read(&chart::folder().join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut known = names(&schema);
    // What a parent chart tells all its children.
    assert!(known.remove("global"));
    let written: BTreeSet<String> = values.as_object().unwrap().keys().cloned().collect();
    assert_eq!(known, written);
    for (name, part) in schema["properties"].as_object().unwrap() {
        let default = &values[name];
        for inner in names(part) {
            // Requests, limits and claims are Kubernetes' own.
            assert!(
                name == "resources" || !default[&inner].is_null(),
                "{name}.{inner} has no default"
            );
        }
    }
}

fn names(schema: &Value) -> BTreeSet<String> {
    let properties = schema["properties"].as_object();
    properties
        .into_iter()
        .flat_map(|properties| properties.keys().cloned())
        .collect()
}

#[test]
fn the_read_me_has_a_table_of_the_values() {
    let path = chart::folder().join("README.md");
    let text = manifests::read(&path).unwrap();
    let begin = text.find("| value |").unwrap();
    let end = begin + text[begin..].find("\n\n").unwrap() + 1;
    let values = manifests::read(&chart::folder().join("values.yaml")).unwrap();
    let made = format!("{}{}{}", &text[..begin], table(&values), &text[end..]);
    if env::var_os("DROVER_UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    assert!(
        manifests::read(&path).unwrap() == made,
        "run `DROVER_UPDATE=1 cargo test -p drover-tests --test chart`"
    );
}

/// A row for each value that a comment begins with `# --`.
fn table(values: &str) -> String {
    let mut table = "| value | default | |\n| --- | --- | --- |\n".to_owned();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut about = None;
    let lines: Vec<&str> = values.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if let Some(words) = line.trim_start().strip_prefix("# -- ") {
            about = Some(words.to_owned());
            continue;
        }
        let Some((name, default)) = line.trim_start().split_once(':') else {
            continue;
        };
        if line.trim_start().starts_with('#') {
            continue;
        }
        path.retain(|(of, _)| *of < indent);
        path.push((indent, name.to_owned()));
        let Some(about) = about.take() else { continue };
        let mut default = default.trim().to_owned();
        if default.is_empty() {
            // Written over several lines.
            let deeper = lines[number + 1..]
                .iter()
                .take_while(|next| next.len() - next.trim_start().len() > indent);
            let parts: Vec<&str> = deeper.map(|line| line.trim()).collect();
            default = format!("{{ {} }}", parts.join(", "));
        }
        let names: Vec<&str> = path.iter().map(|(_, name)| name.as_str()).collect();
        writeln!(table, "| `{}` | `{default}` | {about} |", names.join(".")).unwrap();
    }
    table
}
