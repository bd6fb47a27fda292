//! A drift report for an issue tracker: short first, details folded, never longer than a forge takes.

use std::fmt::Write as _;

use drover_engine::drift::{Counts, Report};

use super::{OfKind, Section, level, remarks, scope, sections, tally};
use crate::plans::markdown::{MOST_BYTES, code, escaped};
use crate::reports::moments::full;
use crate::text::{count, thousands};

/// By it a tool finds the comment that it wrote before.
const MARKER: &str = "<!-- drover drift -->\n";
/// Rows of one table.
const MOST_ROWS: usize = 40;
/// Room for what is said of sections that had none.
const SPARE: usize = 400;

/// The report as Markdown.
pub fn render(report: &Report) -> String {
    let mut text = format!("{MARKER}### Drift: {}\n\n", tally(&report.counts));
    let _ = writeln!(text, "{}.", scope(report));
    let all = sections(report);
    summary(&mut text, &all);
    for line in remarks(report) {
        let _ = writeln!(text, "\n{}", escaped(&line));
    }
    let foot = format!(
        "\n<sub>As of {} UTC. Digest {}. drover {}</sub>\n",
        full(report.at),
        code(&report.digest),
        env!("CARGO_PKG_VERSION")
    );
    let mut left_out = 0;
    for section in &all {
        let block = block(section);
        if text.len() + block.len() + foot.len() + SPARE > MOST_BYTES {
            left_out += 1;
        } else {
            text.push_str(&block);
        }
    }
    if left_out > 0 {
        let sections = count(left_out, "section");
        let _ = writeln!(
            text,
            "\n{sections} without details: `drover drift --full` shows them."
        );
    }
    text.push_str(&foot);
    text
}

fn summary(text: &mut String, sections: &[Section<'_>]) {
    if sections.is_empty() {
        return;
    }
    text.push_str("\n| of | critical | warning | info |\n| --- | ---: | ---: | ---: |\n");
    for section in sections.iter().take(MOST_ROWS) {
        let counts = Counts::of(section.kinds.iter().flat_map(|of| of.findings));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            escaped(&section.title),
            counts.critical,
            counts.warning,
            counts.info
        );
    }
    if sections.len() > MOST_ROWS {
        let more = thousands(sections.len() - MOST_ROWS);
        let _ = writeln!(text, "| … {more} more | | | |");
    }
}

fn block(section: &Section<'_>) -> String {
    let mut text = format!(
        "\n<details><summary>{}: {}</summary>\n",
        escaped(&section.title),
        escaped(&section.lead)
    );
    for of in &section.kinds {
        of_kind(&mut text, of);
    }
    if let Some(more) = &section.more {
        let _ = writeln!(text, "\n{}.", escaped(more));
    }
    text.push_str("\n</details>\n");
    text
}

fn of_kind(text: &mut String, of: &OfKind<'_>) {
    let _ = writeln!(
        text,
        "\n**{:?}** ({}): {}.",
        of.kind,
        level(of.severity),
        whole(of.meaning)
    );
    text.push_str("\n| of | since (UTC) | what |\n| --- | --- | --- |\n");
    for finding in of.findings.iter().take(MOST_ROWS) {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            code(finding.subject.shown()),
            full(finding.since),
            escaped(&finding.message)
        );
    }
    if of.findings.len() > MOST_ROWS {
        let more = thousands(of.findings.len() - MOST_ROWS);
        let _ = writeln!(text, "| … {more} more | | |");
    }
    let _ = writeln!(text, "\nDo: {}", whole(&of.remedy));
}

/// A sentence of Drover's, which is not cut as a cell is.
fn whole(sentence: &str) -> String {
    let words = sentence.split(' ').map(escaped);
    words.collect::<Vec<String>>().join(" ")
}
