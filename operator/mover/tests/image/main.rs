//! Images, with QEMU's own programs as the judges.

#![cfg(test)]

mod bench;
mod changes;
mod processes;
mod serving;
