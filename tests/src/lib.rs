//! What the end-to-end tests share.

pub mod controlplane;
pub mod corpus;
pub mod large;
pub mod manifests;
pub mod rules;
