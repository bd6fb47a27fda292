//! `drover up` as people meet it: a process, a folder and `kubectl`.
//!
//! What is waited for is what the process says on standard error; no port is fixed and nothing sleeps.
#![cfg(test)]

mod carrying_on;
mod evidence;
mod folder;
mod process;
