//! A source cut into documents, before anything is parsed.
//!
//! YAML forbids `---` and `...` at the start of a line inside any content, quoted or not (1.2.2,
//! rule `c-forbidden`), so the cut is exact. It is what lets a broken document spoil only itself,
//! and what lets documents be parsed in parallel and again.

use crate::position::offset;

/// One document with the comments and directives before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The line (from 1) it starts on.
    pub(crate) line: u32,
}

impl Chunk {
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The documents of a source, in order. Ends after `limit` of them; the flag says that more follow.
pub(crate) fn split(text: &[u8], limit: usize) -> (Vec<Chunk>, bool) {
    let mut splitter = Splitter {
        text,
        chunks: Vec::new(),
        start: 0,
        start_line: 1,
        marked: false,
        content: false,
    };
    let mut at = 0;
    let mut line = 1;
    while at < text.len() {
        let next = next_line(text, at);
        splitter.line(at, next, line);
        if splitter.chunks.len() > limit {
            splitter.chunks.truncate(limit);
            return (splitter.chunks, true);
        }
        at = next;
        line += 1;
    }
    splitter.cut(text.len(), line);
    let more = splitter.chunks.len() > limit;
    splitter.chunks.truncate(limit);
    (splitter.chunks, more)
}

struct Splitter<'a> {
    text: &'a [u8],
    chunks: Vec<Chunk>,
    start: usize,
    start_line: u32,
    /// Whether this chunk has had its `---`.
    marked: bool,
    /// Whether it has anything but blank lines, comments and directives.
    content: bool,
}

impl Splitter<'_> {
    fn line(&mut self, at: usize, next: usize, line: u32) {
        let text = &self.text[at..next];
        let text = if at == 0 {
            text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
        } else {
            text
        };
        if is_marker(text, b"---") {
            // Comments and directives before the marker belong to the document it opens.
            if self.marked || self.content {
                self.cut(at, line);
            }
            self.marked = true;
            self.content = has_content(&text[3..]);
        } else if is_marker(text, b"...") {
            self.content = self.content || self.marked;
            self.cut(next, line + 1);
        } else if !self.content {
            let directive = !self.marked && text.first() == Some(&b'%');
            self.content = !directive && has_content(text);
        }
    }

    fn cut(&mut self, at: usize, line: u32) {
        if at > self.start {
            self.chunks.push(Chunk {
                start: offset(self.start),
                end: offset(at),
                line: self.start_line,
            });
        }
        self.start = at;
        self.start_line = line;
        self.marked = false;
        self.content = false;
    }
}

fn next_line(text: &[u8], at: usize) -> usize {
    let rest = &text[at..];
    match rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        Some(index) if rest[index] == b'\r' && rest.get(index + 1) == Some(&b'\n') => {
            at + index + 2
        }
        Some(index) => at + index + 1,
        None => text.len(),
    }
}

fn is_marker(line: &[u8], marker: &[u8]) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| matches!(rest.first(), None | Some(b' ' | b'\t' | b'\n' | b'\r')))
}

fn has_content(line: &[u8]) -> bool {
    let first = line
        .iter()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    !matches!(first, None | Some(b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(u32, &str)> {
        let (chunks, more) = split(text.as_bytes(), 100);
        assert!(!more);
        chunks
            .iter()
            .map(|chunk| (chunk.line, &text[chunk.range()]))
            .collect()
    }

    #[test]
    fn markers_cut() {
        assert_eq!(
            pieces("a: 1\n---\nb: 2\n"),
            [(1, "a: 1\n"), (2, "---\nb: 2\n")]
        );
        assert_eq!(pieces("--- a\n--- b"), [(1, "--- a\n"), (2, "--- b")]);
        assert_eq!(pieces("a\n...\nb\n"), [(1, "a\n...\n"), (3, "b\n")]);
        assert_eq!(pieces(""), []);
    }

    #[test]
    fn what_stands_before_the_first_marker_belongs_to_it() {
        assert_eq!(
            pieces("# c\n%YAML 1.2\n---\na\n"),
            [(1, "# c\n%YAML 1.2\n---\na\n")]
        );
        assert_eq!(pieces("\u{FEFF}---\na\n"), [(1, "\u{FEFF}---\na\n")]);
        assert_eq!(
            pieces("a\n...\n%YAML 1.2\n---\nb\n"),
            [(1, "a\n...\n"), (3, "%YAML 1.2\n---\nb\n")]
        );
    }

    #[test]
    fn only_whole_markers_at_the_start_of_a_line_cut() {
        assert_eq!(pieces("a: |\n  ---\n----\n---b\n").len(), 1);
        assert_eq!(
            pieces("a\r\n---\r\nb\r---\rc"),
            [(1, "a\r\n"), (2, "---\r\nb\r"), (4, "---\rc")]
        );
    }

    #[test]
    fn the_limit_holds() {
        let (chunks, more) = split("---\na\n".repeat(10).as_bytes(), 4);
        assert_eq!((chunks.len(), more), (4, true));
        let (chunks, more) = split("---\na\n".repeat(4).as_bytes(), 4);
        assert_eq!((chunks.len(), more), (4, false));
    }
}
