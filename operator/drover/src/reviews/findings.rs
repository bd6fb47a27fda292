//! A review as findings, for forges that show them beside the changed lines.

use drover_engine::review::{Class, Which};
use drover_manifest::{Diagnostic, Place, Position};

use super::judged::{Judged, Placed};
use super::policy::Policy;
use crate::formats::{Finding, Level};

/// What the change means and what it gets wrong. What is gone is no finding.
pub fn of(judged: &Judged, policy: &Policy) -> Vec<Finding> {
    let said = judged.meanings.iter().map(|placed| said(placed, policy));
    let wrong = judged.new_problems.iter();
    said.chain(wrong.map(|each| wrong_with(each, policy)))
        .collect()
}

fn said(placed: &Placed, policy: &Policy) -> Finding {
    let meaning = &placed.meaning;
    let level = match meaning.class {
        Class::Refused => Level::Error,
        Class::Harmless => Level::Note,
        Class::WouldRun
        | Class::LosesProtection
        | Class::WeakensSafety
        | Class::WorsensObjectives => Level::Warning,
    };
    Finding {
        rule: meaning.code.to_owned(),
        level: if policy.forbids(placed) {
            Level::Error
        } else {
            level
        },
        message: format!("{}: {}", meaning.object, meaning.message),
        effects: meaning.effects.clone(),
        hint: None,
        place: place(placed),
        related: Vec::new(),
        object: Some(meaning.object.to_string()),
        field: Some(meaning.place.path.to_string()),
    }
}

/// Forges show lines of HEAD. What is written in BASE alone is shown at the head of the file it was in.
fn place(placed: &Placed) -> Option<Place> {
    let place = placed.place.clone()?;
    if placed.meaning.place.which == Which::After {
        return Some(place);
    }
    let first = Position {
        line: 1,
        column: 1,
        offset: 0,
    };
    Some(Place {
        start: first,
        end: first,
        ..place
    })
}

fn wrong_with(problem: &Diagnostic, policy: &Policy) -> Finding {
    let mut finding = Finding::from(problem);
    if policy.forbids_problem(problem) {
        finding.level = Level::Error;
    }
    finding
}
