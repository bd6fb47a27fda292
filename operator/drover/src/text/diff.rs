//! The plain difference of two texts.

use similar::TextDiff;

use super::Style;

/// Lines around a change.
const AROUND: usize = 3;

/// A unified diff that `git apply` takes.
pub fn unified(name: &str, old: &str, new: &str, style: Style) -> String {
    let path = name.strip_prefix("./").unwrap_or(name);
    let diff = TextDiff::from_lines(old, new);
    let text = diff
        .unified_diff()
        .context_radius(AROUND)
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .to_string();
    let painted = text.split_inclusive('\n').map(|line| paint(line, style));
    painted.collect()
}

fn paint(line: &str, style: Style) -> String {
    let (text, end) = match line.strip_suffix('\n') {
        Some(text) => (text, "\n"),
        None => (line, ""),
    };
    let painted = if text.starts_with("--- ") || text.starts_with("+++ ") {
        style.strong(text)
    } else if text.starts_with("@@") {
        style.faint(text)
    } else if text.starts_with('+') {
        style.good(text)
    } else if text.starts_with('-') {
        style.bad(text)
    } else {
        text.to_owned()
    };
    painted + end
}
