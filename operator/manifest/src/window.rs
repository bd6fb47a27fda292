//! The text of one document as the parser sees it, and the way back to bytes of the source.
//!
//! The parser counts characters; everything else in this crate counts bytes.

use std::borrow::Cow;

use crate::limits::MAX_LOOKAHEAD_BYTES;
use crate::position::{Span, offset};

/// One checkpoint for so many characters.
const STRIDE: usize = 64;

/// What is put before a long document that starts with a bracket. After `---` on the same line the
/// bracket cannot start a key, so the scanner need not hold the whole document to find out.
const OPENING: &str = "--- ";

#[derive(Debug)]
pub(crate) struct Window<'t> {
    text: Cow<'t, str>,
    /// Byte of the source that the text starts at. With [`OPENING`] it may lie before the source.
    base: i64,
    /// Byte of every [`STRIDE`]th character; empty when all characters are one byte long.
    checkpoints: Vec<u32>,
}

impl<'t> Window<'t> {
    pub(crate) fn new(text: &'t str, base: u32) -> Self {
        let (text, base) = if text.len() > MAX_LOOKAHEAD_BYTES {
            without_lookahead(text, i64::from(base))
        } else {
            (Cow::Borrowed(text), i64::from(base))
        };
        let checkpoints = if text.is_ascii() {
            Vec::new()
        } else {
            let bytes = text.char_indices().map(|(byte, _)| offset(byte));
            bytes.step_by(STRIDE).collect()
        };
        Self {
            text,
            base,
            checkpoints,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The byte of the text that a character (by its number) starts at.
    pub(crate) fn byte_of_char(&self, index: usize) -> usize {
        if self.checkpoints.is_empty() {
            return index.min(self.text.len());
        }
        let Some(checkpoint) = self.checkpoints.get(index / STRIDE) else {
            return self.text.len();
        };
        let start = *checkpoint as usize;
        let rest = &self.text[start..];
        let into = rest
            .char_indices()
            .nth(index % STRIDE)
            .map_or(rest.len(), |(byte, _)| byte);
        start + into
    }

    /// A range of the text as a range of the source.
    pub(crate) fn span_of(&self, start: usize, end: usize) -> Span {
        let shift = |byte: usize| {
            let at = i64::try_from(byte)
                .unwrap_or(i64::MAX)
                .saturating_add(self.base);
            u32::try_from(at.max(0)).unwrap_or(u32::MAX)
        };
        Span::new(shift(start), shift(end))
    }

    /// A range that the parser reports as a range of the source.
    pub(crate) fn span(&self, span: saphyr_parser::Span) -> Span {
        let (start, end) = (span.start.index(), span.end.index());
        let first = self.byte_of_char(start);
        let last = if start == end {
            first
        } else {
            self.byte_of_char(end)
        };
        self.span_of(first, last)
    }

    /// A range of the source as a range of the text.
    fn local(&self, span: Span) -> std::ops::Range<usize> {
        let shift = |byte: u32| {
            let at = i64::from(byte).saturating_sub(self.base).max(0);
            usize::try_from(at)
                .unwrap_or(usize::MAX)
                .min(self.text.len())
        };
        shift(span.start)..shift(span.end)
    }

    /// The text at a range of the source; nothing when it cuts a character.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text.get(self.local(span)).unwrap_or_default()
    }

    /// The end of a flow collection, when its end event stands on the bracket that closes it.
    pub(crate) fn closing_bracket(&self, span: Span) -> Option<u32> {
        let bracket = self.slice(span).starts_with([']', '}']);
        bracket.then(|| span.start.saturating_add(1))
    }

    /// The parser's range of a quoted scalar takes in the blanks and the comment after it.
    pub(crate) fn trim_quoted(&self, span: Span) -> Span {
        let text = self.slice(span);
        // An anchor or tag may stand before the quote.
        let Some(open) = text.find(['"', '\'']) else {
            return span;
        };
        let double = text[open..].starts_with('"');
        let inner = text.as_bytes()[open + 1..].iter();
        let mut skip = false;
        let mut end = text.len();
        for (index, byte) in inner.enumerate() {
            let at = open + 1 + index;
            if skip {
                skip = false;
            } else if double && *byte == b'\\' {
                skip = true;
            } else if double && *byte == b'"' {
                end = at + 1;
                break;
            } else if !double && *byte == b'\'' {
                if text.as_bytes().get(at + 1) == Some(&b'\'') {
                    skip = true;
                } else {
                    end = at + 1;
                    break;
                }
            }
        }
        Span::new(span.start, span.start.saturating_add(offset(end)))
    }

    /// Whether somebody's template (Helm, Go, Jinja) was handed in before it was rendered.
    pub(crate) fn looks_like_template(&self) -> bool {
        self.text.contains("{{")
    }
}

/// A document that starts with a bracket, shifted behind a `--- ` so that it can be read as a stream.
fn without_lookahead(text: &str, base: i64) -> (Cow<'_, str>, i64) {
    let start = start_of_content(text);
    if !text[start..].starts_with(['{', '[']) {
        return (Cow::Borrowed(text), base);
    }
    let moved = i64::try_from(start).unwrap_or(0) - i64::try_from(OPENING.len()).unwrap_or(0);
    (Cow::Owned([OPENING, &text[start..]].concat()), base + moved)
}

/// Past blank lines, comments and the `---`.
fn start_of_content(text: &str) -> usize {
    let mut rest = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let next = if trimmed.starts_with('#') {
            trimmed.find(['\n', '\r']).map_or("", |end| &trimmed[end..])
        } else if let Some(marked) = trimmed.strip_prefix("---") {
            marked
        } else {
            return text.len() - trimmed.len();
        };
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_become_bytes() {
        let text = "가나".repeat(100) + "x";
        let window = Window::new(&text, 10);
        assert_eq!(window.byte_of_char(0), 0);
        assert_eq!(window.byte_of_char(65), 195);
        assert_eq!(window.byte_of_char(200), 600);
        assert_eq!(window.byte_of_char(201), 601);
        assert_eq!(window.byte_of_char(10_000), 601);
        assert_eq!(window.span_of(600, 601), Span::new(610, 611));
        assert_eq!(window.slice(Span::new(610, 611)), "x");
        assert_eq!(window.slice(Span::new(11, 12)), "");
    }

    #[test]
    fn content_starts_after_comments_and_markers() {
        assert_eq!(start_of_content("# a\n\n--- # b\n {}"), 14);
        assert_eq!(start_of_content("\u{FEFF}{}"), 3);
        assert_eq!(start_of_content("a"), 0);
        assert_eq!(start_of_content("# only"), 6);
    }

    #[test]
    fn quoted_scalars_end_with_their_quote() {
        let trim = |text: &str| {
            let window = Window::new(text, 0);
            window.trim_quoted(Span::new(0, offset(text.len()))).end
        };
        assert_eq!(trim(r#""a"   # it's "b""#), 3);
        assert_eq!(trim(r#""a\"b" "#), 6);
        assert_eq!(trim("'a''b' # 'c'"), 6);
    }
}
