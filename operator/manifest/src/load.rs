//! Sources to objects: the way through this crate.
//!
//! Documents are independent, so they are handled in batches on all cores; what needs them all
//! (objects declared twice, documents that only their neighbours explain) comes after, in order. The
//! result does not depend on how many cores there were.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::code;
use crate::diagnostic::Diagnostic;
use crate::document::{Batch, Finding, Reader, Subject};
use crate::limits::{MAX_DOCUMENTS, MAX_SOURCE_BYTES};
use crate::metadata::ObjectId;
use crate::position::{Span, offset};
use crate::problem::Problem;
use crate::registry::Registry;
use crate::report;
use crate::split::{Chunk, split};
use crate::syntax;

/// A text and the name it is known by, mostly a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// How diagnostics call it.
    pub name: &'a str,
    /// What it holds; nothing is assumed of it.
    pub text: &'a [u8],
}

/// What a caller chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The namespace of objects that name none.
    pub default_namespace: String,
}

impl Default for Options {
    /// The namespace `default`, as `kubectl` has it.
    fn default() -> Self {
        Self {
            default_namespace: "default".to_owned(),
        }
    }
}

/// Where an object stands: enough to read its document again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Which of the loaded sources, from 0.
    pub source: u32,
    /// The bytes of its document, with the `---` and comments before it.
    pub document: Span,
    /// The line (from 1) that the document starts on.
    pub line: u32,
    /// Which item, when the document is a `List`.
    pub item: Option<u32>,
}

/// An object, who it is, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared<O> {
    /// The object.
    pub object: O,
    /// Who it is.
    pub id: ObjectId,
    /// Where it stands.
    pub origin: Origin,
}

/// What the sources hold.
#[derive(Clone, Debug)]
pub struct Loaded<O> {
    /// The objects that have no errors, in the order of the sources. Of those declared twice only
    /// the first is here.
    pub objects: Vec<Declared<O>>,
    /// What is wrong, in the order of the sources.
    pub diagnostics: Vec<Diagnostic>,
    /// How many objects of other people were left alone.
    pub ignored: usize,
    /// How many documents there were, ours or not.
    pub documents: usize,
}

impl<O> Loaded<O> {
    /// Whether anything is wrong enough that nothing may be applied.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Reads all sources. Whatever they hold, this returns: with objects, diagnostics, or both.
///
/// ```
/// use drover_manifest::{KindEntry, Options, Registry, Source, from_node, load};
/// use serde_json::{Value, json};
///
/// let site = KindEntry::<Value> {
///     api_version: "drover.dev/v1alpha1",
///     kind: "Site",
///     namespaced: false,
///     schema: Box::new(|| json!({
///         "type": "object",
///         "properties": { "spec": { "type": "object", "properties": {} } },
///         "required": ["spec"],
///     })),
///     decode: Box::new(|node| from_node(node)),
/// };
/// let text = "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: { name: a }\nspec: { x: 1 }\n";
/// let source = Source { name: "site.yaml", text: text.as_bytes() };
/// let loaded = load(&[source], &Registry::new(vec![site]), &Options::default());
/// assert_eq!(loaded.diagnostics[0].message, "unknown field \"x\"");
/// assert_eq!(loaded.diagnostics[0].place.as_ref().map(|place| place.start.line), Some(4));
/// ```
pub fn load<O: Send>(
    sources: &[Source<'_>],
    registry: &Registry<O>,
    options: &Options,
) -> Loaded<O> {
    let all: Vec<(usize, Source<'_>)> = sources.iter().copied().enumerate().collect();
    assemble(sources, read(&all, registry, options))
}

/// Reads the sources of two sides of a change: what [`load`] says of each. A text that has the same name on both
/// sides, and is the same, is read once.
pub fn load_both<O: Clone + Send>(
    before: &[Source<'_>],
    after: &[Source<'_>],
    registry: &Registry<O>,
    options: &Options,
) -> [Loaded<O>; 2] {
    let named = before.iter().enumerate();
    let named: HashMap<&str, (usize, &[u8])> = named
        .map(|(number, source)| (source.name, (number, source.text)))
        .collect();
    let twin = |source: &Source<'_>| {
        let (number, text) = named.get(source.name)?;
        (*text == source.text).then_some(*number)
    };
    let twins: Vec<Option<usize>> = after.iter().map(twin).collect();
    let mut all: Vec<(usize, Source<'_>)> = before.iter().copied().enumerate().collect();
    let others = after.iter().copied().enumerate();
    all.extend(others.filter(|(number, _)| twins[*number].is_none()));
    // Together, so that all cores are busy to the end.
    let mut old = read(&all, registry, options);
    let mut others = old.split_off(before.len()).into_iter();
    let new = twins.into_iter().enumerate();
    let new = new.filter_map(|(number, twin)| match twin {
        Some(twin) => Some(old[twin].as_source(number)),
        None => others.next(),
    });
    let new: Vec<Text<O>> = new.collect();
    [assemble(before, old), assemble(after, new)]
}

/// What was read of one source.
struct Text<O> {
    /// What keeps it from being read, all of it or the rest of it.
    problems: Vec<Problem>,
    batches: Vec<Batch<O>>,
}

impl<O: Clone> Text<O> {
    /// The same text as the source of another number.
    fn as_source(&self, number: usize) -> Self {
        let mut batches = self.batches.clone();
        for subject in batches.iter_mut().flat_map(|batch| &mut batch.subjects) {
            subject.origin.source = offset(number);
        }
        Self {
            problems: self.problems.clone(),
            batches,
        }
    }
}

/// Reads sources, each of which has a number, on all cores.
fn read<O: Send>(
    sources: &[(usize, Source<'_>)],
    registry: &Registry<O>,
    options: &Options,
) -> Vec<Text<O>> {
    let plans: Vec<Plan> = sources
        .iter()
        .map(|(_, source)| plan(source.text))
        .collect();
    let tasks: Vec<(usize, &[Chunk])> = plans
        .iter()
        .enumerate()
        .flat_map(|(at, plan)| batches(&plan.chunks).map(move |batch| (at, batch)))
        .collect();
    let work = |(at, chunks): (usize, &[Chunk])| {
        let (number, source) = sources[at];
        let reader = Reader::new(number, source.text, registry, options);
        (at, reader.read(chunks))
    };
    let done: Vec<(usize, Batch<O>)> = if tasks.len() > 1 {
        tasks.into_par_iter().map(work).collect()
    } else {
        tasks.into_iter().map(work).collect()
    };
    let mut texts: Vec<Text<O>> = plans
        .into_iter()
        .map(|plan| Text {
            problems: plan.problems,
            batches: Vec::new(),
        })
        .collect();
    for (at, batch) in done {
        texts[at].batches.push(batch);
    }
    texts
}

/// What is to be done for a source.
struct Plan {
    chunks: Vec<Chunk>,
    problems: Vec<Problem>,
}

fn plan(text: &[u8]) -> Plan {
    let refused = |problem| Plan {
        chunks: Vec::new(),
        problems: vec![problem],
    };
    if text.len() > MAX_SOURCE_BYTES {
        let mib = MAX_SOURCE_BYTES >> 20;
        let message = format!("the file is longer than {mib} MiB");
        let problem = Problem::error(code::TOO_LARGE, Span::default(), message);
        return refused(problem.hint("split it into several files"));
    }
    if let Some(problem) = syntax::other_encoding(text) {
        return refused(problem);
    }
    let (chunks, more) = split(text, MAX_DOCUMENTS);
    let mut problems = Vec::new();
    if more {
        let at = chunks.last().map_or(0, |last| last.end);
        let message = format!("the file has more than {MAX_DOCUMENTS} documents");
        let problem = Problem::error(code::TOO_LARGE, Span::at(at), message);
        problems.push(problem.hint("split it into several files"));
    }
    Plan { chunks, problems }
}

/// About as much text as is parsed in two milliseconds: small enough to keep all cores busy to the
/// end, large enough that handing it out costs nothing.
const BATCH_BYTES: u32 = 128 * 1024;

fn batches(chunks: &[Chunk]) -> impl Iterator<Item = &[Chunk]> {
    let mut first = None;
    chunks.chunk_by(move |_, next| {
        let start = *first.get_or_insert(next.start);
        let full = next.start - start >= BATCH_BYTES;
        if full {
            first = None;
        }
        !full
    })
}

/// Puts together what was read of the sources, in order.
fn assemble<O>(sources: &[Source<'_>], texts: Vec<Text<O>>) -> Loaded<O> {
    let mut loaded = Loaded {
        objects: Vec::new(),
        diagnostics: Vec::new(),
        ignored: 0,
        documents: 0,
    };
    let mut findings: Vec<Vec<Finding>> = Vec::with_capacity(texts.len());
    let mut subjects = Vec::new();
    for text in texts {
        let mut own: Vec<Finding> = text.problems.into_iter().map(Finding::new).collect();
        let mut strays = Vec::new();
        let mut ours = false;
        for batch in text.batches {
            loaded.documents += batch.documents;
            loaded.ignored += batch.ignored;
            own.extend(batch.findings);
            strays.extend(batch.strays);
            ours |= batch.ours;
            subjects.extend(batch.subjects);
        }
        if ours {
            own.extend(strays);
        } else {
            loaded.ignored += strays.len();
        }
        findings.push(own);
    }
    let doubles = without_doubles(subjects, &mut loaded.objects);
    loaded.diagnostics = report::diagnostics(sources, findings, doubles);
    loaded
}

/// An object that was declared before: the second and the first place.
pub(crate) struct Double {
    pub(crate) id: ObjectId,
    pub(crate) second: (u32, Span),
    pub(crate) first: (u32, Span),
}

/// Keeps the first of each object, and returns the others.
fn without_doubles<O>(subjects: Vec<Subject<O>>, objects: &mut Vec<Declared<O>>) -> Vec<Double> {
    let mut doubles = Vec::new();
    let mut seen: HashMap<ObjectId, (u32, Span)> = HashMap::with_capacity(subjects.len());
    for subject in subjects {
        let here = (subject.origin.source, subject.span);
        match seen.entry(subject.id.clone()) {
            Entry::Occupied(first) => doubles.push(Double {
                id: subject.id,
                second: here,
                first: *first.get(),
            }),
            Entry::Vacant(free) => {
                free.insert(here);
                if let Some(object) = subject.object {
                    objects.push(Declared {
                        object,
                        id: subject.id,
                        origin: subject.origin,
                    });
                }
            }
        }
    }
    doubles
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
