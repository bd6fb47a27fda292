//! What is decided in runs, seen from outside: the record, what is asked, why things wait.

#![cfg(test)]

mod actions;
mod bench;
mod limits;
mod movement;
mod points;
mod tenure;
