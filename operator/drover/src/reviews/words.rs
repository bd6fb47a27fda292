//! Sentences about reviews, without any decoration.

use drover_engine::review::Class;
use drover_manifest::Diagnostic;

use super::judged::{Judged, Placed};
use crate::manifests::ignored;
use crate::text::{count, thousands};

/// What a class is called above what is said of it.
pub fn heading(class: Class) -> &'static str {
    match class {
        Class::Refused => "THE API REFUSES IT",
        Class::WouldRun => "WHAT WOULD HAPPEN",
        Class::LosesProtection => "LOSES PROTECTION",
        Class::WeakensSafety => "WEAKENS SAFETY",
        Class::WorsensObjectives => "TAKES LONGER OR LOSES MORE",
        Class::Harmless => "HARMLESS",
    }
}

/// `1 run starts`, in a summary.
fn counted(class: Class, number: usize) -> String {
    let one = number == 1;
    let number = thousands(number);
    match class {
        Class::Refused => format!("{number} refused"),
        Class::WouldRun => format!("{number} would run"),
        Class::LosesProtection => {
            format!("{number} {} protection", if one { "loses" } else { "lose" })
        }
        Class::WeakensSafety => {
            format!("{number} {} safety", if one { "weakens" } else { "weaken" })
        }
        Class::WorsensObjectives => {
            format!(
                "{number} {} RTO or RPO",
                if one { "worsens" } else { "worsen" }
            )
        }
        Class::Harmless => format!("{number} harmless"),
    }
}

/// `1 would run, 2 harmless; 1 new error`.
pub fn tally(judged: &Judged) -> String {
    let classes = Class::ALL.into_iter().filter_map(|class| {
        let number = judged.count(class);
        (number > 0).then(|| counted(class, number))
    });
    let mut parts: Vec<String> = classes.collect();
    let errors = judged
        .new_problems
        .iter()
        .filter(|problem| problem.is_error())
        .count();
    let warnings = judged.new_problems.len() - errors;
    if errors > 0 {
        parts.push(count(errors, "new error"));
    }
    if warnings > 0 {
        parts.push(count(warnings, "new warning"));
    }
    if !judged.gone_problems.is_empty() {
        parts.push(format!(
            "{} gone",
            count(judged.gone_problems.len(), "problem")
        ));
    }
    if parts.is_empty() {
        return "this change means nothing".to_owned();
    }
    parts.join(", ")
}

/// What was compared: `3 files changed, and 1 of other tools; 5 objects of other tools ignored`.
pub fn compared(judged: &Judged) -> String {
    let changed = &judged.changed;
    let files = count(changed.files, "file");
    let others = match changed.other_files {
        0 => String::new(),
        number => format!(", and {} of other tools", thousands(number)),
    };
    let ignored = ignored(changed.ignored, changed.ignored_files);
    let mut text = format!("{files} changed{others}{ignored}");
    if judged.old_errors > 0 {
        let were = count(judged.old_errors, "error");
        text = format!("{text}; {were} in it before, `drover validate` shows them");
    }
    text
}

/// What is said of one object together, in the order of the review.
pub fn by_object<'p>(said: impl Iterator<Item = &'p Placed>) -> Vec<Vec<&'p Placed>> {
    let mut objects: Vec<Vec<&Placed>> = Vec::new();
    for placed in said {
        match objects.last_mut() {
            Some(last) if last[0].meaning.object == placed.meaning.object => last.push(placed),
            _ => objects.push(vec![placed]),
        }
    }
    objects
}

/// `RecoveryPlan shop/shop, plan.yaml:4`.
pub fn object(placed: &Placed) -> String {
    match &placed.object {
        Some(place) => format!(
            "{}, {}:{}",
            placed.meaning.object, place.file, place.start.line
        ),
        None => placed.meaning.object.to_string(),
    }
}

/// A problem on one line, with its place.
pub fn problem(problem: &Diagnostic) -> String {
    let place = problem.place.as_ref().map(|place| {
        format!(
            "{}:{}:{}: ",
            place.file, place.start.line, place.start.column
        )
    });
    format!(
        "{}{}: {}",
        place.unwrap_or_default(),
        problem.severity,
        problem.message
    )
}
