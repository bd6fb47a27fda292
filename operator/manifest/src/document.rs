//! One document after the other: read, recognised, checked, decoded, and its tree dropped.

use crate::check::check;
use crate::classify::{Class, classify};
use crate::code;
use crate::compose::compose;
use crate::load::{Options, Origin};
use crate::metadata::{Identity, ObjectId, identify};
use crate::node::Node;
use crate::position::Span;
use crate::problem::Problem;
use crate::registry::{Known, Registry};
use crate::secret::may_hold_secrets;
use crate::split::Chunk;
use crate::syntax;

/// What some documents of one source hold.
#[derive(Clone)]
pub(crate) struct Batch<O> {
    pub(crate) subjects: Vec<Subject<O>>,
    pub(crate) findings: Vec<Finding>,
    /// Findings that count only in a source that also holds objects of ours.
    pub(crate) strays: Vec<Finding>,
    pub(crate) ignored: usize,
    pub(crate) documents: usize,
    /// Whether any object is ours, right or wrong.
    pub(crate) ours: bool,
}

/// An object that says who it is. Without the object when it has errors: it still counts when the
/// same one is declared again.
#[derive(Clone)]
pub(crate) struct Subject<O> {
    pub(crate) object: Option<O>,
    pub(crate) id: ObjectId,
    pub(crate) span: Span,
    pub(crate) origin: Origin,
}

/// A problem, and what is known around it.
#[derive(Clone)]
pub(crate) struct Finding {
    pub(crate) problem: Problem,
    pub(crate) object: Option<String>,
    pub(crate) hide_source: bool,
}

impl Finding {
    pub(crate) fn new(problem: Problem) -> Self {
        Self {
            problem,
            object: None,
            hide_source: false,
        }
    }
}

/// Reads documents of one source.
pub(crate) struct Reader<'a, O> {
    source: u32,
    text: &'a [u8],
    registry: &'a Registry<O>,
    options: &'a Options,
}

impl<'a, O> Reader<'a, O> {
    pub(crate) fn new(
        source: usize,
        text: &'a [u8],
        registry: &'a Registry<O>,
        options: &'a Options,
    ) -> Self {
        Self {
            source: crate::position::offset(source),
            text,
            registry,
            options,
        }
    }

    pub(crate) fn read(&self, chunks: &[Chunk]) -> Batch<O> {
        let mut batch = Batch {
            subjects: Vec::new(),
            findings: Vec::new(),
            strays: Vec::new(),
            ignored: 0,
            documents: 0,
            ours: false,
        };
        for chunk in chunks {
            self.document(*chunk, &mut batch);
        }
        batch
    }

    fn document(&self, chunk: Chunk, batch: &mut Batch<O>) {
        let bytes = &self.text[chunk.range()];
        match parse(bytes, chunk.start) {
            Ok((Some(root), problems)) => {
                batch.documents += 1;
                self.root(&root, &problems, chunk, batch);
            }
            Ok((None, _)) => {}
            Err(problem) => {
                batch.documents += 1;
                // Whose it is cannot be known; a Secret of somebody is not printed in any case.
                batch.findings.push(Finding {
                    hide_source: may_hold_secrets(bytes),
                    ..Finding::new(*problem)
                });
            }
        }
    }

    fn root(&self, root: &Node, problems: &[Problem], chunk: Chunk, batch: &mut Batch<O>) {
        let origin = Origin {
            source: self.source,
            document: Span::new(chunk.start, chunk.end),
            line: chunk.line,
            item: None,
        };
        match classify(self.registry, root) {
            Class::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    // Up to the next item: what a map could not take in may lie behind its end.
                    let next = items.get(index + 1);
                    let end = next.map_or(chunk.end, |next| next.span.start);
                    let own = |each: &&Problem| (item.span.start..end).contains(&each.span.start);
                    let own: Vec<Problem> = problems.iter().filter(own).cloned().collect();
                    let item_origin = Origin {
                        item: Some(crate::position::offset(index)),
                        ..origin
                    };
                    let class = classify(self.registry, item);
                    self.object(class, item, own, item_origin, batch);
                }
            }
            class => self.object(class, root, problems.to_vec(), origin, batch),
        }
    }

    fn object(
        &self,
        class: Class<'_, '_, O>,
        root: &Node,
        problems: Vec<Problem>,
        origin: Origin,
        batch: &mut Batch<O>,
    ) {
        match class {
            Class::Ours(known) => {
                batch.ours = true;
                self.ours(known, root, problems, origin, batch);
            }
            Class::Wrong(problem) => {
                batch.ours = true;
                batch.findings.push(Finding::new(problem));
            }
            Class::Doubtful(problem) => {
                batch.ignored += 1;
                batch.findings.push(Finding::new(problem));
            }
            Class::Stray(problem) => batch.strays.push(Finding::new(problem)),
            // No tool writes one; the place of its items could not be told.
            Class::List(_) => {
                let message = "a list in a list is not read";
                let problem = Problem::error(code::NOT_AN_OBJECT, first_key(root), message);
                batch.strays.push(Finding::new(problem));
            }
            Class::Foreign => batch.ignored += 1,
        }
    }

    fn ours(
        &self,
        known: &Known<O>,
        root: &Node,
        mut problems: Vec<Problem>,
        origin: Origin,
        batch: &mut Batch<O>,
    ) {
        let identity = identify(&known.entry, root, &self.options.default_namespace);
        let Identity { id, span, .. } = identity;
        problems.extend(identity.problems);
        problems.extend(check(known.schema(), self.registry.format(), root));
        let mut object = None;
        if !problems.iter().any(is_error) {
            match (known.entry.decode)(root) {
                Ok(decoded) => {
                    problems.extend(decoded.ignored.map(unused));
                    object = Some(decoded.value);
                }
                Err(error) => {
                    let at = error.span.unwrap_or(span);
                    let problem = Problem::error(code::INVALID_VALUE, at, error.message);
                    problems.push(problem.maybe_hint(error.hint));
                }
            }
        }
        let name = id.as_ref().map(ToString::to_string);
        batch
            .findings
            .extend(problems.into_iter().map(|problem| Finding {
                object: name.clone(),
                ..Finding::new(problem)
            }));
        if let Some(id) = id {
            batch.subjects.push(Subject {
                object,
                id,
                span,
                origin,
            });
        }
    }
}

fn first_key(root: &Node) -> Span {
    root.entries()
        .first()
        .map_or(root.span, |(key, _)| key.span)
}

fn is_error(problem: &Problem) -> bool {
    problem.severity == crate::diagnostic::Severity::Error
}

/// The schema lets it pass and the type does not read it.
fn unused(span: Span) -> Problem {
    let message = "this field is read by nobody";
    Problem::warning(code::UNKNOWN_FIELD, span, message).hint("remove it")
}

/// The tree of a document, and the problems that left one.
pub(crate) fn parse(bytes: &[u8], base: u32) -> Result<(Option<Node>, Vec<Problem>), Box<Problem>> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Box::new(syntax::invalid_utf8(bytes, base, error)))?;
    if let Some(problem) = syntax::forbidden_character(text, base) {
        return Err(problem.into());
    }
    let composed = compose(text, base)?;
    let root = composed.root.filter(|root| !root.is_null());
    Ok((root, composed.problems))
}
