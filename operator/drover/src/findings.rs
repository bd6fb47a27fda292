//! What the engine finds wrong, placed in the files that people wrote.

use drover_api::Object;
use drover_engine::problem::{self, Problem, Segment};
use drover_manifest::{Diagnostic, FieldPath, Locator, Origin, Place, Severity, Step, Target};

use crate::manifests::Manifests;

/// A place that is to be found.
struct Wanted<'p> {
    origin: Origin,
    path: &'p problem::FieldPath,
    /// Which problem it belongs to, and which of its related places it is; nothing for the problem's
    /// own.
    problem: usize,
    related: Option<usize>,
}

/// The problems as diagnostics with places.
pub fn placed(problems: Vec<Problem>, manifests: &Manifests<'_>) -> Vec<Diagnostic> {
    let mut wanted = wanted(&problems, manifests);
    // Finding a place reads its document again, and the last one read is kept. Sorted, each document is
    // read once; in the order of the problems two large documents that quarrel about thousands of
    // machines would be read in turns, thousands of times.
    wanted.sort_by_key(|each| each.origin);
    let mut own: Vec<Option<Place>> = vec![None; problems.len()];
    let mut related: Vec<Vec<(usize, Place)>> = vec![Vec::new(); problems.len()];
    let mut locator = Locator::new(&manifests.sources);
    for each in wanted {
        let place = locator.locate(each.origin, &path(each.path), Target::Value);
        match (each.related, place) {
            (None, place) => own[each.problem] = place,
            (Some(position), Some(place)) => related[each.problem].push((position, place)),
            (Some(_), None) => {}
        }
    }
    let parts = problems.into_iter().zip(own).zip(related);
    parts
        .map(|((problem, own), related)| diagnostic(problem, own, related, manifests))
        .collect()
}

fn wanted<'p>(problems: &'p [Problem], manifests: &Manifests<'_>) -> Vec<Wanted<'p>> {
    let mut wanted = Vec::with_capacity(problems.len());
    for (index, problem) in problems.iter().enumerate() {
        let mut want = |object, path, related| {
            wanted.extend(manifests.origin(object).map(|origin| Wanted {
                origin,
                path,
                problem: index,
                related,
            }));
        };
        want(problem.object, &problem.path, None);
        for (position, other) in problem.related.iter().enumerate() {
            want(other.object, &other.path, Some(position));
        }
    }
    wanted
}

fn diagnostic(
    problem: Problem,
    place: Option<Place>,
    mut related: Vec<(usize, Place)>,
    manifests: &Manifests<'_>,
) -> Diagnostic {
    let severity = match problem.severity {
        problem::Severity::Error => Severity::Error,
        problem::Severity::Warning => Severity::Warning,
    };
    let mut diagnostic = Diagnostic::new(severity, problem.code, problem.message);
    diagnostic.place = place;
    diagnostic.hint = problem.hint;
    diagnostic.field = Some(problem.path.to_string());
    diagnostic.object = manifests.objects.get(problem.object).map(name);
    related.sort_by_key(|(position, _)| *position);
    for (position, place) in related {
        diagnostic = diagnostic.with_note(place, problem.related[position].message.clone());
    }
    diagnostic
}

/// `RecoveryPlan shop/shop`, `Site seoul`.
pub fn name(object: &Object) -> String {
    let (kind, name) = (object.kind(), object.name());
    match object.namespace() {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

/// A path of the engine as the loader has it.
pub fn path(path: &problem::FieldPath) -> FieldPath {
    let steps = path.segments().iter().map(|segment| match segment {
        Segment::Field(name) => Step::Key((*name).to_owned()),
        Segment::Index(index) => Step::Index(*index),
    });
    steps.collect::<Vec<Step>>().into()
}

/// Puts diagnostics in the order of the files, in each from top to bottom.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|one, other| {
        let place = |each: &Diagnostic| {
            each.place
                .as_ref()
                .map(|place| (place.source, place.start.offset))
        };
        place(one)
            .cmp(&place(other))
            .then_with(|| one.severity.cmp(&other.severity))
            .then_with(|| one.code.cmp(&other.code))
    });
}
