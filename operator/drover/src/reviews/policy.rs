//! What a review fails on: a class on the command line, or a file with more to say.
//!
//! ```yaml
//! fail:                       # classes, codes of meanings, codes of checks
//!   - LosesProtection
//!   - commit-changed
//!   - cannot-fail-back
//! allow:                      # goes before `fail`
//!   - drill-would-start
//! ```

use std::collections::BTreeSet;
use std::path::Path;

use drover_engine::check::CODES as CHECKS;
use drover_engine::problem::did_you_mean;
use drover_engine::review::{CODES, Class};
use drover_manifest::Diagnostic;
use serde::Deserialize;

use super::judged::{Judged, Placed};
use crate::failure::{Failure, Why};

/// What a review fails on.
#[derive(Debug, Default)]
pub struct Policy {
    /// Classes and codes.
    fail: BTreeSet<String>,
    /// Classes and codes that do not count, whatever `fail` says.
    allow: BTreeSet<String>,
}

/// A policy as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    fail: Vec<String>,
    #[serde(default)]
    allow: Vec<String>,
}

/// A policy file is written by hand; one that is longer than this is something else.
const MOST_BYTES: u64 = 1 << 20;

impl Policy {
    /// The policy of a file, and what the command line adds.
    ///
    /// # Errors
    /// When the file cannot be read, or names what there is not.
    pub fn of(file: Option<&Path>, fail_on: Option<Class>) -> Result<Self, Failure> {
        let mut policy = match file {
            Some(file) => Self::read(file)?,
            None => Self::default(),
        };
        let named = fail_on
            .into_iter()
            .flat_map(|least| Class::ALL.into_iter().filter(move |class| *class <= least));
        policy
            .fail
            .extend(named.map(|class| class.as_str().to_owned()));
        Ok(policy)
    }

    fn read(file: &Path) -> Result<Self, Failure> {
        let failed = |source| Failure::Read {
            path: file.to_owned(),
            source,
        };
        let length = std::fs::metadata(file).map_err(failed)?.len();
        let wrong = |why: String, hint: &str| Failure::Policy {
            path: file.to_owned(),
            why: Why(why),
            hint: hint.to_owned(),
        };
        if length > MOST_BYTES {
            let why = format!("it is longer than {} MiB", MOST_BYTES >> 20);
            return Err(wrong(why, FORM));
        }
        let text = std::fs::read_to_string(file).map_err(failed)?;
        let written: Written =
            serde_yaml::from_str(&text).map_err(|error| wrong(error.to_string(), FORM))?;
        let known: Vec<&str> = names().collect();
        for name in written.fail.iter().chain(&written.allow) {
            if known.contains(&name.as_str()) {
                continue;
            }
            let hint = match did_you_mean(name, known.iter().copied()) {
                Some(meant) => format!("did you mean {meant}?"),
                None => "docs/review.md lists the classes and the codes".to_owned(),
            };
            let why = format!("{name} is no class and no code");
            return Err(wrong(why, &hint));
        }
        Ok(Self {
            fail: written.fail.into_iter().collect(),
            allow: written.allow.into_iter().collect(),
        })
    }

    /// What of a review it does not allow, in words.
    pub fn against(&self, judged: &Judged) -> Vec<String> {
        let said = judged.meanings.iter().filter(|placed| self.forbids(placed));
        let said =
            said.map(|placed| format!("{}: {}", placed.meaning.object, placed.meaning.message));
        let wrong = judged.new_problems.iter();
        let wrong = wrong.filter(|problem| self.forbids_problem(problem));
        let wrong = wrong.map(|problem| match &problem.object {
            Some(object) => format!("{object}: {}", problem.message),
            None => problem.message.clone(),
        });
        said.chain(wrong).collect()
    }

    /// Whether it does not allow what is meant.
    pub fn forbids(&self, placed: &Placed) -> bool {
        let meaning = &placed.meaning;
        self.fails(&[meaning.code, meaning.class.as_str()])
    }

    /// Whether it does not allow what is wrong.
    pub fn forbids_problem(&self, problem: &Diagnostic) -> bool {
        self.fails(&[&problem.code])
    }

    fn fails(&self, names: &[&str]) -> bool {
        let any = |of: &BTreeSet<String>| names.iter().any(|name| of.contains(*name));
        any(&self.fail) && !any(&self.allow)
    }
}

const FORM: &str =
    "a policy is `fail: [LosesProtection, commit-changed]`, and `allow` with what goes before it";

/// Everything that a policy may name.
fn names() -> impl Iterator<Item = &'static str> {
    let classes = Class::ALL.into_iter().map(Class::as_str);
    let codes = CODES.iter().map(|code| code.code);
    classes
        .chain(codes)
        .chain(CHECKS.iter().map(|code| code.code))
}
