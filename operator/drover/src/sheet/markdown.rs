//! A report for an issue tracker: short first, long tables folded, never longer than a forge takes.

use std::fmt::Write as _;

use super::{Body, Cell, ColumnKind, Fact, Mood, Section, Sheet, Table, Value};
use crate::plans::markdown::{MOST_BYTES, code, escaped};
use crate::reports::moments::full;
use crate::text::{count, thousands};

/// Rows of one table.
const MOST_ROWS: usize = 60;
/// Room for a line that says what was left out, and for the foot.
const REST: usize = 1_000;

/// The report as Markdown.
pub fn markdown(sheet: &Sheet) -> String {
    let mut text = String::new();
    write(&mut text, sheet, 2);
    let mut left_out = 0;
    for inner in &sheet.inner {
        let mut part = String::from("\n");
        write(&mut part, inner, 3);
        if left_out > 0 || text.len() + part.len() > MOST_BYTES - REST {
            left_out += 1;
        } else {
            text.push_str(&part);
        }
    }
    if left_out > 0 {
        let more = count(left_out, "more report");
        let _ = writeln!(
            text,
            "\n… and {more}: there is no room for all; --format json has them."
        );
    }
    text
}

/// A heading, facts, sections as far as there is room, the foot.
fn write(text: &mut String, sheet: &Sheet, level: usize) {
    let hashes = "#".repeat(level);
    let (name, said) = (code(&sheet.name), escaped(&sheet.said));
    let _ = writeln!(text, "{hashes} {} {name}: {said}\n", sheet.kind);
    if !sheet.facts.is_empty() {
        text.push_str("| | |\n|---|---|\n");
    }
    for fact in &sheet.facts {
        let _ = writeln!(
            text,
            "| {} | {} |",
            capital(fact.name),
            in_mood(&fact.value, " UTC")
        );
    }
    let mut left_out = 0;
    for section in &sheet.sections {
        let part = part(section, level + 1);
        if text.len() + part.len() > MOST_BYTES - REST {
            left_out += 1;
        } else {
            text.push_str(&part);
        }
    }
    if left_out > 0 {
        let more = count(left_out, "section");
        let _ = writeln!(
            text,
            "\n{more} left out: there is no room for all; --format json has them."
        );
    }
    foot(text, &sheet.foot);
}

fn part(section: &Section, level: usize) -> String {
    let mut text = String::new();
    let (title, hashes) = (escaped(&section.title), "#".repeat(level));
    match &section.body {
        // Bars are for eyes; what they show stands in tables.
        Body::Timeline(_) => return text,
        Body::List(sentences) => {
            let _ = writeln!(text, "\n{hashes} {title}\n");
            for sentence in sentences.iter().take(MOST_ROWS) {
                let _ = writeln!(text, "- {}", in_mood(sentence, " UTC"));
            }
            more(&mut text, sentences.len(), "sentence");
        }
        Body::Table(table) if section.folded => {
            let number = count(table.rows.len(), table.of);
            let _ = writeln!(text, "\n<details><summary>{title}: {number}</summary>\n");
            rows(&mut text, table);
            text.push_str("\n</details>\n");
        }
        Body::Table(table) => {
            let _ = writeln!(text, "\n{hashes} {title}\n");
            rows(&mut text, table);
        }
    }
    text
}

fn rows(text: &mut String, table: &Table) {
    let titles: Vec<&str> = table.columns.iter().map(|column| column.title).collect();
    let _ = writeln!(text, "| {} |", titles.join(" | "));
    for column in &table.columns {
        let rule = match column.kind {
            ColumnKind::Number => "|---:",
            _ => "|---",
        };
        text.push_str(rule);
    }
    text.push_str("|\n");
    for row in table.rows.iter().take(MOST_ROWS) {
        let cells: Vec<String> = row.iter().map(|cell| in_mood(cell, "")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    more(text, table.rows.len(), table.of);
}

fn more(text: &mut String, all: usize, of: &str) {
    let more = all.saturating_sub(MOST_ROWS);
    if more > 0 {
        let _ = writeln!(text, "\n… and {} more {of}s.", thousands(more));
    }
}

fn in_mood(cell: &Cell, zone: &str) -> String {
    let words = match &cell.value {
        Value::Words(words) => escaped(words),
        Value::Name(name) => code(name),
        Value::At(at) | Value::Clock(at) => format!("{}{zone}", full(*at)),
    };
    match cell.mood {
        Mood::Bad | Mood::Notable if !words.is_empty() => format!("**{words}**"),
        _ => words,
    }
}

fn foot(text: &mut String, foot: &[Fact]) {
    if foot.is_empty() {
        return;
    }
    let facts = foot.iter().map(|fact| {
        let value = in_mood(&fact.value, " UTC");
        format!("{} {value}", capital(fact.name))
    });
    let facts: Vec<String> = facts.collect();
    let _ = writeln!(text, "\n<sub>{}</sub>", facts.join(". "));
}

/// As it begins a sentence.
pub fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
