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
//!   "summary": { "files": 1, "documents": 9, "objects": 8, "ignored": 1, "errors": 1, "warnings": 0,
//!                "checked": true },
//!   "problems": [{
//!     "severity": "error", "code": "unknown-reference", "message": "...", "hint": "...",
//!     "place": { "source": 0, "file": "plan.yaml", "start": { "line": 5, "column": 9, "offset": 80 },
//!                "end": { "line": 5, "column": 12, "offset": 83 } },
//!     "notes": [{ "place": {}, "text": "..." }],
//!     "object": "RecoveryPlan shop/shop", "field": "spec.groups[0].protectionGroups[0]"
//!   }]
//! }
//! ```

use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use drover_manifest::Diagnostic;
use serde::Serialize;

use super::{NOT_CHECKED, read, shown, summary};
use crate::cli::{FailOn, Validate, ValidateFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::manifests::{Findings, Manifests, Summary};
use crate::output::Output;
use crate::report::Report;

#[derive(Debug, Serialize)]
struct Body<'a> {
    summary: Summary,
    problems: &'a [Diagnostic],
}

/// Checks manifests.
///
/// # Errors
/// When they cannot be read, or none are there.
pub fn run(arguments: &Validate, output: &mut Output) -> Result<Exit, Failure> {
    let files = read(&arguments.input.paths, output)?;
    let manifests = Manifests::load(&files)?;
    let declared = Declared::new(&manifests.objects);
    let inventories = declared_inventories(&declared);
    let findings = manifests.check(&declared, &inventories, arguments.input.now());
    match arguments.format {
        ValidateFormat::Text => {
            output.data(&shown(&findings, &manifests, output.data_style()))?;
        }
        ValidateFormat::Json => {
            let body = Body {
                summary: findings.summary,
                problems: &findings.problems,
            };
            output.json(&Report::new("ValidateReport", body))?;
        }
    }
    talk(&findings, output);
    Ok(verdict(&findings, arguments.fail_on))
}

fn talk(findings: &Findings, output: &mut Output) {
    let style = output.talk_style();
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
}

fn verdict(findings: &Findings, fail_on: FailOn) -> Exit {
    let warned = fail_on == FailOn::Warning && findings.summary.warnings > 0;
    if findings.has_errors() || warned {
        Exit::Wrong
    } else {
        Exit::Fine
    }
}
