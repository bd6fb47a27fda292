//! Structural schemas: what an object of a defined kind may look like, and what it is given.
//!
//! A definition is compiled once into a tree of nodes. An object is then *admitted* (what is unknown
//! is left out, what is missing and has a default is filled in) and *validated* (the schema, then
//! the rules). Both follow `apiextensions-apiserver` 1.36, messages included; what this room does
//! not understand it refuses when it compiles, and never passes over. No kind is known here.
//!
//! What the real server does and this does not: it bounds the cost of rules, and it checks the
//! types in them before they run. Rules inside `allOf` are refused.

mod admit;
mod cel;
mod check;
mod compile;
mod equal;
mod error;
mod expression;
mod format;
mod go;
mod meta;
mod node;
mod path;
mod pattern;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

pub use error::{FieldError, FieldReason, SchemaError};
pub use expression::{Expression, ExpressionError, Shape};
use node::Node;
use path::Path;

/// Which part of an object a write may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its status alone, through the subresource of that name.
    Status,
}

/// The schema of one version of a kind, ready for use.
#[derive(Debug)]
pub struct Compiled {
    root: Node,
}

impl Compiled {
    /// Compiles the schema of one version of a definition.
    ///
    /// # Errors
    ///
    /// If there is no such version, or its schema holds something that cannot be checked here.
    pub fn of(definition: &CustomResourceDefinition, version: &str) -> Result<Self, SchemaError> {
        compile::root(definition, version).map(|root| Self { root })
    }

    /// Leaves out what the schema does not know, drops nulls where null is no value, and fills in
    /// defaults, in this order. Returns the paths of what was unknown, sorted.
    pub fn admit(&self, object: &mut Value) -> Vec<String> {
        admit::admit(&self.root, object)
    }

    /// What is wrong with an admitted object: first by its schema, then by its rules. The rules are
    /// not asked about an object that has not even the shape they count on.
    ///
    /// With `old`, this is an update: rules about changes apply, and what was wrong before and is
    /// unchanged is forgiven.
    pub fn validate(&self, new: &Value, old: Option<&Value>, part: Part) -> Vec<FieldError> {
        let mut errors = self.structure(new, old, part);
        if !self.root.inside.rules {
            return errors;
        }
        if errors.iter().any(|error| error.reason.blocks_rules()) {
            errors.push(FieldError::rules_not_checked());
            return errors;
        }
        cel::check(&self.root, new, old, part, &mut errors);
        errors
    }

    fn structure(&self, new: &Value, old: Option<&Value>, part: Part) -> Vec<FieldError> {
        let mut errors = Vec::new();
        match part {
            Part::Whole => check::values(&self.root, new, old, &mut errors),
            Part::Status => {
                if let (Some(node), Some(status)) =
                    (self.root.property("status"), new.get("status"))
                {
                    let old = old.and_then(|old| old.get("status"));
                    check::values(node, status, old, &mut errors);
                    // The real server looks at the status as if it were a whole: its messages name
                    // what is wrong from there, and only the field is spelled out.
                    for error in &mut errors {
                        error.within("status");
                    }
                }
            }
        }
        self.uniqueness(new, old, part, &mut errors);
        errors
    }

    fn uniqueness(
        &self,
        new: &Value,
        old: Option<&Value>,
        part: Part,
        errors: &mut Vec<FieldError>,
    ) {
        let found = self.duplicates(new, part);
        // Who had duplicates before may keep them.
        if !found.is_empty() && old.is_none_or(|old| self.duplicates(old, part).is_empty()) {
            errors.extend(found);
        }
    }

    fn duplicates(&self, object: &Value, part: Part) -> Vec<FieldError> {
        let mut found = Vec::new();
        match part {
            Part::Whole => check::lists(&self.root, object, &Path::Root, &mut found),
            Part::Status => {
                if let (Some(node), Some(status)) =
                    (self.root.property("status"), object.get("status"))
                {
                    check::lists(
                        node,
                        status,
                        &Path::Field(&Path::Root, "status"),
                        &mut found,
                    );
                }
            }
        }
        found
    }
}
