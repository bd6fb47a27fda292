use crate::code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::testing::{known, load_one, plan};

fn found(spec: &str) -> Vec<Diagnostic> {
    load_one(&plan(spec)).diagnostics
}

/// Code, line, column, message and hint of the only problem.
fn only(spec: &str) -> (&'static str, u32, u32, String, String) {
    let all = found(spec);
    assert_eq!(all.len(), 1, "{all:#?}");
    let one = all[0].clone();
    let start = one.place.unwrap().start;
    (
        known(&one.code),
        start.line - 4,
        start.column,
        one.message,
        one.hint.unwrap_or_default(),
    )
}

fn fields(spec: &str) -> Vec<String> {
    found(spec)
        .into_iter()
        .filter_map(|each| each.field)
        .collect()
}

#[test]
fn what_fits_is_silent() {
    let spec = "  activeSite: primary\n  rto: 15m\n  labels: {a: b}\n  port: http\n  notes: null\n  \
                tags: [a, b]\n  start: {now: true}\n  groups:\n  - name: a\n    retries: 3\n    \
                ratio: 1.5\n    dependsOn: []\n";
    assert_eq!(found(spec), []);
    assert_eq!(load_one(&plan(spec)).objects.len(), 1);
}

#[test]
fn a_misspelt_field_names_the_one_that_was_meant() {
    let (code, line, column, message, hint) = only("  active_site: primary\n");
    assert_eq!((code, line, column), (code::UNKNOWN_FIELD, 1, 3));
    assert_eq!(message, "unknown field \"active_site\"");
    assert_eq!(hint, "did you mean `activeSite`?");
}

#[test]
fn a_wrong_indentation_is_recognised() {
    let (.., hint) = only("  activeSite: primary\n  groups:\n  - name: a\n    rto: 15m\n");
    assert_eq!(hint, "`rto` belongs in `spec`: check the indentation");
    let (.., hint) = only("  activeSite: primary\n  colour: 3\n");
    assert!(hint.starts_with("the fields here are"), "{hint}");
    let (.., hint) = only("  activeSite: primary\nrto: 15m\n");
    assert_eq!(hint, "`rto` belongs in `spec`: check the indentation");
    let (.., hint) = only("  activeSite: primary\n  metadata: {}\n");
    assert_eq!(
        hint,
        "`metadata` belongs at the top of the object: check the indentation"
    );
}

#[test]
fn a_missing_field_points_at_what_should_hold_it() {
    let (code, line, column, message, _) =
        only("  activeSite: primary\n  groups:\n  - retries: 3\n");
    assert_eq!((code, line, column), (code::MISSING_FIELD, 3, 5));
    assert_eq!(message, "the field `name` is missing");
    assert_eq!(
        fields("  activeSite: primary\n  groups:\n  - retries: 3\n"),
        ["spec.groups[0].name"]
    );
    assert_eq!(fields("  rto: 15m\n"), ["spec.activeSite"]);
}

#[test]
fn types_are_strict() {
    let typed = |line: &str| {
        let (code, _, _, message, hint) = only(&format!("  activeSite: primary\n  {line}\n"));
        assert_eq!(code, code::WRONG_TYPE);
        (message, hint)
    };
    assert_eq!(
        typed("rto: 15"),
        (
            "expected a string, found the integer `15`".into(),
            "quote it".into()
        )
    );
    assert_eq!(typed("labels: {a: 1}").1, "quote it");
    assert_eq!(
        typed("groups: [{name: a, retries: \"3\"}]"),
        (
            "expected an integer, found the string \"3\"".into(),
            "remove the quotes".into()
        )
    );
    assert_eq!(
        typed("groups: [{name: a, dependsOn: b}]").1,
        "put it in brackets, or after a `- `"
    );
    assert_eq!(typed("groups: {name: a}").0, "expected a list, found a map");
    assert_eq!(
        typed("groups: [{name: a, retries: 010}]").0,
        "expected an integer, found `010`"
    );
    assert_eq!(
        typed("start: {now: yes}").0,
        "expected a boolean (`true` or `false`), found the string \"yes\""
    );
    assert_eq!(
        typed("port: 1.5").0,
        "expected an integer or a string, found the number `1.5`"
    );
    assert_eq!(
        typed("tags: [a, null]").0,
        "expected a string, found nothing"
    );
}

#[test]
fn values_keep_their_rules() {
    let wrong = |line: &str| only(&format!("  activeSite: primary\n  {line}\n")).3;
    assert_eq!(wrong("groups: []"), "this list must not be empty");
    let four = "groups: [{name: a}, {name: b}, {name: c}, {name: d}]";
    assert_eq!(wrong(four), "expected at most 3 items, found 4");
    assert_eq!(wrong("groups: [{name: \"\"}]"), "this must not be empty");
    assert_eq!(
        wrong("groups: [{name: abcdef}]"),
        "expected at most 5 characters, found 6"
    );
    assert_eq!(
        wrong("groups: [{name: a, retries: 10}]"),
        "expected at most 9, found the integer `10`"
    );
    assert_eq!(
        wrong("groups: [{name: a, retries: -1}]"),
        "expected at least 0, found the integer `-1`"
    );
    assert_eq!(
        wrong("groups: [{name: a, ratio: 0}]"),
        "expected more than 0, found the integer `0`"
    );
    assert_eq!(
        wrong("groups: [{name: a, ratio: 0.7}]"),
        "expected a multiple of 0.5, found the number `0.7`"
    );
    assert_eq!(
        wrong("rto: soon"),
        "\"soon\" does not have the form of this field"
    );
    assert_eq!(wrong("rto: 15min"), "\"15min\" is not a duration");
    assert_eq!(
        wrong("tags: [a, b, a]"),
        "two items have the same value: \"a\""
    );
    assert_eq!(
        wrong("start: {}"),
        "this has not exactly one of the forms allowed here"
    );
    assert_eq!(
        wrong("start: {now: true, at: x}"),
        "this has not exactly one of the forms allowed here"
    );
}

#[test]
fn characters_are_counted_and_not_bytes() {
    assert_eq!(
        found("  activeSite: primary\n  groups: [{name: 데이터베이}]\n"),
        []
    );
}

#[test]
fn an_unknown_word_names_the_words_there_are() {
    let (code, .., hint) = only("  activeSite: primry\n");
    assert_eq!(code, code::UNKNOWN_VALUE);
    assert_eq!(
        hint,
        "did you mean `primary`? the values are `primary` and `secondary`"
    );
}

#[test]
fn a_one_of_says_which_arms_there_are() {
    let site = |fabric: &str| {
        let text = format!(
            "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: {{name: a}}\nspec: {{fabric: {fabric}}}\n"
        );
        load_one(&text)
            .diagnostics
            .into_iter()
            .map(|each| each.message)
            .collect::<Vec<_>>()
    };
    assert_eq!(site("{simulator: {}}"), Vec::<String>::new());
    assert_eq!(site("{}"), ["none is set of `libvirt` or `simulator`"]);
    assert_eq!(
        site("{simulator: {}, libvirt: {}}"),
        ["2 are set of `libvirt` or `simulator`"]
    );
    assert_eq!(site("{simulater: {}}"), ["unknown field \"simulater\""]);
}

#[test]
fn items_of_a_list_are_known_by_name() {
    let all = found("  activeSite: primary\n  groups:\n  - name: a\n  - name: b\n  - name: a\n");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].message, "two items have the same name: \"a\"");
    assert_eq!(all[0].place.as_ref().unwrap().start.line, 9);
    assert_eq!(all[0].notes[0].place.start.line, 7);
    assert_eq!(all[0].field.as_deref(), Some("spec.groups[2]"));
}

#[test]
fn an_empty_field_is_a_warning_where_people_write() {
    let all = found("  activeSite: primary\n  rto:\n  tags: null\n");
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].severity, known(&all[0].code)),
        (Severity::Warning, code::EMPTY_FIELD)
    );
    let text = plan("  activeSite: primary\n").replace("name: shop", "name: shop, labels: ");
    assert_eq!(load_one(&text).diagnostics, []);
}

#[test]
fn a_required_field_without_a_value_is_one_error() {
    let (code, line, _, message, _) = only("  activeSite:\n");
    assert_eq!((code, line), (code::MISSING_FIELD, 1));
    assert_eq!(message, "the field `activeSite` has no value");
}

#[test]
fn a_number_in_a_field_with_a_format_needs_more_than_quotes() {
    let text = plan("  activeSite: primary\n  rto: 15\n");
    assert_eq!(
        load_one(&text).diagnostics[0].hint.as_deref(),
        Some("quote it")
    );
    let (code, .., hint) = only("  activeSite: primary\n  spread: 15\n");
    assert_eq!(
        (code, hint.as_str()),
        (code::INVALID_VALUE, "did you mean 15m?")
    );
}

#[test]
fn all_problems_of_a_document_show_at_once() {
    let spec = "  activeSite: 1\n  rto: 15min\n  nonsense: 1\n  groups:\n  - retries: x\n";
    let codes: Vec<_> = found(spec).into_iter().map(|each| each.code).collect();
    assert_eq!(
        codes,
        [
            code::WRONG_TYPE,
            code::INVALID_VALUE,
            code::UNKNOWN_FIELD,
            code::MISSING_FIELD,
            code::WRONG_TYPE
        ]
    );
}

#[test]
fn problems_of_one_document_are_bounded() {
    let spec: Vec<String> = (0..1000).map(|index| format!("  x{index}: 1\n")).collect();
    assert_eq!(
        found(&spec.concat()).len(),
        crate::limits::MAX_PROBLEMS_PER_DOCUMENT
    );
}

#[test]
fn a_value_that_may_be_a_secret_is_not_repeated() {
    let text = "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: {name: a}\nspec: {fabric: {libvirt: {}}, password: hunter2}\n";
    let shown = crate::testing::shown(text);
    assert!(shown.contains("expected at most 3 characters"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let number = crate::testing::shown(&text.replace("hunter2", "31337"));
    assert!(
        number.contains("expected a string, found the integer"),
        "{number}"
    );
    assert!(!number.contains("31337"), "{number}");
}
