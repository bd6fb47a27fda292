//! What was found, in the forms that pipelines and forges read.
//!
//! A command turns what it has into [`Finding`]s; how they are written is here, and whoever reads them
//! need not know which command they are of. What may not enter: what a finding means.

mod annotations;
mod junit;
pub mod sarif;

use drover_engine::check::CODES;
use drover_engine::review;
use drover_manifest::{Diagnostic, Place, Severity, code};

pub use annotations::annotations;
pub use junit::{Case, junit};
pub use sarif::sarif;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something must be done.
    Error,
    /// Somebody should look.
    Warning,
    /// It is good to know.
    Note,
}

/// One thing that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The stable name of what kind of thing it is.
    pub rule: String,
    /// How much it matters.
    pub level: Level,
    /// One sentence without a full stop.
    pub message: String,
    /// What follows from it, a line for each.
    pub effects: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where it is; nothing where it is in no file.
    pub place: Option<Place>,
    /// Other places that belong to it, and what is to be seen there.
    pub related: Vec<(Place, String)>,
    /// The object that it is about, such as `RecoveryPlan shop/shop`.
    pub object: Option<String>,
    /// The path of the field in the object.
    pub field: Option<String>,
}

impl Finding {
    /// The message, what follows from it, and what to do about it.
    pub fn words(&self) -> String {
        let effects = self.effects.iter().cloned();
        let hint = self.hint.iter().map(|hint| format!("hint: {hint}"));
        let mut lines = vec![self.message.clone()];
        lines.extend(effects.chain(hint));
        lines.join("\n")
    }
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Self {
        let notes = diagnostic.notes.iter();
        Self {
            rule: diagnostic.code.to_string(),
            level: match diagnostic.severity {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
            },
            message: diagnostic.message.clone(),
            effects: Vec::new(),
            hint: diagnostic.hint.clone(),
            place: diagnostic.place.clone(),
            related: notes
                .map(|note| (note.place.clone(), note.text.clone()))
                .collect(),
            object: diagnostic.object.clone(),
            field: diagnostic.field.clone(),
        }
    }
}

/// What a code of a check or of a review means, in one line.
pub fn meaning(rule: &str) -> Option<&'static str> {
    let text = code::ALL.iter().map(|each| (each.code, each.meaning));
    let objects = CODES.iter().map(|each| (each.code, each.meaning));
    let changes = review::CODES.iter().map(|each| (each.code, each.meaning));
    text.chain(objects)
        .chain(changes)
        .find(|(code, _)| *code == rule)
        .map(|(_, meaning)| meaning)
}

#[cfg(test)]
mod tests;
