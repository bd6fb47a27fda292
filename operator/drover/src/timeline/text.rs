//! A timeline for a terminal.

use std::fmt::Write as _;

use super::{Kind, Look, Row, Timeline, short};
use crate::text::{Style, wrapped};

/// Names that are longer are cut: the bars matter here.
const MOST_NAME: usize = 24;
/// Fewer columns show nothing.
const LEAST_BAR: usize = 20;
/// More rows than a screen has are no overview.
const MOST_ROWS: usize = 40;

/// The rows under a clock, and what the marks mean.
pub fn text(timeline: &Timeline, style: Style) -> String {
    let names = timeline.rows.iter().map(|row| row.name.chars().count());
    let name = names.max().unwrap_or(0).min(MOST_NAME);
    let columns = style.width().saturating_sub(name + 4).max(LEAST_BAR);
    let mut text = heading(timeline, name, columns, style);
    for row in timeline.rows.iter().take(MOST_ROWS) {
        let bars = bars(timeline, row, columns);
        let shown: String = row.name.chars().take(name).collect();
        let _ = writeln!(text, "{}", format!("  {shown:name$}  {bars}").trim_end());
    }
    if timeline.rows.len() > MOST_ROWS {
        let more = timeline.rows.len() - MOST_ROWS;
        let _ = writeln!(text, "  … and {more} more rows");
    }
    let _ = writeln!(text, "{}", style.faint(legend(timeline, style)));
    text
}

/// What the marks mean; an entry stays in one line.
fn legend(timeline: &Timeline, style: Style) -> String {
    let kinds = timeline.kinds().into_iter();
    let entries: Vec<String> = kinds
        .map(|kind| format!("{} {}", mark(kind), kind.words()).replace(' ', "\u{a0}"))
        .collect();
    wrapped(&entries.join("  "), style.width(), "  ", "  ").replace('\u{a0}', " ")
}

/// When it begins and ends, and between them how long it is where that is not said by the end.
fn heading(timeline: &Timeline, name: usize, columns: usize, style: Style) -> String {
    let from = timeline.instant(std::time::Duration::ZERO);
    let to = timeline.instant(timeline.length);
    let length = match timeline.from {
        Some(_) => short(timeline.length),
        None => String::new(),
    };
    let room = columns.saturating_sub(from.len() + to.len());
    let line = format!("  {:name$}  {from}{length:^room$}{to}", "");
    format!("{}\n", style.faint(line))
}

fn bars(timeline: &Timeline, row: &Row, columns: usize) -> String {
    let mut line = vec![' '; columns];
    for bar in &row.bars {
        let last = columns - 1;
        let begin = timeline.part(bar.begin, last);
        let end = timeline.part(bar.end(), last).max(begin);
        line[begin..=end].fill(mark(bar.kind()));
    }
    line.into_iter().collect()
}

fn mark(kind: Kind) -> char {
    match kind {
        Kind::Looks(Look::Leaves) => '░',
        Kind::Looks(Look::Starts) => '█',
        Kind::Looks(Look::Acts) => '▒',
        Kind::Looks(Look::Asks) | Kind::Begins(Look::Asks) => '◇',
        Kind::Begins(_) => '◆',
        Kind::Failed => '×',
    }
}
