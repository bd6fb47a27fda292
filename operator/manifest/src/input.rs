//! The text as the scanner of `saphyr-parser` reads it, with a bound on how far it runs ahead.

use std::cell::Cell;

use saphyr_parser::Input;
use saphyr_parser::input::SkipTabs;

use crate::limits::MAX_LOOKAHEAD_BYTES;

/// Shared by the input, which the parser owns, and the composer, which takes the events.
///
/// The scanner may run ahead of the events by [`MAX_LOOKAHEAD_BYTES`] at least and by twice as much
/// at most: looking only when a mark is passed keeps the cost out of the scanner's inner loops.
#[derive(Debug)]
pub(crate) struct Gauge {
    /// With less text left than this, it is looked whether there was an event.
    mark: Cell<usize>,
    /// Whether there was an event since the mark was set.
    event: Cell<bool>,
    starved: Cell<bool>,
}

impl Gauge {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            mark: Cell::new(text.len().saturating_sub(MAX_LOOKAHEAD_BYTES)),
            event: Cell::new(false),
            starved: Cell::new(false),
        }
    }

    /// An event was handed out.
    pub(crate) fn event(&self) {
        self.event.set(true);
    }

    /// Whether the scanner ran too far ahead and was told that the text ends there.
    pub(crate) fn starved(&self) -> bool {
        self.starved.get()
    }

    /// The mark is passed. Whether the scanner may go on.
    #[cold]
    fn passed(&self, left: usize) -> bool {
        self.mark.set(left.saturating_sub(MAX_LOOKAHEAD_BYTES));
        let fed = self.event.replace(false);
        self.starved.set(!fed);
        fed
    }
}

/// A string as scanner input. What `saphyr_parser::StrInput` is, plus the [`Gauge`].
#[derive(Debug)]
pub(crate) struct Text<'a> {
    rest: &'a str,
    lookahead: usize,
    gauge: &'a Gauge,
}

impl<'a> Text<'a> {
    pub(crate) fn new(text: &'a str, gauge: &'a Gauge) -> Self {
        Self {
            rest: text,
            lookahead: 0,
            gauge,
        }
    }
}

/// The scanner reserves so much for each plain scalar. Most are shorter, and a tree keeps them all.
const BUFFER_CHARS: usize = 16;

impl Input for Text<'_> {
    #[inline]
    fn lookahead(&mut self, count: usize) {
        self.lookahead = self.lookahead.max(count);
        if self.rest.len() < self.gauge.mark.get() && !self.gauge.passed(self.rest.len()) {
            self.rest = "";
        }
    }

    #[inline]
    fn buflen(&self) -> usize {
        self.lookahead
    }

    #[inline]
    fn bufmaxlen(&self) -> usize {
        BUFFER_CHARS
    }

    #[inline]
    fn raw_read_ch(&mut self) -> char {
        let read = self.peek();
        self.skip();
        read
    }

    #[inline]
    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        let read = self.rest.chars().next()?;
        if matches!(read, '\0' | '\n' | '\r' | '\u{FEFF}') {
            return None;
        }
        self.skip();
        Some(read)
    }

    #[inline]
    fn skip(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    #[inline]
    fn skip_n(&mut self, count: usize) {
        let mut chars = self.rest.chars();
        for _ in 0..count {
            chars.next();
        }
        self.rest = chars.as_str();
    }

    #[inline]
    fn peek(&self) -> char {
        self.rest.chars().next().unwrap_or('\0')
    }

    #[inline]
    fn peek_nth(&self, n: usize) -> char {
        self.rest.chars().nth(n).unwrap_or('\0')
    }

    #[inline]
    fn peek_opt(&self) -> Option<char> {
        self.rest.chars().next()
    }

    // Comments and runs of blanks are a large part of real manifests: the defaults of the trait take
    // them character by character.

    fn skip_while_non_breakz(&mut self) -> usize {
        let end = self
            .rest
            .find(['\0', '\n', '\r', '\u{FEFF}'])
            .unwrap_or(self.rest.len());
        let (skipped, rest) = self.rest.split_at(end);
        self.rest = rest;
        skipped.chars().count()
    }

    fn skip_ws_to_eol(&mut self, skip_tabs: SkipTabs) -> (usize, Result<SkipTabs, &'static str>) {
        let spaces = self.rest.trim_start_matches(' ');
        let after = if skip_tabs == SkipTabs::No {
            spaces
        } else {
            spaces.trim_start_matches([' ', '\t'])
        };
        let blanks = self.rest.len() - after.len();
        let (skipped, rest) = self.rest.split_at(blanks);
        let (tab, space) = (skipped.contains('\t'), skipped.contains(' '));
        self.rest = rest;
        let mut count = blanks;
        if rest.starts_with('#') {
            if blanks == 0 {
                return (
                    0,
                    Err("comments must be separated from other tokens by whitespace"),
                );
            }
            count += self.skip_while_non_breakz();
        }
        (count, Ok(SkipTabs::Result(tab, space)))
    }

    fn skip_while_blank(&mut self) -> usize {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        let skipped = self.rest.len() - rest.len();
        self.rest = rest;
        skipped
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use saphyr_parser::{Parser, StrInput};

    use super::*;

    fn events(parser: Parser<'_, impl Input>) -> Vec<String> {
        parser
            .map(|next| format!("{next:?}"))
            .take(10_000)
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_parser_reads_the_same_as_from_its_own_input(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "a", "b: ", "- ", "\n", "\n  ", "[", "]", "{", "}", ", ", " # c", "#", "\t", "  ", "|\n",
                "|2-\n", ">\n", "\"", "'", "\\", "\r\n", "\r", "한", "\u{FEFF}", "&x ", "*x", "!t ", "%A b c\n",
                "---", "...", "a long plain scalar, longer than the buffer of the scanner",
            ]), 0..40),
        ) {
            let text = pieces.concat();
            let gauge = Gauge::new(&text);
            let ours = events(Parser::new(Text::new(&text, &gauge)));
            prop_assert_eq!(ours, events(Parser::new(StrInput::new(&text))));
            prop_assert!(!gauge.starved());
        }
    }
}
