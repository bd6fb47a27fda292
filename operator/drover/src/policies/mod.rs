//! Policies: what a house asks of its declarations, beyond what Drover asks of any.
//!
//! A policy is a list of rules, and a rule is an expression in CEL about each machine, protection group,
//! plan or site. The language is that of the rules in the definitions, and so is the engine. What an
//! expression sees is a [`view`] of what is declared, whose fields [`shape`] lists; [`mod@file`] reads
//! policies; [`place`] finds the place in a file that a complaint about an expression is about.
//!
//! The work is bounded: see [`MOST_STEPS`].

mod file;
mod place;
mod shape;
mod view;

use drover_engine::declared::Declared;
use drover_engine::members::Inventories;
use drover_engine::plan::Planner;
use drover_manifest::{Diagnostic, FieldPath, Locator, Origin, Severity, Source, Target};
use serde::Serialize;
use serde_json::Value;

pub use file::{Policies, Rule, read};

use crate::failure::Failure;
use crate::manifests::Manifests;
use shape::Subject;
use view::Seen;

/// The most steps of all rules together: a rule makes one for each object, times the length of the
/// object's longest list for each loop that stands inside another. Fifty million take seconds.
const MOST_STEPS: u64 = 50_000_000;

/// What became of the rules.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What breaks them, in the order of the rules.
    pub problems: Vec<Diagnostic>,
    /// Each rule in numbers.
    pub rules: Vec<Asked>,
}

/// One rule in numbers. A part of reports for programs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Its policy.
    pub policy: String,
    /// Its name.
    pub rule: String,
    /// The file that it is in.
    pub file: String,
    /// The line that it begins on.
    pub line: u32,
    /// What it is about.
    pub subject: &'static str,
    /// Objects of that kind.
    pub objects: usize,
    /// Those that its `match` chose.
    pub matched: usize,
    /// Those that break it.
    pub broken: usize,
}

/// Asks all rules about everything that is declared. `sources` are the manifests' and then the
/// policies'.
///
/// # Errors
/// When a plan cannot be laid out.
pub fn ask(
    policies: &Policies,
    manifests: &Manifests<'_>,
    planner: &Planner<'_>,
    sources: &[Source<'_>],
) -> Result<Outcome, Failure> {
    let mut views = Views::new(planner.declared, planner.inventories, planner);
    let mut asker = Asker {
        locator: Locator::new(sources),
        manifests,
        left: MOST_STEPS,
        outcome: Outcome::default(),
    };
    for rule in &policies.rules {
        let seen = views.of(rule.subject)?;
        asker.ask(rule, seen);
    }
    Ok(asker.outcome)
}

/// Views of everything of a kind; each is made when a rule asks for it first.
struct Views<'a> {
    maker: view::Maker<'a>,
    made: [Option<Vec<Seen>>; Subject::ALL.len()],
}

impl<'a> Views<'a> {
    fn new(
        declared: &'a Declared<'a>,
        inventories: &'a Inventories,
        planner: &'a Planner<'a>,
    ) -> Self {
        Self {
            maker: view::Maker::new(declared, inventories, planner),
            made: std::array::from_fn(|_| None),
        }
    }

    fn of(&mut self, subject: Subject) -> Result<&[Seen], Failure> {
        let slot = &mut self.made[subject as usize];
        if slot.is_none() {
            *slot = Some(self.maker.all(subject)?);
        }
        Ok(slot.as_deref().unwrap_or_default())
    }
}

struct Asker<'a> {
    locator: Locator<'a>,
    manifests: &'a Manifests<'a>,
    left: u64,
    outcome: Outcome,
}

impl Asker<'_> {
    fn ask(&mut self, rule: &Rule, seen: &[Seen]) {
        let mut asked = Asked {
            policy: rule.policy.clone(),
            rule: rule.name.clone(),
            file: rule.place.file.to_string(),
            line: rule.place.start.line,
            subject: rule.subject.name(),
            objects: seen.len(),
            matched: 0,
            broken: 0,
        };
        let longest = seen
            .iter()
            .map(|seen| longest_list(&seen.view))
            .max()
            .unwrap_or(0);
        let steps =
            (seen.len() as u64).saturating_mul((longest as u64).saturating_pow(rule.loops()));
        if steps > self.left {
            let what = format!(
                "rule {} would take too long: {} loops inside each other, over lists of up to {longest}, \
                 for each of {} objects",
                rule.name,
                rule.loops(),
                seen.len()
            );
            let problem = Diagnostic::new(Severity::Error, TOO_COSTLY, what);
            let problem = problem.at(rule.place.clone());
            self.outcome
                .problems
                .push(problem.with_hint("ask with fewer loops, or of fewer manifests"));
            return;
        }
        self.left -= steps;
        for seen in seen {
            match answer(rule, &seen.view) {
                Answer::NotMatched => {}
                Answer::Holds => asked.matched += 1,
                Answer::Broken(words) => {
                    asked.matched += 1;
                    asked.broken += 1;
                    self.complain(rule, seen, rule.severity, words);
                }
                Answer::Failed(why) => {
                    asked.matched += 1;
                    asked.broken += 1;
                    let words = format!("the rule cannot be asked: {why}");
                    self.complain(rule, seen, Severity::Error, words);
                }
            }
        }
        self.outcome.rules.push(asked);
    }

    fn complain(&mut self, rule: &Rule, seen: &Seen, severity: Severity, words: String) {
        let origin = seen.object.and_then(|index| self.manifests.origin(index));
        let mut problem = Diagnostic::new(severity, rule.code.clone(), words);
        problem.object = Some(seen.name.clone());
        problem.place = origin.and_then(|origin| self.place(origin, &seen.path));
        if let Some(description) = &rule.description {
            problem.hint = Some(description.clone());
        }
        let note = format!("policy {} asks for it", rule.policy);
        self.outcome
            .problems
            .push(problem.with_note(rule.place.clone(), note));
    }

    fn place(&mut self, origin: Origin, path: &FieldPath) -> Option<drover_manifest::Place> {
        self.locator.locate(origin, path, Target::Value)
    }
}

/// The code of a rule that is not asked because of what it would cost.
pub const TOO_COSTLY: &str = "policy-too-costly";

enum Answer {
    NotMatched,
    Holds,
    Broken(String),
    Failed(String),
}

fn answer(rule: &Rule, view: &Value) -> Answer {
    let matches = rule
        .matches
        .as_ref()
        .map_or(Ok(true), |matches| matches.holds(view));
    match matches {
        Ok(true) => {}
        Ok(false) => return Answer::NotMatched,
        Err(why) => return Answer::Failed(format!("match: {why}")),
    }
    match rule.expression.holds(view) {
        Ok(true) => Answer::Holds,
        Ok(false) => {
            let computed = rule.message_expression.as_ref();
            let computed = computed.and_then(|words| words.words(view).ok().flatten());
            Answer::Broken(computed.unwrap_or_else(|| rule.message.clone()))
        }
        Err(why) => Answer::Failed(why),
    }
}

/// The length of the longest list or map in a value.
fn longest_list(value: &Value) -> usize {
    match value {
        Value::Array(items) => {
            let inner = items.iter().map(longest_list).max().unwrap_or(0);
            inner.max(items.len())
        }
        Value::Object(fields) => {
            let inner = fields.values().map(longest_list).max().unwrap_or(0);
            inner.max(fields.len())
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
