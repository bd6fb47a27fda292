//! Two sides that were read: checked, reviewed, and every word of it with its place.

use std::collections::BTreeSet;

use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use drover_engine::problem::Problem;
use drover_engine::review::{self, Class, Meaning, Review, Side, Which};
use drover_manifest::{Diagnostic, FieldPath, Locator, Place, Target};
use jiff::Timestamp;

use super::input::Both;
use crate::failure::Failure;
use crate::findings;
use crate::manifests::{Findings, Manifests};

/// What came of it.
pub enum Outcome<'f> {
    /// It can be said what the change means.
    Judged(Box<Judged>),
    /// The texts of a side are wrong.
    Unreadable(Box<Unreadable<'f>>),
}

/// A side whose texts are wrong.
pub struct Unreadable<'f> {
    /// `BASE` or `HEAD`.
    pub which: &'static str,
    /// What the side is called.
    pub name: &'f str,
    /// Its manifests, for the lines that are shown.
    pub manifests: Manifests<'f>,
    /// What is wrong.
    pub findings: Findings,
}

/// What a change means, with places.
pub struct Judged {
    /// All that it means, the most serious first.
    pub meanings: Vec<Placed>,
    /// Problems that come with it.
    pub new_problems: Vec<Diagnostic>,
    /// Problems that go with it.
    pub gone_problems: Vec<Diagnostic>,
    /// Errors that were there before and still are.
    pub old_errors: usize,
    /// In numbers.
    pub changed: Changed,
    /// Files with objects of Drover, on either side.
    pub ours: BTreeSet<String>,
}

/// A meaning and where it is written.
#[derive(Clone, Debug)]
pub struct Placed {
    /// What is meant.
    pub meaning: Meaning,
    /// Where it is written, on the side that it is said of.
    pub place: Option<Place>,
    /// Where its object begins.
    pub object: Option<Place>,
}

/// What was compared, in numbers.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// Files with objects of Drover that are new, gone, or have another content.
    pub files: usize,
    /// Files without any that are.
    pub other_files: usize,
    /// Objects of Drover before.
    pub objects_before: usize,
    /// Objects of Drover after.
    pub objects_after: usize,
    /// Objects of other tools after.
    pub ignored: usize,
    /// Files of other tools after that are no YAML.
    pub ignored_files: usize,
}

/// Judges the change between two sides.
///
/// # Errors
/// When there is nothing of Drover's on either side.
pub fn judge(both: &Both, now: Timestamp) -> Result<Outcome<'_>, Failure> {
    let [base, head] = Manifests::both(&both.base.files, &both.head.files);
    if base.is_empty() && head.is_empty() {
        let names = format!("{} and {}", both.base.name, both.head.name);
        return Err(Failure::NoManifests(names));
    }
    let of_base = base.unreadable().map(|findings| ("BASE", findings));
    if let Some((which, findings)) =
        of_base.or_else(|| head.unreadable().map(|findings| ("HEAD", findings)))
    {
        let (name, manifests) = match which {
            "BASE" => (&both.base.name, base),
            _ => (&both.head.name, head),
        };
        return Ok(Outcome::Unreadable(Box::new(Unreadable {
            which,
            name,
            manifests,
            findings,
        })));
    }
    let (before, after) = rayon::join(|| Checked::of(&base, now), || Checked::of(&head, now));
    let review = review::review(&before.side(), &after.side(), now);
    let old_errors = still_wrong(&after, &review);
    let ours: BTreeSet<String> = base.ours().chain(head.ours()).map(str::to_owned).collect();
    let (files, other_files) = differing(both, &ours);
    let changed = Changed {
        files,
        other_files,
        objects_before: base.objects.len(),
        objects_after: head.objects.len(),
        ignored: head.ignored(),
        ignored_files: head.ignored_files(),
    };
    let pick = |problems: Vec<Problem>, chosen: &[usize], manifests: &Manifests<'_>| {
        let chosen: BTreeSet<usize> = chosen.iter().copied().collect();
        let all = problems.into_iter().enumerate();
        let chosen = all.filter(|(position, _)| chosen.contains(position));
        findings::placed(chosen.map(|(_, problem)| problem).collect(), manifests)
    };
    let (old, new) = (before.problems, after.problems);
    let mut new_problems = pick(new, &review.new_problems, &head);
    let mut gone_problems = pick(old, &review.gone_problems, &base);
    new_problems.extend(missing(head.doubts(), base.doubts()));
    gone_problems.extend(missing(base.doubts(), head.doubts()));
    findings::sort(&mut new_problems);
    findings::sort(&mut gone_problems);
    Ok(Outcome::Judged(Box::new(Judged {
        meanings: placed(review.meanings, &base, &head),
        new_problems,
        gone_problems,
        old_errors,
        changed,
        ours,
    })))
}

/// How many files differ: of ours, and of others.
fn differing(both: &Both, ours: &BTreeSet<String>) -> (usize, usize) {
    let pairs = both.pairs();
    let all = pairs.iter().filter(|pair| pair.differs());
    let of_ours = all.clone().filter(|pair| pair.is_of(ours)).count();
    (of_ours, all.count() - of_ours)
}

/// One side, indexed and checked.
struct Checked<'m> {
    declared: Declared<'m>,
    inventories: drover_engine::members::Inventories,
    problems: Vec<Problem>,
}

impl<'m> Checked<'m> {
    fn of(manifests: &'m Manifests<'_>, now: Timestamp) -> Self {
        let declared = Declared::new(&manifests.objects);
        let inventories = declared_inventories(&declared);
        let problems = Manifests::problems(&declared, &inventories, now);
        Self {
            declared,
            inventories,
            problems,
        }
    }

    fn side(&'m self) -> Side<'m> {
        Side {
            declared: &self.declared,
            inventories: &self.inventories,
            problems: &self.problems,
        }
    }
}

fn still_wrong(after: &Checked<'_>, review: &Review) -> usize {
    let is_error = |problem: &Problem| problem.severity == drover_engine::problem::Severity::Error;
    let all = after
        .problems
        .iter()
        .filter(|problem| is_error(problem))
        .count();
    let new = review
        .new_problems
        .iter()
        .filter(|at| is_error(&after.problems[**at]))
        .count();
    all - new
}

/// Doubts about texts that are not on the other side; lines move.
fn missing(these: &[Diagnostic], those: &[Diagnostic]) -> Vec<Diagnostic> {
    let what = |each: &Diagnostic| {
        let file = each.place.as_ref().map(|place| place.file.to_string());
        (each.code.clone(), each.message.clone(), file)
    };
    let those: BTreeSet<_> = those.iter().map(what).collect();
    these
        .iter()
        .filter(|each| !those.contains(&what(each)))
        .cloned()
        .collect()
}

/// Every meaning with its place. Sorted by document, each is read again once.
fn placed(meanings: Vec<Meaning>, base: &Manifests<'_>, head: &Manifests<'_>) -> Vec<Placed> {
    let origin = |meaning: &Meaning| {
        let manifests = match meaning.place.which {
            Which::Before => base,
            Which::After => head,
        };
        manifests.origin(meaning.place.object)
    };
    let mut order: Vec<usize> = (0..meanings.len()).collect();
    order.sort_by_key(|at| (meanings[*at].place.which, origin(&meanings[*at])));
    let mut places: Vec<(Option<Place>, Option<Place>)> = vec![(None, None); meanings.len()];
    let mut locators = (Locator::new(&base.sources), Locator::new(&head.sources));
    for at in order {
        let meaning = &meanings[at];
        let locator = match meaning.place.which {
            Which::Before => &mut locators.0,
            Which::After => &mut locators.1,
        };
        if let Some(origin) = origin(meaning) {
            let path = findings::path(&meaning.place.path);
            let whole = FieldPath::default();
            places[at] = (
                locator.locate(origin, &path, Target::Value),
                locator.locate(origin, &whole, Target::Value),
            );
        }
    }
    let all = meanings.into_iter().zip(places);
    all.map(|(meaning, (place, object))| Placed {
        meaning,
        place,
        object,
    })
    .collect()
}

impl Judged {
    /// Whether nothing is said at all.
    pub fn is_silent(&self) -> bool {
        self.meanings.is_empty() && self.new_problems.is_empty() && self.gone_problems.is_empty()
    }

    /// What is said of a class.
    pub fn of_class(&self, class: Class) -> impl Iterator<Item = &Placed> {
        let all = self.meanings.iter();
        all.filter(move |placed| placed.meaning.class == class)
    }

    /// How much is said of a class.
    pub fn count(&self, class: Class) -> usize {
        self.of_class(class).count()
    }

    /// Whether the change brings errors, or the API refuses it.
    pub fn is_wrong(&self) -> bool {
        self.new_problems.iter().any(Diagnostic::is_error) || self.count(Class::Refused) > 0
    }

    /// Whether it means something that is not harmless.
    pub fn is_notable(&self) -> bool {
        self.meanings
            .iter()
            .any(|placed| placed.meaning.class != Class::Harmless)
    }
}
