//! The Helm chart: what it prints, what a real API server makes of it, whom its policies refuse, and what
//! its alerts and its dashboard ask for.
#![cfg(test)]

mod actions;
mod admission;
mod applied;
mod cluster;
mod definitions;
mod health;
mod image;
mod living;
mod matrix;
mod monitoring;
mod rights;
mod templates;
mod values;
