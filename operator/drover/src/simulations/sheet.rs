//! A simulation as a sheet.

use std::time::Duration;

use drover_api::value::Duration as Length;
use drover_rehearsal::{Ended, Spread};
use jiff::Timestamp;

use super::Simulation;
use super::rows::{step_words, timeline};
use crate::reports::moments::rough;
use crate::sheet::{Body, Cell, Column, Sheet, Table};
use crate::text::{Mood, count};
use crate::timeline::short;

/// Steps that decide are told of so many.
const DECISIVE: usize = 8;
/// What must never happen is told of so often.
const VIOLATIONS: usize = 8;

/// All of it, and when it was made.
pub fn sheet(simulation: &Simulation, at: Timestamp) -> Sheet {
    let said = (heading(simulation), Mood::Plain);
    let mut sheet = Sheet::new("Rehearsal of", simulation.plan.to_string(), said);
    facts(&mut sheet, simulation);
    sheet.list("What must never happen", violations(simulation));
    sheet.table("How it ended", endings(simulation));
    sheet.table("How long it took, what was lost", spreads(simulation));
    sheet.table("What decided how long it took", decisive(simulation));
    if let Some(timeline) = timeline(&simulation.shown) {
        let title = format!("The run in the middle (--seed {})", simulation.shown.seed);
        sheet.section(title, Body::Timeline(timeline));
    }
    sheet.foot("as of", Cell::at(at));
    sheet
}

fn heading(simulation: &Simulation) -> String {
    let (sites, direction) = (&simulation.sites, simulation.direction);
    let (from, to) = (sites.at(direction.source()), sites.at(direction.target()));
    let kind = format!("{:?}", simulation.failover).to_lowercase();
    let machines = count(simulation.machines, "machine");
    let times = match simulation.summary.runs {
        1 => "once".to_owned(),
        more => count(more, "time"),
    };
    format!(
        "{kind} failover of {machines}, {from} → {to}, lived through {times} on simulated sites"
    )
}

fn facts(sheet: &mut Sheet, simulation: &Simulation) {
    let assumed = &simulation.assumed;
    let answer = if assumed.answer_after == Length::ZERO {
        "at once".to_owned()
    } else {
        format!("after {}", assumed.answer_after)
    };
    let spread = assumed.spread * 100.0;
    sheet.fact(
        "assumed",
        format!(
            "lengths around their estimates, spread {spread:.0} %; people answer {answer}; seed {}",
            assumed.seed
        ),
    );
    for fault in &simulation.faults {
        sheet.fact("fault", Cell::of(fault, Mood::Notable));
    }
    if assumed.unfenced {
        let risk = "a source that could not be fenced";
        sheet.fact("accepted", Cell::of(risk, Mood::Notable));
    }
    let forecast = rough(&simulation.forecast.rto);
    sheet.fact("forecast", format!("RTO {forecast}"));
    sheet.fact("estimates", simulation.forecast.estimates.as_str());
}

fn violations(simulation: &Simulation) -> Vec<Cell> {
    let violations = simulation.summary.violations.iter().take(VIOLATIONS);
    violations
        .map(|(seed, violation)| Cell::of(format!("{violation} (--seed {seed})"), Mood::Bad))
        .collect()
}

fn endings(simulation: &Simulation) -> Table {
    let columns = [Column::number("Runs"), Column::prose("Ended")];
    let mut table = Table::new("ending", columns);
    for ending in &simulation.summary.endings {
        let words = match &ending.ended {
            Ended::Up => "all machines came up".to_owned(),
            Ended::Partly => "some machines failed, the others came up".to_owned(),
            Ended::Halted { why } => format!("it halted: {why}"),
            Ended::Waits { why } => format!("it waits: {why}"),
        };
        let said = match ending.ended {
            Ended::Up => Cell::of(words, Mood::Good),
            _ => Cell::of(format!("{words} (--seed {})", ending.seed), Mood::Bad),
        };
        table.row([ending.runs.to_string().into(), said]);
    }
    table
}

fn spreads(simulation: &Simulation) -> Table {
    let columns = [
        Column::short("Of"),
        Column::number("Least"),
        Column::number("Half"),
        Column::number("9 in 10"),
        Column::number("99 %"),
        Column::number("Most"),
        Column::text("Objective"),
    ];
    let mut table = Table::new("figure", columns);
    let (summary, aims) = (&simulation.summary, &simulation.forecast);
    // What was lost says little where nothing came up.
    let rpo = summary.rto.and(summary.rpo);
    let lines = [
        (
            "RTO",
            summary.rto,
            &aims.rto_objective,
            simulation.within_rto,
        ),
        ("RPO", rpo, &aims.rpo_objective, simulation.within_rpo),
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
        let figure = |length: Duration| Cell::from(short(length));
        table.row([
            name.into(),
            figure(min),
            figure(p50),
            figure(p90),
            figure(p99),
            figure(max),
            met(objective.as_ref(), within, summary.runs),
        ]);
    }
    table
}

fn met(objective: Option<&Length>, within: Option<usize>, runs: usize) -> Cell {
    match (objective, within) {
        (Some(objective), Some(within)) if within == runs => {
            Cell::of(format!("{objective}, met"), Mood::Good)
        }
        (Some(objective), Some(within)) => {
            Cell::of(format!("{objective}, met in {within} of {runs}"), Mood::Bad)
        }
        _ => Cell::none(),
    }
}

fn decisive(simulation: &Simulation) -> Table {
    let columns = [
        Column::number("Runs"),
        Column::number("Mean"),
        Column::text("Step"),
        Column::short("Group"),
    ];
    let mut table = Table::new("step", columns);
    for step in simulation.summary.decisive.iter().take(DECISIVE) {
        table.row([
            step.runs.to_string().into(),
            short(step.mean).into(),
            step_words(&step.kind).into(),
            step.group.to_string().into(),
        ]);
    }
    table
}
