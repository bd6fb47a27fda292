//! Text to objects with spans, and diagnostics that point.
//!
//! [`load`] takes texts and a [`Registry`] of kinds; it returns the objects, and for everything that
//! is wrong a [`Diagnostic`] with file, line and column. [`Locator`] finds the place of a field
//! again, for who judges the objects later. [`Renderer`] shows diagnostics to a person.
//!
//! It tells ours from other people's documents: those are counted and left alone, and their lines
//! are never repeated where they may hold a secret.
//!
//! What may not enter: files, clocks, terminals, the network, and what a declaration *means*. Input
//! may be hostile: nothing here panics, and every loop over it is bounded by [`limits`].

mod check;
mod classify;
pub mod code;
mod compose;
mod de;
mod diagnostic;
mod document;
mod edit;
mod input;
mod kinds;
pub mod limits;
mod load;
mod locate;
mod merge;
mod metadata;
mod node;
mod path;
mod position;
mod problem;
mod registry;
mod render;
mod report;
mod scalar;
mod schema;
pub mod secret;
mod split;
mod suggest;
mod syntax;
#[cfg(test)]
mod testing;
mod window;

pub use drover_api::Object;

pub use de::{DecodeError, Decoded, NodeDeserializer, from_node, from_node_with};
pub use diagnostic::{Diagnostic, Note, Severity};
pub use edit::{CannotEdit, Edited, Setting, Written, set};
pub use kinds::drover_kinds;
pub use load::{Declared, Loaded, Options, Origin, Source, load, load_both};
pub use locate::{Locator, Target};
pub use metadata::ObjectId;
pub use node::{Key, Node, Value};
pub use path::{FieldPath, FieldPathError, Step};
pub use position::{Place, Position, Span};
pub use registry::{Decode, FormatCheck, FormatError, KindEntry, Registry};
pub use render::Renderer;
