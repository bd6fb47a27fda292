//! From a place in an expression to the place in the file that it is written in.

use drover_manifest::{Place, Position};

/// The place of line and column of an expression, whose value stands at `whole` in `text`. Where how it
/// is written hides that (folded text, escapes), the whole value.
pub fn within(text: &[u8], whole: &Place, expression: &str, at: (usize, usize)) -> Place {
    let start = whole.start.offset as usize;
    let raw = text
        .get(start..whole.end.offset as usize)
        .unwrap_or_default();
    let raw = String::from_utf8_lossy(raw);
    let found = if raw.starts_with(['"', '\'']) {
        in_quotes(&raw, whole.start, expression, at)
    } else {
        in_lines(&raw, whole.start, expression, at)
    };
    let Some(point) = found else {
        return whole.clone();
    };
    Place {
        start: point,
        end: next(point),
        ..whole.clone()
    }
}

fn in_quotes(raw: &str, start: Position, expression: &str, at: (usize, usize)) -> Option<Position> {
    let inner = raw.get(1..raw.len().checked_sub(1)?)?;
    if inner != expression || inner.contains(['\n', '\r']) {
        return None;
    }
    let (column, bytes) = columns(inner, at.1);
    Some(moved(
        start,
        0,
        start.column as usize + 1 + column,
        1 + bytes,
    ))
}

/// A text on one line, or on several of a block: there each but the first begins with what the block is
/// indented by, which is no part of the text.
fn in_lines(raw: &str, start: Position, expression: &str, at: (usize, usize)) -> Option<Position> {
    let number = at.0.checked_sub(1)?;
    let wanted = expression.lines().nth(number)?;
    let begins: usize = raw.split_inclusive('\n').take(number).map(str::len).sum();
    let line = raw.get(begins..)?;
    let indent = if number == 0 {
        0
    } else {
        start.column as usize - 1
    };
    if !line.get(indent..)?.starts_with(wanted) {
        return None;
    }
    let (column, bytes) = columns(wanted, at.1);
    let first = if number == 0 {
        start.column as usize
    } else {
        indent + 1
    };
    Some(moved(
        start,
        number,
        first + column,
        begins + indent + bytes,
    ))
}

/// The columns and bytes before a column that counts from 1.
fn columns(line: &str, column: usize) -> (usize, usize) {
    let column = column.saturating_sub(1);
    let bytes = line
        .char_indices()
        .nth(column)
        .map_or(line.len(), |(byte, _)| byte);
    (column, bytes)
}

fn moved(start: Position, lines: usize, column: usize, bytes: usize) -> Position {
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Position {
        line: start.line.saturating_add(small(lines)),
        column: small(column),
        offset: start.offset.saturating_add(small(bytes)),
    }
}

fn next(point: Position) -> Position {
    Position {
        column: point.column + 1,
        offset: point.offset + 1,
        ..point
    }
}
