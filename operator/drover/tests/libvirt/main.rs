//! Libvirt sites as Drover drives them: real libvirt, real guests, a mover at each site.
//!
//! They want root, as `operator/lab/README.md` says. What strikes at random instants takes long: those campaigns
//! are built with the feature `campaigns`, which `tests/run --long` sets.
#![cfg(test)]
// Some of what all share only campaigns use.
#![cfg_attr(not(feature = "campaigns"), allow(dead_code))]

mod conformance;
#[cfg(feature = "campaigns")]
mod deaths;
mod demo;
#[cfg(feature = "campaigns")]
mod dice;
mod failover;
#[cfg(feature = "campaigns")]
mod fleet;
mod hosts;
mod lab;
#[cfg(feature = "campaigns")]
mod lines;
#[cfg(feature = "campaigns")]
mod losses;
mod manifests;
#[cfg(feature = "campaigns")]
mod obstacles;
mod operator;
#[cfg(feature = "campaigns")]
mod phases;
mod shop;
#[cfg(feature = "campaigns")]
mod watcher;
