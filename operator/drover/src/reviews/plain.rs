//! The plain difference of the texts, as `diff -u` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use drover_manifest::secret::{mask, may_hold_secrets};
use similar::TextDiff;

use super::input::{Both, Texts};

/// Lines around a change.
const CONTEXT: usize = 3;
/// After so long a shorter difference is no longer looked for; it is right all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// The files of ours that differ, in the order of their names.
pub fn difference(both: &Both, ours: &BTreeSet<String>) -> String {
    let (old, new) = (by_name(&both.base), by_name(&both.head));
    let mut text = String::new();
    for name in ours.iter().map(String::as_str) {
        let (before, after) = (old.get(name).copied(), new.get(name).copied());
        if before != after {
            of_file(&mut text, name, before, after);
        }
    }
    text
}

fn by_name(texts: &Texts) -> BTreeMap<&str, &[u8]> {
    let files = texts.files.iter();
    files
        .map(|file| (file.name.as_str(), file.text.as_slice()))
        .collect()
}

fn of_file(text: &mut String, name: &str, before: Option<&[u8]>, after: Option<&[u8]>) {
    let name: String = name.chars().filter(|each| !each.is_control()).collect();
    let (old, new) = (before.unwrap_or_default(), after.unwrap_or_default());
    // A document of somebody else in the same file may be a Secret (BI-3).
    if may_hold_secrets(old) || may_hold_secrets(new) {
        let _ = writeln!(
            text,
            "{name} differs, and is not shown: it may hold a secret"
        );
        return;
    }
    let (old, new) = (shown(old), shown(new));
    let header = |side: Option<&[u8]>, letter: &str| match side {
        Some(_) => format!("{letter}/{name}"),
        None => "/dev/null".to_owned(),
    };
    let difference = TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(&old, &new);
    let mut unified = difference.unified_diff();
    unified.context_radius(CONTEXT);
    let unified = unified
        .header(&header(before, "a"), &header(after, "b"))
        .to_string();
    text.push_str(&unified);
}

/// A text that neither steers a terminal nor tells a password that stands where a reference belongs.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines = text.split_inclusive('\n').map(|line| {
        let (line, end) = line
            .strip_suffix('\n')
            .map_or((line, ""), |line| (line, "\n"));
        let steers = |each: char| each.is_control() && each != '\t';
        let line: String = mask(line)
            .chars()
            .map(|each| if steers(each) { '\u{FFFD}' } else { each })
            .collect();
        format!("{line}{end}")
    });
    lines.collect()
}
