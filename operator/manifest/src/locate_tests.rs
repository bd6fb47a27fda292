use super::*;
use crate::testing::{load_one, plan};

fn at(text: &str, path: &str, target: Target) -> String {
    let source = Source {
        name: "a.yaml",
        text: text.as_bytes(),
    };
    let loaded = load_one(text);
    let origin = loaded.objects.last().unwrap().origin;
    let mut locator = Locator::new(&[source]);
    let place = locator
        .locate(origin, &path.parse().unwrap(), target)
        .unwrap();
    let line = place.start.line;
    format!("{line}: {}", &text[place.span().range()])
}

fn text() -> String {
    let spec = "  activeSite: primary\n  groups:\n  - name: a\n    dependsOn: [x]\n  - name: b\n    \
                dependsOn:\n    retries: 3\n  labels:\n    app.kubernetes.io/name: shop\n";
    format!("kind: 가\n---\n{}", plan(spec))
}

#[test]
fn a_field_is_found_again() {
    let value = |path| at(&text(), path, Target::Value);
    assert_eq!(value("spec.activeSite"), "7: primary");
    assert_eq!(value("spec.groups[0].dependsOn[0]"), "10: x");
    assert_eq!(value("spec.groups[1].name"), "11: b");
    assert_eq!(
        value(r#"spec.labels["app.kubernetes.io/name"]"#),
        "15: shop"
    );
    assert_eq!(at(&text(), "spec.groups[1].name", Target::Key), "11: name");
    assert_eq!(at(&text(), "spec.groups", Target::Key), "8: groups");
}

#[test]
fn what_is_not_written_is_shown_where_it_belongs() {
    let value = |path| at(&text(), path, Target::Value);
    assert_eq!(value(""), "5: shop");
    assert_eq!(value("status"), "5: shop");
    assert_eq!(value("spec.groups[7].name"), "8: groups");
    assert_eq!(value("spec.groups[1].missing"), "11: name");
    assert_eq!(value("spec.groups[1].dependsOn"), "12: dependsOn");
    assert_eq!(value("spec.activeSite.deeper"), "7: activeSite");
}

#[test]
fn items_of_a_list_are_found() {
    let item = plan("  activeSite: primary\n").replace('\n', "\n  ");
    let text = format!("apiVersion: v1\nkind: List\nitems:\n- {{}}\n- {item}\n");
    assert_eq!(at(&text, "spec.activeSite", Target::Value), "9: primary");
}

#[test]
fn a_complaint_gets_place_and_path() {
    let text = text();
    let source = Source {
        name: "a.yaml",
        text: text.as_bytes(),
    };
    let origin = load_one(&text).objects[0].origin;
    let mut locator = Locator::new(&[source]);
    let path = "spec.groups[0].dependsOn[0]";
    let placed = locator.error(origin, path, "unknown-group", "there is no group `x`");
    assert_eq!(placed.field.as_deref(), Some(path));
    assert_eq!(placed.place.unwrap().start.column, 17);
    let odd = locator.error(origin, "no..path", "x", "y");
    assert_eq!(
        (odd.field.as_deref(), odd.place.unwrap().start.line),
        (Some("no..path"), 5)
    );
}
