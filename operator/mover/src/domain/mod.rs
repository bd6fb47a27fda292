//! What libvirt knows of a machine, read and changed.
//!
//! A description is kept as the tree that it is: what is not known here is written back as it was, in its
//! place. That is how a machine keeps its hardware at another site, whatever it is made of.
//!
//! What may not enter: libvirt itself, and what a machine should be.

mod alone;
mod disks;
mod edit;
mod emulator;
mod error;
mod mark;
mod nics;
mod parse;
mod runtime;
mod sizes;
mod ties;
mod tree;
mod variables;

#[cfg(test)]
mod tests;

pub use disks::{Device, Disk, Kind};
pub use edit::Domain;
pub use error::DomainError;
pub use mark::Mark;
pub use nics::{Interface, Nic};
pub use ties::{Tie, Tied};
