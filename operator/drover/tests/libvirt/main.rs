//! Libvirt sites as Drover drives them: real libvirt, real guests, a mover at each site.
//!
//! They want root, as `operator/lab/README.md` says.
#![cfg(test)]

mod conformance;
mod deaths;
mod demo;
mod dice;
mod failover;
mod fleet;
mod hosts;
mod lab;
mod lines;
mod losses;
mod manifests;
mod obstacles;
mod operator;
mod phases;
mod shop;
mod watcher;
