//! `drover validate`: what is wrong with manifests, and where.
//!
//! Problems are the data of this command, so they go to standard output: `drover validate | less` shows
//! them, and nothing is written there when all is well. The summary goes to standard error.
//!
//! For programs there is a `ValidateReport`:
//!
//! ```json
//! {
//!   "apiVersion": "drover.dev/v1alpha1",
//!   "kind": "ValidateReport",
//!   "summary": { "files": 1, "documents": 9, "objects": 8, "ignored": 1, "ignoredFiles": 0,
//!                "errors": 1, "warnings": 0, "checked": true },
//!   "problems": [{
//!     "severity": "error", "code": "unknown-reference", "message": "...", "hint": "...",
//!     "place": { "source": 0, "file": "plan.yaml", "start": { "line": 5, "column": 9, "offset": 80 },
//!                "end": { "line": 5, "column": 12, "offset": 83 } },
//!     "notes": [{ "place": {}, "text": "..." }],
//!     "object": "RecoveryPlan shop/shop", "field": "spec.groups[0].protectionGroups[0]"
//!   }]
//! }
//! ```
//!
//! With policies it also has `rules`, each in numbers. Forges and pipelines have forms of their own: see
//! [`formats`].

use std::collections::BTreeMap;

use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use drover_engine::plan::{Places, Planner, Records};
use drover_manifest::{Diagnostic, Source};
use serde::Serialize;

use super::{NOT_CHECKED, read, rendered, sarif, summary};
use crate::cli::{FailOn, Validate, ValidateFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, File};
use crate::formats::{self, Case, Finding, Level};
use crate::manifests::{Findings, Manifests, Summary};
use crate::output::Output;
use crate::policies::{self, Asked};
use crate::report::Report;
use crate::text::count;

#[derive(Debug, Serialize)]
struct Body<'a> {
    summary: Summary,
    problems: &'a [Diagnostic],
    /// Rules of policies, where some were given and could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<&'a [Asked]>,
}

/// Checks manifests.
///
/// # Errors
/// When they cannot be read, or none are there.
pub fn run(arguments: &Validate, output: &mut Output) -> Result<Exit, Failure> {
    let files = read(&arguments.input.paths, output)?;
    let manifests = Manifests::load(&files)?;
    let house = files::read(&arguments.policies)?.files;
    let declared = Declared::new(&manifests.objects);
    let inventories = declared_inventories(&declared);
    let now = arguments.input.now();
    let planner = Planner {
        declared: &declared,
        inventories: &inventories,
        records: &Records::NONE,
        places: &Places::NONE,
        now: Some(now),
    };
    let mut checked = Checked {
        findings: manifests.check(&declared, &inventories, now),
        sources: manifests.sources.clone(),
        manifests: &manifests,
        rules: None,
    };
    if !arguments.policies.is_empty() {
        checked.ask(&house, &planner)?;
    }
    checked.written(arguments, output)?;
    checked.talk(output);
    Ok(verdict(&checked.findings, arguments.fail_on))
}

/// What was found, and in which texts.
struct Checked<'a> {
    findings: Findings,
    /// Those of the manifests, then those of the policies.
    sources: Vec<Source<'a>>,
    manifests: &'a Manifests<'a>,
    rules: Option<Vec<Asked>>,
}

impl<'a> Checked<'a> {
    /// Asks the rules of a house. They are about what is declared, so they are asked when that is right.
    fn ask(&mut self, house: &'a [File], planner: &Planner<'_>) -> Result<(), Failure> {
        let first = self.sources.len();
        self.sources.extend(house.iter().map(File::source));
        let (policies, wrong) = policies::read(&self.sources[first..], first);
        if policies.count == 0 && wrong.is_empty() {
            return Err(Failure::Refused {
                what: "there is no policy in what --policy names".to_owned(),
                hint: "a policy has `apiVersion: policy.drover.dev/v1alpha1`, `kind: Policy`"
                    .to_owned(),
            });
        }
        self.findings.add(wrong);
        if !self.findings.has_errors() {
            let outcome = policies::ask(&policies, self.manifests, planner, &self.sources)?;
            self.findings.add(outcome.problems);
            self.rules = Some(outcome.rules);
        }
        Ok(())
    }

    fn written(&self, arguments: &Validate, output: &mut Output) -> Result<(), Failure> {
        let findings = &self.findings;
        match arguments.format {
            ValidateFormat::Text => {
                let text = rendered(findings, &self.sources, output.data_style());
                output.data(&text)
            }
            ValidateFormat::Json => {
                let body = Body {
                    summary: findings.summary,
                    problems: &findings.problems,
                    rules: self.rules.as_deref(),
                };
                output.json(&Report::new("ValidateReport", body))
            }
            ValidateFormat::Sarif => sarif(&neutral(findings), output),
            ValidateFormat::Github => output.data(&formats::annotations(&neutral(findings))),
            ValidateFormat::Junit => {
                let from = match arguments.fail_on {
                    FailOn::Error => Level::Error,
                    FailOn::Warning => Level::Warning,
                };
                let cases = self.cases();
                output.data(&formats::junit("drover validate", &cases, from))
            }
        }
    }

    /// A test for each object, in the order of the files. Problems of none are a test of their own, of
    /// the name of the file.
    fn cases(&self) -> Vec<Case> {
        let suite = |file: usize| self.sources.get(file).map_or("", |source| source.name);
        let mut cases: BTreeMap<(usize, String), Vec<Finding>> = BTreeMap::new();
        for named in self.manifests.named() {
            cases.insert(named, Vec::new());
        }
        for problem in &self.findings.problems {
            let place = problem.place.as_ref();
            let file = place.map_or(0, |place| place.source as usize);
            let name = problem.object.clone();
            let name = name.unwrap_or_else(|| suite(file).to_owned());
            cases.entry((file, name)).or_default().push(problem.into());
        }
        let case = |((file, name), findings)| Case {
            suite: suite(file).to_owned(),
            name,
            findings,
        };
        cases.into_iter().map(case).collect()
    }

    fn talk(&self, output: &mut Output) {
        let style = output.talk_style();
        let findings = &self.findings;
        let text = summary(findings);
        let numbers = &findings.summary;
        output.talk(&match (numbers.errors, numbers.warnings) {
            (0, 0) => style.good(text),
            (0, _) => style.notable(text),
            _ => style.bad(text),
        });
        if !numbers.checked {
            output.talk(NOT_CHECKED);
        }
        for line in self.rules.iter().flat_map(|rules| told(rules)) {
            output.talk(&line);
        }
    }
}

/// What became of the rules. One that is about nothing is told: it may be misspelt, and it keeps nobody
/// from anything.
fn told(rules: &[Asked]) -> Vec<String> {
    let broken = rules.iter().filter(|rule| rule.broken > 0).count();
    let asked = count(rules.len(), "rule");
    let kept = match broken {
        0 => "all hold".to_owned(),
        broken => format!("{} broken", count(broken, "rule")),
    };
    let mut lines = vec![format!("{asked} of policies asked: {kept}")];
    for rule in rules.iter().filter(|rule| rule.matched == 0) {
        lines.push(format!(
            "{}:{}: rule {} matches none of {}",
            rule.file,
            rule.line,
            rule.rule,
            count(rule.objects, &rule.subject.to_lowercase())
        ));
    }
    lines
}

fn neutral(findings: &Findings) -> Vec<Finding> {
    findings.problems.iter().map(Finding::from).collect()
}

fn verdict(findings: &Findings, fail_on: FailOn) -> Exit {
    let warned = fail_on == FailOn::Warning && findings.summary.warnings > 0;
    if findings.has_errors() || warned {
        Exit::Wrong
    } else {
        Exit::Fine
    }
}
