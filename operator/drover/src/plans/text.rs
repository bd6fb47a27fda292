//! Plans for a person at a terminal.

use std::fmt::Write as _;

use drover_engine::plan::{CriticalStep, GroupReport, Measured};

use super::limits::{Limits, shown};
use super::survey::{Laid, Row, Standing};
use super::words::{self, Fact};
use crate::text::{Cell, Column, Style, Table, count, elided, thousands, wrapped};

/// Under the heading of a plan.
const INDENT: &str = "  ";

/// One line for each plan.
pub fn overview(rows: &[Row], style: Style, limits: Limits) -> String {
    let mut table = Table::new([
        // Cut, it could not be given to --plan.
        Column::short("PLAN"),
        Column::short("RUN"),
        Column::text("WAY"),
        Column::short("TYPE"),
        Column::number("MACHINES"),
        Column::short("RTO"),
        Column::short("RPO"),
    ]);
    for row in rows.iter().take(limits.plans) {
        table.row(overview_row(row));
    }
    let mut text = table.render(style, "");
    let more = rows.len().saturating_sub(limits.plans);
    if more > 0 {
        let more = count(more, "more plan");
        let _ = writeln!(text, "… and {more}; --summary lists all");
    }
    text
}

fn overview_row(row: &Row) -> Vec<Cell> {
    let run = match row.standing() {
        Standing::Starts => Cell::notable("starts"),
        Standing::Held => Cell::bad("held"),
        Standing::Stays => "-".into(),
    };
    let plus = if row.open { "+" } else { "" };
    let forecast = &row.forecast;
    let rto = &forecast.rto;
    let rto_text = words::of_objective(&rto.expected, rto.objective.as_ref());
    let rpo = forecast.rpo.expected.as_ref();
    let rpo_text = rpo.map_or("?".to_owned(), |rpo| {
        words::of_objective(rpo, forecast.rpo.limit.as_ref())
    });
    let mood = |misses: bool, text: String| {
        if misses { Cell::bad(text) } else { text.into() }
    };
    vec![
        row.plan.to_string().into(),
        run,
        words::way(row).into(),
        words::kind(row).into(),
        format!("{}{plus}", thousands(row.machines)).into(),
        mood(rto.expected.misses(), rto_text),
        mood(rpo.is_some_and(Measured::misses), rpo_text),
    ]
}

/// Everything about a plan.
pub fn details(laid: &Laid, style: Style, limits: Limits) -> String {
    let mut text = heading(&laid.row, style);
    text.push('\n');
    for fact in words::facts(laid) {
        text.push_str(&fact_line(&fact, style));
    }
    text.push('\n');
    text.push_str(&groups(laid, style, limits));
    text.push('\n');
    text.push_str(&orders(laid, style, limits));
    text.push_str(&critical(laid, style, limits));
    text.push_str(&notes(laid, style, limits));
    text.push('\n');
    text.push_str(&digest(laid, style));
    text
}

fn heading(row: &Row, style: Style) -> String {
    let standing = words::standing(row);
    let standing = match row.standing() {
        Standing::Starts => style.notable(standing),
        Standing::Held => style.bad(standing),
        Standing::Stays => standing,
    };
    let mut text = format!("{}: {standing}\n", style.strong(&row.plan));
    text.push_str(&why(row, style));
    if row.preview {
        let preview = format!("Preview of {}, {}:", words::a_what(row), words::way(row));
        let _ = writeln!(text, "\n{}", style.strong(preview));
    }
    text
}

/// One paragraph; where the plan is held, the reasons under it.
fn why(row: &Row, style: Style) -> String {
    let why = words::why(row);
    let (paragraph, reasons) = match (row.standing(), why.split_first()) {
        (Standing::Held, Some((first, reasons))) => (first.clone(), reasons),
        _ => (why.join(" "), &[][..]),
    };
    let mut text = wrapped(&paragraph, style.width(), INDENT, INDENT) + "\n";
    for reason in reasons {
        let _ = writeln!(text, "{}", wrapped(reason, style.width(), "  - ", "    "));
    }
    text
}

/// Columns of the name of a fact.
const NAME: usize = 11;

fn fact_line(fact: &Fact, style: Style) -> String {
    let margin = " ".repeat(INDENT.len() + NAME + 2);
    let lines = wrapped(&fact.text, style.width(), &margin, &margin);
    // Wrapped without colour, so that it takes no room; then the name goes into the margin.
    let lines = lines.trim_start();
    let lines = match fact.good {
        Some(true) => style.good(lines),
        Some(false) => style.bad(lines),
        None => lines.to_owned(),
    };
    let name = format!("{:NAME$}", fact.name);
    format!("{INDENT}{}  {lines}\n", style.faint(name))
}

fn groups(laid: &Laid, style: Style, limits: Limits) -> String {
    let mut table = Table::new([
        Column::number("WAVE"),
        Column::text("GROUP"),
        Column::number("MACHINES"),
        Column::text("WAITS FOR"),
        Column::number("STARTS"),
        Column::number("HEALTHY"),
        Column::wrapped("ACTIONS"),
    ]);
    let groups = &laid.report.groups;
    let mut by_wave: Vec<_> = groups.iter().collect();
    // Stable: inside a wave the order is that of the plan.
    by_wave.sort_by_key(|group| group.wave);
    let (first, left_out, last) = shown(by_wave.len(), limits.groups);
    for group in &by_wave[first] {
        table.row(group_row(group));
    }
    if left_out > 0 {
        let between = format!("… {} more", thousands(left_out));
        let mut cells = vec![Cell::default(); 7];
        cells[1] = between.into();
        table.row(cells);
    }
    for group in &by_wave[last] {
        table.row(group_row(group));
    }
    table.render(style, INDENT)
}

fn group_row(group: &GroupReport) -> Vec<Cell> {
    vec![
        group.wave.to_string().into(),
        group.name.to_string().into(),
        words::machines_of(group).into(),
        words::waits_for(group).into(),
        group.enter.start.to_string().into(),
        group.enter.end.to_string().into(),
        words::actions(group).into(),
    ]
}

fn orders(laid: &Laid, style: Style, limits: Limits) -> String {
    let report = &laid.report;
    let mut text = String::new();
    let stop = elided(&report.stop_order, limits.names);
    let stop = if stop.is_empty() {
        "nothing is stopped".to_owned()
    } else {
        stop
    };
    let start = elided(&report.start_order, limits.names);
    for (name, order) in [("stop order", stop), ("start order", start)] {
        let fact = Fact {
            name,
            text: order,
            good: None,
        };
        text.push_str(&fact_line(&fact, style));
    }
    text
}

fn critical(laid: &Laid, style: Style, limits: Limits) -> String {
    let steps = words::critical(&laid.report);
    if steps.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        Column::number("AT"),
        Column::number("TAKES"),
        Column::text("CRITICAL PATH"),
    ]);
    let row = |step: &CriticalStep| {
        let (at, takes) = (step.at.to_string(), step.length.to_string());
        vec![at.into(), takes.into(), words::step(step).into()]
    };
    let (first, left_out, last) = shown(steps.len(), limits.steps);
    for step in &steps[first] {
        table.row(row(step));
    }
    if left_out > 0 {
        let between = format!("… {} more steps", thousands(left_out));
        table.row(vec![Cell::default(), Cell::default(), between.into()]);
    }
    for step in &steps[last] {
        table.row(row(step));
    }
    format!("\n{}", table.render(style, INDENT))
}

fn notes(laid: &Laid, style: Style, limits: Limits) -> String {
    let notes = words::notes(&laid.report);
    if notes.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{INDENT}{}\n", style.faint("NOTES"));
    for note in notes.iter().take(limits.notes) {
        let _ = writeln!(text, "{}", wrapped(note, style.width(), "  - ", "    "));
    }
    let more = notes.len().saturating_sub(limits.notes);
    if more > 0 {
        let _ = writeln!(text, "  … and {}", count(more, "more note"));
    }
    text
}

/// The only line that is as long as it is: with a margin of two it just fits into 80 columns.
fn digest(laid: &Laid, style: Style) -> String {
    let digest = words::digest(laid);
    let margin = format!("{INDENT}{}", " ".repeat("digest ".len()));
    let lines = wrapped(&digest, style.width(), &margin, &margin);
    format!("{INDENT}{} {}\n", style.faint("digest"), lines.trim_start())
}
