//! The commands that speak to a cluster, against a real API server.
//!
//! No controller runs: what Drover would write there is written by hand, so that these tests say what
//! the command line does with it. Each test has a namespace of its own.
#![cfg(test)]

mod applying;
mod deciding;
mod drifting;
mod looking;
mod plugin;
mod world;
