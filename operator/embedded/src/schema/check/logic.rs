//! `allOf`, `anyOf`, `oneOf` and `not`.

use serde_json::Value;

use super::check as check_value;
use crate::schema::{
    error::{FieldError, FieldReason},
    go,
    node::{Logic, Node},
    path::Path,
};

pub(super) fn check(logic: &Logic, value: &Value, path: &Path<'_>, out: &mut Vec<FieldError>) {
    any_of(&logic.any_of, value, path, out);
    one_of(&logic.one_of, value, path, out);
    all_of(&logic.all_of, value, path, out);
    if let Some(not) = &logic.not
        && wrong_with(not, value, path).is_empty()
    {
        out.push(verdict(path, "must not validate the schema (not)"));
    }
}

fn wrong_with(node: &Node, value: &Value, path: &Path<'_>) -> Vec<FieldError> {
    let mut found = Vec::new();
    check_value(node, value, None, path, &mut found);
    found
}

fn any_of(nodes: &[Node], value: &Value, path: &Path<'_>, out: &mut Vec<FieldError>) {
    let mut nearest: Option<Vec<FieldError>> = None;
    for node in nodes {
        let found = wrong_with(node, value, path);
        if found.is_empty() {
            return;
        }
        keep_nearest(&mut nearest, found);
    }
    if let Some(nearest) = nearest {
        out.push(verdict(path, "must validate at least one schema (anyOf)"));
        out.extend(nearest);
    }
}

fn one_of(nodes: &[Node], value: &Value, path: &Path<'_>, out: &mut Vec<FieldError>) {
    if nodes.is_empty() {
        return;
    }
    let mut valid = 0_usize;
    let mut nearest = None;
    for node in nodes {
        let found = wrong_with(node, value, path);
        if found.is_empty() {
            valid += 1;
        } else {
            keep_nearest(&mut nearest, found);
        }
    }
    match valid {
        1 => {}
        0 => {
            let what = "must validate one and only one schema (oneOf). Found none valid";
            out.push(verdict(path, what));
            out.extend(nearest.unwrap_or_default());
        }
        several => {
            let what = format!(
                "must validate one and only one schema (oneOf). Found {several} valid alternatives"
            );
            out.push(verdict(path, &what));
        }
    }
}

fn all_of(nodes: &[Node], value: &Value, path: &Path<'_>, out: &mut Vec<FieldError>) {
    let mut valid = 0_usize;
    for node in nodes {
        let found = wrong_with(node, value, path);
        valid += usize::from(found.is_empty());
        out.extend(found);
    }
    if valid < nodes.len() {
        let none = if valid == 0 { ". None validated" } else { "" };
        out.push(verdict(
            path,
            &format!("must validate all the schemas (allOf){none}"),
        ));
    }
}

/// What is said of the alternatives when none fits: that of which least is wrong.
fn keep_nearest(nearest: &mut Option<Vec<FieldError>>, found: Vec<FieldError>) {
    if nearest
        .as_ref()
        .is_none_or(|nearest| found.len() < nearest.len())
    {
        *nearest = Some(found);
    }
}

/// These errors are about no field, and name it in what they say.
fn verdict(path: &Path<'_>, what: &str) -> FieldError {
    let detail = format!("{} {what}", go::quoted(&path.dotted()));
    FieldError::shown(String::new(), FieldReason::Invalid, Some("\"\""), &detail)
}
