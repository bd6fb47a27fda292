//! A document held against the schema of its kind: every problem, each in its place.
//!
//! This says what the API server would say, with positions and in kinder words. What a declaration
//! *means* is the engine's to judge.

mod fields;
mod list;
mod scalar;

use crate::code;
use crate::limits::MAX_PROBLEMS_PER_DOCUMENT;
use crate::node::Node;
use crate::path::write_key;
use crate::position::Span;
use crate::problem::Problem;
use crate::registry::FormatCheck;
use crate::schema::{Kind, Schema};
use crate::secret::names_secret;

/// All that is wrong with a document, in the order of the document.
pub(crate) fn check(schema: &Schema, format: Option<FormatCheck>, root: &Node) -> Vec<Problem> {
    let mut walker = Walker {
        format,
        quiet: false,
        full: false,
        path: Vec::new(),
        above: Vec::new(),
        problems: Vec::new(),
    };
    let at = root.entry("kind").map_or(root.span, |(_, kind)| kind.span);
    walker.value(schema, root, at);
    walker.problems.sort_by_key(|problem| problem.span);
    walker.problems
}

struct Walker<'a> {
    format: Option<FormatCheck>,
    /// Only whether there is a problem matters, and unknown fields are none: a part of `anyOf`.
    quiet: bool,
    full: bool,
    path: Vec<Crumb<'a>>,
    /// The objects around the current one, with the length of their paths, outermost first.
    above: Vec<(&'a Schema, usize)>,
    problems: Vec<Problem>,
}

#[derive(Clone, Copy)]
enum Crumb<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Walker<'a> {
    /// Checks one value. `at` is the place that stands for it when something is not there.
    fn value(&mut self, schema: &'a Schema, node: &'a Node, at: Span) {
        if self.full || (node.is_null() && schema.nullable) {
            return;
        }
        let before = self.problems.len();
        match schema.kind {
            Kind::Any => self.any(schema, node, at),
            Kind::Object => self.object(schema, node, at),
            Kind::Array => self.array(schema, node, at),
            _ => self.scalar(schema, node),
        }
        // A value of the wrong type fits no combination either; one complaint is enough.
        if before == self.problems.len() {
            self.combinations(schema, node, at);
        }
    }

    /// A part of a combination has no type of its own.
    fn any(&mut self, schema: &'a Schema, node: &'a Node, at: Span) {
        if node.is_map() {
            self.object(schema, node, at);
        } else if matches!(node.value, crate::node::Value::Seq(_)) {
            self.array(schema, node, at);
        } else {
            self.rules(schema, node);
        }
    }

    fn combinations(&mut self, schema: &'a Schema, node: &'a Node, at: Span) {
        for part in &schema.all_of {
            let fits = accepts(part, node);
            if !fits {
                self.problem(self.broken(at, "this breaks a rule of its field"));
            }
        }
        let fitting = |parts: &'a [Schema]| parts.iter().filter(|part| accepts(part, node)).count();
        if !schema.any_of.is_empty() && fitting(&schema.any_of) == 0 {
            let problem = self.broken(at, "this has none of the forms that are allowed here");
            self.problem(problem.maybe_hint(choice(&schema.any_of, "at least")));
        }
        if !schema.one_of.is_empty() && fitting(&schema.one_of) != 1 {
            let problem = self.broken(at, "this has not exactly one of the forms allowed here");
            self.problem(problem.maybe_hint(choice(&schema.one_of, "exactly")));
        }
        if schema.not.as_ref().is_some_and(|part| accepts(part, node)) {
            self.problem(self.broken(at, "this has a form that is not allowed here"));
        }
    }

    fn broken(&self, span: Span, message: &str) -> Problem {
        Problem::error(code::INVALID_VALUE, span, message).field(self.path_text(self.path.len()))
    }

    fn wrong_type(&mut self, node: &Node, expected: &str) {
        let found = self.describe(node);
        let message = format!("expected {expected}, found {found}");
        let hint = crate::de::type_hint(node, expected == "a string");
        let problem = Problem::error(code::WRONG_TYPE, node.span, message)
            .field(self.path_text(self.path.len()))
            .maybe_hint(if self.in_secret() { None } else { hint });
        self.problem(problem);
    }

    /// The value in a message; only its type when the field may hold a secret.
    fn describe(&self, node: &Node) -> String {
        let full = node.describe();
        if !self.in_secret() {
            return full;
        }
        full.split([' '])
            .take(2)
            .filter(|word| !word.starts_with(['`', '"']))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn in_secret(&self) -> bool {
        self.path
            .iter()
            .any(|crumb| matches!(crumb, Crumb::Key(key) if names_secret(key)))
    }

    fn problem(&mut self, problem: Problem) {
        let bound = if self.quiet {
            1
        } else {
            MAX_PROBLEMS_PER_DOCUMENT
        };
        if self.full {
            return;
        }
        self.problems.push(problem);
        self.full = self.problems.len() >= bound;
    }

    /// The first `length` steps of the path as text.
    fn path_text(&self, length: usize) -> String {
        let mut text = String::new();
        if self.quiet {
            return text;
        }
        for (position, crumb) in self.path.iter().take(length).enumerate() {
            // Writing to a string cannot fail.
            let _ = match crumb {
                Crumb::Key(key) => write_key(&mut text, key, position == 0),
                Crumb::Index(index) => {
                    use std::fmt::Write as _;
                    write!(text, "[{index}]")
                }
            };
        }
        text
    }
}

/// Whether a value fits a part of a combination.
fn accepts(part: &Schema, node: &Node) -> bool {
    let mut walker = Walker {
        format: None,
        quiet: true,
        full: false,
        path: Vec::new(),
        above: Vec::new(),
        problems: Vec::new(),
    };
    walker.value(part, node, node.span);
    walker.problems.is_empty()
}

/// Parts that only say which fields must be there are alternatives that can be named.
fn choice(parts: &[Schema], how_many: &str) -> Option<String> {
    let names: Option<Vec<&str>> = parts
        .iter()
        .map(|part| match part.required.as_slice() {
            [only] => Some(only.as_str()),
            _ => None,
        })
        .collect();
    Some(format!(
        "set {how_many} one of {}",
        crate::suggest::list(names?, "or")
    ))
}

#[cfg(test)]
#[path = "../check_tests.rs"]
mod tests;
