//! The plain difference of two texts.

use std::time::Duration;

use similar::TextDiff;

use super::Style;

/// Lines around a change.
const AROUND: usize = 3;
/// After so long a shorter difference is no longer looked for; it is right all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// A unified diff that `git apply` takes. A side that is nothing is a file that is not there.
pub fn unified(name: &str, old: Option<&str>, new: Option<&str>, style: Style) -> String {
    let path = name.strip_prefix("./").unwrap_or(name);
    let header = |side: Option<&str>, letter: &str| match side {
        Some(_) => format!("{letter}/{path}"),
        None => "/dev/null".to_owned(),
    };
    let (before, after) = (old.unwrap_or_default(), new.unwrap_or_default());
    let diff = TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(before, after);
    let text = diff
        .unified_diff()
        .context_radius(AROUND)
        .header(&header(old, "a"), &header(new, "b"))
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
