//! A drift report for a browser: one file, which also prints well.

use std::fmt::Write as _;

use drover_api::DriftSeverity;
use drover_engine::drift::{Counts, LEVELS, Report};

use super::{OfKind, Section, level, remarks, scope, sections, tally};
use crate::html::document;
use crate::reports::moments::{ago, full};
use crate::text::{thousands, xml};

/// Rows of one kind: a page of ten thousand is not read, and `--format json` has them all.
const MOST_ROWS: usize = 500;

/// The page.
pub fn page(report: &Report) -> String {
    let all = sections(report);
    let mut body = String::new();
    heading(&mut body, report);
    summary(&mut body, &all);
    for (number, section) in all.iter().enumerate() {
        of_section(&mut body, number, section, report);
    }
    let foot = format!("as of {} UTC, {}", full(report.at), report.digest);
    document(&format!("Drift: {}", tally(&report.counts)), &foot, &body)
}

fn heading(body: &mut String, report: &Report) {
    let _ = write!(
        body,
        "<h1>Drift: {}</h1><p class=\"lead\">Where what is differs from what is declared: {}.</p><dl>\
         <dt>As of</dt><dd>{} UTC</dd><dt>Digest</dt><dd><code>{}</code></dd><dt>Made by</dt><dd>drover {}</dd>",
        xml(&tally(&report.counts)),
        xml(&scope(report)),
        full(report.at),
        xml(&report.digest),
        env!("CARGO_PKG_VERSION")
    );
    for line in remarks(report) {
        let (name, words) = line.split_once(": ").unwrap_or(("", &line));
        let _ = write!(body, "<dt>{}</dt><dd>{}</dd>", capital(name), xml(words));
    }
    body.push_str("</dl>");
}

fn summary(body: &mut String, sections: &[Section<'_>]) {
    if sections.is_empty() {
        return;
    }
    body.push_str("<h2>In short</h2><table><tr><th>Of</th>");
    for severity in LEVELS {
        let _ = write!(body, "<th class=\"number\">{}</th>", level(severity));
    }
    body.push_str("</tr>");
    for (number, section) in sections.iter().enumerate() {
        let counts = Counts::of(section.kinds.iter().flat_map(|of| of.findings));
        let _ = write!(
            body,
            "<tr><td><a href=\"#s{number}\">{}</a></td>",
            xml(&section.title)
        );
        for severity in LEVELS {
            let _ = write!(
                body,
                "<td class=\"number\">{}</td>",
                thousands(counts.at(severity))
            );
        }
        body.push_str("</tr>");
    }
    body.push_str("</table>");
}

fn of_section(body: &mut String, number: usize, section: &Section<'_>, report: &Report) {
    let _ = write!(
        body,
        "<h2 id=\"s{number}\">{}</h2><p class=\"lead\">{}</p>",
        xml(&section.title),
        xml(&section.lead)
    );
    for of in &section.kinds {
        of_kind(body, of, report);
    }
    if let Some(more) = &section.more {
        let _ = write!(body, "<p>{}.</p>", xml(more));
    }
}

fn of_kind(body: &mut String, of: &OfKind<'_>, report: &Report) {
    let class = match of.severity {
        DriftSeverity::Critical => "critical",
        DriftSeverity::Warning => "warning",
        DriftSeverity::Info => "info",
    };
    let _ = write!(
        body,
        "<section class=\"drift {class}\"><h3>{:?} <span class=\"level\">{}</span></h3><p>{}.</p>\
         <table><tr><th>Of</th><th>Since (UTC)</th><th class=\"number\">For</th><th>What</th></tr>",
        of.kind,
        level(of.severity),
        capital(of.meaning)
    );
    for finding in of.findings.iter().take(MOST_ROWS) {
        let _ = write!(
            body,
            "<tr><td>{}</td><td class=\"short\">{}</td><td class=\"number\">{}</td><td>{}</td></tr>",
            xml(finding.subject.shown()),
            full(finding.since),
            ago(finding.since, report.at),
            xml(&finding.message)
        );
    }
    body.push_str("</table>");
    if of.findings.len() > MOST_ROWS {
        let more = thousands(of.findings.len() - MOST_ROWS);
        let _ = write!(body, "<p>{more} more are not listed here.</p>");
    }
    let _ = write!(
        body,
        "<p><b>What to do:</b> {}</p></section>",
        xml(&of.remedy)
    );
}

/// A sentence, or a title, of what began in the middle of one.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    xml(&(first.unwrap_or_default() + letters.as_str()))
}
