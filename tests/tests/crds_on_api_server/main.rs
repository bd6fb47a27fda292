//! The definitions in `crds/` on a real API server: what it accepts, what it refuses and with which
//! words, what it fills in, and how the kinds look through `kubectl`. Drover does not run here.
#![cfg(test)]

mod applied;
mod cluster;
mod corpus;
mod defined;
mod immutable;
mod kubectl;
