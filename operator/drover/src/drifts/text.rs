//! A drift report for a terminal.

use std::fmt::Write as _;

use drover_api::DriftSeverity;
use drover_engine::drift::Report;
use jiff::Timestamp;

use super::{OfKind, Section, level, remarks, scope, sections, tally};
use crate::reports::moments::{ago, full};
use crate::text::{Column, Style, Table, thousands, wrapped};

/// Rows of one kind that are shown, unless all are asked for.
const MOST: usize = 10;

/// The report; `all` of its machines, or the first of each kind.
pub fn render(report: &Report, all: bool, style: Style) -> String {
    let worst = report.findings().map(|finding| finding.severity).max();
    let head = format!("Drift: {} ({})", tally(&report.counts), scope(report));
    let head = wrapped(&head, style.width(), "", "  ");
    let mut text = match worst {
        None => style.good(head),
        Some(worst) => painted(worst, &head, style),
    };
    text.push('\n');
    for section in sections(report) {
        text.push_str(&of_section(&section, report.at, all, style));
    }
    text.push('\n');
    for line in remarks(report) {
        let _ = writeln!(text, "{}", wrapped(&line, style.width(), "", "  "));
    }
    let foot = format!("as of {} UTC, {}", full(report.at), report.digest);
    let _ = writeln!(
        text,
        "{}",
        style.faint(wrapped(&foot, style.width(), "", "  "))
    );
    text
}

fn painted(severity: DriftSeverity, text: &str, style: Style) -> String {
    match severity {
        DriftSeverity::Critical => style.bad(text),
        DriftSeverity::Warning => style.notable(text),
        DriftSeverity::Info => style.strong(text),
    }
}

fn of_section(section: &Section<'_>, now: Timestamp, all: bool, style: Style) -> String {
    let mut text = format!("\n{}\n", style.strong(&section.title));
    let _ = writeln!(
        text,
        "{}",
        wrapped(&section.lead, style.width(), "  ", "  ")
    );
    for of in &section.kinds {
        text.push_str(&of_kind(of, now, all, style));
    }
    if let Some(more) = &section.more {
        let _ = writeln!(text, "\n{}", wrapped(more, style.width(), "  ", "  "));
    }
    text
}

fn of_kind(of: &OfKind<'_>, now: Timestamp, all: bool, style: Style) -> String {
    let heading = format!("{} {:?}", level(of.severity), of.kind);
    let number = match of.findings.len() {
        1 => String::new(),
        several => format!(", {} times", thousands(several)),
    };
    let mut text = format!("\n  {}{number}\n", painted(of.severity, &heading, style));
    let shown = if all {
        of.findings.len()
    } else {
        of.findings.len().min(MOST)
    };
    let mut table = Table::new([
        Column::short("OF"),
        Column::number("FOR"),
        Column::wrapped("WHAT"),
    ]);
    for finding in &of.findings[..shown] {
        table.row(vec![
            finding.subject.shown().into(),
            ago(finding.since, now).into(),
            finding.message.clone().into(),
        ]);
    }
    text.push_str(&table.render(style, "    "));
    let left_out = of.findings.len() - shown;
    if left_out > 0 {
        let _ = writeln!(text, "    … {} more: --full shows all", thousands(left_out));
    }
    let lines = [("means: ", of.meaning), ("do:    ", of.remedy.as_str())];
    for (name, words) in lines {
        let lines = wrapped(words, style.width(), &format!("    {name}"), "           ");
        let _ = writeln!(text, "{lines}");
    }
    text
}
