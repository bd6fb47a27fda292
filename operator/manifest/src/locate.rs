//! From an object and a field path back to the text.
//!
//! Trees are not kept, so a document is parsed again for the first complaint about it. Complaints
//! come in the order of objects, so the last document is remembered.

use crate::diagnostic::{Diagnostic, Severity};
use crate::document::parse;
use crate::load::{Origin, Source};
use crate::node::{Key, Node};
use crate::path::{FieldPath, Step};
use crate::position::{Place, Span};
use crate::report::Books;

/// Which part of a field to point at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Its value.
    #[default]
    Value,
    /// Its key.
    Key,
}

/// Finds fields of loaded objects in the sources they were loaded from.
///
/// ```
/// # use drover_manifest::*;
/// # fn example(loaded: &Loaded<()>, sources: &[Source<'_>]) {
/// let mut locator = Locator::new(sources);
/// let plan = &loaded.objects[0];
/// let diagnostic = Diagnostic::new(Severity::Error, "unknown-group", "there is no group `wbe`")
///     .with_hint("did you mean `web`?");
/// let path = "spec.groups[1].dependsOn[0]";
/// let placed = locator.complain(diagnostic, plan.origin, path, Target::Value);
/// # }
/// ```
pub struct Locator<'a> {
    books: Books<'a>,
    last: Option<(u32, Span, Option<Node>)>,
}

impl std::fmt::Debug for Locator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Locator").finish_non_exhaustive()
    }
}

impl<'a> Locator<'a> {
    /// For the sources that were given to [`load`](crate::load), in the same order.
    pub fn new(sources: &[Source<'a>]) -> Self {
        Self {
            books: Books::new(sources),
            last: None,
        }
    }

    /// The place of a field. When it is not written, the place of the nearest thing around it that
    /// is: its parent's key, or the object's name.
    ///
    /// Nothing is returned only for an origin that is not of these sources.
    pub fn locate(&mut self, origin: Origin, path: &FieldPath, target: Target) -> Option<Place> {
        let span = match self.object(origin) {
            Some(root) => find(root, path.steps(), target),
            None => Span::at(origin.document.start),
        };
        self.books.place(origin.source, span)
    }

    /// Completes a diagnostic about a field: its place and its path. A path that cannot be read is
    /// kept as it is, and the object is pointed at.
    #[must_use]
    pub fn complain(
        &mut self,
        diagnostic: Diagnostic,
        origin: Origin,
        path: &str,
        target: Target,
    ) -> Diagnostic {
        let steps: FieldPath = path.parse().unwrap_or_default();
        let place = self.locate(origin, &steps, target);
        let mut placed = if path.is_empty() {
            diagnostic
        } else {
            diagnostic.for_field(path)
        };
        placed.place = place;
        placed
    }

    /// An error about a field.
    #[must_use]
    pub fn error(
        &mut self,
        origin: Origin,
        path: &str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Diagnostic {
        let diagnostic = Diagnostic::new(Severity::Error, code, message);
        self.complain(diagnostic, origin, path, Target::Value)
    }

    fn object(&mut self, origin: Origin) -> Option<&Node> {
        let key = (origin.source, origin.document);
        if self
            .last
            .as_ref()
            .is_none_or(|(source, span, _)| (*source, *span) != key)
        {
            let text = self.books.text(origin.source)?;
            let bytes = text.get(origin.document.range())?;
            let root = parse(bytes, origin.document.start)
                .ok()
                .and_then(|(root, _)| root);
            self.last = Some((origin.source, origin.document, root));
        }
        let root = self.last.as_ref()?.2.as_ref()?;
        match origin.item {
            None => Some(root),
            Some(index) => root.get("items")?.items().get(index as usize),
        }
    }
}

fn find(root: &Node, steps: &[Step], target: Target) -> Span {
    let mut node = root;
    let mut key: Option<&Key> = None;
    for (done, step) in steps.iter().enumerate() {
        let next = match step {
            Step::Key(name) => node.entry(name).map(|(key, value)| (Some(key), value)),
            Step::Index(index) => node.items().get(*index).map(|item| (None, item)),
        };
        let Some((next_key, value)) = next else {
            return nearest(root, node, key, done);
        };
        // An item has no key of its own; the list's would point at all of them.
        key = next_key;
        node = value;
    }
    match (target, key) {
        (Target::Key, Some(key)) => key.span,
        _ if steps.is_empty() => object_span(root),
        (_, Some(key)) if node.is_blank() => key.span,
        _ => node.span,
    }
}

/// The nearest thing that is written, where a path ends too early.
fn nearest(root: &Node, node: &Node, key: Option<&Key>, done: usize) -> Span {
    if done == 0 {
        return object_span(root);
    }
    match (key, node.entries().first()) {
        (Some(key), _) => key.span,
        (None, Some((first, _))) => first.span,
        (None, None) => node.span,
    }
}

/// What stands for a whole object: its name.
fn object_span(root: &Node) -> Span {
    let name = root
        .get("metadata")
        .and_then(|metadata| metadata.get("name"));
    let kind = || root.get("kind");
    name.or_else(kind)
        .map_or_else(|| Span::at(root.span.start), |node| node.span)
}

#[cfg(test)]
#[path = "locate_tests.rs"]
mod tests;
