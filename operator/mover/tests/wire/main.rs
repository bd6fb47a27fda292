//! Movers and who calls them, over real sockets.

#![cfg(test)]

#[path = "../nbd/bench.rs"]
#[expect(dead_code, reason = "the tests of copies use all of it")]
mod bench;
mod calls;
mod certificates;
mod mover;
mod refusals;
mod roles;
mod sockets;
mod tunnels;
