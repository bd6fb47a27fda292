//! What the end-to-end tests share.

pub mod chart;
pub mod controlplane;
pub mod corpus;
pub mod large;
pub mod manifests;
pub mod rights;
pub mod rules;
