//! The XML of `JUnit`, which most pipelines show as a list of tests.
//!
//! A file is a suite, and each object in it a test: one that is in order passes, so that a pipeline
//! that wants to see tests sees some. What an object gets wrong is one failure with all its words.

use std::fmt::Write as _;

use super::{Finding, Level};
use crate::text::xml;

/// One test.
#[derive(Clone, Debug)]
pub struct Case {
    /// The suite it belongs to: a file.
    pub suite: String,
    /// Its name: an object.
    pub name: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Case {
    /// Whether something in it is as bad as this.
    fn fails(&self, from: Level) -> bool {
        self.findings.iter().any(|finding| finding.level <= from)
    }
}

/// The cases as a report of this name; cases of one suite stand together. `from` is the level from
/// which on a finding is a failure; others are what the test wrote.
pub fn junit(name: &str, cases: &[Case], from: Level) -> String {
    let failed = |cases: &[Case]| cases.iter().filter(|case| case.fails(from)).count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\">",
        xml(name),
        cases.len(),
        failed(cases)
    );
    for suite in cases.chunk_by(|one, other| one.suite == other.suite) {
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\">",
            xml(&suite[0].suite),
            suite.len(),
            failed(suite)
        );
        for case in suite {
            written(case, from, &mut text);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn written(case: &Case, from: Level, text: &mut String) {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\"",
        xml(&case.suite),
        xml(&case.name)
    );
    if case.findings.is_empty() {
        let _ = writeln!(text, "{head}/>");
        return;
    }
    let _ = writeln!(text, "{head}>");
    let (failures, rest): (Vec<&Finding>, Vec<&Finding>) =
        case.findings.iter().partition(|each| each.level <= from);
    if let Some(first) = failures.first() {
        let _ = writeln!(
            text,
            "      <failure type=\"{}\" message=\"{}\">{}</failure>",
            xml(&first.rule),
            xml(&first.message),
            xml(&all(&failures))
        );
    }
    if !rest.is_empty() {
        let _ = writeln!(text, "      <system-out>{}</system-out>", xml(&all(&rest)));
    }
    text.push_str("    </testcase>\n");
}

fn all(findings: &[&Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        let place = finding.place.as_ref().map(|place| {
            let start = place.start;
            format!("{}:{}:{}: ", place.file, start.line, start.column)
        });
        let place = place.unwrap_or_default();
        format!("{place}{} [{}]", finding.words(), finding.rule)
    });
    lines.collect::<Vec<_>>().join("\n")
}
