//! The Kubernetes protocol without a cluster: one machine, durable on disk.
//!
//! Kinds arrive as CRDs: this crate knows no other crate of Drover.
