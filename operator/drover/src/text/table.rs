//! Columns that line up, in any script, and fit into the width of a line.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Mood, Style};

/// Between two columns.
const GAP: usize = 2;
/// A column that gives way keeps so much: below it nothing can be recognised.
const LEAST: usize = 8;
/// The most lines of one row: a table is looked over, not read.
const MOST_LINES: usize = 4;

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    title: Cow<'static, str>,
    right: bool,
    narrow: Narrow,
}

/// What becomes of the text of a column when the line is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Narrow {
    /// It stays whole.
    Keeps,
    /// Its end is cut.
    CutsEnd,
    /// Its beginning is cut.
    CutsFront,
    /// It goes on in the next line.
    Wraps,
}

impl Column {
    /// Text, which is cut when the line is too short.
    pub fn text(title: impl Into<Cow<'static, str>>) -> Self {
        Self {
            title: title.into(),
            right: false,
            narrow: Narrow::CutsEnd,
        }
    }

    /// Names that differ at their end, as paths do: what is cut is their beginning.
    pub fn path(title: impl Into<Cow<'static, str>>) -> Self {
        Self {
            narrow: Narrow::CutsFront,
            ..Self::text(title)
        }
    }

    /// Text that goes on in the next line when this one is too short.
    pub fn wrapped(title: impl Into<Cow<'static, str>>) -> Self {
        Self {
            narrow: Narrow::Wraps,
            ..Self::text(title)
        }
    }

    /// Something short that is never cut.
    pub fn short(title: impl Into<Cow<'static, str>>) -> Self {
        Self {
            narrow: Narrow::Keeps,
            ..Self::text(title)
        }
    }

    /// A number: to the right, and never cut.
    pub fn number(title: impl Into<Cow<'static, str>>) -> Self {
        Self {
            right: true,
            ..Self::short(title)
        }
    }
}

/// One cell: what it says and how it looks.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    mood: Mood,
}

impl Cell {
    /// Text in a mood.
    pub fn of(text: impl Into<String>, mood: Mood) -> Self {
        Self {
            text: text.into(),
            mood,
        }
    }

    /// Worth a look.
    pub fn notable(text: impl Into<String>) -> Self {
        Self::of(text, Mood::Notable)
    }

    /// Not as it should be.
    pub fn bad(text: impl Into<String>) -> Self {
        Self::of(text, Mood::Bad)
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::of(text, Mood::Plain)
    }
}

/// Rows under titles.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table of these columns.
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self {
            columns: columns.into(),
            rows: Vec::new(),
        }
    }

    /// One more row; it has a cell for each column.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines, each after `indent` and ended by a line break.
    pub fn render(&self, style: Style, indent: &str) -> String {
        let room = style.width().saturating_sub(indent.width());
        let widths = self.widths(room);
        let titles: Vec<Cell> = self
            .columns
            .iter()
            .map(|each| Cell::from(each.title.as_ref()))
            .collect();
        let mut text = style.faint(self.line(&titles, &widths, Style::new(false, 0), indent));
        text.push('\n');
        text.push_str(&self.lines(&widths, style, indent));
        text
    }

    /// The same without the titles: what comes after a table that was shown before.
    pub fn render_rows(&self, style: Style, indent: &str) -> String {
        let room = style.width().saturating_sub(indent.width());
        self.lines(&self.widths(room), style, indent)
    }

    fn lines(&self, widths: &[usize], style: Style, indent: &str) -> String {
        let mut text = String::new();
        for row in &self.rows {
            for line in self.folded(row, widths) {
                text.push_str(&self.line(&line, widths, style, indent));
                text.push('\n');
            }
        }
        text
    }

    /// A row as lines: more than one where text goes on.
    fn folded(&self, row: &[Cell], widths: &[usize]) -> Vec<Vec<Cell>> {
        let mut lines = vec![vec![Cell::default(); row.len()]];
        for (column, cell) in row.iter().enumerate() {
            let of = self.columns.get(column);
            let wraps = of.is_some_and(|of| of.narrow == Narrow::Wraps);
            let parts = if wraps {
                parts(&cell.text, widths[column])
            } else {
                vec![cell.text.clone()]
            };
            for (line, text) in parts.into_iter().enumerate() {
                if lines.len() <= line {
                    lines.push(vec![Cell::default(); row.len()]);
                }
                let mood = cell.mood;
                lines[line][column] = Cell { text, mood };
            }
        }
        lines
    }

    /// Each column as wide as its widest cell; then those that give way do, the widest first, until
    /// all fit.
    fn widths(&self, room: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .map(|column| column.title.width())
            .collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        let gaps = GAP * self.columns.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
        while excess > 0 {
            let yielding = widths
                .iter_mut()
                .zip(&self.columns)
                .filter(|(width, column)| column.narrow != Narrow::Keeps && **width > LEAST)
                .max_by_key(|(width, _)| **width);
            let Some((width, _)) = yielding else { break };
            *width -= 1;
            excess -= 1;
        }
        widths
    }

    fn line(&self, cells: &[Cell], widths: &[usize], style: Style, indent: &str) -> String {
        let mut line = indent.to_owned();
        let parts = cells.iter().zip(&self.columns).zip(widths);
        for (position, ((cell, column), width)) in parts.enumerate() {
            if position > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            let text = if column.narrow == Narrow::CutsFront {
                cut_front(&cell.text, *width)
            } else {
                cut(&cell.text, *width)
            };
            let padding = " ".repeat(width.saturating_sub(text.width()));
            let painted = style.in_mood(cell.mood, text);
            if column.right {
                line.push_str(&padding);
                line.push_str(&painted);
            } else {
                line.push_str(&painted);
                line.push_str(&padding);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// The text in lines of so many columns, and a `…` where there would be too many of them.
fn parts(text: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let mut parts: Vec<String> = textwrap::wrap(text, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect();
    if parts.len() > MOST_LINES {
        parts.truncate(MOST_LINES);
        if let Some(last) = parts.last_mut() {
            *last = cut(&format!("{last} …"), width);
        }
    }
    parts
}

/// The text in at most so many columns; a `…` says that there is more.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for each in text.chars() {
        used += each.width().unwrap_or_default();
        if used > width {
            break;
        }
        kept.push(each);
    }
    kept.truncate(kept.trim_end_matches([' ', ',']).len());
    kept.push('…');
    kept
}

/// The end of a text in at most so many columns; a `…` says that something stood before it.
fn cut_front(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut begin = text.len();
    let mut used = 1;
    for (position, each) in text.char_indices().rev() {
        used += each.width().unwrap_or_default();
        if used > width {
            break;
        }
        begin = position;
    }
    format!("…{}", &text[begin..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = [
            Column::number("WAVE"),
            Column::text("GROUP"),
            Column::short("AT"),
        ];
        let mut table = Table::new(columns);
        table.row(vec!["1".into(), "database".into(), "5s".into()]);
        table.row(vec!["10".into(), "웹 서버 그룹".into(), Cell::bad("1m")]);
        table
    }

    #[test]
    fn columns_line_up_in_any_script() {
        assert_eq!(
            table().render(Style::new(false, 80), "  "),
            "  WAVE  GROUP         AT\n     1  database      5s\n    10  웹 서버 그룹  1m\n"
        );
    }

    #[test]
    fn what_does_not_fit_is_cut_and_says_so() {
        assert_eq!(
            table().render(Style::new(false, 20), ""),
            "WAVE  GROUP       AT\n   1  database    5s\n  10  웹 서버…    1m\n"
        );
        assert_eq!(
            table().render(Style::new(false, 1), ""),
            "WAVE  GROUP     AT\n   1  database  5s\n  10  웹 서버…  1m\n"
        );
    }

    #[test]
    fn names_that_differ_at_their_end_keep_it() {
        let mut table = Table::new([Column::path("MACHINE"), Column::short("AT")]);
        table.row(vec!["shop-web/web-10".into(), "5s".into()]);
        table.row(vec!["가게/db-1".into(), "1m".into()]);
        assert_eq!(
            table.render(Style::new(false, 14), ""),
            "MACHINE     AT\n…eb/web-10  5s\n가게/db-1   1m\n"
        );
    }

    #[test]
    fn what_may_go_on_does() {
        let mut table = Table::new([Column::text("GROUP"), Column::wrapped("ACTIONS")]);
        table.row(vec!["web".into(), "after move-traffic, say-so".into()]);
        table.row(vec!["data".into(), "-".into()]);
        assert_eq!(
            table.render(Style::new(false, 22), ""),
            "GROUP  ACTIONS\nweb    after\n       move-traffic,\n       say-so\ndata   -\n"
        );
    }

    #[test]
    fn colour_does_not_move_columns() {
        let plain = table().render(Style::new(false, 80), "");
        let painted = table().render(Style::new(true, 80), "");
        assert_ne!(plain, painted);
        let stripped: String = painted
            .split('\u{1b}')
            .map(|part| match part.strip_prefix('[') {
                Some(sequence) => sequence.split_once('m').map_or("", |(_, text)| text),
                None => part,
            })
            .collect();
        assert_eq!(stripped, plain);
    }
}
