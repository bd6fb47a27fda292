//! Findings to diagnostics: lines counted, sorted, cut where nobody would read on.

use std::sync::Arc;

use crate::code;
use crate::diagnostic::{Diagnostic, Note, Severity};
use crate::document::Finding;
use crate::limits::MAX_PROBLEMS_PER_SOURCE;
use crate::load::{Double, Source};
use crate::position::{Lines, Place, Span, offset};
use crate::problem::Problem;

/// The diagnostics of all sources, in order.
pub(crate) fn diagnostics(
    sources: &[Source<'_>],
    findings: Vec<Vec<Finding>>,
    doubles: Vec<Double>,
) -> Vec<Diagnostic> {
    let mut books = Books::new(sources);
    let mut by_source: Vec<Vec<Diagnostic>> = Vec::new();
    for (index, own) in findings.into_iter().enumerate() {
        by_source.push(
            own.into_iter()
                .map(|each| books.diagnostic(offset(index), each))
                .collect(),
        );
    }
    for double in doubles {
        let source = double.second.0 as usize;
        if let Some(own) = by_source.get_mut(source) {
            own.push(books.double(&double));
        }
    }
    let mut all = Vec::new();
    for mut own in by_source {
        own.sort_by_key(|each| each.place.as_ref().map(Place::span));
        cut(&mut own);
        all.append(&mut own);
    }
    all
}

/// Leaves as many as a person reads, errors before warnings, and says how many more there are.
fn cut(own: &mut Vec<Diagnostic>) {
    let Some(more) = own
        .len()
        .checked_sub(MAX_PROBLEMS_PER_SOURCE)
        .filter(|more| *more > 0)
    else {
        return;
    };
    let errors = own.iter().filter(|each| each.is_error()).count();
    let mut warnings = MAX_PROBLEMS_PER_SOURCE.saturating_sub(errors);
    own.retain(|each| {
        let kept = each.is_error() || warnings > 0;
        warnings -= usize::from(kept && !each.is_error());
        kept
    });
    own.truncate(MAX_PROBLEMS_PER_SOURCE);
    let severity = if errors > MAX_PROBLEMS_PER_SOURCE {
        Severity::Error
    } else {
        Severity::Warning
    };
    let message = format!("{more} more problems in this file are not shown");
    let mut last = Diagnostic::new(severity, code::MORE_PROBLEMS, message);
    last.place = own.last().and_then(|each| each.place.clone());
    last.hide_source = true;
    own.push(last);
}

/// The sources with their lines, counted when first needed.
pub(crate) struct Books<'a> {
    books: Vec<Book<'a>>,
}

struct Book<'a> {
    file: Arc<str>,
    text: &'a [u8],
    lines: Option<Lines>,
}

impl<'a> Books<'a> {
    pub(crate) fn new(sources: &[Source<'a>]) -> Self {
        let book = |source: &Source<'a>| Book {
            file: Arc::from(source.name),
            text: source.text,
            lines: None,
        };
        Self {
            books: sources.iter().map(book).collect(),
        }
    }

    pub(crate) fn place(&mut self, source: u32, span: Span) -> Option<Place> {
        let book = self.books.get_mut(source as usize)?;
        let lines = book.lines.get_or_insert_with(|| Lines::new(book.text));
        Some(lines.place(source, &book.file, book.text, span))
    }

    pub(crate) fn text(&self, source: u32) -> Option<&'a [u8]> {
        self.books.get(source as usize).map(|book| book.text)
    }

    fn diagnostic(&mut self, source: u32, finding: Finding) -> Diagnostic {
        let Problem {
            severity,
            code,
            message,
            span,
            label,
            notes,
            hint,
            field,
        } = finding.problem;
        let note = |(span, text)| self.place(source, span).map(|place| Note { place, text });
        let notes = notes.into_iter().filter_map(note).collect();
        let mut diagnostic = Diagnostic::new(severity, code, message);
        diagnostic.place = self.place(source, span);
        diagnostic.label = label;
        diagnostic.notes = notes;
        diagnostic.hint = hint;
        diagnostic.field = field;
        diagnostic.object = finding.object;
        diagnostic.hide_source = finding.hide_source;
        diagnostic
    }

    fn double(&mut self, double: &Double) -> Diagnostic {
        let message = format!("{} is declared twice", double.id);
        let mut diagnostic = Diagnostic::new(Severity::Error, code::DUPLICATE_OBJECT, message)
            .with_hint("keep one of the two, or give one another name or namespace")
            .for_object(double.id.to_string())
            .for_field("metadata.name");
        diagnostic.place = self.place(double.second.0, double.second.1);
        if let Some(place) = self.place(double.first.0, double.first.1) {
            diagnostic = diagnostic.with_note(place, "first declared here");
        }
        diagnostic
    }
}
