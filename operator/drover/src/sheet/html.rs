//! A report for a browser and for paper: one file with everything in it.

use std::fmt::Write as _;

use super::markdown::capital;
use super::{Body, Cell, Column, ColumnKind, Fact, Mood, Section, Sheet, Table, Value};
use crate::html::document;
use crate::reports::moments::full;
use crate::text::xml;
use crate::timeline;

/// The page.
pub fn html(sheet: &Sheet) -> String {
    let mut body = String::new();
    article(&mut body, sheet, 1);
    let foot = sheet.foot.iter();
    let foot: Vec<String> = foot
        .map(|fact| format!("{} {}", capital(fact.name), fact.value.sentence()))
        .collect();
    document(&sheet.title(), &foot.join(" · "), &body)
}

fn article(body: &mut String, sheet: &Sheet, level: usize) {
    let class = if level == 1 { "" } else { " class=\"inner\"" };
    let _ = writeln!(
        body,
        "<article{class}>\n<h{level}><small>{}</small> {}</h{level}>\n<p class=\"said {}\">{}</p>",
        sheet.kind,
        xml(&sheet.name),
        mood(sheet.mood),
        xml(&sheet.said)
    );
    facts(body, "facts", &sheet.facts);
    for section in &sheet.sections {
        write(body, section, level + 1);
    }
    facts(body, "foot", &sheet.foot);
    for inner in &sheet.inner {
        article(body, inner, level + 1);
    }
    body.push_str("</article>\n");
}

fn facts(body: &mut String, class: &str, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    let _ = writeln!(body, "<dl class=\"{class}\">");
    for fact in facts {
        let _ = writeln!(
            body,
            "<dt>{}</dt><dd class=\"{}\">{}</dd>",
            capital(fact.name),
            mood(fact.value.mood),
            said(&fact.value, " UTC")
        );
    }
    body.push_str("</dl>\n");
}

fn write(body: &mut String, section: &Section, level: usize) {
    let _ = writeln!(
        body,
        "<section>\n<h{level}>{}</h{level}>",
        xml(&section.title)
    );
    match &section.body {
        Body::List(sentences) => {
            body.push_str("<ul>\n");
            for sentence in sentences {
                let (class, words) = (mood(sentence.mood), said(sentence, " UTC"));
                let _ = writeln!(body, "<li class=\"{class}\">{words}</li>");
            }
            body.push_str("</ul>\n");
        }
        Body::Table(of) => table(body, of),
        Body::Timeline(of) => body.push_str(&timeline::html(of)),
    }
    body.push_str("</section>\n");
}

fn table(body: &mut String, table: &Table) {
    body.push_str("<table>\n<thead><tr>");
    for column in &table.columns {
        let (class, title) = (kind(*column), xml(column.title));
        let _ = write!(body, "<th scope=\"col\" class=\"{class}\">{title}</th>");
    }
    body.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        body.push_str("<tr>");
        for (cell, column) in row.iter().zip(&table.columns) {
            // On a narrow screen a row is a card, and each cell says what it is.
            let _ = write!(
                body,
                "<td class=\"{} {}\" data-title=\"{}\">{}</td>",
                kind(*column),
                mood(cell.mood),
                xml(column.title),
                said(cell, "")
            );
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</tbody>\n</table>\n");
}

fn kind(column: Column) -> &'static str {
    match column.kind {
        ColumnKind::Text | ColumnKind::Path => "text",
        ColumnKind::Short => "short",
        ColumnKind::Number => "number",
        ColumnKind::Prose => "prose",
    }
}

fn mood(mood: Mood) -> &'static str {
    match mood {
        Mood::Plain => "plain",
        Mood::Good => "good",
        Mood::Notable => "notable",
        Mood::Bad => "bad",
    }
}

fn said(cell: &Cell, zone: &str) -> String {
    match &cell.value {
        Value::Words(words) => xml(words),
        Value::Name(name) => format!("<code>{}</code>", xml(name)),
        Value::At(at) | Value::Clock(at) => {
            format!("<time datetime=\"{at}\">{}{zone}</time>", full(*at))
        }
    }
}
