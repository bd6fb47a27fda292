//! What to do now, and why everything else waits, as data.
//!
//! [`tenure`] says who has a machine in hand; [`protect`] decides for it outside of runs. [`start`] says
//! whether a run is due, [`drill_due`] whether a scheduled drill is, [`reprotect`] whether replication
//! reverses. [`machine`] decides for one machine of a run, [`run`] for the run itself. All are given a
//! snapshot that may be old: what they ask for carries the epoch of that snapshot, and what they record
//! is written with its resource version, so that whoever acts on a stale one is refused.
//!
//! Nothing is asked of a fabric that is not covered by a release in the *stored* record: releasing is
//! one write, the effects follow in a later call. A crash between any two of them is therefore no
//! special case.

mod action;
mod admit;
mod companions;
mod decision;
mod drilled;
mod drills;
mod guard;
mod located;
mod machine;
mod point;
mod protect;
mod reprotect;
mod run;
mod standing;
mod start;
mod tenure;
mod view;
mod wait;

pub use action::{pause_before, state as action_record};
pub use admit::{Admitted, admitted};
pub use companions::{Companion, recoverable_together};
pub use drilled::{GreenDrill, drill_result, is_young_enough, last_green_drill};
pub use drills::{DrillDue, DrillHeld, DrillsView, drill_due, followed_schedule};
pub use guard::{GuardFacts, Guarded, guarded};
pub use located::Serving;
pub use machine::{MachineStep, machine};
pub use point::{Loss, app_consistency_due, chosen_point};
pub use protect::{FirstCopy, Prerequisite, ProtectStep, ProtectView, prerequisites, protect};
pub use reprotect::{
    NewestRun, Reprotect, ReprotectHeld, ReprotectView, proven_committed, reprotect,
};
pub use run::{Answer, RunStep, run};
pub use standing::Standing;
pub use start::{Held, Served, Start, start, withdrawn};
pub use tenure::{PartInRun, Tenure, TenureView, rests, tenure};
pub use view::{
    ActionId, ActionReport, Around, Failure, MachineView, Machines, Places, Room, RunView, Shape,
    Sight, SiteUse,
};
pub use wait::{Releaser, Wait, WaitReason};
