//! `drover graph`: the order between the groups of plans, as a picture.
//!
//! For programs there is a `GraphReport`:
//!
//! ```json
//! {
//!   "apiVersion": "drover.dev/v1alpha1",
//!   "kind": "GraphReport",
//!   "plans": [{
//!     "plan": { "namespace": "shop", "name": "shop" },
//!     "groups": [{ "name": "data", "wave": 1, "machines": 2, "open": false, "dependsOn": [],
//!                  "before": [], "after": [{ "name": "database-answers", "kind": "http" }] }]
//!   }]
//! }
//! ```
//!
//! A Mermaid picture is of one plan. For several, each stands in a fenced block of its own, so that the
//! whole is a Markdown file.

use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use serde::Serialize;

use super::{read, refuse, shown};
use crate::cli::{Graph, GraphFormat};
use crate::drawing::{self, Drawing};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::manifests::Manifests;
use crate::output::Output;
use crate::plans::select::select;
use crate::report::Report;

#[derive(Debug, Serialize)]
struct Body {
    plans: Vec<Drawing>,
}

/// Draws plans.
///
/// # Errors
/// When manifests cannot be read, or there is no such plan.
pub fn run(arguments: &Graph, output: &mut Output) -> Result<Exit, Failure> {
    let files = read(&arguments.input.paths, output)?;
    let manifests = Manifests::load(&files)?;
    let declared = Declared::new(&manifests.objects);
    let inventories = declared_inventories(&declared);
    let findings = manifests.check(&declared, &inventories, arguments.input.now());
    if findings.has_errors() {
        let problems = shown(&findings, &manifests, output.talk_style());
        output.talk(&problems);
        refuse(&findings, output);
        return Ok(Exit::Wrong);
    }
    let plans = select(&declared, &arguments.plans)?;
    let drawings = plans
        .iter()
        .map(|id| Drawing::new(id, &declared, &inventories));
    let drawings = drawings.collect::<Result<Vec<_>, _>>()?;
    match arguments.format {
        GraphFormat::Mermaid => output.data(&drawing::mermaid(&drawings))?,
        GraphFormat::Dot => output.data(&drawing::dot(&drawings))?,
        GraphFormat::Json => {
            output.json(&Report::new("GraphReport", Body { plans: drawings }))?;
        }
    }
    Ok(Exit::Fine)
}
