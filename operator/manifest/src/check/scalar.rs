//! Single values: type, allowed words, form, length and size.

use crate::check::Walker;
use crate::code;
use crate::node::{Node, Value, quoted};
use crate::problem::Problem;
use crate::schema::{Bound, Kind, Schema};
use crate::suggest;

impl<'a> Walker<'a> {
    pub(super) fn scalar(&mut self, schema: &'a Schema, node: &'a Node) {
        let expected = match (schema.kind, &node.value) {
            (Kind::String, Value::Str(_))
            | (Kind::Integer, Value::Int(_))
            | (Kind::Number, Value::Int(_) | Value::Float(_))
            | (Kind::Boolean, Value::Bool(_))
            | (Kind::IntOrString, Value::Int(_) | Value::Str(_)) => {
                return self.rules(schema, node);
            }
            (Kind::String, _) => "a string",
            (Kind::Integer, _) => "an integer",
            (Kind::Boolean, _) => "a boolean (`true` or `false`)",
            (Kind::IntOrString, _) => "an integer or a string",
            _ => "a number",
        };
        // `rpo: 5` needs a unit rather than quotes.
        if schema.kind == Kind::String
            && let Some(text) = bare_text(node)
            && self.breaks_format(schema, node, &text)
        {
            return;
        }
        self.wrong_type(node, expected);
    }

    /// What holds for a value whose type is right.
    pub(super) fn rules(&mut self, schema: &'a Schema, node: &'a Node) {
        match &node.value {
            Value::Str(text) => self.text(schema, node, text),
            #[expect(
                clippy::cast_precision_loss,
                reason = "bounds of schemas are small numbers"
            )]
            Value::Int(value) => self.number(schema, node, *value as f64),
            Value::Float(value) => self.number(schema, node, *value),
            _ => {}
        }
    }

    fn text(&mut self, schema: &'a Schema, node: &'a Node, text: &str) {
        if !schema.allowed.is_empty() && !schema.allowed.iter().any(|each| each == text) {
            return self.unknown_value(schema, node, text);
        }
        // The named format knows better words than length and pattern, which approximate it.
        if self.breaks_format(schema, node, text) {
            return;
        }
        // Only when a length is set and the bytes do not settle it are characters counted.
        let length = || text.chars().count() as u64;
        if let Some(most) = schema.max_length.filter(|most| text.len() as u64 > *most) {
            let length = length();
            if length > most {
                let message = format!("expected at most {most} characters, found {length}");
                self.problem(self.broken(node.span, &message));
                return;
            }
        }
        if let Some(least) = schema.min_length {
            let length = length();
            if length < least {
                let message = match length {
                    0 => "this must not be empty".to_owned(),
                    _ => format!("expected at least {least} characters, found {length}"),
                };
                self.problem(self.broken(node.span, &message));
                return;
            }
        }
        self.pattern(schema, node, text);
    }

    /// Checks the named format and reports what it finds.
    fn breaks_format(&mut self, schema: &'a Schema, node: &'a Node, text: &str) -> bool {
        let (Some(check), Some(format)) = (self.format, &schema.format) else {
            return false;
        };
        let Err(wrong) = check(format, text) else {
            return false;
        };
        let problem = if self.in_secret() {
            self.broken(node.span, "this is not valid")
        } else {
            self.broken(node.span, &wrong.message)
                .maybe_hint(wrong.hint)
        };
        self.problem(problem);
        true
    }

    fn pattern(&mut self, schema: &'a Schema, node: &'a Node, text: &str) {
        if let Some(pattern) = schema
            .pattern
            .as_ref()
            .filter(|pattern| !pattern.matches(text))
        {
            let found = if self.in_secret() {
                "this".to_owned()
            } else {
                quoted(text)
            };
            let message = format!("{found} does not have the form of this field");
            let problem = self.broken(node.span, &message);
            let hint = format!("it must match `{}`", pattern.source);
            self.problem(problem.hint(hint));
        }
    }

    fn unknown_value(&mut self, schema: &'a Schema, node: &'a Node, text: &str) {
        let allowed = || schema.allowed.iter().map(String::as_str);
        let hint = match suggest::nearest(text, allowed()) {
            Some(meant) if schema.allowed.len() > 6 => format!("did you mean `{meant}`?"),
            Some(meant) => format!(
                "did you mean `{meant}`? the values are {}",
                suggest::list(allowed(), "and")
            ),
            None => format!("the values are {}", suggest::list(allowed(), "and")),
        };
        let found = if self.in_secret() {
            "this value".to_owned()
        } else {
            quoted(text)
        };
        let message = format!("{found} is not a value of this field");
        let problem = Problem::error(code::UNKNOWN_VALUE, node.span, message)
            .field(self.path_text(self.path.len()))
            .hint(hint);
        self.problem(problem);
    }

    fn number(&mut self, schema: &'a Schema, node: &'a Node, value: f64) {
        let below =
            |bound: &Bound| value < bound.value || (bound.exclusive && value <= bound.value);
        let above =
            |bound: &Bound| value > bound.value || (bound.exclusive && value >= bound.value);
        let found = || self.describe(node);
        let message = if let Some(bound) = schema.minimum.filter(below) {
            let than = if bound.exclusive {
                "more than"
            } else {
                "at least"
            };
            format!("expected {than} {}, found {}", bound.value, found())
        } else if let Some(bound) = schema.maximum.filter(above) {
            let than = if bound.exclusive {
                "less than"
            } else {
                "at most"
            };
            format!("expected {than} {}, found {}", bound.value, found())
        } else if let Some(step) = schema.multiple_of.filter(|step| value % step != 0.0) {
            format!("expected a multiple of {step}, found {}", found())
        } else {
            return;
        };
        self.problem(self.broken(node.span, &message));
    }
}

/// A number or boolean as text.
fn bare_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Unclear(text) => Some(text.clone()),
        Value::Null | Value::Str(_) | Value::Seq(_) | Value::Map(_) => None,
    }
}
