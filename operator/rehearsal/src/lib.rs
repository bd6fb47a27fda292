//! A run lived through on simulated sites and virtual time, without touching anything (RD-4).
//!
//! What is declared says which sites, machines and policies there are; [`stage`] builds a simulated world
//! of them, and [`life`] carries one compiled run through it with the functions that the operator calls.
//! So what happens here is what would happen: the order, the waits, the limits, what a fault does. What is
//! made up is how long things take: each step's length is drawn around its estimate.
//!
//! What may not enter: the API, controllers, files, choices about runs.

mod chance;
mod decisive;
mod fault;
mod life;
mod looks;
mod natural;
mod people;
mod prepared;
mod stage;
mod summary;
mod told;
mod trace;

use std::time::Duration;

use drover_api::Request;
use drover_engine::compile::CompileError;
use drover_engine::plan::{Intent, PlanError, Planner};
use drover_world::{FabricError, PlanId};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

pub use fault::{Fault, FaultError, Unknown, What, Who};
pub use prepared::Prepared;
pub use summary::{Decisive, Ending, Spread, Summary};
pub use told::{Ended, Kind, Rehearsal, Step};

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Scenario<'a> {
    /// What is declared, and what is known of it.
    pub planner: &'a Planner<'a>,
    /// The plan.
    pub plan: &'a PlanId,
    /// Where to, and how.
    pub intent: Intent,
    /// The request that asks for it, where one does.
    pub request: Option<&'a Request>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What is assumed.
    pub assumed: Assumed,
}

/// What is assumed of lengths and of people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumed {
    /// How far the lengths of steps lie apart: the standard deviation of their logarithm. With 0 each step
    /// takes what is estimated.
    pub spread: f64,
    /// How long a person takes to approve a step.
    pub answer: Duration,
    /// A run that is not done after so long is not waited for.
    pub patience: Duration,
}

impl Default for Assumed {
    fn default() -> Self {
        Self {
            spread: 0.25,
            answer: Duration::ZERO,
            patience: Duration::from_hours(24),
        }
    }
}

/// Why nothing can be rehearsed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The plan cannot be laid out.
    #[error("the plan cannot be laid out")]
    Plan(#[from] PlanError),
    /// The run cannot be compiled.
    #[error("the run cannot be compiled")]
    Compile(#[from] CompileError),
    /// A fault names what is not there.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The simulated sites refuse what is declared.
    #[error("the simulated sites refuse it: {}", .0.message)]
    Stage(FabricError),
    /// There is no runtime to hold time still with.
    #[error("cannot hold time still")]
    Runtime(#[from] std::io::Error),
}

/// Lives one run through. The same seed gives the same life.
///
/// # Errors
/// When the simulated sites refuse what is declared.
pub fn live(prepared: &Prepared, seed: u64) -> Result<Rehearsal, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime
        .block_on(life::live(prepared, seed))
        .map_err(Error::Stage)
}

/// Lives the run through so many times, with one seed after the other.
///
/// # Errors
/// As [`live`].
pub fn live_all(prepared: &Prepared, seed: u64, runs: u32) -> Result<Vec<Rehearsal>, Error> {
    (0..runs)
        .into_par_iter()
        .map(|run| live(prepared, seed.wrapping_add(u64::from(run))))
        .collect()
}
