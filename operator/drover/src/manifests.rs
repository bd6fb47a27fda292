//! Texts to objects, and everything that is wrong with them.

use drover_api::Object;
use drover_engine::check::{self, check};
use drover_engine::declared::Declared;
use drover_engine::members::Inventories;
use drover_engine::problem::Problem;
use drover_manifest::{Diagnostic, Loaded, Options, Origin, Source, drover_kinds, load, load_both};
use jiff::Timestamp;
use serde::Serialize;

use crate::failure::Failure;
use crate::files::File;
use crate::findings;
use crate::others;
use crate::text::count;

/// The manifests that were read.
#[derive(Debug)]
pub struct Manifests<'f> {
    /// Their texts.
    pub sources: Vec<Source<'f>>,
    /// The objects in them.
    pub objects: Vec<Object>,
    /// Where each object stands.
    origins: Vec<Origin>,
    /// What is wrong with the texts.
    unreadable: Vec<Diagnostic>,
    ignored: usize,
    /// Files of other tools that are no YAML.
    ignored_files: usize,
    documents: usize,
}

/// What was read, and how much of it is wrong. A part of reports for programs.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Files, standard input among them.
    pub files: usize,
    /// Documents in them, anybody's.
    pub documents: usize,
    /// Objects of Drover that could be read.
    pub objects: usize,
    /// Objects of other tools.
    pub ignored: usize,
    /// Files of other tools that are no YAML.
    pub ignored_files: usize,
    /// Problems that make the manifests useless.
    pub errors: usize,
    /// Problems that do not.
    pub warnings: usize,
    /// Whether it was checked what the objects mean together; only where all could be read.
    pub checked: bool,
}

/// What is wrong.
#[derive(Debug)]
pub struct Findings {
    /// All of it, in the order of the files.
    pub problems: Vec<Diagnostic>,
    /// In numbers.
    pub summary: Summary,
}

/// `; 3 objects and 1 unreadable file of other tools ignored`, where there are any.
pub fn ignored(objects: usize, files: usize) -> String {
    let parts = [(objects, "object"), (files, "unreadable file")];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, what)| count(number, what)).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("; {} of other tools ignored", parts.join(" and "))
}

impl<'f> Manifests<'f> {
    /// Reads the texts.
    ///
    /// # Errors
    /// When there is nothing of Drover's in them, neither right nor wrong.
    pub fn load(files: &'f [File]) -> Result<Self, Failure> {
        let sources = sources(files);
        let loaded = load(&sources, &drover_kinds(), &Options::default());
        let manifests = Self::new(sources, loaded, files, &[]);
        if manifests.is_empty() {
            return Err(Failure::NoManifests(names(files)));
        }
        Ok(manifests)
    }

    /// Whether there is nothing of Drover's in them, neither right nor wrong.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.unreadable.is_empty()
    }

    /// Reads the texts of both sides of a change, whatever is in them. What they share is read once.
    pub fn both(base: &'f [File], head: &'f [File]) -> [Self; 2] {
        let (before, after) = (sources(base), sources(head));
        let [old, new] = load_both(&before, &after, &drover_kinds(), &Options::default());
        [
            Self::new(before, old, base, head),
            Self::new(after, new, head, base),
        ]
    }

    fn new(
        sources: Vec<Source<'f>>,
        mut loaded: Loaded<Object>,
        files: &[File],
        twins: &[File],
    ) -> Self {
        let ignored_files = others::leave_out(&mut loaded, files, twins);
        let (objects, origins) = loaded
            .objects
            .into_iter()
            .map(|declared| (declared.object, declared.origin))
            .unzip();
        Self {
            sources,
            objects,
            origins,
            unreadable: loaded.diagnostics,
            ignored: loaded.ignored,
            ignored_files,
            documents: loaded.documents,
        }
    }

    /// Everything that is wrong. What objects mean together is only asked when all of them could be
    /// read: an object that is missing because of its typing error would be missed by all others.
    pub fn check(
        &self,
        declared: &Declared<'_>,
        inventories: &Inventories,
        now: Timestamp,
    ) -> Findings {
        let mut problems = self.unreadable.clone();
        let checked = !problems.iter().any(Diagnostic::is_error);
        if checked {
            let found = Self::problems(declared, inventories, now);
            problems.extend(findings::placed(found, self));
            findings::sort(&mut problems);
        }
        self.findings(problems, checked)
    }

    /// What is wrong with what objects mean together, before its places are known.
    pub fn problems(
        declared: &Declared<'_>,
        inventories: &Inventories,
        now: Timestamp,
    ) -> Vec<Problem> {
        let options = check::Options {
            now: Some(now),
            ..check::Options::default()
        };
        check(declared, inventories, &options)
    }

    /// The files that hold objects of Drover.
    pub fn ours(&self) -> impl Iterator<Item = &'f str> {
        let origins = self.origins.iter();
        origins.filter_map(|origin| Some(self.sources.get(origin.source as usize)?.name))
    }

    /// Objects of other tools.
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// Files of other tools that are no YAML.
    pub fn ignored_files(&self) -> usize {
        self.ignored_files
    }

    /// What is doubtful about the texts, where nothing is wrong with them.
    pub fn doubts(&self) -> &[Diagnostic] {
        &self.unreadable
    }

    fn findings(&self, problems: Vec<Diagnostic>, checked: bool) -> Findings {
        let errors = problems.iter().filter(|each| each.is_error()).count();
        let summary = Summary {
            files: self.sources.len(),
            documents: self.documents,
            objects: self.objects.len(),
            ignored: self.ignored,
            ignored_files: self.ignored_files,
            errors,
            warnings: problems.len() - errors,
            checked,
        };
        Findings { problems, summary }
    }

    /// The objects with their names as problems have them, and the number of the file that each is in.
    pub fn named(&self) -> impl Iterator<Item = (usize, String)> {
        let objects = self.origins.iter().zip(&self.objects);
        objects.map(|(origin, object)| (origin.source as usize, findings::name(object)))
    }

    /// What is wrong with the texts alone, where they cannot be read.
    pub fn unreadable(&self) -> Option<Findings> {
        let wrong = self.unreadable.iter().any(Diagnostic::is_error);
        wrong.then(|| self.findings(self.unreadable.clone(), false))
    }

    /// Where an object stands.
    pub fn origin(&self, object: usize) -> Option<Origin> {
        self.origins.get(object).copied()
    }
}

impl Findings {
    /// Takes in more, after what there is.
    pub fn add(&mut self, problems: Vec<Diagnostic>) {
        self.problems.extend(problems);
        let errors = self.problems.iter().filter(|each| each.is_error()).count();
        self.summary.errors = errors;
        self.summary.warnings = self.problems.len() - errors;
    }

    /// Only what is wrong with manifests, where objects of a cluster were looked at beside them: those
    /// stand in no file.
    #[must_use]
    pub fn of_manifests(mut self) -> Self {
        self.problems.retain(|each| each.place.is_some());
        self.add(Vec::new());
        self
    }

    /// Whether nothing should be done with the manifests.
    pub fn has_errors(&self) -> bool {
        self.summary.errors > 0
    }
}

fn sources(files: &[File]) -> Vec<Source<'_>> {
    files.iter().map(File::source).collect()
}

/// What was looked at, as far as a line has room.
fn names(files: &[File]) -> String {
    match files {
        [] => "these folders".to_owned(),
        [one] => one.name.clone(),
        [first, ..] => format!("{} files, the first of them {}", files.len(), first.name),
    }
}
