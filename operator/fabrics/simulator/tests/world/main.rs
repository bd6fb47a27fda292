#![cfg(test)]
//! The simulated world through the driver contract.

mod faults;
mod movement;
mod oracle;
mod points;
mod scale;
mod stage;
mod store;
