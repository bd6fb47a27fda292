//! Planning, as a specification.

mod example;
mod fixture;
mod graph;
mod outlook;
mod properties;
mod records;
mod report;
mod scale;
mod schedule;
