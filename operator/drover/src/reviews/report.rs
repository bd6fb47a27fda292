//! A review for programs: a report of kind `ReviewReport`. Its fields are a contract.
//!
//! ```json
//! {
//!   "apiVersion": "drover.dev/v1alpha1",
//!   "kind": "ReviewReport",
//!   "base": { "name": "main (1a2b3c4d5e)", "revision": "1a2b3c4d5e..." },
//!   "head": { "name": "the work tree" },
//!   "summary": { "files": 3, "otherFiles": 0, "objectsBefore": 9, "objectsAfter": 9, "ignored": 0,
//!                "ignoredFiles": 0, "classes": { "WouldRun": 1 }, "errors": 0, "warnings": 0 },
//!   "notAllowed": [],
//!   "meanings": [{
//!     "code": "run-would-start", "class": "WouldRun",
//!     "object": { "kind": "RecoveryPlan", "namespace": "shop", "name": "shop" },
//!     "message": "...", "effects": ["..."],
//!     "run": { "failover": "Planned", "direction": "ToSecondary", "machines": 12, "rto": "3m40s" },
//!     "side": "after", "field": "spec.activeSite",
//!     "place": { "source": 0, "file": "plan.yaml", "start": {}, "end": {} }
//!   }],
//!   "newProblems": [], "goneProblems": []
//! }
//! ```

use std::collections::BTreeMap;

use drover_engine::review::{Class, Meaning, Which};
use drover_manifest::{Diagnostic, Place};
use serde::Serialize;

use super::input::{Both, Texts};
use super::judged::{Changed, Judged, Placed, Unreadable};
use crate::report::Report;

/// What a report says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Body<'a> {
    base: Called<'a>,
    head: Called<'a>,
    summary: Numbers,
    /// What the policy does not allow.
    not_allowed: &'a [String],
    meanings: Vec<Said<'a>>,
    new_problems: &'a [Diagnostic],
    gone_problems: &'a [Diagnostic],
    /// The plain difference, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_diff: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Called<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Numbers {
    #[serde(flatten)]
    changed: Changed,
    classes: BTreeMap<&'static str, usize>,
    errors: usize,
    warnings: usize,
    /// The side whose texts are wrong, where one is: then nothing is said of the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    #[serde(flatten)]
    meaning: &'a Meaning,
    side: Which,
    field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a Place>,
}

/// The report of a review.
pub fn of<'a>(
    both: &'a Both,
    judged: &'a Judged,
    not_allowed: &'a [String],
    text_diff: Option<&'a str>,
) -> Report<Body<'a>> {
    let classes = Class::ALL.into_iter().filter_map(|class| {
        let number = judged.count(class);
        (number > 0).then_some((class.as_str(), number))
    });
    let errors = judged
        .new_problems
        .iter()
        .filter(|problem| problem.is_error())
        .count();
    let body = Body {
        base: called(&both.base),
        head: called(&both.head),
        summary: Numbers {
            changed: judged.changed,
            classes: classes.collect(),
            errors,
            warnings: judged.new_problems.len() - errors,
            unreadable: None,
        },
        not_allowed,
        meanings: judged.meanings.iter().map(said).collect(),
        new_problems: &judged.new_problems,
        gone_problems: &judged.gone_problems,
        text_diff,
    };
    Report::new("ReviewReport", body)
}

/// The report where a side cannot be read.
pub fn unreadable<'a>(both: &'a Both, unreadable: &'a Unreadable<'_>) -> Report<Body<'a>> {
    let summary = &unreadable.findings.summary;
    let body = Body {
        base: called(&both.base),
        head: called(&both.head),
        summary: Numbers {
            errors: summary.errors,
            warnings: summary.warnings,
            unreadable: Some(unreadable.which),
            ..Numbers::default()
        },
        not_allowed: &[],
        meanings: Vec::new(),
        new_problems: &unreadable.findings.problems,
        gone_problems: &[],
        text_diff: None,
    };
    Report::new("ReviewReport", body)
}

fn called(texts: &Texts) -> Called<'_> {
    Called {
        name: &texts.name,
        revision: texts.revision.as_deref(),
    }
}

fn said(placed: &Placed) -> Said<'_> {
    let place = &placed.meaning.place;
    Said {
        meaning: &placed.meaning,
        side: place.which,
        field: place.path.to_string(),
        place: placed.place.as_ref(),
    }
}
