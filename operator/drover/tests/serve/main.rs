//! `drover run` as a cluster meets it: processes, a real API server, `kubectl`, HTTP.
//!
//! What is waited for is what a process says in its log, or what `kubectl wait` waits for; no port is
//! fixed. Each test has an API server of its own: sites and webhooks live in the whole cluster.
#![cfg(test)]

mod admission;
mod cluster;
mod frozen;
mod installed;
mod leading;
mod process;
mod unreadable;
