//! Lives of a small shop, through the operator: everything that is declared, asked for and decided, and what
//! the simulated sites make of it. One file for each idea.

#![cfg(test)]

#[path = "../lab/mod.rs"]
mod lab;

mod actions;
mod adoption;
mod cancel;
mod corpus;
mod cycle;
mod directions;
mod drift;
mod failback;
mod guards;
mod limits;
mod overrides;
mod points;
mod schedule;
mod split_brain;
mod suspend;
mod unreadable;
