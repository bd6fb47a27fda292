//! What people write: the custom resources of `drover.dev/v1alpha1`.
//!
//! One file per kind under [`kinds`], the value types that fields are made of under [`value`], and
//! what several kinds share in [`common`] and [`selector`]. The doc comment of a field is what
//! `kubectl explain` prints, so it speaks to the person who writes the manifest.
//!
//! What may not enter: clients, runtimes, clocks, files. What a declaration *means* is the engine's.

pub mod annotations;
pub mod common;
pub mod conditions;
pub mod crd;
pub mod fields;
pub mod kinds;
mod schema;
pub mod selector;
pub mod value;

pub use kinds::*;

/// The API group of every kind.
pub const GROUP: &str = "drover.dev";
/// The version of every kind.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` as manifests write it.
pub const API_VERSION: &str = "drover.dev/v1alpha1";
