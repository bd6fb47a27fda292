//! A timeline in rows: a group with its machines together, or each step by itself where there are few.

use std::time::Duration;

use drover_rehearsal::{Kind, Step};

/// So many steps can be looked at one by one.
const FEW: usize = 60;

/// One row of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Bars in it.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// What it means.
    pub look: Look,
    /// From when.
    pub begin: Duration,
    /// Until when.
    pub end: Duration,
    /// Whether it is of those that decided how long it took.
    pub decisive: bool,
    /// Whether it failed.
    pub failed: bool,
}

/// What a bar means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Machines leave the source.
    Leaves,
    /// Machines start at the target.
    Starts,
    /// An action.
    Acts,
    /// A person is waited for.
    Asks,
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

/// The rows of a timeline, in the order in which something begins there.
pub fn rows(steps: &[Step], decisive: &[usize]) -> Vec<Row> {
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
            end: step.end,
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
