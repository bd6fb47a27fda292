use std::sync::Arc;

use super::*;
use crate::position::{Lines, Span};
use crate::testing::{load_bytes, plan, shown};

fn source(text: &[u8]) -> Source<'_> {
    Source {
        name: "a.yaml",
        text,
    }
}

/// A diagnostic for these bytes.
fn at(text: &[u8], span: std::ops::Range<u32>) -> Diagnostic {
    let file: Arc<str> = Arc::from("a.yaml");
    let place = Lines::new(text).place(0, &file, text, Span::new(span.start, span.end));
    Diagnostic::new(Severity::Error, "x", "wrong").at(place)
}

/// The source line and the caret line.
fn lines(text: &[u8], span: std::ops::Range<u32>, width: usize) -> (String, String) {
    let diagnostic = at(text, span);
    let shown = Renderer::plain()
        .width(width)
        .render(&diagnostic, &[source(text)]);
    let mut rows = shown
        .lines()
        .skip_while(|row| !row.starts_with(|each: char| each.is_ascii_digit()));
    let row = rows.next().unwrap_or_default().to_owned();
    (row, rows.next().unwrap_or_default().to_owned())
}

#[test]
fn a_diagnostic_shows_all_it_knows() {
    let text = plan("  activeSite: primary\n  groups:\n  - name: a\n  - name: a\n  gruops: []\n");
    assert_eq!(
        shown(&text),
        "\
error[duplicate-item]: two items have the same name: \"a\"
 --> a.yaml:8:11
  |
8 |   - name: a
  |           ^
  |
  = in: RecoveryPlan default/shop, spec.groups[1]
note: first used here
 --> a.yaml:7:11
  |
7 |   - name: a
  |           ^

error[unknown-field]: unknown field \"gruops\"
 --> a.yaml:9:3
  |
9 |   gruops: []
  |   ^^^^^^
  |
  = in: RecoveryPlan default/shop, spec.gruops
  = hint: the fields here are `activeSite`, `groups`, `labels`, `notes`, `port`, `rto`, `spread`, `start` and `tags`
"
    );
}

#[test]
fn colour_is_a_choice() {
    let text = b"a: b";
    let diagnostic = at(text, 0..1);
    let plain = Renderer::plain().render(&diagnostic, &[source(text)]);
    let colored = Renderer::plain()
        .color(true)
        .render(&diagnostic, &[source(text)]);
    assert!(!plain.contains('\u{1b}') && colored.contains("\u{1b}["));
}

#[test]
fn tabs_and_wide_characters_keep_the_caret() {
    let (row, caret) = lines("\ta:\tb".as_bytes(), 4..5, 100);
    assert_eq!(row.find('b'), caret.find('^'));
    // A wide character takes two columns of the terminal and one of the caret's count.
    let (row, caret) = lines("이름: 값 x".as_bytes(), 12..13, 100);
    assert_eq!(row, "1 | 이름: 값 x");
    assert_eq!(caret, "  |          ^");
    let shown = Renderer::plain().render(&at("이름: x".as_bytes(), 8..9), &[]);
    assert!(shown.contains("a.yaml:1:5"), "{shown}");
}

#[test]
fn long_lines_are_cut_around_the_caret() {
    let text = format!("{}X{}", "a".repeat(5_000_000), "b".repeat(5_000_000));
    let (row, caret) = lines(text.as_bytes(), 5_000_000..5_000_001, 80);
    assert!(row.len() <= 100, "{row}");
    assert_eq!(row.find('X'), caret.find('^'), "{row}\n{caret}");
    let shown = Renderer::plain().render(
        &at(text.as_bytes(), 5_000_000..5_000_001),
        &[source(text.as_bytes())],
    );
    assert!(shown.contains("a.yaml:1:5000001"), "{shown}");
    assert!(shown.len() < 1_000);
}

#[test]
fn values_over_several_lines_are_marked_in_the_first() {
    let (row, caret) = lines(b"a:\n  b: 1\n  c: 2\n", 5..16, 100);
    assert_eq!((row.as_str(), caret.as_str()), ("2 |   b: 1", "  |   ^^^^"));
}

#[test]
fn the_end_of_a_line_and_of_the_text_can_be_marked() {
    assert_eq!(lines(b"ab\ncd", 2..2, 100).1, "  |   ^");
    assert_eq!(lines(b"ab", 2..2, 100).1, "  |   ^");
    assert_eq!(lines(b"", 0..0, 100).1, "  | ^");
    assert_eq!(lines(b"ab\n", 3..3, 100).1, "  | ^");
}

#[test]
fn broken_text_is_shown_as_far_as_it_goes() {
    let (row, caret) = lines(b"a: \xFF\xFE b", 4..5, 100);
    assert_eq!(
        (row.as_str(), caret.as_str()),
        ("1 | a: \u{FFFD}\u{FFFD} b", "  |     ^")
    );
    let (row, _) = lines(b"a: \x1b[31m", 3..4, 100);
    assert_eq!(row, "1 | a: \u{FFFD}[31m");
    let loaded = load_bytes(b"\xFF\xFEa\0");
    let shown = Renderer::plain().render(&loaded.diagnostics[0], &[source(b"\xFF\xFEa\0")]);
    assert!(shown.contains("the text is UTF-16"), "{shown}");
}

#[test]
fn nothing_in_a_message_steers_the_terminal() {
    let text = plan("  activeSite: primary\n  \"\\e[31mx\\u202Ey\": 1\n");
    let shown = shown(&text);
    assert!(!shown.contains(['\u{1b}', '\u{202E}']), "{shown:?}");
}

#[test]
fn secret_values_are_masked_in_source_lines() {
    let (row, _) = lines(b"  apiToken: hunter2", 2..10, 100);
    assert_eq!(row, "1 |   apiToken: *******");
    let mut diagnostic = at(b"a: hunter2", 0..1);
    diagnostic.hide_source = true;
    let shown = Renderer::plain().render(&diagnostic, &[source(b"a: hunter2")]);
    assert_eq!(shown, "error[x]: wrong\n--> a.yaml:1:1");
}

#[test]
fn a_diagnostic_without_a_place_is_a_sentence() {
    let diagnostic = Diagnostic::new(Severity::Warning, "x", "odd").with_hint("do this");
    assert_eq!(
        Renderer::plain().render(&diagnostic, &[]),
        "warning[x]: odd\n |\n = hint: do this"
    );
}
