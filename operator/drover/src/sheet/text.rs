//! A report for a person at a terminal.

use super::{Body, Cell, Column, ColumnKind, Section, Sheet, Table, Value};
use crate::reports::moments::{clock, full};
use crate::reports::page::Page;
use crate::text::{self, Style, thousands};
use crate::timeline;

/// Rows of one table: some screens.
const MOST_ROWS: usize = 40;

/// The report as lines.
pub fn text(sheet: &Sheet, style: Style) -> String {
    let mut page = Page::new(style, &sheet.title(), &sheet.said, sheet.mood);
    for fact in sheet.facts.iter().chain(&sheet.foot) {
        page.fact_as(fact.name, fact.value.sentence(), fact.value.mood);
    }
    for section in &sheet.sections {
        write(&mut page, section);
    }
    let mut lines = page.finish();
    for inner in &sheet.inner {
        lines.push_str("\n\n");
        lines.push_str(&text(inner, style));
    }
    lines
}

fn write(page: &mut Page, section: &Section) {
    page.section(&section.title);
    match &section.body {
        Body::List(sentences) => {
            for sentence in sentences.iter().take(MOST_ROWS) {
                page.list(&[sentence.sentence()], sentence.mood);
            }
            more(page, sentences.len(), "sentence");
        }
        Body::Table(of) => table(page, of),
        Body::Timeline(of) => page.raw(&timeline::text(of, page.style())),
    }
}

fn table(page: &mut Page, table: &Table) {
    let shown: Vec<bool> = table.columns.iter().map(|column| !column.wide).collect();
    let columns = table.columns.iter().filter(|column| !column.wide);
    let columns: Vec<text::Column> = columns.map(column).collect();
    let mut lines = text::Table::new(columns);
    for row in table.rows.iter().take(MOST_ROWS) {
        let cells = row.iter().zip(&shown).filter(|(_, shown)| **shown);
        let cells = cells.map(|(cell, _)| text::Cell::of(in_a_cell(cell), cell.mood));
        lines.row(cells.collect());
    }
    page.table(&lines);
    more(page, table.rows.len(), table.of);
}

fn more(page: &mut Page, all: usize, of: &str) {
    if all > MOST_ROWS {
        let more = thousands(all - MOST_ROWS);
        page.paragraph(&format!("… and {more} more {of}s; --format json has all"));
    }
}

fn column(column: &Column) -> text::Column {
    let title = column.title.to_uppercase();
    match column.kind {
        ColumnKind::Text => text::Column::text(title),
        ColumnKind::Path => text::Column::path(title),
        ColumnKind::Short => text::Column::short(title),
        ColumnKind::Number => text::Column::number(title),
        ColumnKind::Prose => text::Column::wrapped(title),
    }
}

fn in_a_cell(cell: &Cell) -> String {
    match &cell.value {
        Value::Words(words) | Value::Name(words) => words.clone(),
        Value::At(at) => full(*at),
        Value::Clock(at) => clock(*at),
    }
}
