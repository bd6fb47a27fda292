//! What an action does outside of fabrics (PL-4, NM-6), given what stands there.
//!
//! An action that changes something reads it first. What it makes of it is chosen here, so that it can be
//! tested without a name server or a cluster; the shell reads, sends and reads back.

pub mod dns;
pub mod endpoint;
pub mod job;
mod route;

pub(crate) use route::is_within;
pub use route::{Route, route};
