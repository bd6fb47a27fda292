use super::file::read;
use super::shape::{Fields, Subject, Type};
use super::*;

const PAGE: &str = include_str!("../../../../docs/policies.md");

fn policies(rules: &str) -> (Policies, Vec<Diagnostic>) {
    let text = format!(
        "apiVersion: policy.drover.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: house }}\nspec:\n  rules:\n{rules}"
    );
    let source = Source {
        name: "policy.yaml",
        text: text.as_bytes(),
    };
    read(&[source], 0)
}

/// Line and column of the only problem, and what it says.
fn only(rules: &str) -> (u32, u32, String) {
    let (_, problems) = policies(rules);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let start = problems[0].place.as_ref().unwrap().start;
    (start.line, start.column, problems[0].message.clone())
}

#[test]
fn the_page_lists_what_expressions_can_name() {
    for subject in Subject::ALL {
        let title = format!("### {}\n", subject.name());
        let (_, section) = PAGE.split_once(&title).unwrap();
        let section = section.split("\n#").next().unwrap();
        let rows: Vec<String> = section
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.split(" | ").take(2).collect::<Vec<_>>().join(" | "))
            .collect();
        let fields: Vec<String> = subject
            .fields()
            .iter()
            .map(|(name, kind)| format!("| `{name}` | {}", kind.name()))
            .collect();
        assert_eq!(rows, fields, "{}", subject.name());
        for (name, kind) in subject.fields() {
            let row = section
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}`")));
            for (inner, _) in inner(*kind) {
                assert!(
                    row.unwrap().contains(&format!("`{inner}`")),
                    "{name}.{inner}"
                );
            }
        }
    }
}

fn inner(kind: Type) -> Fields {
    match kind {
        Type::Map(fields) | Type::List(fields) => fields,
        _ => &[],
    }
}

#[test]
fn what_an_expression_misspells_is_pointed_at() {
    // SPEC: BI-1
    let rule = |expression: &str| {
        format!("  - name: a\n    for: Machine\n    expression: {expression}\n    message: m\n")
    };
    let missing = "undefined field 'protekted'".to_owned();
    assert_eq!(only(&rule("self.protekted")), (8, 22, missing.clone()));
    assert_eq!(only(&rule("\"self.protekted\"")), (8, 23, missing.clone()));
    assert_eq!(
        only(&rule("|\n      self.protected\n      && self.protekted")),
        (10, 15, missing)
    );
    let (line, column, what) = only(&rule("self.protected &&"));
    assert_eq!(line, 8, "{column} {what}");
    assert_eq!(
        only(&rule("size(self.plans)")),
        (
            8,
            17,
            "this is no condition: it can be neither true nor false".to_owned()
        )
    );
    assert_eq!(only(&rule("sise(self.plans) > 0")).1, 17);
}

#[test]
fn a_policy_is_read_as_strictly_as_a_manifest() {
    // SPEC: BI-1
    let good = "  - name: a\n    for: Machine\n    expression: self.protected\n    message: m\n";
    assert!(policies(good).1.is_empty());
    for (from, to) in [
        ("Machine", "Machin"),
        ("message: m", "massage: m"),
        ("name: a", "name: A b"),
        ("    message: m\n", ""),
    ] {
        assert!(!policies(&good.replace(from, to)).1.is_empty(), "{to}");
    }
    let twice = format!("{good}{good}");
    assert!(!policies(&twice).1.is_empty(), "a name twice");
}

#[test]
fn loops_inside_each_other_are_counted() {
    // SPEC: BI-1
    let loops = |expression: &str| {
        let rule =
            format!("  - name: a\n    for: Plan\n    expression: {expression}\n    message: m\n");
        policies(&rule).0.rules[0].loops()
    };
    assert_eq!(loops("self.commit == 'Manual'"), 0);
    assert_eq!(loops("self.groups.all(g, g.machines > 0)"), 1);
    assert_eq!(
        loops("self.groups.all(g, g.after.exists(a, a.kind == 'dns'))"),
        2
    );
}
