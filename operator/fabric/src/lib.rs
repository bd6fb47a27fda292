//! The driver contract.
//!
//! Two traits, because compute and data are two things and pairs can be mixed: [`Fabric`] for one site,
//! [`Replicator`] for one ordered pair of sites. A driver decides nothing: it *observes*, in bulk, and it
//! *ensures*, idempotently and at once. What is asked carries a [`Stamp`](drover_world::Stamp); a driver
//! keeps the highest epoch for each machine in its fabric and refuses, or at least records, what is older.
//!
//! What a driver promises is written beside each method and checked by the conformance suite (the feature
//! `conformance`).
//!
//! What may not enter: the engine, controllers, the Kubernetes API.

mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod fabric;
mod guard;
mod registry;
mod replicator;
mod request;
mod sightings;

pub use clock::Clock;
pub use fabric::{
    ActionTargets, Capabilities, DnsChange, Fabric, HttpCall, InstanceKey, InstanceSeen, Probe,
    SiteGoal,
};
pub use guard::within;
pub use registry::{Driver, NoSuchDriver, PairConfig, Registry, Secrets, SiteConfig};
pub use replicator::{LinkGoal, Materialize, PairCapabilities, Replicator, Subject};
pub use request::{Request, step_name};
pub use sightings::{Cursor, Extent, Sightings};

use drover_world::{FabricError, Outcome};

/// How a driver answers a request: at once, with how far it is, or with what went wrong.
pub type Answer = Result<Outcome, FabricError>;
