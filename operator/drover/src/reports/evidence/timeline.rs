//! What the groups of a run did when, as bars under a clock.

use std::time::Duration;

use drover_api::{ActionState, RunPhase};
use jiff::Timestamp;

use super::{Group, Report};
use crate::reports::moments::between;
use crate::timeline::{Bar, Look, Row, Timeline};

/// A row for each group, in the order of the plan; nothing where nothing was released.
pub fn timeline(report: &Report) -> Option<Timeline> {
    let (from, to) = span(report)?;
    let since = |at: Timestamp| between(from, at).as_std();
    Some(Timeline {
        from: Some(from),
        length: since(to),
        rows: report
            .groups
            .iter()
            .map(|group| row(group, &since, to))
            .collect(),
    })
}

fn row(group: &Group, since: &impl Fn(Timestamp) -> Duration, to: Timestamp) -> Row {
    let bar = |look, begin, end: Option<Timestamp>, failed| Bar {
        look,
        begin: since(begin),
        end: end.map(since),
        decisive: false,
        failed,
    };
    let mut bars = Vec::new();
    for (look, span) in [(Look::Leaves, group.leave), (Look::Starts, group.enter)] {
        if let Some(released) = span.released {
            let end = span.done.unwrap_or(to).max(released);
            bars.push(bar(look, released, Some(end), false));
        }
    }
    for action in &group.actions {
        let look = match action.kind {
            "manual" => Look::Asks,
            _ => Look::Acts,
        };
        // Of the attempts only the last is on record, and of older runs not when it ended.
        if let Some(begun) = action.since {
            let failed = action.state == ActionState::Failed;
            bars.push(bar(look, begun, action.ended, failed));
        }
    }
    Row {
        name: group.name.clone(),
        bars,
    }
}

/// From the first release to the last thing that is told.
fn span(report: &Report) -> Option<(Timestamp, Timestamp)> {
    let mut moments = Vec::new();
    for group in &report.groups {
        moments.extend([group.leave.released, group.leave.done]);
        moments.extend([group.enter.released, group.enter.done]);
        let actions = group.actions.iter();
        moments.extend(actions.flat_map(|action| [action.since, action.ended]));
    }
    let moments: Vec<Timestamp> = moments.into_iter().flatten().collect();
    let from = moments.iter().min().copied()?;
    let up = report
        .phases
        .iter()
        .find(|phase| matches!(phase.phase, RunPhase::CommitPending | RunPhase::Standing))
        .map(|phase| phase.at);
    let to = moments.into_iter().chain(up).max()?;
    Some((from, to))
}
