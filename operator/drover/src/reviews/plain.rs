//! The plain difference of the texts, as `diff -u` writes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use drover_manifest::secret::{mask, may_hold_secrets};

use super::input::{Both, Pair};
use crate::text::{Style, unified};

/// The files of ours that differ, in the order of their names.
pub fn difference(both: &Both, ours: &BTreeSet<String>, style: Style) -> String {
    let mut text = String::new();
    for pair in both.pairs().iter().filter(|pair| pair.is_of(ours)) {
        if pair.differs() {
            of_file(&mut text, pair, style);
        }
    }
    text
}

fn of_file(text: &mut String, pair: &Pair<'_>, style: Style) {
    let name: String = pair
        .name
        .chars()
        .filter(|each| !each.is_control())
        .collect();
    // A document of somebody else in the same file may be a Secret (BI-3).
    if [pair.old, pair.new]
        .into_iter()
        .flatten()
        .any(may_hold_secrets)
    {
        let _ = writeln!(
            text,
            "{name} differs, and is not shown: it may hold a secret"
        );
        return;
    }
    let (old, new) = (pair.old.map(shown), pair.new.map(shown));
    text.push_str(&unified(&name, old.as_deref(), new.as_deref(), style));
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
