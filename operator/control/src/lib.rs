//! The shell: it observes, asks the engine, does, and records. It decides nothing.
//!
//! [`Operator`] is one incarnation: it holds the lease, keeps a cache of what the API says and an index of
//! what the drivers report, and reconciles one key after the other from an ordered queue. A reconcile
//! function is a plain `async fn` in phases: dereference, check, decide, do, record. It keeps nothing that
//! another process would need: whoever comes next begins with the API and the fabrics.
//!
//! What may not enter: choices. Where an `if` decides what happens to a machine, it belongs to the engine.

mod actions;
mod admission;
mod cache;
mod conditions;
mod context;
mod declaration;
mod drivers;
mod events;
mod feed;
mod guarded;
mod health;
mod index;
mod kinds;
mod lease;
mod metrics;
mod operator;
mod queue;
mod slots;
mod traces;
mod write;

pub use admission::{Admission, AdmissionError};
pub use cache::ObjectKey;
pub use context::{Scripts, Settings};
pub use health::{Health, Unwell};
pub use metrics::{CONTENT_TYPE, Metrics};
pub use operator::{Operator, Stopped};
pub use queue::Key;
pub use traces::Traces;
