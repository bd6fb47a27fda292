//! What came from a cluster, for people and programs.
//!
//! Everything here is pure: objects and the time go in, text or data comes out. [`evidence`] is what a
//! run leaves behind, [`period`] what many of them amount to, and [`describe`] what a person wants to know of one object on their worst day;
//! [`progress`] and [`waiting`] are what both are made from.
//!
//! What may not enter: clusters, clocks, terminals, and decisions. What a run may do next is the
//! engine's; here is said what the record holds.

pub mod describe;
pub mod evidence;
#[cfg(test)]
pub mod fixtures;
pub mod moments;
mod order;
pub mod overview;
pub mod page;
pub mod period;
pub mod points;
pub mod progress;
pub mod waiting;
pub mod words;
