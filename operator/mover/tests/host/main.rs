//! Hosts with a real libvirt, and real guests.
//!
//! One lab serves all tests: what happens to machines happens at the primary site, what happens to libvirt
//! itself at the secondary one.

#![cfg(test)]

mod backups;
mod bench;
mod chains;
mod faults;
mod guests;
mod machines;
