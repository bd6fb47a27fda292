//! Where something stands: byte ranges inside, lines and columns outside.

use std::sync::Arc;

use serde::Serialize;

/// A byte range of a source. Sources are at most [`MAX_SOURCE_BYTES`](crate::limits) long, so 32
/// bits are enough and half as large in a tree of millions of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end`; an end before the start makes an empty range.
    pub fn new(start: u32, end: u32) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }

    /// An empty range.
    pub fn at(offset: u32) -> Self {
        Self::new(offset, offset)
    }

    /// As indexes of a slice.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A byte offset that fits a [`Span`]; what lies beyond was refused before.
pub(crate) fn offset(byte: usize) -> u32 {
    u32::try_from(byte).unwrap_or(u32::MAX)
}

/// A point in a source, as editors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in Unicode scalar values, from 1. A byte order mark is no column.
    pub column: u32,
    /// The byte, from 0.
    pub offset: u32,
}

/// A range of a named source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Which of the loaded sources, from 0.
    pub source: u32,
    /// The name it was loaded under.
    #[serde(serialize_with = "as_text")]
    pub file: Arc<str>,
    /// First character.
    pub start: Position,
    /// One past the last character.
    pub end: Position,
}

fn as_text<S: serde::Serializer>(file: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(file)
}

impl Place {
    /// The bytes.
    pub fn span(&self) -> Span {
        Span::new(self.start.offset, self.end.offset)
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The lines of one source, made once for all its diagnostics.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    starts: Vec<u32>,
    /// Then a column is a subtraction: a JSON file may be one line of many megabytes.
    ascii: bool,
}

impl Lines {
    /// Line breaks are those of YAML: LF, CR LF, and CR alone.
    pub(crate) fn new(text: &[u8]) -> Self {
        let mut starts = vec![0];
        for (index, byte) in text.iter().enumerate() {
            let ends = match byte {
                b'\n' => true,
                b'\r' => text.get(index + 1) != Some(&b'\n'),
                _ => false,
            };
            if ends {
                starts.push(offset(index + 1));
            }
        }
        Self {
            starts,
            ascii: text.is_ascii(),
        }
    }

    /// The line (from 1) that holds this byte.
    pub(crate) fn line_of(&self, at: u32) -> u32 {
        offset(self.starts.partition_point(|start| *start <= at).max(1))
    }

    /// Line and column of a byte.
    pub(crate) fn position(&self, text: &[u8], at: u32) -> Position {
        let at = at.min(offset(text.len()));
        let line = self.line_of(at);
        let start = self
            .starts
            .get(line as usize - 1)
            .copied()
            .unwrap_or_default();
        let before = text.get(start as usize..at as usize).unwrap_or_default();
        let column = if self.ascii {
            offset(before.len())
        } else {
            count_chars(before)
        };
        Position {
            line,
            column: column + 1,
            offset: at,
        }
    }

    /// The range with lines and columns.
    pub(crate) fn place(&self, source: u32, file: &Arc<str>, text: &[u8], span: Span) -> Place {
        Place {
            source,
            file: Arc::clone(file),
            start: self.position(text, span.start),
            end: self.position(text, span.end),
        }
    }
}

/// Characters in a piece of a line; every byte that is no UTF-8 shows as one.
fn count_chars(piece: &[u8]) -> u32 {
    let piece = piece.strip_prefix(BYTE_ORDER_MARK).unwrap_or(piece);
    match std::str::from_utf8(piece) {
        Ok(text) => offset(text.chars().count()),
        Err(_) => offset(String::from_utf8_lossy(piece).chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, byte: u32) -> (u32, u32) {
        let position = Lines::new(text.as_bytes()).position(text.as_bytes(), byte);
        (position.line, position.column)
    }

    #[test]
    fn lines_end_as_yaml_says() {
        assert_eq!(at("a\nb", 2), (2, 1));
        assert_eq!(at("a\r\nb", 3), (2, 1));
        assert_eq!(at("a\rb", 2), (2, 1));
        assert_eq!(at("a\n", 2), (2, 1));
        assert_eq!(at("", 0), (1, 1));
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(at("에이 b", 7), (1, 4));
        assert_eq!(at("\u{FEFF}a", 3), (1, 1));
        assert_eq!(at("\u{FEFF}a", 4), (1, 2));
    }

    #[test]
    fn a_position_beyond_the_end_is_the_end() {
        assert_eq!(at("ab", 100), (1, 3));
    }
}
