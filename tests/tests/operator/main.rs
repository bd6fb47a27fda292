//! The operator in this process, against a real API server and simulated sites, and what is done to it
//! while it works.
#![cfg(test)]

mod changes;
mod faults;
mod proxy;
mod world;
