//! What groups did when, as bars under a clock.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::evidence::Report;
use super::moments::{between, clock, rough};
use crate::text::Style;

/// Names of groups that are longer are cut: the bars matter here.
const MOST_NAME: usize = 16;
/// Fewer columns show nothing.
const LEAST_BAR: usize = 20;
/// More rows than a screen has are no overview.
const MOST_ROWS: usize = 40;

const LEAVING: char = '░';
const STARTING: char = '█';
const ACTION: char = '◆';

/// A row for each group, in the order of the plan; nothing where nothing was released.
pub fn draw(report: &Report, style: Style) -> String {
    let Some((from, to)) = span(report) else {
        return String::new();
    };
    let name = report
        .groups
        .iter()
        .map(|group| group.name.chars().count())
        .max();
    let name = name.unwrap_or(0).min(MOST_NAME);
    let columns = style.width().saturating_sub(name + 4).max(LEAST_BAR);
    let scale = Scale { from, to, columns };
    let mut text = heading(name, &scale, style);
    for group in report.groups.iter().take(MOST_ROWS) {
        let mut bar = vec![' '; columns];
        let spans = [(LEAVING, group.leave), (STARTING, group.enter)];
        for (mark, span) in spans {
            if let Some(released) = span.released {
                let end = span.done.unwrap_or(to);
                bar[scale.column(released)..=scale.column(end.max(released))].fill(mark);
            }
        }
        for begun in group.actions.iter().filter_map(|action| action.since) {
            bar[scale.column(begun)] = ACTION;
        }
        let bar: String = bar.into_iter().collect();
        let shown: String = group.name.chars().take(name).collect();
        text.push_str(format!("  {shown:name$}  {bar}").trim_end());
        text.push('\n');
    }
    if report.groups.len() > MOST_ROWS {
        let more = report.groups.len() - MOST_ROWS;
        let _ = writeln!(text, "  … and {more} more groups");
    }
    let legend = format!("  {LEAVING} leaves  {STARTING} starts  {ACTION} an action begins");
    text.push_str(&style.faint(legend));
    text.push('\n');
    text
}

fn heading(name: usize, scale: &Scale, style: Style) -> String {
    let (from, to) = (clock(scale.from), clock(scale.to));
    let length = rough(&between(scale.from, scale.to));
    let room = scale.columns.saturating_sub(from.len() + to.len());
    let line = format!("  {:name$}  {from}{length:^room$}{to}", "");
    format!("{}\n", style.faint(line))
}

/// From the first release to the last thing that is told.
fn span(report: &Report) -> Option<(Timestamp, Timestamp)> {
    let mut moments = Vec::new();
    for group in &report.groups {
        moments.extend([group.leave.released, group.leave.done]);
        moments.extend([group.enter.released, group.enter.done]);
        moments.extend(group.actions.iter().map(|action| action.since));
    }
    let moments: Vec<Timestamp> = moments.into_iter().flatten().collect();
    let from = moments.iter().min().copied()?;
    let up = report
        .phases
        .iter()
        .find(|phase| phase.phase == drover_api::RunPhase::CommitPending)
        .map(|phase| phase.at);
    let to = moments.into_iter().chain(up).max()?;
    Some((from, to))
}

struct Scale {
    from: Timestamp,
    to: Timestamp,
    columns: usize,
}

impl Scale {
    fn column(&self, at: Timestamp) -> usize {
        let whole = between(self.from, self.to).as_millis().max(1);
        let part = between(self.from, at.min(self.to)).as_millis();
        let last = self.columns.saturating_sub(1);
        let column = u128::from(part) * last as u128 / u128::from(whole);
        usize::try_from(column).unwrap_or(last).min(last)
    }
}
