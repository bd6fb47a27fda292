//! Whether the values of an object are what its schema asks for, apart from its rules. What is
//! checked in which order, and how it is worded, follows `kube-openapi`.

mod lists;
mod logic;
mod scalar;

use serde_json::Value;

pub(super) use lists::lists;

use super::{
    equal::old_item,
    error::{FieldError, FieldReason},
    go,
    node::{Node, Others, Span},
    path::Path,
};

/// Checks a value by a schema, and forgives what was wrong before and is unchanged.
pub(super) fn values(node: &Node, new: &Value, old: Option<&Value>, out: &mut Vec<FieldError>) {
    let before = out.len();
    check(node, new, None, &Path::Root, out);
    // To compare with the old object costs more than the check: only where there is a reason to.
    if out.len() > before && old.is_some() {
        out.truncate(before);
        check(node, new, old, &Path::Root, out);
    }
}

fn check(
    node: &Node,
    value: &Value,
    old: Option<&Value>,
    path: &Path<'_>,
    out: &mut Vec<FieldError>,
) {
    let before = out.len();
    scalar::kind(node, value, path, out);
    if !value.is_null() {
        if let Some(logic) = &node.logic {
            logic::check(logic, value, path, out);
        }
        match value {
            Value::String(text) => scalar::text(node, text, path, out),
            Value::Number(number) => scalar::number(node, number, path, out),
            Value::Array(items) => array(node, items, old, path, out),
            Value::Null | Value::Bool(_) | Value::Object(_) => {}
        }
    }
    scalar::choice(node, value, path, out);
    if let Value::Object(fields) = value {
        object(node, fields, old, path, out);
    }
    if out.len() > before && old == Some(value) {
        out.truncate(before);
    }
}

fn array(
    node: &Node,
    items: &[Value],
    old: Option<&Value>,
    path: &Path<'_>,
    out: &mut Vec<FieldError>,
) {
    if let Some(expected) = &node.items {
        for (index, item) in items.iter().enumerate() {
            let old = old_item(&node.list, item, old);
            check(expected, item, old, &Path::Item(path, index), out);
        }
    }
    count(items.len(), node.item_count, "items", path, out);
    let is_twice = |(index, item): (usize, &Value)| items[..index].contains(item);
    if node.unique_items && items.iter().enumerate().any(is_twice) {
        let field = path.dotted();
        let detail = format!("{field} in body shouldn't contain duplicates");
        out.push(FieldError::shown(
            field,
            FieldReason::Invalid,
            Some("\"\""),
            &detail,
        ));
    }
}

fn object(
    node: &Node,
    fields: &serde_json::Map<String, Value>,
    old: Option<&Value>,
    path: &Path<'_>,
    out: &mut Vec<FieldError>,
) {
    count(fields.len(), node.property_count, "properties", path, out);
    for (name, value) in fields {
        let old = old.and_then(|old| old.get(name));
        if let Some(property) = node.property(name) {
            check(property, value, old, &Path::Field(path, name), out);
            continue;
        }
        match &node.others {
            Others::Entries(entry) => check(entry, value, old, &Path::Key(path, name), out),
            Others::Forbidden => {
                let field = path.dotted();
                let detail = format!("{field}.{name} in body is a forbidden property");
                let shown = go::quoted(name);
                out.push(FieldError::shown(
                    field,
                    FieldReason::Invalid,
                    Some(&shown),
                    &detail,
                ));
            }
            Others::Unknown | Others::Any => {}
        }
    }
    for name in &node.required {
        if !fields.contains_key(name) {
            let field = Path::Field(path, name).dotted();
            out.push(FieldError::shown(field, FieldReason::Required, None, ""));
        }
    }
}

/// How many there are, of items or of properties.
fn count(count: usize, span: Span, what: &str, path: &Path<'_>, out: &mut Vec<FieldError>) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    if let Some(least) = span.least.filter(|least| count < *least) {
        let field = path.dotted();
        let detail = format!("{field} in body should have at least {least} {what}");
        out.push(FieldError::about(
            field,
            FieldReason::Invalid,
            &Value::from(count),
            &detail,
        ));
    }
    if let Some(most) = span.most.filter(|most| count > *most) {
        // The real server says items of properties too.
        let items = if most == 1 { "item" } else { "items" };
        let detail = format!("must have at most {most} {items}");
        let error = FieldError::about(
            path.dotted(),
            FieldReason::TooMany,
            &Value::from(count),
            &detail,
        );
        out.push(error);
    }
}
