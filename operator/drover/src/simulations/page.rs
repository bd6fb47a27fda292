//! A simulation for a browser: one file, which also prints well.

use std::fmt::Write as _;
use std::time::Duration;

use drover_rehearsal::{Ended, Spread};

use super::Simulation;
use super::rows::{Bar, Look, Row, rows};
use super::text::{short, step_words, times};
use crate::html::{document, escaped};
use crate::text::count;

/// Rows that are drawn.
const MOST_ROWS: usize = 200;
const NAME: u32 = 190;
const CHART: u32 = 700;
const ROW: u32 = 20;

/// The page.
pub fn page(simulation: &Simulation) -> String {
    let mut body = String::new();
    heading(&mut body, simulation);
    endings(&mut body, simulation);
    spreads(&mut body, simulation);
    decisive(&mut body, simulation);
    gantt(&mut body, simulation);
    let title = format!("Simulated failover of {}", simulation.plan);
    document(&title, &body)
}

fn heading(body: &mut String, simulation: &Simulation) {
    let Simulation {
        plan,
        sites,
        direction,
        failover,
        machines,
        assumed,
        ..
    } = simulation;
    let (from, to) = (sites.at(direction.source()), sites.at(direction.target()));
    let kind = format!("{failover:?}");
    let _ = write!(
        body,
        "<h1>{}</h1><p class=\"lead\">{kind} failover of {}, {from} → {to}, lived through {} on simulated \
         sites. {}.</p>",
        escaped(&plan.to_string()),
        count(*machines, "machine"),
        times(simulation.summary.runs),
        escaped(&simulation.verdict()),
    );
    let _ = write!(
        body,
        "<dl><dt>Assumed</dt><dd>Each step takes what is estimated, drawn with a spread of {:.0} %; people \
         answer after {}; seed {}.</dd>",
        assumed.spread * 100.0,
        assumed.answer_after,
        assumed.seed
    );
    for fault in &simulation.faults {
        let _ = write!(body, "<dt>Fault</dt><dd>{}</dd>", escaped(fault));
    }
    body.push_str("</dl>");
}

fn endings(body: &mut String, simulation: &Simulation) {
    body.push_str("<h2>How it ended</h2><table><tr><th class=\"n\">Runs</th><th>Ended</th></tr>");
    for ending in &simulation.summary.endings {
        let words = match &ending.ended {
            Ended::Up => "all machines came up".to_owned(),
            Ended::Partly => "some machines failed, the others came up".to_owned(),
            Ended::Halted { why } => format!("it halted: {why}"),
            Ended::Waits { why } => format!("it waits: {why}"),
        };
        let class = if ending.ended == Ended::Up {
            "good"
        } else {
            "bad"
        };
        let _ = write!(
            body,
            "<tr class=\"{class}\"><td class=\"n\">{}</td><td>{}</td></tr>",
            ending.runs,
            escaped(&words)
        );
    }
    body.push_str("</table>");
}

fn spreads(body: &mut String, simulation: &Simulation) {
    let summary = &simulation.summary;
    if summary.rto.is_none() {
        return;
    }
    body.push_str(
        "<h2>How long it took, what was lost</h2><table><tr><th></th><th class=\"n\">Least</th>\
         <th class=\"n\">Half</th><th class=\"n\">9 in 10</th><th class=\"n\">99 %</th>\
         <th class=\"n\">Most</th><th>Objective</th></tr>",
    );
    let aims = &simulation.forecast;
    let lines = [
        (
            "RTO",
            summary.rto,
            &aims.rto_objective,
            simulation.within_rto,
        ),
        (
            "RPO",
            summary.rpo,
            &aims.rpo_objective,
            simulation.within_rpo,
        ),
    ];
    for (name, spread, objective, within) in lines {
        let Some(Spread {
            min,
            p50,
            p90,
            p99,
            max,
        }) = spread
        else {
            continue;
        };
        let _ = write!(body, "<tr><th>{name}</th>");
        for length in [min, p50, p90, p99, max] {
            let _ = write!(body, "<td class=\"n\">{}</td>", short(length));
        }
        let met = match (objective, within) {
            (Some(objective), Some(within)) => {
                format!("{objective}, met in {within} of {}", summary.runs)
            }
            _ => "none".to_owned(),
        };
        let _ = write!(body, "<td>{met}</td></tr>");
    }
    body.push_str("</table>");
}

fn decisive(body: &mut String, simulation: &Simulation) {
    let decisive = &simulation.summary.decisive;
    if decisive.is_empty() {
        return;
    }
    body.push_str(
        "<h2>What decided how long it took</h2><table><tr><th class=\"n\">Runs</th>\
         <th class=\"n\">Mean</th><th>Step</th><th>Group</th></tr>",
    );
    for step in decisive.iter().take(20) {
        let _ = write!(
            body,
            "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>",
            step.runs,
            short(step.mean),
            escaped(&step_words(&step.kind)),
            step.group
        );
    }
    body.push_str("</table>");
}

/// The run in the middle as bars over time.
fn gantt(body: &mut String, simulation: &Simulation) {
    let shown = &simulation.shown;
    let rows = rows(&shown.timeline, &shown.decisive);
    let Some(end) = shown.timeline.iter().map(|step| step.end).max() else {
        return;
    };
    let drawn = &rows[..rows.len().min(MOST_ROWS)];
    let height = u32::try_from(drawn.len()).unwrap_or(u32::MAX) * ROW + 30;
    let width = NAME + CHART + 20;
    let _ = write!(
        body,
        "<h2>The run in the middle</h2><p>Seed {}. Bars with a frame decided how long it took.</p>\
         <svg class=\"gantt\" viewBox=\"0 0 {width} {height}\" role=\"img\">\
         <title>What was done when</title>",
        shown.seed
    );
    for tick in 0..=5_u32 {
        let x = NAME + CHART * tick / 5;
        let at = end * tick / 5;
        let _ = write!(
            body,
            "<line class=\"grid\" x1=\"{x}\" y1=\"18\" x2=\"{x}\" y2=\"{height}\"/>\
             <text class=\"axis\" x=\"{x}\" y=\"12\">{}</text>",
            short(at)
        );
    }
    for (position, row) in drawn.iter().enumerate() {
        let y = u32::try_from(position).unwrap_or(u32::MAX) * ROW + 24;
        draw_row(body, row, y, end);
    }
    body.push_str("</svg>");
    if rows.len() > MOST_ROWS {
        let more = count(rows.len() - MOST_ROWS, "more row");
        let _ = write!(body, "<p>… and {more}.</p>");
    }
    body.push_str(
        "<p class=\"legend\"><span class=\"leaves\"></span>leaves the source \
         <span class=\"starts\"></span>starts at the target <span class=\"acts\"></span>action \
         <span class=\"asks\"></span>a person is waited for <span class=\"failed\"></span>failed</p>",
    );
}

fn draw_row(body: &mut String, row: &Row, y: u32, end: Duration) {
    let name: String = row.name.chars().take(28).collect();
    let _ = write!(
        body,
        "<text class=\"name\" x=\"{}\" y=\"{}\">{}</text>",
        NAME - 8,
        y + 12,
        escaped(&name)
    );
    for bar in &row.bars {
        draw_bar(body, row, bar, y, end);
    }
}

fn draw_bar(body: &mut String, row: &Row, bar: &Bar, y: u32, end: Duration) {
    let whole = end.as_secs_f64().max(f64::EPSILON);
    let scale = |at: Duration| f64::from(CHART) * at.as_secs_f64() / whole;
    let class = match bar.look {
        _ if bar.failed => "failed",
        Look::Leaves => "leaves",
        Look::Starts => "starts",
        Look::Acts => "acts",
        Look::Asks => "asks",
    };
    let decisive = if bar.decisive { " decisive" } else { "" };
    let (x, length) = (
        scale(bar.begin),
        scale(bar.end.saturating_sub(bar.begin)).max(2.0),
    );
    let _ = write!(
        body,
        "<rect class=\"{class}{decisive}\" x=\"{:.1}\" y=\"{y}\" width=\"{length:.1}\" height=\"14\" \
         rx=\"2\"><title>{}: {class}, {} to {}</title></rect>",
        f64::from(NAME) + x,
        escaped(&row.name),
        short(bar.begin),
        short(bar.end)
    );
}
