//! The parser's complaints in words that say what to do.

use saphyr_parser::ScanError;

use crate::code;
use crate::position::{Span, offset};
use crate::problem::Problem;
use crate::window::Window;

pub(crate) const TEMPLATE_HINT: &str = "this looks like a template: render it first (`helm template … | drover validate -`, `kustomize build`), or name only \
     the folders that hold manifests";

/// What the parser says (the beginning of it), what we say, and what helps.
const EXPLAINED: &[(&str, &str, &str)] = &[
    (
        "mapping values are not allowed",
        "a `:` is not allowed here",
        "quote the value if the colon belongs to it; otherwise check the indentation",
    ),
    (
        "simple key expect",
        "this line is neither `key: value` nor a list item",
        "put a `:` after the key, or quote text that spans lines",
    ),
    (
        "while parsing a block mapping, did not find expected key",
        "this does not continue the map above it",
        "align it with the keys above",
    ),
    (
        "while parsing a block collection, did not find expected '-'",
        "this does not continue the list above it",
        "start each item with `- ` in the same column",
    ),
    (
        "block sequence entries are not allowed",
        "a list item cannot start here",
        "start the list on its own line",
    ),
    (
        "\"-\" is only valid inside a block",
        "a `-` item cannot stand inside brackets",
        "separate items by commas inside `[ ]`",
    ),
    (
        "invalid indentation in quoted scalar",
        "the quote that opens here is not closed where its lines end",
        "close it with the same quote, or indent the lines that belong to it",
    ),
    (
        "invalid indentation",
        "the indentation fits nothing above",
        "align it with the line it belongs to",
    ),
    (
        "wrongly indented line in block scalar",
        "this line is indented less than the text it belongs to",
        "indent it like the first line of the text",
    ),
    ("tabs disallowed", "a tab cannot indent", "use spaces"),
    (
        "tab cannot be used as indentation",
        "a tab cannot indent",
        "use spaces",
    ),
    (
        "while scanning a plain scalar, found a tab",
        "a tab cannot indent",
        "use spaces",
    ),
    (
        "a block scalar content cannot start with a tab",
        "a tab cannot indent",
        "use spaces",
    ),
    (
        "while scanning a quoted scalar, found unexpected",
        "the quote that opens here is never closed",
        "close it with the same quote",
    ),
    (
        "invalid trailing content after double-quoted",
        "there is something after the closing quote",
        "put the whole value between the quotes",
    ),
    (
        "while parsing a quoted scalar, found unknown escape",
        "this quoted text has a backslash sequence that YAML does not know",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    (
        "while parsing a quoted scalar, did not find expected hexadecimal",
        "this quoted text has an incomplete `\\x`, `\\u` or `\\U` sequence",
        "give all 2, 4 or 8 hexadecimal digits",
    ),
    (
        "while parsing a quoted scalar, found invalid Unicode",
        "this quoted text names a character that does not exist",
        "write the character itself instead of a `\\u` sequence",
    ),
    (
        "while parsing a flow mapping, did not find expected",
        "expected `,` or `}`",
        "close the brace, or separate the entries by commas",
    ),
    (
        "while parsing a flow sequence, expected",
        "expected `,` or `]`",
        "close the bracket, or separate the items by commas",
    ),
    (
        "illegal placement of ':'",
        "a `:` is not allowed here",
        "close the bracket before it",
    ),
    (
        "misplaced bracket",
        "this bracket closes nothing",
        "remove it, or quote the value",
    ),
    (
        "while parsing a node, did not find expected node content",
        "expected a value here",
        "write the value, or quote it if it starts with a special character",
    ),
    (
        "while parsing node, found unknown anchor",
        "this alias names an anchor that is not defined above it in the same document",
        "define it with `&name`; quote the value if the `*` belongs to it",
    ),
    (
        "unexpected character",
        "a value cannot start with this character",
        "quote the value",
    ),
    (
        "comment intercepting",
        "a comment stands inside text that goes on in the next line",
        "quote the text, or move the comment",
    ),
    (
        "comments must be separated",
        "a comment needs a blank before its `#`",
        "put a blank before it, or quote the value",
    ),
    (
        "while scanning a block scalar",
        "the head of this text block is not valid",
        "after `|` or `>` only `+`, `-` and a digit may follow",
    ),
    (
        "a byte order mark",
        "there is a byte order mark inside the document",
        "save the file as UTF-8 without it",
    ),
    (
        "found unprintable character",
        "there is a NUL character here",
        "save the file as UTF-8 text",
    ),
    (
        "recursion limit exceeded",
        "the brackets are nested too deeply",
        "",
    ),
    (
        "while scanning an anchor or alias",
        "the name is missing after `&` or `*`",
        "quote the value if the character belongs to it",
    ),
    (
        "the handle wasn't declared",
        "this tag uses a handle that is not declared",
        "quote the value if the `!` belongs to it",
    ),
    (
        "missing explicit document end marker",
        "a `%` cannot start a line inside a document",
        "indent the line, or quote the value",
    ),
    (
        "did not find expected <document start>",
        "this belongs to no value: the document has ended before it",
        "check the indentation, or put `---` before a new document",
    ),
    (
        "unexpected end of plain scalar",
        "expected a value here",
        "quote it if it starts with a special character",
    ),
];

/// What a syntax error says, where, and what may help. `opened` are the starts of the maps and lists
/// that are not closed there, innermost first.
pub(crate) fn explain(
    window: &Window<'_>,
    error: &ScanError,
    opened: impl Iterator<Item = u32>,
) -> Problem {
    if let Some(conflict) = merge_conflict(window) {
        return conflict;
    }
    let text = window.text();
    let at = window.byte_of_char(error.marker().index());
    let end = at + text[at..].chars().next().map_or(0, char::len_utf8);
    let span = window.span_of(at, end);
    let bracket = opened
        .map(|start| Span::new(start, start.saturating_add(1)))
        .find(|bracket| window.slice(*bracket).starts_with(['[', '{']));
    if let Some(bracket) = bracket.filter(|_| text[at..].trim().is_empty()) {
        return unclosed(window, bracket);
    }
    let continues =
        error.info().starts_with("mapping values") && !line_before(text, at).contains(':');
    let mut problem = if continues {
        Problem::error(
            code::SYNTAX,
            span,
            "this line is read as a part of the value above it",
        )
        .hint("check its indentation, and whether the line above lacks a `:`")
    } else {
        known_error(error.info(), span)
    };
    if let Some(bracket) = bracket.filter(|bracket| bracket.start != span.start) {
        problem = problem.note(bracket, "inside of what is opened here");
    }
    if indent_of(line_before(text, at)).contains('\t') {
        problem = problem.hint("this line is indented with a tab: use spaces");
    } else if window.looks_like_template() {
        problem = problem.hint(TEMPLATE_HINT);
    }
    problem
}

fn known_error(info: &str, span: Span) -> Problem {
    match EXPLAINED
        .iter()
        .find(|(beginning, ..)| info.starts_with(beginning))
    {
        Some((_, message, "")) => Problem::error(code::SYNTAX, span, *message),
        Some((_, message, hint)) => Problem::error(code::SYNTAX, span, *message).hint(*hint),
        None => Problem::error(code::SYNTAX, span, info),
    }
}

fn unclosed(window: &Window<'_>, bracket: Span) -> Problem {
    let problem = Problem::error(code::SYNTAX, bracket, "this bracket is never closed");
    if window.looks_like_template() {
        problem.hint(TEMPLATE_HINT)
    } else {
        problem.hint("close it, or quote the value if the bracket belongs to it")
    }
}

fn merge_conflict(window: &Window<'_>) -> Option<Problem> {
    let text = window.text();
    let at = if text.starts_with("<<<<<<< ") {
        0
    } else {
        text.find("\n<<<<<<< ")? + 1
    };
    let span = window.span_of(at, at + 7);
    let problem = Problem::error(code::SYNTAX, span, "a merge conflict is not resolved here");
    Some(problem.hint("keep one of the two sides and remove the marker lines"))
}

/// The part of a line before a byte.
fn line_before(text: &str, at: usize) -> &str {
    let start = text[..at]
        .rfind(['\n', '\r'])
        .map_or(0, |before| before + 1);
    &text[start..at]
}

fn indent_of(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Bytes that YAML does not allow anywhere: control characters other than tab and line breaks.
/// The scanner lets most of them pass; `kubectl` does not.
pub(crate) fn forbidden_character(text: &str, base: u32) -> Option<Problem> {
    let control =
        |byte: &u8| (*byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || *byte == 0x7F;
    // A pass over all bytes is quick, and quicker without an early end: the compiler takes many at a
    // time. Only where it finds something is the text looked at by character.
    let suspect = |byte: &u8| control(byte) | matches!(byte, 0xC2 | 0xEF);
    if !text
        .as_bytes()
        .iter()
        .fold(false, |found, byte| found | suspect(byte))
    {
        return None;
    }
    let forbidden = |each: char| {
        (each.is_control() && !matches!(each, '\t' | '\n' | '\r' | '\u{85}'))
            || matches!(each, '\u{FFFE}' | '\u{FFFF}')
    };
    let (at, each) = text.char_indices().find(|(_, each)| forbidden(*each))?;
    let start = base.saturating_add(offset(at));
    let span = Span::new(start, start.saturating_add(offset(each.len_utf8())));
    let message = if each == '\0' {
        "there is a NUL character here".to_owned()
    } else {
        format!(
            "the control character U+{:04X} is not allowed in YAML",
            u32::from(each)
        )
    };
    let hint = "remove it; inside double quotes it can be written as `\\x` and two digits";
    Some(Problem::error(code::ENCODING, span, message).hint(hint))
}

/// Where and how text is no UTF-8.
pub(crate) fn invalid_utf8(text: &[u8], base: u32, error: std::str::Utf8Error) -> Problem {
    let at = error.valid_up_to();
    let length = error.error_len().unwrap_or(text.len() - at).max(1);
    let start = base.saturating_add(offset(at));
    let span = Span::new(start, start.saturating_add(offset(length)));
    let byte = text.get(at).copied().unwrap_or_default();
    let message = match text.get(at..at + 3) {
        Some([0xED, 0xA0..=0xBF, _]) => "half of a surrogate pair is no character".to_owned(),
        _ => format!("the byte 0x{byte:02X} is not valid UTF-8 here"),
    };
    Problem::error(code::ENCODING, span, message).hint("save the file as UTF-8")
}

/// UTF-16 and UTF-32 start with a byte order mark, or have zero bytes in their first characters.
pub(crate) fn other_encoding(text: &[u8]) -> Option<Problem> {
    let name = match text {
        [0xFF, 0xFE, ..] => "UTF-16 (little endian)",
        [0xFE, 0xFF, ..] => "UTF-16 (big endian)",
        [0, 0, 0xFE, 0xFF, ..] => "UTF-32",
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => "UTF-16 (little endian)",
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => "UTF-16 (big endian)",
        _ => return None,
    };
    let problem = Problem::error(
        code::ENCODING,
        Span::new(0, 1),
        format!("the text is {name}"),
    );
    Some(problem.hint("save the file as UTF-8"))
}
