//! A timeline for a browser: bars of HTML, so that names keep their size on a narrow screen and on paper.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Bar, Kind, Look, Row, Timeline};
use crate::text::{count, xml};

/// Rows that are drawn.
const MOST_ROWS: usize = 200;
/// Instants that are named.
const TICKS: u32 = 5;

/// The rows under a clock, and what the colours mean.
pub fn html(timeline: &Timeline) -> String {
    let mut text = String::from("<figure class=\"timeline\">\n");
    ticks(&mut text, timeline);
    for row in timeline.rows.iter().take(MOST_ROWS) {
        draw(&mut text, timeline, row);
    }
    if timeline.rows.len() > MOST_ROWS {
        let more = count(timeline.rows.len() - MOST_ROWS, "more row");
        let _ = writeln!(text, "<p>… and {more}</p>");
    }
    text.push_str("<figcaption>");
    for kind in timeline.kinds() {
        let _ = write!(
            text,
            "<span class=\"key\"><i class=\"{}\"></i>{}</span> ",
            class(kind),
            kind.words()
        );
    }
    let mut bars = timeline.rows.iter().flat_map(|row| &row.bars);
    if bars.any(|bar| bar.decisive) {
        text.push_str(
            "<span class=\"key\"><i class=\"decisive\"></i>decided how long it took</span>",
        );
    }
    text.push_str("</figcaption>\n</figure>\n");
    text
}

fn ticks(text: &mut String, timeline: &Timeline) {
    text.push_str("<div class=\"ticks\">");
    let mut before = String::new();
    for tick in 0..=TICKS {
        let at = timeline.instant(timeline.length * tick / TICKS);
        // Where it is short, several fall into one second.
        if at == before {
            continue;
        }
        let left = 100 * tick / TICKS;
        let _ = write!(text, "<span style=\"left:{left}%\">{at}</span>");
        before = at;
    }
    text.push_str("</div>\n");
}

fn draw(text: &mut String, timeline: &Timeline, row: &Row) {
    let name = xml(&row.name);
    let _ = write!(
        text,
        "<div class=\"row\"><span class=\"name\">{name}</span><span class=\"track\">"
    );
    for bar in &row.bars {
        let (left, width) = place(timeline, bar);
        let decisive = if bar.decisive { " decisive" } else { "" };
        let until = match bar.end {
            Some(end) => format!(" to {}", timeline.instant(end)),
            None => String::new(),
        };
        let kind = bar.kind();
        let _ = write!(
            text,
            "<i class=\"{}{decisive}\" style=\"left:{left:.2}%;width:{width:.2}%\" title=\"{name}: {}, {}{until}\"></i>",
            class(kind),
            kind.words(),
            timeline.instant(bar.begin),
        );
    }
    text.push_str("</span></div>\n");
}

/// Where a bar begins and how long it is, in percent.
fn place(timeline: &Timeline, bar: &Bar) -> (f64, f64) {
    let whole = timeline.length.as_secs_f64().max(f64::EPSILON);
    let percent = |length: Duration| (100.0 * length.as_secs_f64() / whole).min(100.0);
    let left = percent(bar.begin);
    let width = percent(bar.end().saturating_sub(bar.begin));
    (left, width.min(100.0 - left))
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Looks(Look::Leaves) => "leaves",
        Kind::Looks(Look::Starts) => "starts",
        Kind::Looks(Look::Acts) => "acts",
        Kind::Looks(Look::Asks) => "asks",
        Kind::Begins(Look::Asks) => "asks instant",
        Kind::Begins(_) => "acts instant",
        Kind::Failed => "failed",
    }
}
