//! A simulation for a person at a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use drover_api::value::Duration as Length;
use drover_rehearsal::{Ended, Kind, Spread};

use super::Simulation;
use super::rows::{Look, Row, rows};
use crate::reports::moments::rough;
use crate::text::{Cell, Column, Style, Table, count, wrapped};

/// Steps that decide are told of so many.
const DECISIVE: usize = 8;
/// Rows of the timeline.
const MOST_ROWS: usize = 40;
/// Names that are longer are cut: the bars matter here.
const MOST_NAME: usize = 24;
const LEAST_BAR: usize = 20;

/// All of it.
pub fn text(simulation: &Simulation, style: Style) -> String {
    let mut text = String::new();
    heading(&mut text, simulation, style);
    endings(&mut text, simulation, style);
    spreads(&mut text, simulation, style);
    decisive(&mut text, simulation, style);
    timeline(&mut text, simulation, style);
    violations(&mut text, simulation, style);
    text
}

fn heading(text: &mut String, simulation: &Simulation, style: Style) {
    let Simulation {
        plan,
        sites,
        direction,
        failover,
        machines,
        ..
    } = simulation;
    let (from, to) = (sites.at(direction.source()), sites.at(direction.target()));
    let kind = format!("{failover:?}").to_lowercase();
    let machines = count(*machines, "machine");
    let runs = times(simulation.summary.runs);
    let line = format!("{kind} failover of {machines}, {from} → {to}, lived through {runs}");
    let _ = writeln!(text, "{}: {line}\n", style.strong(plan));
    let assumed = &simulation.assumed;
    let mut facts = vec![(
        "assumed",
        format!(
            "lengths around their estimates, spread {:.0} %; people answer {}; seed {}",
            assumed.spread * 100.0,
            if assumed.answer_after == Length::ZERO {
                "at once".to_owned()
            } else {
                format!("after {}", assumed.answer_after)
            },
            assumed.seed
        ),
    )];
    facts.extend(
        simulation
            .faults
            .iter()
            .map(|fault| ("fault", fault.clone())),
    );
    for (name, fact) in facts {
        let lines = wrapped(&fact, style.width(), "", &" ".repeat(14));
        let _ = writeln!(text, "  {}  {lines}", style.faint(format!("{name:10}")));
    }
}

/// `once`, `200 times`.
pub fn times(runs: usize) -> String {
    match runs {
        1 => "once".to_owned(),
        more => count(more, "time"),
    }
}

fn endings(text: &mut String, simulation: &Simulation, style: Style) {
    let _ = writeln!(text, "\n{}", style.strong("How it ended"));
    for ending in &simulation.summary.endings {
        let words = match &ending.ended {
            Ended::Up => "all machines came up".to_owned(),
            Ended::Partly => "some machines failed, the others came up".to_owned(),
            Ended::Halted { why } => format!("it halted: {why}"),
            Ended::Waits { why } => format!("it waits: {why}"),
        };
        let again = match ending.ended {
            Ended::Up => String::new(),
            _ => format!(" (--seed {})", ending.seed),
        };
        let line = format!("{:>6}  {words}{again}", ending.runs);
        let lines = wrapped(&line, style.width(), "", &" ".repeat(8));
        let lines = match ending.ended {
            Ended::Up => style.good(lines),
            _ => style.bad(lines),
        };
        let _ = writeln!(text, "{lines}");
    }
}

fn spreads(text: &mut String, simulation: &Simulation, style: Style) {
    let summary = &simulation.summary;
    let aims = &simulation.forecast;
    let mut table = Table::new([
        Column::short(""),
        Column::number("LEAST"),
        Column::number("HALF"),
        Column::number("9 IN 10"),
        Column::number("99 %"),
        Column::number("MOST"),
        Column::short("OBJECTIVE"),
    ]);
    let met = |objective: &Option<Length>, within: Option<usize>| match (objective, within) {
        (Some(objective), Some(within)) if within == summary.runs => {
            Cell::from(format!("{objective}, met"))
        }
        (Some(objective), Some(within)) => {
            Cell::bad(format!("{objective}, met in {within} of {}", summary.runs))
        }
        _ => "-".into(),
    };
    let lines = [
        (
            "RTO",
            summary.rto,
            met(&aims.rto_objective, simulation.within_rto),
        ),
        (
            "RPO",
            summary.rpo,
            met(&aims.rpo_objective, simulation.within_rpo),
        ),
    ];
    for (name, spread, objective) in lines {
        let Some(spread) = spread else { continue };
        let Spread {
            min,
            p50,
            p90,
            p99,
            max,
        } = spread;
        let mut row = vec![Cell::from(name)];
        row.extend([min, p50, p90, p99, max].map(|length| Cell::from(short(length))));
        row.push(objective);
        table.row(row);
    }
    if summary.rto.is_some() {
        let _ = writeln!(
            text,
            "\n{}",
            style.strong("How long it took, what was lost")
        );
        text.push_str(&table.render(style, "  "));
        let forecast = rough(&aims.rto);
        let _ = writeln!(
            text,
            "{}",
            style.faint(format!("  forecast RTO {forecast}"))
        );
    }
}

fn decisive(text: &mut String, simulation: &Simulation, style: Style) {
    let decisive = &simulation.summary.decisive;
    if decisive.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", style.strong("What decided how long it took"));
    let mut table = Table::new([
        Column::number("RUNS"),
        Column::number("MEAN"),
        Column::text("STEP"),
        Column::short("GROUP"),
    ]);
    for step in decisive.iter().take(DECISIVE) {
        table.row(vec![
            step.runs.to_string().into(),
            short(step.mean).into(),
            step_words(&step.kind).into(),
            step.group.to_string().into(),
        ]);
    }
    text.push_str(&table.render(style, "  "));
    let more = decisive.len().saturating_sub(DECISIVE);
    if more > 0 {
        let more = count(more, "more step");
        let _ = writeln!(text, "{}", style.faint(format!("  … and {more}")));
    }
}

/// What a step is, in words.
pub fn step_words(kind: &Kind) -> String {
    match kind {
        Kind::Leave { machine } => format!("{machine} leaves"),
        Kind::Enter { machine } => format!("{machine} starts"),
        Kind::Action {
            action,
            person: false,
        } => format!("action {action}"),
        Kind::Action {
            action,
            person: true,
        } => format!("somebody approves {action}"),
    }
}

fn timeline(text: &mut String, simulation: &Simulation, style: Style) {
    let shown = &simulation.shown;
    let rows = rows(&shown.timeline, &shown.decisive);
    let Some(end) = shown.timeline.iter().map(|step| step.end).max() else {
        return;
    };
    let title = format!("The run in the middle (--seed {})", shown.seed);
    let _ = writeln!(text, "\n{}", style.strong(title));
    let longest = rows.iter().map(|row| row.name.chars().count()).max();
    let name = longest.unwrap_or(0).min(MOST_NAME);
    let columns = style.width().saturating_sub(name + 4).max(LEAST_BAR);
    let room = columns.saturating_sub(2);
    let axis = format!("  {:name$}  0s{:>room$}", "", short(end));
    let _ = writeln!(text, "{}", style.faint(axis));
    for row in rows.iter().take(MOST_ROWS) {
        let _ = writeln!(text, "{}", bars(row, name, columns, end).trim_end());
    }
    if rows.len() > MOST_ROWS {
        let _ = writeln!(text, "  … and {} more rows", rows.len() - MOST_ROWS);
    }
    let legend = "  ░ leaves  █ starts  ▒ action  ◇ a person  × failed";
    let _ = writeln!(text, "{}", style.faint(legend));
}

fn bars(row: &Row, name: usize, columns: usize, end: Duration) -> String {
    let column = |at: Duration| {
        let last = columns - 1;
        let part = at.as_millis() * last as u128 / end.as_millis().max(1);
        usize::try_from(part).unwrap_or(last).min(last)
    };
    let mut line = vec![' '; columns];
    for bar in &row.bars {
        let mark = match bar.look {
            _ if bar.failed => '×',
            Look::Leaves => '░',
            Look::Starts => '█',
            Look::Acts => '▒',
            Look::Asks => '◇',
        };
        line[column(bar.begin)..=column(bar.end)].fill(mark);
    }
    let line: String = line.into_iter().collect();
    let shown: String = row.name.chars().take(name).collect();
    format!("  {shown:name$}  {line}")
}

fn violations(text: &mut String, simulation: &Simulation, style: Style) {
    let violations = &simulation.summary.violations;
    if violations.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", style.bad("What must never happen"));
    for (seed, violation) in violations.iter().take(DECISIVE) {
        let line = wrapped(violation, style.width(), "  ", "  ");
        let _ = writeln!(text, "{line} (--seed {seed})");
    }
}

/// A length in its two largest units.
pub fn short(length: Duration) -> String {
    // Half a second up: what is shorter is not zero.
    rough(&Length::from_secs(
        (length + Duration::from_millis(500)).as_secs(),
    ))
}
