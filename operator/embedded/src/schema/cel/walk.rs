//! From the root down to wherever there are rules.

use serde_json::Value;

use super::{
    broken,
    evaluate::{Verdict, ask},
};
use crate::schema::{
    Part,
    equal::{equal, old_item},
    error::{FieldError, FieldReason},
    go,
    node::{Kind, Node},
    path::Path,
};

/// Asks all rules about an object. Of a status, those about the status and about the whole.
pub(in crate::schema) fn check(
    root: &Node,
    new: &Value,
    old: Option<&Value>,
    part: Part,
    out: &mut Vec<FieldError>,
) {
    let place = Place {
        new,
        old,
        nearest: None,
    };
    match part {
        Part::Whole => walk(root, place, &Path::Root, out),
        Part::Status => {
            own(root, place, &Path::Root, out);
            if let (Some(node), Some(status)) = (root.property("status"), new.get("status")) {
                let place = place.below(status, old.and_then(|old| old.get("status")));
                walk(node, place, &Path::Field(&Path::Root, "status"), out);
            }
        }
    }
}

/// A value and what it was.
#[derive(Clone, Copy)]
struct Place<'v> {
    new: &'v Value,
    old: Option<&'v Value>,
    /// The nearest value around it that can be compared with what it was.
    nearest: Option<(&'v Value, &'v Value)>,
}

impl<'v> Place<'v> {
    fn below(self, new: &'v Value, old: Option<&'v Value>) -> Self {
        let nearest = self.old.map(|old| (self.new, old)).or(self.nearest);
        Self { new, old, nearest }
    }

    /// Whether it is as it was: then what is wrong with it is forgiven.
    fn is_unchanged(self, node: &Node) -> bool {
        match (self.old, self.nearest) {
            (Some(old), _) => equal(Some(node), self.new, old),
            (None, Some((new, old))) => new == old,
            (None, None) => false,
        }
    }
}

fn walk(node: &Node, place: Place<'_>, path: &Path<'_>, out: &mut Vec<FieldError>) {
    if !node.inside.rules || place.new.is_null() {
        return;
    }
    own(node, place, path, out);
    match place.new {
        Value::Object(fields) => {
            for (name, value) in fields {
                let Some(below) = node.field(name) else {
                    continue;
                };
                let old = place.old.and_then(|old| old.get(name));
                let path = match node.property(name) {
                    Some(_) => Path::Field(path, name),
                    None => Path::Key(path, name),
                };
                walk(below, place.below(value, old), &path, out);
            }
        }
        Value::Array(items) => {
            let Some(below) = node.items.as_deref().filter(|items| items.inside.rules) else {
                return;
            };
            for (index, item) in items.iter().enumerate() {
                let old = old_item(&node.list, item, place.old);
                walk(below, place.below(item, old), &Path::Item(path, index), out);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn own(node: &Node, place: Place<'_>, path: &Path<'_>, out: &mut Vec<FieldError>) {
    let old = place.old.filter(|old| !old.is_null());
    for rule in &node.rules {
        if rule.compares && old.is_none() && !rule.optional_old {
            continue;
        }
        let shown = || match node.kind {
            Kind::Object | Kind::Array => None,
            _ => Some(go::shown(place.new)),
        };
        match ask(rule, node, place.new, old) {
            Verdict::Holds => {}
            Verdict::Broken(_) if !rule.compares && place.is_unchanged(node) => {}
            Verdict::Broken(detail) => {
                out.push(broken(rule, path.keyed(), shown().as_deref(), &detail));
            }
            Verdict::Failed(detail) => {
                let kind = go::quoted(node.kind.name());
                let error =
                    FieldError::shown(path.keyed(), FieldReason::Invalid, Some(&kind), &detail);
                out.push(error);
            }
        }
    }
}
