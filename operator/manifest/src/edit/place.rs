//! Where in a text a value is written, or would be.

use super::write::{self, Quotes};
use super::{BY_HAND, Edit, Refusal, SHARED, Written};
use crate::node::{Key, Node, Value};
use crate::position::{Span, offset};

/// Columns that a map is indented by, where nothing shows how many.
const USUAL_STEP: usize = 2;

/// A node of the tree and the key that it stands under.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) text: &'a [u8],
    pub(super) node: &'a Node,
    key: Option<&'a Key>,
}

impl<'a> Spot<'a> {
    pub(super) fn root(text: &'a [u8], node: &'a Node) -> Self {
        Self {
            text,
            node,
            key: None,
        }
    }

    pub(super) fn refuse(&self, what: impl Into<String>, hint: &'static str) -> Refusal {
        let at = self.key.map_or(self.node.span.start, |key| key.span.start);
        Refusal {
            at,
            what: what.into(),
            hint,
        }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When an alias or a merge brought it here: it is written elsewhere, for others too.
    pub(super) fn below(&self, key: &str) -> Result<Option<Self>, Refusal> {
        let Some((key, node)) = self.node.entry(key) else {
            return Ok(None);
        };
        let next = Self {
            text: self.text,
            node,
            key: Some(key),
        };
        if self.holds(key, node) {
            return Ok(Some(next));
        }
        let at = if self.has(key.span) {
            key.span.start
        } else {
            self.node.span.start
        };
        let what = format!(
            "`{}` is written elsewhere, and an alias brings it here",
            key.text
        );
        Err(Refusal {
            at,
            what,
            hint: SHARED,
        })
    }

    /// Whether an entry is written in this map, and not brought in by an alias or a merge.
    fn holds(&self, key: &Key, value: &Node) -> bool {
        let follows = value.span.start >= key.span.end && self.has(value.span);
        self.has(key.span) && (value.is_null() || follows)
    }

    fn has(&self, span: Span) -> bool {
        span.start >= self.node.span.start && span.end <= self.node.span.end
    }

    /// Another value instead of this one; nothing where it says so already.
    pub(super) fn replace(&self, value: &Written) -> Result<Option<Edit>, Refusal> {
        if self.node.is_null() {
            return self.fill(value).map(Some);
        }
        if self.is_block_of_text() {
            return Err(self.refuse(
                "this value is written as a block of text",
                "write it on the line of its key, then try again",
            ));
        }
        let span = self.content();
        let old = self.slice(span);
        let text = match (value, &self.node.value) {
            (Written::Text(text), Value::Str(own)) if text == own => return Ok(None),
            (Written::Text(_), Value::Map(_) | Value::Seq(_)) => {
                return Err(self.refuse("this is no single value", BY_HAND));
            }
            (Written::Text(text), _) => in_the_style_of(old, text),
            (Written::Map(_), _) if old.starts_with('{') => write::flow(value, self.quotes()),
            (Written::Map(entries), Value::Map(_)) => {
                let lines = self.lines(entries, span.start)?;
                lines.trim_start().to_owned()
            }
            (Written::Map(_), _) => return Err(self.refuse("this is no map", BY_HAND)),
        };
        Ok(Some(Edit { span, text }))
    }

    /// Whether the value is a `|` or `>` with its lines below: those begin the node, and what says how they
    /// are read stands before it.
    fn is_block_of_text(&self) -> bool {
        let Some(key) = self.key else {
            return false;
        };
        let head = self.slice(Span::new(
            key.span.end,
            self.node.span.start.max(key.span.end),
        ));
        let mut head = head.trim_start().trim_start_matches(':').trim_start();
        while head.starts_with(['&', '!']) {
            let word = head.find([' ', '\t', '\n', '\r']).unwrap_or(head.len());
            head = head[word..].trim_start();
        }
        head.starts_with(['|', '>'])
    }

    /// The entries of a block map, beginning in the column of this byte.
    fn lines(&self, entries: &[(String, Written)], at: u32) -> Result<String, Refusal> {
        let indent = self
            .indent(at)
            .ok_or_else(|| self.refuse("this does not begin on a line of its own", BY_HAND))?;
        let lines: Vec<String> = entries
            .iter()
            .flat_map(|(key, value)| write::block(key, value, indent, self.step()))
            .collect();
        Ok(lines.join(self.line_end(at)))
    }

    /// A value where nothing is written yet, or null.
    pub(super) fn fill(&self, value: &Written) -> Result<Edit, Refusal> {
        let value = write::flow(value, self.quotes());
        if !self.node.is_blank() {
            return Ok(Edit {
                span: self.node.span,
                text: value,
            });
        }
        let Some(key) = self.key else {
            return Err(self.refuse("nothing is written here", BY_HAND));
        };
        let after = self.slice(Span::new(key.span.end, offset(self.text.len())));
        let colon = after.find(|each: char| each != ' ' && each != '\t');
        match colon.filter(|at| after[*at..].starts_with(':')) {
            Some(at) => {
                let at = key.span.end + offset(at) + 1;
                Ok(Edit {
                    span: Span::at(at),
                    text: format!(" {value}"),
                })
            }
            None => Err(self.refuse("this key has no colon", BY_HAND)),
        }
    }

    /// A new entry of this map, after the first of `before` that is written in it.
    pub(super) fn insert(
        &self,
        key: &str,
        value: &Written,
        before: &[&str],
    ) -> Result<Edit, Refusal> {
        let written: Vec<&(Key, Node)> = self
            .node
            .entries()
            .iter()
            .filter(|(key, _)| self.has(key.span))
            .collect();
        let named = |name: &&str| written.iter().copied().find(|(own, _)| own.text == **name);
        let after = before.iter().find_map(named);
        if self.slice(self.content()).starts_with('{') {
            Ok(self.insert_in_braces(key, value, after, &written))
        } else {
            self.insert_line(key, value, after, &written)
        }
    }

    fn insert_in_braces(
        &self,
        key: &str,
        value: &Written,
        after: Option<&(Key, Node)>,
        written: &[&(Key, Node)],
    ) -> Edit {
        let quotes = self.quotes();
        let entry = format!(
            "{}: {}",
            write::scalar(key, quotes),
            write::flow(value, quotes)
        );
        let ends = |(key, value): &&(Key, Node)| self.holds(key, value) && !value.is_null();
        if let Some((key, value)) = after.filter(ends) {
            let text = match self.own_line(key.span.start) {
                Some(indent) => format!(",{}{indent}{entry}", self.line_end(key.span.start)),
                None => format!(", {entry}"),
            };
            return Edit {
                span: Span::at(value.span.end),
                text,
            };
        }
        let Some((first, _)) = written.first() else {
            return Edit {
                span: self.content(),
                text: format!("{{ {entry} }}"),
            };
        };
        let at = first.span.start;
        let text = match self.own_line(at) {
            Some(indent) => format!("{entry},{}{indent}", self.line_end(at)),
            None => format!("{entry}, "),
        };
        Edit {
            span: Span::at(at),
            text,
        }
    }

    fn insert_line(
        &self,
        key: &str,
        value: &Written,
        after: Option<&(Key, Node)>,
        written: &[&(Key, Node)],
    ) -> Result<Edit, Refusal> {
        let no_place = || self.refuse("there is no line to write it beside", BY_HAND);
        let (first, _) = written.first().ok_or_else(no_place)?;
        let step = self.step();
        let at = first.span.start;
        let line_end = self.line_end(at);
        let lines = |indent| write::block(key, value, indent, step).join(line_end);
        // Every key of a block map stands in the column of the first.
        let column = self.column(at);
        let Some((own, old)) = after else {
            let indent = self.indent(at).ok_or_else(no_place)?;
            let text = format!(
                "{}{line_end}{}",
                lines(indent).trim_start(),
                " ".repeat(indent)
            );
            return Ok(Edit {
                span: Span::at(at),
                text,
            });
        };
        let end = if self.holds(own, old) {
            old.span.end.max(own.span.end)
        } else {
            own.span.end
        };
        let at = self.end_of_entry(end as usize, column);
        let text = if at > 0 && matches!(self.text[at - 1], b'\n' | b'\r') {
            format!("{}{line_end}", lines(column))
        } else {
            format!("{line_end}{}", lines(column))
        };
        Ok(Edit {
            span: Span::at(offset(at)),
            text,
        })
    }

    /// The end of the line that an entry ends in, past the comments below that are indented deeper
    /// than its key.
    fn end_of_entry(&self, end: usize, column: usize) -> usize {
        let line_end = |from: usize| {
            let rest = &self.text[from..];
            let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            from + length.unwrap_or(rest.len())
        };
        if end > 0 && matches!(self.text[end - 1], b'\n' | b'\r') {
            return end;
        }
        let mut end = line_end(end);
        loop {
            let start = match &self.text[end..] {
                [b'\r', b'\n', ..] => end + 2,
                [b'\r' | b'\n', ..] => end + 1,
                _ => return end,
            };
            let line = &self.text[start..line_end(start)];
            let indent = line.iter().take_while(|byte| **byte == b' ').count();
            if indent <= column || line.get(indent) != Some(&b'#') {
                return end;
            }
            end = line_end(start);
        }
    }

    /// The node without the anchor and the tag before it.
    fn content(&self) -> Span {
        let Span { mut start, end } = self.node.span;
        loop {
            let text = self.slice(Span::new(start, end));
            if !text.starts_with(['&', '!']) {
                return Span::new(start, end);
            }
            let word = text.find([' ', '\t', '\n', '\r']).unwrap_or(text.len());
            let blanks = text[word..].len() - text[word..].trim_start().len();
            start += offset(word + blanks);
        }
    }

    fn slice(&self, span: Span) -> &'a str {
        let bytes = self.text.get(span.range()).unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) => text,
            // Another document after this one may be no UTF-8.
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        }
    }

    /// As in JSON, where keys are quoted.
    fn quotes(&self) -> Quotes {
        let key = self.node.entries().first().map(|(key, _)| key).or(self.key);
        let quoted = key.is_some_and(|key| self.slice(key.span).starts_with('"'));
        if quoted {
            Quotes::Always
        } else {
            Quotes::Needed
        }
    }

    /// Columns that this map is indented by within the map around it.
    fn step(&self) -> usize {
        let first = self.node.entries().first();
        let columns = first.zip(self.key).and_then(|((first, _), key)| {
            let (inner, outer) = (self.indent(first.span.start)?, self.indent(key.span.start)?);
            inner.checked_sub(outer)
        });
        columns.filter(|step| *step > 0).unwrap_or(USUAL_STEP)
    }

    fn column(&self, at: u32) -> usize {
        self.before(at).len()
    }

    /// The columns before a byte, where nothing else is on its line before it.
    fn indent(&self, at: u32) -> Option<usize> {
        self.own_line(at).map(str::len)
    }

    fn own_line(&self, at: u32) -> Option<&'a str> {
        let before = self.before(at);
        let blank = before.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
        blank.then_some(before)
    }

    fn before(&self, at: u32) -> &'a str {
        let line = self.text[..at as usize]
            .iter()
            .rposition(|byte| matches!(byte, b'\n' | b'\r'));
        self.slice(Span::new(offset(line.map_or(0, |line| line + 1)), at))
    }

    /// How the line of a byte ends; the last line of a text ends as the one before it.
    fn line_end(&self, at: u32) -> &'static str {
        let breaks = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let after = self.text[at as usize..].iter().position(breaks);
        let index = after.map_or_else(
            || self.text[..at as usize].iter().rposition(breaks),
            |after| Some(at as usize + after),
        );
        match index {
            Some(index) if self.text[index..].starts_with(b"\r\n") => "\r\n",
            Some(index) if index > 0 && self.text[index - 1..].starts_with(b"\r\n") => "\r\n",
            Some(index) if self.text[index] == b'\r' => "\r",
            _ => "\n",
        }
    }
}

/// A text between the quotes that another had, where they can hold it.
fn in_the_style_of(old: &str, text: &str) -> String {
    match old.chars().next() {
        Some('"') => write::double(text),
        Some('\'') => write::single(text).unwrap_or_else(|| write::double(text)),
        _ => write::scalar(text, Quotes::Needed),
    }
}
