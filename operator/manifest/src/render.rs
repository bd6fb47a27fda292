//! Diagnostics for a person's eyes: file, line and column, the line, a caret, a hint.

use std::borrow::Cow;

use annotate_snippets::renderer::{DEFAULT_TERM_WIDTH, DecorStyle};
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Snippet};

use crate::diagnostic::{Diagnostic, Severity};
use crate::load::Source;
use crate::node::is_invisible;
use crate::position::Place;
use crate::secret;

/// How diagnostics are shown.
#[derive(Clone, Debug)]
pub struct Renderer {
    color: bool,
    width: usize,
}

impl Default for Renderer {
    fn default() -> Self {
        Self::plain()
    }
}

impl Renderer {
    /// Without colour, for a line of usual width.
    pub fn plain() -> Self {
        Self {
            color: false,
            width: DEFAULT_TERM_WIDTH,
        }
    }

    /// With or without ANSI colour.
    #[must_use]
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    /// For lines of so many columns: longer source lines are cut around the caret.
    #[must_use]
    pub fn width(mut self, width: usize) -> Self {
        self.width = width.max(20);
        self
    }

    /// One diagnostic, without a line break at its end. `sources` are those that were loaded, in the
    /// same order; without them only names and positions are shown.
    pub fn render(&self, diagnostic: &Diagnostic, sources: &[Source<'_>]) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level
            .primary_title(printable(&diagnostic.message))
            .id(&*diagnostic.code);
        let mut main = Group::with_title(title);
        if let Some(place) = &diagnostic.place {
            let label = diagnostic.label.as_deref();
            let source = source_of(place, sources, diagnostic.hide_source);
            main = main.elements(self.snippet(place, source, label));
        }
        if let Some(context) = context(diagnostic) {
            main = main.element(Level::NOTE.with_name("in").message(context));
        }
        let mut groups = Vec::new();
        let hint = diagnostic.hint.as_deref();
        if let Some(hint) = hint {
            main = main.element(Level::HELP.with_name("hint").message(printable(hint)));
        }
        groups.push(main);
        for note in &diagnostic.notes {
            let source = source_of(&note.place, sources, diagnostic.hide_source);
            let title = Level::NOTE.secondary_title(printable(&note.text));
            groups.push(title.elements(self.snippet(&note.place, source, None)));
        }
        let renderer = if self.color {
            annotate_snippets::Renderer::styled()
        } else {
            annotate_snippets::Renderer::plain()
        };
        renderer
            .term_width(self.width)
            .decor_style(DecorStyle::Ascii)
            .render(&groups)
    }

    /// All diagnostics, with an empty line between them and a line break at the end.
    pub fn render_all(&self, diagnostics: &[Diagnostic], sources: &[Source<'_>]) -> String {
        let rendered = diagnostics
            .iter()
            .map(|each| self.render(each, sources) + "\n");
        rendered.collect::<Vec<_>>().join("\n")
    }

    fn snippet<'t>(
        &self,
        place: &'t Place,
        source: Option<&[u8]>,
        label: Option<&'t str>,
    ) -> Vec<Element<'t>> {
        let file = printable(&place.file);
        let line = place.start.line as usize;
        let origin = || {
            let column = place.start.column as usize;
            Origin::path(printable(&place.file))
                .line(line)
                .char_column(column)
        };
        let Some(text) = source else {
            return vec![origin().into()];
        };
        let excerpt = Excerpt::new(text, place, self.width);
        let annotation = AnnotationKind::Primary.span(excerpt.start..excerpt.end);
        let snippet = Snippet::source(excerpt.line)
            .line_start(line)
            .annotation(annotation.label(label.map(printable)));
        if excerpt.whole {
            vec![snippet.path(file).into()]
        } else {
            // The library would count the column from where the excerpt starts.
            vec![origin().into(), snippet.into()]
        }
    }
}

fn source_of<'s>(place: &Place, sources: &[Source<'s>], hidden: bool) -> Option<&'s [u8]> {
    if hidden {
        return None;
    }
    sources.get(place.source as usize).map(|source| source.text)
}

/// Which object and field it is about, when that is known.
fn context(diagnostic: &Diagnostic) -> Option<String> {
    let parts = [diagnostic.object.as_deref(), diagnostic.field.as_deref()];
    let known: Vec<Cow<'_, str>> = parts.into_iter().flatten().map(printable).collect();
    (!known.is_empty()).then(|| known.join(", "))
}

/// Text that cannot steer a terminal.
fn printable(text: &str) -> Cow<'_, str> {
    let steers = |each: char| (each.is_control() && each != '\n') || is_invisible(each);
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let shown = |each| if steers(each) { '\u{FFFD}' } else { each };
    Cow::Owned(text.chars().map(shown).collect())
}

/// One source line, or the part of it around the caret.
struct Excerpt {
    line: String,
    start: usize,
    end: usize,
    /// Whether it begins where the line begins.
    whole: bool,
}

impl Excerpt {
    fn new(text: &[u8], place: &Place, width: usize) -> Self {
        let at = (place.start.offset as usize).min(text.len());
        // A line may be megabytes long; what is shown lies within a few widths of the caret.
        let reach = width.saturating_mul(16);
        let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let reached = &text[at.saturating_sub(reach)..at];
        let before = reached.rsplit(is_break).next().unwrap_or_default();
        let whole = before.len() < reached.len() || reached.len() == at;
        let before = before.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(before);
        let after = &text[at..text.len().min(at.saturating_add(reach))];
        let after = after.split(is_break).next().unwrap_or_default();
        let length = (place.end.offset as usize)
            .saturating_sub(at)
            .min(after.len());
        // Masking works on the whole line and keeps the number of characters.
        let (marked, rest) = after.split_at(length);
        let parts = [before, marked, rest].map(String::from_utf8_lossy);
        let counts = [parts[0].chars().count(), parts[1].chars().count().max(1)];
        let line: String = secret::mask(&parts.concat()).chars().map(visible).collect();
        let byte_of = |count: usize| {
            line.char_indices()
                .nth(count)
                .map_or(line.len(), |(at, _)| at)
        };
        let (start, end) = (byte_of(counts[0]), byte_of(counts[0] + counts[1]));
        Self {
            line,
            start,
            end,
            whole,
        }
    }
}

/// Tabs and wide characters are the library's to align; what would steer the terminal is shown as
/// one character each.
fn visible(each: char) -> char {
    if (each.is_control() && each != '\t') || is_invisible(each) {
        '\u{FFFD}'
    } else {
        each
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
