//! What speaks to a Kubernetes API, a real cluster's or Drover's own.
//!
//! [`access`] is the way there, [`reading`] and [`watching`] bring objects from it, [`apply`] makes it
//! hold what manifests say, by the [`merge`] that `kubectl apply` does too.
//!
//! What may not enter: terminals and sentences for people. Who calls says what is to be said.

pub mod access;
pub mod apply;
pub mod error;
pub mod goal;
pub mod heartbeat;
pub mod kinds;
pub mod merge;
pub mod reading;
pub mod watching;
pub mod written;
