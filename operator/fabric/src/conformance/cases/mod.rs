//! The promises, a function for each.

pub mod data;
pub mod effects;
pub mod safety;
pub mod seeing;
