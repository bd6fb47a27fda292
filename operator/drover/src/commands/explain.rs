//! `drover explain`: what a kind or a field means, from the definitions that are built in.
//!
//! For programs there is a `FieldReport`:
//!
//! ```json
//! {
//!   "apiVersion": "drover.dev/v1alpha1", "kind": "FieldReport",
//!   "of": "RecoveryPlan", "path": "spec.commit", "type": "object", "required": false,
//!   "description": "Who commits a failover, and when (FO-5).", "bounds": [], "rules": ["..."],
//!   "fields": [{ "path": "spec.commit.policy", "type": "Manual, Automatic", "required": true }]
//! }
//! ```
//!
//! With `--recursive`, `fields` are all fields below and not only the next.

use std::fmt::Write as _;

use drover_api::{API_VERSION, KindInfo, fields};
use drover_engine::problem::did_you_mean;
use serde::Serialize;
use serde_json::Value;

use crate::cli::{Explain, ExplainFormat};
use crate::cluster::kinds;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::report::Report;
use crate::text::{Cell, Column, Style, Table, wrapped};

/// Under a heading.
const INDENT: &str = "  ";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    of: &'static str,
    #[serde(flatten)]
    field: Field,
    rules: Vec<String>,
    fields: Vec<Field>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    bounds: Vec<String>,
    description: String,
}

/// Explains a kind or a field.
///
/// # Errors
/// When there is no such kind or field.
pub fn run(arguments: &Explain, output: &mut Output) -> Result<Exit, Failure> {
    let mut steps = arguments.path.trim_end_matches('.').split('.');
    let name = steps.next().unwrap_or_default();
    let info = kinds::known(name).map_err(|why| Failure::NoSuchKind {
        name: name.to_owned(),
        hint: why.replace("there is no such kind; ", ""),
    })?;
    let root = (info.schema)();
    // An index says nothing of a field: `groups[0].name` and `groups[].name` are `groups.name`.
    let steps: Vec<&str> = steps
        .map(|step| step.split('[').next().unwrap_or(step))
        .collect();
    let body = body(info, &root, &steps, arguments.recursive)?;
    match arguments.format {
        ExplainFormat::Json => output.json(&Report::new("FieldReport", body))?,
        ExplainFormat::Text => {
            output.data(&text(info, &body, arguments.recursive, output.data_style()))?;
        }
    }
    Ok(Exit::Fine)
}

fn body(
    info: &'static KindInfo,
    root: &Value,
    steps: &[&str],
    recursive: bool,
) -> Result<Body, Failure> {
    let (mut schema, mut required) = (root, true);
    for (done, step) in steps.iter().enumerate() {
        let inner = fields::inner(schema);
        let next = &inner["properties"][step];
        if next.is_null() {
            return Err(no_such_field(info, root, &steps[..done], step));
        }
        required = fields::is_required(inner, step);
        schema = next;
    }
    let path = steps.join(".");
    let inner = fields::inner(schema);
    let mut rules: Vec<String> = fields::rules(schema).map(str::to_owned).collect();
    if inner != schema {
        rules.extend(fields::rules(inner).map(str::to_owned));
    }
    let mut below = Vec::new();
    children(inner, &path, recursive, &mut below);
    let mut field = field(schema, path, required);
    if steps.is_empty() {
        // A kind is told by its spec; the root has the words of the definition.
        field.description = fields::says(&root["properties"]["spec"]);
    }
    Ok(Body {
        of: info.kind,
        field,
        rules,
        fields: below,
    })
}

fn field(schema: &Value, path: String, required: bool) -> Field {
    Field {
        path,
        kind: fields::kind(schema, str::to_owned),
        required,
        default: fields::default(schema, str::to_owned),
        bounds: fields::bounds(schema, str::to_owned),
        description: fields::says(schema),
    }
}

fn children(schema: &Value, path: &str, recursive: bool, found: &mut Vec<Field>) {
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let required = fields::is_required(schema, name);
        found.push(field(below, path.clone(), required));
        if recursive {
            children(fields::inner(below), &path, recursive, found);
        }
    }
}

/// What may have been meant: a field beside it, else one of that name anywhere in the kind.
fn no_such_field(info: &KindInfo, root: &Value, before: &[&str], step: &str) -> Failure {
    let at = before.iter().fold(root, |schema, step| {
        &fields::inner(schema)["properties"][step]
    });
    let names = fields::inner(at)["properties"].as_object();
    let names: Vec<&str> = names
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut all = Vec::new();
    children(root, "", true, &mut all);
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let elsewhere = || {
        let same = all
            .iter()
            .find(|field| last(&field.path).eq_ignore_ascii_case(step));
        same.map(|field| field.path.clone())
    };
    let whole = |name: &str| [before, &[name]].concat().join(".");
    let meant = did_you_mean(step, names.iter().copied())
        .map(whole)
        .or_else(elsewhere);
    let hint = match meant {
        Some(meant) => format!("did you mean {}.{meant}?", info.kind),
        None if names.is_empty() => format!("{} has no fields", whole("").trim_end_matches('.')),
        None => format!("the fields are {}", names.join(", ")),
    };
    Failure::NoSuchObject {
        what: format!("field {} in {}", whole(step), info.kind),
        hint,
    }
}

fn text(info: &KindInfo, body: &Body, recursive: bool, style: Style) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let head = format!("{name:<9}");
        let lines = wrapped(value, style.width(), &head, "         ");
        let rest = lines.strip_prefix(&head).unwrap_or(&lines);
        let _ = writeln!(text, "{}{rest}", style.strong(&head));
    };
    let place = if info.namespaced {
        "in a namespace"
    } else {
        "for the whole cluster"
    };
    line("KIND", &format!("{} ({API_VERSION}), {place}", info.kind));
    if !body.field.path.is_empty() {
        line("FIELD", &body.field.path);
        line("TYPE", &facts(&body.field));
    }
    text.push('\n');
    let says = wrapped(&body.field.description, style.width(), "", "");
    let _ = writeln!(text, "{says}");
    if !body.rules.is_empty() {
        let _ = writeln!(text, "\n{}", style.strong("RULES"));
    }
    for rule in &body.rules {
        let _ = writeln!(text, "{}", wrapped(rule, style.width(), "  - ", "    "));
    }
    if !body.fields.is_empty() {
        let _ = writeln!(text, "\n{}", style.strong("FIELDS"));
        text.push_str(&if recursive {
            tree(body, style)
        } else {
            list(body, style)
        });
    }
    text
}

/// `duration, required, at most 5`.
fn facts(field: &Field) -> String {
    let mut facts = vec![field.kind.clone()];
    if field.required {
        facts.push("required".to_owned());
    }
    facts.extend(field.bounds.iter().cloned());
    facts.extend(
        field
            .default
            .as_ref()
            .map(|default| format!("default {default}")),
    );
    facts.join("; ")
}

/// The next fields, each with what it says.
fn list(body: &Body, style: Style) -> String {
    let mut text = String::new();
    for (position, field) in body.fields.iter().enumerate() {
        if position > 0 {
            text.push('\n');
        }
        let name = last(&field.path);
        let head = wrapped(
            &format!("{name}  {}", facts(field)),
            style.width(),
            INDENT,
            "      ",
        );
        let rest = head
            .strip_prefix(&format!("{INDENT}{name}"))
            .unwrap_or_default();
        let _ = writeln!(text, "{INDENT}{}{}", style.strong(name), style.faint(rest));
        if !field.description.is_empty() {
            let says = wrapped(&field.description, style.width(), "      ", "      ");
            let _ = writeln!(text, "{says}");
        }
    }
    text
}

/// All fields below, a line each.
fn tree(body: &Body, style: Style) -> String {
    let depth = |path: &str| path.matches('.').count();
    let least = body
        .fields
        .iter()
        .map(|field| depth(&field.path))
        .min()
        .unwrap_or(0);
    let mut table = Table::new([
        Column::short("FIELD"),
        Column::text("TYPE"),
        Column::short(""),
    ]);
    for field in &body.fields {
        let indent = "  ".repeat(depth(&field.path) - least);
        let needed: Cell = if field.required {
            "required".into()
        } else {
            "".into()
        };
        table.row(vec![
            format!("{indent}{}", last(&field.path)).into(),
            field.kind.clone().into(),
            needed,
        ]);
    }
    table.render(style, INDENT)
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
