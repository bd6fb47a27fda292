//! Which states there are: one table of transitions for a machine, one for a run, one for a drill.
//!
//! A table is the whole truth about its states: what is not in it cannot happen. Beside each
//! transition stands the invariant that guards it, if one does. How it is found out that a transition
//! is due is [`crate::decide`]'s.

mod drill;
mod machine;
mod run;

pub use drill::{DRILL, DrillEvent};
pub use machine::{MACHINE, MachineEvent};
pub(crate) use run::{BEFORE_ENTRY, resumed_in};
pub use run::{RUN, RunEvent};

use std::fmt::Debug;

use crate::invariant::Invariant;

/// One row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition<S: 'static, E: 'static> {
    /// The states in which the event may happen.
    pub from: &'static [S],
    /// What happens.
    pub on: E,
    /// The state afterwards.
    pub to: S,
    /// The invariants that this very transition could break.
    pub guards: &'static [Invariant],
}

/// A table of transitions.
#[derive(Clone, Copy, Debug)]
pub struct Table<S: 'static, E: 'static> {
    /// Where everything begins.
    pub initial: S,
    /// The rows.
    pub rows: &'static [Transition<S, E>],
}

impl<S: Copy + PartialEq + Debug, E: Copy + PartialEq + Debug> Table<S, E> {
    /// The state after an event, or nothing where the event cannot happen in this state.
    pub fn next(&self, from: S, on: E) -> Option<S> {
        self.rows
            .iter()
            .find(|row| row.on == on && row.from.contains(&from))
            .map(|row| row.to)
    }

    /// Whether nothing leads out of this state.
    pub fn is_final(&self, state: S) -> bool {
        !self.rows.iter().any(|row| row.from.contains(&state))
    }

    /// Whether some event leads from one state to the other.
    pub fn leads(&self, from: S, to: S) -> bool {
        self.rows
            .iter()
            .any(|row| row.to == to && row.from.contains(&from))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn reachable<S: Copy + Ord + Debug, E: Copy + PartialEq + Debug>(
        table: &Table<S, E>,
    ) -> BTreeSet<S> {
        let mut seen = BTreeSet::from([table.initial]);
        let mut open = vec![table.initial];
        while let Some(state) = open.pop() {
            for row in table.rows.iter().filter(|row| row.from.contains(&state)) {
                if seen.insert(row.to) {
                    open.push(row.to);
                }
            }
        }
        seen
    }

    fn well_formed<S: Copy + Ord + Debug, E: Copy + PartialEq + Debug>(
        table: &Table<S, E>,
        states: usize,
    ) {
        assert_eq!(reachable(table).len(), states, "{:?}", reachable(table));
        for (position, row) in table.rows.iter().enumerate() {
            for other in &table.rows[position + 1..] {
                let twice = row.on == other.on && row.from.iter().any(|s| other.from.contains(s));
                assert!(!twice, "two rows for {:?} in one of {:?}", row.on, row.from);
            }
        }
    }

    #[test]
    fn every_state_is_reachable_and_every_event_is_unambiguous() {
        well_formed(&MACHINE, 21);
        well_formed(&RUN, 18);
        well_formed(&DRILL, 5);
    }

    #[test]
    fn only_the_ends_have_no_way_out() {
        use drover_api::{DrillPhase, MachinePhase, RunPhase};
        let ends: Vec<_> = reachable(&RUN)
            .into_iter()
            .filter(|s| RUN.is_final(*s))
            .collect();
        let expected = [
            RunPhase::Committed,
            RunPhase::Cancelled,
            RunPhase::Protected,
            RunPhase::CleanedUp,
        ];
        assert_eq!(BTreeSet::from_iter(ends), BTreeSet::from(expected));
        assert!(DRILL.is_final(DrillPhase::CleanedUp));
        assert!(!MACHINE.is_final(MachinePhase::Failed));
    }
}
