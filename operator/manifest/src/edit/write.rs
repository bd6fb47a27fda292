//! How a value is written: in the style of what stands around it.

use super::Written;
use crate::node::Value;
use crate::scalar;

/// How maps are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Only where they are needed.
    Needed,
    /// Always and double, as in JSON.
    Always,
}

/// A value within braces, on one line.
pub(super) fn flow(value: &Written, quotes: Quotes) -> String {
    match value {
        Written::Text(text) => scalar(text, quotes),
        Written::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Written::Map(entries) => {
            let entry = |(key, value): &(String, Written)| {
                format!("{}: {}", scalar(key, quotes), flow(value, quotes))
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// An entry of a map as lines, each with its indentation.
pub(super) fn block(key: &str, value: &Written, indent: usize, step: usize) -> Vec<String> {
    let head = format!("{}{}:", " ".repeat(indent), scalar(key, Quotes::Needed));
    match value {
        Written::Map(entries) if !entries.is_empty() => {
            let mut lines = vec![head];
            for (key, value) in entries {
                lines.extend(block(key, value, indent + step, step));
            }
            lines
        }
        _ => vec![format!("{head} {}", flow(value, Quotes::Needed))],
    }
}

/// A text as it is written without a style to follow.
pub(super) fn scalar(text: &str, quotes: Quotes) -> String {
    if quotes == Quotes::Needed && is_plain(text) {
        text.to_owned()
    } else {
        double(text)
    }
}

/// A text between double quotes.
pub(super) fn double(text: &str) -> String {
    // What JSON writes, YAML reads.
    serde_json::Value::from(text).to_string()
}

/// A text between single quotes; nothing where that cannot hold it.
pub(super) fn single(text: &str) -> Option<String> {
    let writable = !text.chars().any(char::is_control);
    writable.then(|| format!("'{}'", text.replace('\'', "''")))
}

/// Words that YAML 1.1, which `kubectl` speaks, reads as something else than text.
const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "null", "~"];

/// Whether a text needs no quotes, in a block or within braces. It is stricter than it must be.
pub(super) fn is_plain(text: &str) -> bool {
    let starts = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    let inner = |each: char| each.is_ascii_alphanumeric() || "._-/:+".contains(each);
    starts
        && text.chars().all(inner)
        && !text.ends_with(':')
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
        && scalar::resolve(text.to_owned()) == Value::Str(text.to_owned())
}
