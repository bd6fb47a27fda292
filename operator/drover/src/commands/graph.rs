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
use drover_engine::plan::{Places, Planner, Records};
use serde::Serialize;

use super::{read, refuse, shown};
use crate::cli::{Graph, GraphFormat};
use crate::drawing::svg::{self, Picture};
use crate::drawing::{self, Drawing};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::manifests::Manifests;
use crate::output::Output;
use crate::plans::select::select;
use crate::plans::survey::{self, Laid, Question};
use crate::plans::words;
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
        GraphFormat::Svg => {
            let planner = Planner {
                declared: &declared,
                inventories: &inventories,
                records: &Records::NONE,
                places: &Places::NONE,
                now: Some(arguments.input.now()),
            };
            let laid = plans
                .iter()
                .map(|id| survey::laid(&planner, id, Question::default()));
            let laid = laid.collect::<Result<Vec<_>, _>>()?;
            output.data(&svg::svg(&pictures(&drawings, &laid)))?;
        }
        GraphFormat::Json => {
            output.json(&Report::new("GraphReport", Body { plans: drawings }))?;
        }
    }
    Ok(Exit::Fine)
}

/// Each graph with what its run would do: the one that would start, else a move to the other site.
fn pictures<'a>(drawings: &'a [Drawing], laid: &'a [Laid]) -> Vec<Picture<'a>> {
    let pairs = drawings.iter().zip(laid);
    let picture = |(drawing, laid): (&'a Drawing, &'a Laid)| Picture {
        drawing,
        report: &laid.report,
        says: format!("{}: {}.", words::run(&laid.row), words::figures(&laid.row)),
    };
    pairs.map(picture).collect()
}
