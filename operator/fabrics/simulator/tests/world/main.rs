#![cfg(test)]
//! The simulated world through the driver contract.

mod campaign;
mod faults;
mod movement;
mod oracle;
mod points;
mod scale;
mod stage;
mod store;
