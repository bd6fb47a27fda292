//! The steps of a run in rows: a group with its machines together, or each step by itself where there are
//! few.

use std::time::Duration;

use drover_rehearsal::{Kind, Step};

use super::Shown;
use crate::timeline::{Bar, Look, Row, Timeline};

/// So many steps can be looked at one by one.
const FEW: usize = 60;

/// Under a clock of less than a second nothing stands apart.
const LEAST: Duration = Duration::from_secs(1);

/// The steps of the run that is shown; nothing where none took time, as in a run that waits from its start.
pub fn timeline(shown: &Shown) -> Option<Timeline> {
    let length = shown.timeline.iter().map(|step| step.end).max()?;
    if length < LEAST {
        return None;
    }
    Some(Timeline {
        from: None,
        length,
        rows: rows(&shown.timeline, &shown.decisive),
    })
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

fn look(kind: &Kind) -> Look {
    match kind {
        Kind::Leave { .. } => Look::Leaves,
        Kind::Enter { .. } => Look::Starts,
        Kind::Action { person: false, .. } => Look::Acts,
        Kind::Action { person: true, .. } => Look::Asks,
    }
}

fn name(step: &Step) -> String {
    match &step.kind {
        Kind::Leave { machine } | Kind::Enter { machine } => machine.to_string(),
        Kind::Action { action, .. } => format!("{}/{action}", step.group),
    }
}

/// In the order in which something begins there.
fn rows(steps: &[Step], decisive: &[usize]) -> Vec<Row> {
    let by_group = steps.len() > FEW;
    let mut rows: Vec<Row> = Vec::new();
    for (position, step) in steps.iter().enumerate() {
        let action = matches!(step.kind, Kind::Action { .. });
        let name = if by_group && !action {
            step.group.to_string()
        } else {
            name(step)
        };
        let bar = Bar {
            look: look(&step.kind),
            begin: step.begin,
            end: Some(step.end),
            decisive: decisive.contains(&position),
            failed: step.error.is_some(),
        };
        let known = rows.iter().position(|row| row.name == name);
        let row = known.unwrap_or_else(|| {
            rows.push(Row {
                name,
                bars: Vec::new(),
            });
            rows.len() - 1
        });
        add(&mut rows[row].bars, bar);
    }
    rows
}

/// Bars of one look are one bar, from the first to the last of them.
fn add(bars: &mut Vec<Bar>, bar: Bar) {
    let same = bars.iter_mut().find(|known| known.look == bar.look);
    let Some(known) = same else {
        bars.push(bar);
        return;
    };
    known.begin = known.begin.min(bar.begin);
    known.end = known.end.max(bar.end);
    known.decisive |= bar.decisive;
    known.failed |= bar.failed;
}
