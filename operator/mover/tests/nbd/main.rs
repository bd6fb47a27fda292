//! Copies between real servers, with `qemu-img compare` as the judge.

#![cfg(test)]

mod bench;
mod copies;
mod deltas;
mod encrypted;
mod faults;
mod resyncs;
