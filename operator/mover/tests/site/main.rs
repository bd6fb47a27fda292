//! Two movers with real libvirts and real guests, as the operator's driver asks them.
//!
//! One lab serves all tests; each has machines of its own.

#![cfg(test)]

mod again;
mod beginnings;
mod copying;
mod endings;
mod firmware;
mod movers;
mod protected;
