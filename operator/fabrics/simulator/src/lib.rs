//! A simulated world of sites.
//!
//! Guests write, disks hold what they wrote, links copy it, recovery points are made and thinned, and
//! faults come on demand. Nothing runs in the background: the world is brought up to now whenever it is
//! asked something, so ten thousand idle machines cost nothing, and the same calls at the same times give
//! the same history.
//!
//! The world knows the truth, and judges it: see [`Simulation::violations`].
//!
//! What may not enter: decisions. It does what it is asked as a real fabric would, and keeps the truth
//! against which everybody else is judged.
//!
//! ```
//! use drover_fabric::Clock;
//! use drover_simulator::{Options, Simulation};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let world = Simulation::new(Options::new(Clock::system()));
//! let seoul = "seoul".parse()?;
//! let db = "db-1".parse()?;
//! world.ensure_machine(&seoul, &db, None);
//! assert!(world.machine(&seoul, &db).is_some_and(|seen| seen.instance.may_serve()));
//! # Ok::<(), drover_api::value::ValueError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod driver;
mod faults;
mod options;
mod persist;
mod simulation;
mod world;

pub use faults::Fault;
pub use options::{Latency, Options};
pub use persist::PersistError;
pub use simulation::{DnsRecord, MachineSeen, Simulation, Token};
pub use world::oracle::{LogEntry, Violation};
