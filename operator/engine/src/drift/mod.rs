//! Where what is differs from what is declared (RD-2).
//!
//! The shell asks [`machine`], [`unprotected`] and [`plan`] whenever it looks at one of these, and keeps the
//! answers in their statuses: so each difference has a *since* that outlives the process. [`Report`] puts
//! together what the statuses hold, for the command line.
//!
//! Three rules hold for all of them. What Drover does itself is no drift: while a run has a machine in hand
//! nothing about it is judged anew, and what a run made is what it is compared with afterwards. Unknown is
//! not different: what cannot be seen stands as it was seen last (SA-1). And names that differ only in case,
//! or lists without an order that are written in another, are the same.

mod finding;
mod hardware;
mod kind;
mod machine;
mod owners;
mod plan;
mod report;
mod unjudged;
mod unprotected;

pub use finding::{Finding, MachineOf, Subject};
pub use hardware::Made;
pub use kind::{KINDS, LEVELS, meaning, remedy, severity};
pub use machine::{Judged, MachineFacts, RunInHand, SETTLES, machine};
pub use plan::{DRILL_GRACE, Intent, PlanFacts, again, expired, overdue_since, plan};
pub use report::{Counts, Objects, OfPlan, OfSite, Report, digest, worst};
pub use unjudged::NotJudged;
pub use unprotected::{SiteFacts, unprotected};

use drover_api::{Drift, DriftKind, DriftSeverity};
use jiff::Timestamp;

/// The longest message that a status takes, in characters: what is longer says that it goes on.
const LONGEST: usize = 1_000;

/// What was found out about one kind of difference.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// This differs.
    Differs(String),
    /// Nothing does.
    Same,
    /// It could not be seen.
    Unknown,
}

impl Found {
    /// Differs where it holds.
    fn when(holds: bool, words: impl FnOnce() -> String) -> Self {
        if holds {
            Self::Differs(words())
        } else {
            Self::Same
        }
    }

    /// Differs where there is something to say.
    fn of(differences: &[String]) -> Self {
        Self::when(!differences.is_empty(), || differences.join("; "))
    }
}

/// The differences of one object as they were recorded, to be judged anew.
struct Former<'a> {
    before: &'a [Drift],
    now: Timestamp,
}

impl Former<'_> {
    fn of(&self, kind: DriftKind) -> Option<&Drift> {
        self.before.iter().find(|drift| drift.kind == kind)
    }

    /// The difference as it is now; one that goes on keeps its *since*.
    fn judge(&self, kind: DriftKind, found: Found) -> Option<Drift> {
        self.judge_as(kind, severity(kind), self.now, found)
    }

    fn judge_as(
        &self,
        kind: DriftKind,
        severity: DriftSeverity,
        since: Timestamp,
        found: Found,
    ) -> Option<Drift> {
        let former = self.of(kind);
        match found {
            Found::Differs(message) => Some(Drift {
                kind,
                severity,
                since: former.map_or(since, |former| former.since),
                message: shortened(message),
            }),
            Found::Same => None,
            Found::Unknown => former.cloned(),
        }
    }
}

fn shortened(message: String) -> String {
    if message.chars().count() <= LONGEST {
        return message;
    }
    let mut kept: String = message.chars().take(LONGEST).collect();
    kept.push('…');
    kept
}

/// `db-1, db-2, db-3 and 7 more`: three say what is meant, a thousand do not say more.
fn some(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
