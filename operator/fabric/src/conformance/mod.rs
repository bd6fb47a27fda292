//! What every driver must pass, against its real system.
//!
//! A driver's test gives a [`Lab`] and looks at what [`run_all`] returns. Each promise of the contract is
//! one function that can be run alone. What a lab cannot do is named, with the reason, and the cases that
//! need it say so: nothing is skipped in silence.

mod bench;
pub mod cases;
mod lab;

use std::fmt;
use std::pin::Pin;

pub use lab::{Abilities, Drivers, Lab, Token};

/// Why a case did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The driver breaks the promise.
    Broken(String),
    /// Driver or lab cannot do what the case needs, and say so.
    NotApplicable(String),
}

/// What a case ended with.
pub type Verdict = Result<(), Failure>;

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// The name of the case.
    pub case: &'static str,
    /// The requirements that it proves.
    pub proves: &'static str,
    /// Whether the driver keeps the promise.
    pub verdict: Verdict,
}

impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Ok(()) => write!(f, "{}: passed", self.case),
            Err(Failure::Broken(what)) => write!(f, "{}: BROKEN: {what}", self.case),
            Err(Failure::NotApplicable(why)) => write!(f, "{}: not applicable: {why}", self.case),
        }
    }
}

type Run = for<'a> fn(&'a dyn Lab) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// One promise.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// The requirements that it proves.
    pub proves: &'static str,
    run: Run,
}

impl Case {
    /// Runs it.
    pub async fn run(&self, lab: &dyn Lab) -> CaseResult {
        CaseResult {
            case: self.name,
            proves: self.proves,
            verdict: (self.run)(lab).await,
        }
    }
}

macro_rules! cases {
    ($($module:ident::$name:ident proves $proves:literal,)*) => {
        /// All cases, in the order in which they are run.
        pub const CASES: &[Case] = &[$(Case {
            name: stringify!($name),
            proves: $proves,
            run: |lab| Box::pin(cases::$module::$name(lab)),
        },)*];
    };
}

cases! {
    effects::every_effect_can_be_repeated proves "FO-7",
    effects::a_restart_in_the_middle_changes_nothing proves "FO-7",
    effects::a_dropped_call_leaves_nothing_half_asked proves "FO-7",
    effects::an_older_epoch_is_refused_or_recorded proves "SA-3",
    effects::an_absent_machine_keeps_its_epoch proves "SA-3",
    effects::a_failure_has_its_class proves "PR-5",
    effects::a_fence_is_confirmed proves "SA-2",
    seeing::what_is_there_is_seen_not_what_was_asked proves "FO-7",
    seeing::what_changed_is_seen_alone proves "BI-2",
    seeing::a_site_that_is_cut_off_says_nothing proves "SA-1",
    safety::a_half_written_disk_is_never_booted proves "FB-5",
    safety::a_stranger_is_never_overwritten proves "SA-7",
    safety::a_stopped_machine_stays_down proves "FO-8",
    safety::a_drill_touches_nothing proves "FO-1",
    data::the_last_changes_are_all_there proves "FO-2",
    data::the_proof_is_taken_back_when_the_source_runs proves "FO-2",
    data::nothing_goes_backwards_before_the_commit proves "FO-6",
    data::replication_is_reversed proves "FB-1",
    data::points_go_by_retention_or_commit proves "PR-6, FO-5",
    data::a_set_shares_its_instants proves "PR-7",
    data::letting_go_keeps_the_copy proves "PR-12",
}

/// Runs all cases, one after the other.
pub async fn run_all(lab: &dyn Lab) -> Vec<CaseResult> {
    let mut results = Vec::with_capacity(CASES.len());
    for case in CASES {
        results.push(case.run(lab).await);
    }
    results
}
