//! Lists: their items, how many, and which may not be twice.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::check::{Crumb, Walker};
use crate::code;
use crate::node::{Node, Value, quoted};
use crate::position::Span;
use crate::problem::Problem;
use crate::schema::{ListType, Schema};

impl<'a> Walker<'a> {
    pub(super) fn array(&mut self, schema: &'a Schema, node: &'a Node, at: Span) {
        let Value::Seq(items) = &node.value else {
            let one = matches!(node.value, Value::Str(_) | Value::Int(_) | Value::Map(_));
            self.wrong_type(node, "a list");
            if let Some(problem) = self.problems.last_mut().filter(|_| one) {
                problem.hint = Some("put it in brackets, or after a `- `".to_owned());
            }
            return;
        };
        let count = items.len() as u64;
        if schema.min_items.is_some_and(|least| count < least) {
            let least = schema.min_items.unwrap_or_default();
            let message = match least {
                1 => "this list must not be empty".to_owned(),
                _ => format!("expected at least {least} items, found {count}"),
            };
            self.problem(self.broken(at, &message));
        }
        if let Some(most) = schema.max_items.filter(|most| count > *most) {
            self.problem(self.broken(at, &format!("expected at most {most} items, found {count}")));
        }
        if let Some(each) = &schema.items {
            for (index, item) in items.iter().enumerate() {
                self.path.push(Crumb::Index(index));
                self.value(each, item, stand_in(item));
                self.path.pop();
            }
        }
        match &schema.list {
            ListType::Atomic => {}
            ListType::Set => self.twice(items, plain_text, "value"),
            ListType::Map(keys) => self.twice(items, |item| item_key(item, keys), &keys.join(", ")),
        }
    }

    /// Reports items that have the same key as one before them.
    fn twice(
        &mut self,
        items: &'a [Node],
        key: impl Fn(&'a Node) -> Option<Cow<'a, str>>,
        what: &str,
    ) {
        let mut seen: HashMap<Cow<'_, str>, &Node> = HashMap::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let Some(name) = key(item) else { continue };
            if let Some(first) = seen.get(&name) {
                let message = format!("two items have the same {what}: {}", quoted(&name));
                self.path.push(Crumb::Index(index));
                let problem = Problem::error(code::DUPLICATE_ITEM, name_span(item, what), message)
                    .note(name_span(first, what), "first used here")
                    .field(self.path_text(self.path.len()));
                self.path.pop();
                self.problem(problem);
            } else {
                seen.insert(name, item);
            }
        }
    }
}

/// What stands for a whole item: its first key, or the item when it is short.
fn stand_in(item: &Node) -> Span {
    item.entries()
        .first()
        .map_or(item.span, |(key, _)| key.span)
}

/// Where the key of an item is written.
fn name_span(item: &Node, key: &str) -> Span {
    item.get(key)
        .map_or_else(|| stand_in(item), |value| value.span)
}

fn plain_text(node: &Node) -> Option<Cow<'_, str>> {
    match &node.value {
        Value::Str(text) | Value::Unclear(text) => Some(Cow::Borrowed(text)),
        Value::Int(value) => Some(Cow::Owned(value.to_string())),
        Value::Bool(value) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Float(_) | Value::Seq(_) | Value::Map(_) => None,
    }
}

/// The text that makes an item one of its own; `None` when it has not all its keys.
fn item_key<'a>(item: &'a Node, keys: &[String]) -> Option<Cow<'a, str>> {
    if let [only] = keys {
        return plain_text(item.get(only)?);
    }
    let parts: Option<Vec<_>> = keys.iter().map(|key| plain_text(item.get(key)?)).collect();
    Some(Cow::Owned(parts?.join(", ")))
}
