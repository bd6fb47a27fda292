//! Maps: the fields of an object, known, unknown, missing and empty.

use crate::check::{Crumb, Walker};
use crate::code;
use crate::node::{Key, Node, quoted};
use crate::position::Span;
use crate::problem::Problem;
use crate::schema::{Additional, Schema};
use crate::suggest;

/// An object with at most so many fields is told them all when one is misspelt beyond guessing.
const FIELDS_IN_HINT: usize = 12;

impl<'a> Walker<'a> {
    pub(super) fn object(&mut self, schema: &'a Schema, node: &'a Node, at: Span) {
        if !node.is_map() {
            self.wrong_type(node, "a map");
            return;
        }
        self.above.push((schema, self.path.len()));
        let mut meant = Vec::new();
        for (key, value) in node.entries() {
            self.path.push(Crumb::Key(&key.text));
            if let Some(property) = schema.property(&key.text) {
                let required = schema.required.contains(&key.text);
                self.field(property, key, value, required);
            } else {
                match &schema.additional {
                    Additional::Anything => {}
                    Additional::Values(property) => self.field(property, key, value, false),
                    Additional::Nothing => meant.extend(self.unknown_field(schema, node, key)),
                }
            }
            self.path.pop();
        }
        self.above.pop();
        self.count_fields(schema, node, at);
        for name in &schema.required {
            // A misspelt field has its own complaint, and so has an empty one.
            if node.get(name).is_none() && !meant.contains(&name.as_str()) {
                self.missing_field(name, at);
            }
        }
    }

    fn field(&mut self, property: &'a Schema, key: &'a Key, value: &'a Node, required: bool) {
        if !value.is_null() || property.nullable {
            return self.value(property, value, key.span);
        }
        // The API server drops it, so it is the same as not written.
        if required {
            let message = format!("the field `{}` has no value", key.text);
            let problem = Problem::error(code::MISSING_FIELD, key.span, message);
            self.problem(problem.field(self.path_text(self.path.len())));
            return;
        }
        // Where people write, that is rarely meant; tools write nulls in metadata and status.
        let people = matches!(self.path.first(), Some(Crumb::Key("spec")));
        if value.is_blank() && people && !self.quiet {
            let message = format!("`{}` has no value and counts as not written", key.text);
            let problem = Problem::warning(code::EMPTY_FIELD, key.span, message)
                .field(self.path_text(self.path.len()))
                .hint("write its value, `[]` or `{}` for an empty one, or remove it");
            self.problem(problem);
        }
    }

    /// Reports a field that does not exist, and returns the one that was probably meant.
    fn unknown_field(
        &mut self,
        schema: &'a Schema,
        node: &'a Node,
        key: &'a Key,
    ) -> Option<&'a str> {
        if self.quiet {
            return None;
        }
        let free = schema.names().filter(|name| node.get(name).is_none());
        let near = suggest::nearest(&key.text, free);
        let hint = if let Some(near) = near {
            Some(format!("did you mean `{near}`?"))
        } else {
            self.elsewhere(schema, &key.text)
                .or_else(|| known_fields(schema))
        };
        let problem = Problem::error(
            code::UNKNOWN_FIELD,
            key.span,
            format!("unknown field {}", quoted(&key.text)),
        )
        .field(self.path_text(self.path.len()))
        .maybe_hint(hint);
        self.problem(problem);
        near
    }

    /// Where the field would be right: a wrong indentation is the commonest slip of all.
    fn elsewhere(&self, schema: &'a Schema, name: &str) -> Option<String> {
        let around = self.above.iter().rev().skip(1);
        if let Some((_, length)) = around
            .clone()
            .find(|(each, _)| each.property(name).is_some())
        {
            let path = self.path_text(*length);
            let place = if path.is_empty() {
                "at the top of the object".to_owned()
            } else {
                format!("in `{path}`")
            };
            return Some(format!("`{name}` belongs {place}: check the indentation"));
        }
        let inside = schema
            .properties
            .iter()
            .find(|(_, inner)| inner.property(name).is_some());
        let (parent, _) = inside?;
        Some(format!(
            "`{name}` belongs in `{parent}`: check the indentation"
        ))
    }

    fn missing_field(&mut self, name: &str, at: Span) {
        let mut path = self.path_text(self.path.len());
        let first = path.is_empty();
        let _ = crate::path::write_key(&mut path, name, first);
        let problem = Problem::error(
            code::MISSING_FIELD,
            at,
            format!("the field `{name}` is missing"),
        )
        .label(format!("`{name}` belongs in here"))
        .field(path);
        self.problem(problem);
    }

    fn count_fields(&mut self, schema: &'a Schema, node: &'a Node, at: Span) {
        let least = schema.min_properties.unwrap_or(0);
        let most = schema.max_properties.unwrap_or(u64::MAX);
        if least == 0 && most == u64::MAX {
            return;
        }
        let set = || node.entries().iter().filter(|(_, value)| !value.is_null());
        let count = set().count() as u64;
        if (least..=most).contains(&count) {
            return;
        }
        let one_of = (least, most) == (1, 1) && !schema.properties.is_empty();
        let mut problem = if one_of {
            let names = suggest::list(schema.names(), "or");
            let found = if count == 0 {
                "none is set".to_owned()
            } else {
                format!("{count} are set")
            };
            self.broken(at, &format!("{found} of {names}"))
                .hint("set exactly one")
        } else if count < least {
            self.broken(
                at,
                &format!("expected at least {least} entries, found {count}"),
            )
        } else {
            self.broken(
                at,
                &format!("expected at most {most} entries, found {count}"),
            )
        };
        if one_of {
            let marked = set()
                .take(4)
                .map(|(key, _)| (key.span, "set here".to_owned()));
            problem.notes.extend(marked);
        }
        self.problem(problem);
    }
}

fn known_fields(schema: &Schema) -> Option<String> {
    let few = !schema.properties.is_empty() && schema.properties.len() <= FIELDS_IN_HINT;
    few.then(|| {
        format!(
            "the fields here are {}",
            suggest::list(schema.names(), "and")
        )
    })
}
