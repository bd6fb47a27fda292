//! What is decided in runs, seen from outside: the record, what is asked, why things wait.

#![cfg(test)]

mod actions;
mod bench;
mod movement;
mod points;
