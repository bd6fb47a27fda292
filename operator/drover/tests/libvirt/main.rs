//! Libvirt sites as Drover drives them: real libvirt, real guests, a mover at each site.
//!
//! They want root, as `operator/lab/README.md` says.
#![cfg(test)]

mod conformance;
mod demo;
mod failover;
mod lab;
mod shop;
