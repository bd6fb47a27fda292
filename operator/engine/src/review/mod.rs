//! What a change of the declarations means (RD-3).
//!
//! [`review`] takes two sides, as they were and as they would be, and says what would happen, what
//! loses its protection, what gets weaker or slower, and what changes besides. It asks the very
//! functions that the operator asks: [`crate::decide::start`] whether a run is due, [`crate::plan`]
//! what it would do and how long that takes. How it is printed is not decided here.
//!
//! Nobody is asked where machines are. What was declared before is taken to be so: machines are where
//! it has them, and it was served. What only looks different (order that means nothing, other words for
//! one length of time, defaults written out) says nothing.
//!
//! Read in this order: [`Meaning`] is what is said, the sides pair the objects up, then a file for each
//! kind of object, the runs that would start, and the forecasts that change.

mod actions;
mod codes;
mod drills;
mod failback;
mod forecasts;
mod lists;
mod mappings;
mod meaning;
mod members;
mod order;
mod plans;
mod policies;
mod problems;
mod protection;
mod rules;
mod runs;
mod settings;
mod sheet;
mod sides;
mod sites;
mod targets;
#[cfg(test)]
mod tests;
mod words;

use jiff::Timestamp;

pub use codes::{CODES, Code};
pub use meaning::{Class, Meaning, ObjectRef, Place, Review, RunAhead, Which};
pub use sides::Side;

use sides::Sides;

/// What a change of the declarations means, the most serious first.
///
/// The answer is the same for the same input. What cannot be planned because something is wrong with a
/// side is left out of the forecasts; what is wrong is among the problems.
pub fn review(before: &Side<'_>, after: &Side<'_>, now: Timestamp) -> Review {
    let sides = Sides::new(before, after, now);
    let mut meanings = Vec::new();
    sites::review(&sides, &mut meanings);
    policies::review(&sides, &mut meanings);
    mappings::review(&sides, &mut meanings);
    failback::review(&sides, &mut meanings);
    protection::review(&sides, &mut meanings);
    plans::review(&sides, &mut meanings);
    drills::review(&sides, &mut meanings);
    // Stable: what is said of one object keeps its order.
    meanings.sort_by(|one, other| (one.class, &one.object).cmp(&(other.class, &other.object)));
    let (new_problems, gone_problems) = problems::compare(before, after);
    Review {
        meanings,
        new_problems,
        gone_problems,
    }
}
