//! Annotations: lines in the log of a job that GitHub Actions shows beside the changed lines.
//!
//! Of one step it shows ten of each level, and the rest in the log only.

use std::fmt::Write as _;

use super::{Finding, Level};

/// The findings, a line for each.
pub fn annotations(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let kind = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let _ = writeln!(
            text,
            "::{kind} {}::{}",
            properties(finding),
            data(&finding.words())
        );
    }
    text
}

fn properties(finding: &Finding) -> String {
    let mut properties = Vec::new();
    if let Some(place) = &finding.place {
        let (start, end) = (place.start, place.end);
        properties.push(format!("file={}", property(&place.file)));
        properties.push(format!("line={}", start.line));
        properties.push(format!("endLine={}", end.line));
        // Columns count within one line only.
        if start.line == end.line {
            properties.push(format!("col={}", start.column));
            properties.push(format!("endColumn={}", end.column));
        }
    }
    properties.push(format!("title={}", property(&title(finding))));
    properties.join(",")
}

fn title(finding: &Finding) -> String {
    match &finding.object {
        Some(object) => format!("{} ({object})", finding.rule),
        None => finding.rule.clone(),
    }
}

/// What would end a message.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// What would end a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
