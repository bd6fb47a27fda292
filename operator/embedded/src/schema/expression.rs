//! Expressions that belong to no definition: what is asked of values whose shape is known, in the same
//! language as the rules of a definition, with the same functions and the same meaning.
//!
//! The value is `self`. What an expression names is looked for in the shape when it is compiled, so that
//! a misspelt field is found before there is a value.

use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::{cel, compile, error::SchemaError, node::Node};

/// The longest expression, in bytes. Rules of definitions have the same bound in effect: their schema
/// must fit into an object.
pub const LONGEST: usize = 16 * 1024;

/// The shape of values.
#[derive(Debug, Clone)]
pub struct Shape {
    node: Arc<Node>,
}

/// An expression about values of one shape.
#[derive(Debug)]
pub struct Expression {
    compiled: cel::Expression,
    node: Arc<Node>,
}

/// Why an expression cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ExpressionError {
    /// What is wrong with it.
    pub what: String,
    /// Line and column in it, both from 1, where that is known.
    pub at: Option<(usize, usize)>,
}

impl Shape {
    /// Compiles a structural schema.
    ///
    /// # Errors
    /// If it holds something that is not understood here.
    pub fn of(schema: &JSONSchemaProps) -> Result<Self, SchemaError> {
        let node = Arc::new(compile::standalone(schema)?);
        Ok(Self { node })
    }

    /// Compiles an expression about values of this shape.
    ///
    /// ```
    /// use drover_embedded::schema::Shape;
    ///
    /// let schema = serde_json::from_value(serde_json::json!({
    ///     "type": "object",
    ///     "properties": { "rpo": { "type": "string", "format": "duration" } },
    /// }))?;
    /// let shape = Shape::of(&schema)?;
    /// let short = shape.expression("self.rpo <= duration('15m')")?;
    /// assert_eq!(short.holds(&serde_json::json!({ "rpo": "300s" })), Ok(true));
    /// let misspelt = shape.expression("self.rpoo").unwrap_err();
    /// assert_eq!((misspelt.what.as_str(), misspelt.at), ("undefined field 'rpoo'", Some((1, 6))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If it is no expression, or names what is not there.
    pub fn expression(&self, text: &str) -> Result<Expression, ExpressionError> {
        if text.len() > LONGEST {
            let what = format!("the expression is longer than {LONGEST} bytes");
            return Err(ExpressionError { what, at: None });
        }
        let compiled = cel::standalone(text, &self.node)?;
        let node = Arc::clone(&self.node);
        Ok(Expression { compiled, node })
    }
}

impl Expression {
    /// Whether it can come out as yes or no at all.
    pub fn may_be_condition(&self) -> bool {
        self.compiled.may_be_bool()
    }

    /// How many loops (`all`, `exists`, `map` and their like) stand inside each other. The work it makes
    /// grows with the longest list to this power: who asks it bounds that.
    pub fn loops(&self) -> usize {
        self.compiled.loops()
    }

    /// Whether it holds for a value.
    ///
    /// # Errors
    /// If it cannot be said, or is neither yes nor no.
    pub fn holds(&self, value: &Value) -> Result<bool, String> {
        self.compiled.holds(&self.node, value)
    }

    /// What it says about a value, where that is one line of text.
    ///
    /// # Errors
    /// If it cannot be said.
    pub fn words(&self, value: &Value) -> Result<Option<String>, String> {
        self.compiled.words(&self.node, value)
    }
}
