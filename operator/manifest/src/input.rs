//! The text as the scanner of `saphyr-parser` reads it, with a bound on how far it runs ahead.

use std::cell::Cell;

use saphyr_parser::Input;

use crate::limits::MAX_LOOKAHEAD_BYTES;

/// Shared by the input, which the parser owns, and the composer, which takes the events.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// How much was left at the last event; `None` right after one.
    left: Cell<Option<usize>>,
    starved: Cell<bool>,
}

impl Gauge {
    /// An event was handed out: the scanner may run ahead anew.
    pub(crate) fn reset(&self) {
        self.left.set(None);
    }

    /// Whether the scanner ran too far ahead and was told that the text ends there.
    pub(crate) fn starved(&self) -> bool {
        self.starved.get()
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

/// The scanner sizes its buffers by it; any small number works for input that is all in memory.
const BUFFER_CHARS: usize = 128;

impl Input for Text<'_> {
    #[inline]
    fn lookahead(&mut self, count: usize) {
        self.lookahead = self.lookahead.max(count);
        match self.gauge.left.get() {
            None => self.gauge.left.set(Some(self.rest.len())),
            Some(left) => {
                if left.saturating_sub(self.rest.len()) > MAX_LOOKAHEAD_BYTES {
                    self.gauge.starved.set(true);
                    self.rest = "";
                }
            }
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

    fn skip_while_blank(&mut self) -> usize {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        let skipped = self.rest.len() - rest.len();
        self.rest = rest;
        skipped
    }
}
