//! `drover simulate`: a run, lived through on simulated sites.
//!
//! For programs there is a `SimulationReport`: `at`, `plan`, `sites`, `direction`, `failover`, `faults`, `assumed`,
//! `forecast` with its `source` and the objectives, `summary` (endings, the spread of RTO and RPO in seconds,
//! the steps that decide) and `timeline`, the steps of the run that is shown, with seconds since its start.

use drover_api::common::{FailoverType, Unfenced};
use drover_api::{Object, Request};
use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use drover_engine::plan::{Authority, Places, Planner, Records, Verdict};
use drover_rehearsal::{Assumed, Prepared, Scenario, Summary, live_all};
use drover_world::PlanId;
use jiff::Timestamp;
use serde::Serialize;

use super::{read, refuse, shown};
use crate::cli::{Simulate, SimulateFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::manifests::Manifests;
use crate::output::Output;
use crate::plans::select::select;
use crate::plans::survey::{self, Question};
use crate::report::Report;
use crate::sheet::Cell;
use crate::simulations::Simulation;
use crate::text::count;
use crate::{digest, sheet, simulations};

/// Lives a run through and shows how it went.
///
/// # Errors
/// When manifests cannot be read, there is no such plan, or its run cannot be simulated.
pub fn run(arguments: &Simulate, output: &mut Output) -> Result<Exit, Failure> {
    let files = read(&arguments.input.paths, output)?;
    let manifests = Manifests::load(&files)?;
    let declared = Declared::new(&manifests.objects);
    let inventories = declared_inventories(&declared);
    let now = arguments.input.now();
    let findings = manifests.check(&declared, &inventories, now);
    if findings.has_errors() {
        let problems = shown(&findings, &manifests, output.talk_style());
        output.talk(&problems);
        refuse(&findings, output);
        return Ok(Exit::Wrong);
    }
    let records = records(&manifests.objects);
    let planner = Planner {
        declared: &declared,
        inventories: &inventories,
        records: &records,
        places: &Places::NONE,
        now: Some(now),
    };
    let plan = the_plan(arguments, &declared)?;
    let simulation = simulate(arguments, &planner, &plan)?;
    match arguments.format {
        SimulateFormat::Text => {
            let sheet = simulations::sheet(&simulation, now);
            output.data(&sheet::text(&sheet, output.data_style()))?;
        }
        SimulateFormat::Json => {
            let dated = Dated {
                at: now,
                simulation: &simulation,
            };
            output.json(&Report::new("SimulationReport", dated))?;
        }
        SimulateFormat::Html => output.data(&page(&simulation, now))?,
    }
    output.talk(&format!("{}; nothing was touched", simulation.verdict()));
    if let Some(hint) = simulation.hint() {
        output.say("hint:", |style, head| style.strong(head), &hint);
    }
    Ok(if simulation.is_fine() {
        Exit::Fine
    } else {
        Exit::Seen
    })
}

/// A simulation and when it was made, which is nothing that was found out.
#[derive(Serialize)]
struct Dated<'a> {
    at: Timestamp,
    #[serde(flatten)]
    simulation: &'a Simulation,
}

/// The page says what a terminal need not: of which facts it is, and who made it.
fn page(simulation: &Simulation, now: Timestamp) -> String {
    let mut sheet = simulations::sheet(simulation, now);
    sheet.foot("facts", Cell::name(digest::of_facts(simulation)));
    sheet.foot("drover", env!("CARGO_PKG_VERSION"));
    sheet::html(&sheet)
}

/// What runs took that somebody saved beside the manifests.
fn records(objects: &[Object]) -> Records {
    let runs = objects.iter().filter_map(|object| match object {
        Object::RecoveryRun(run) => Some(run.as_ref()),
        _ => None,
    });
    Records::of(runs, |run| {
        let of_run = objects.iter().filter_map(|object| match object {
            Object::MachineRun(machine) => Some(machine),
            _ => None,
        });
        let mut of_run: Vec<_> = of_run
            .filter(|machine| {
                machine.metadata.namespace == run.metadata.namespace
                    && Some(machine.spec.run.as_str()) == run.metadata.name.as_deref()
            })
            .map(|machine| std::sync::Arc::new((**machine).clone()))
            .collect();
        // Their names have the position in the run.
        of_run.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        of_run
    })
}

fn the_plan(arguments: &Simulate, declared: &Declared<'_>) -> Result<PlanId, Failure> {
    let named: Vec<String> = arguments.plan.iter().cloned().collect();
    let mut plans = select(declared, &named)?;
    match plans.len() {
        1 => Ok(plans.remove(0)),
        0 => Err(Failure::NoSuchPlan {
            name: "in these manifests".to_owned(),
            hint: "name the folder that has one".to_owned(),
        }),
        several => Err(Failure::Refused {
            what: format!("there are {}", count(several, "plan")),
            hint: "name one of them with --plan; `drover plan --summary` lists them".to_owned(),
        }),
    }
}

fn simulate(
    arguments: &Simulate,
    planner: &Planner<'_>,
    plan: &PlanId,
) -> Result<Simulation, Failure> {
    let question = Question {
        to: arguments.to.map(Into::into),
        kind: arguments.kind.map(Into::into),
        actual: arguments.actual.map(Into::into),
    };
    let (row, report, intent) = survey::laid_out(planner, plan, question)?;
    let by_request = !row.preview
        && matches!(
            row.outlook.verdict,
            Verdict::Run {
                by: Authority::Request { .. },
                ..
            }
        );
    let key = (plan.namespace.as_str(), plan.name.as_str());
    let declared = planner.declared.plans.get(&key).filter(|_| by_request);
    let assumed = Assumed {
        spread: f64::from(arguments.spread) / 100.0,
        answer: arguments.answer_after,
        ..Assumed::default()
    };
    let declared = declared.and_then(|plan| plan.object.spec.request.as_ref());
    let request = request(arguments, declared, row.failover)?;
    let scenario = Scenario {
        planner,
        plan,
        intent,
        request: request.as_ref(),
        faults: arguments.faults.clone(),
        assumed,
    };
    let failed = |source| Failure::Rehearsal {
        plan: plan.clone(),
        source,
    };
    let prepared = Prepared::of(&scenario).map_err(failed)?;
    let lives = live_all(&prepared, arguments.seed, arguments.runs).map_err(failed)?;
    let summary = Summary::of(&lives);
    Ok(Simulation::of(row, &report, &scenario, summary, lives))
}

/// The request that asks for the run: that of the plan where one counts, with the risk that is accepted.
fn request(
    arguments: &Simulate,
    declared: Option<&Request>,
    failover: FailoverType,
) -> Result<Option<Request>, Failure> {
    if !arguments.unfenced {
        return Ok(declared.cloned());
    }
    if failover != FailoverType::Unplanned {
        return Err(Failure::Refused {
            what: "a planned failover stops its source, so there is no fence to go without"
                .to_owned(),
            hint: "--unfenced goes with --type Unplanned".to_owned(),
        });
    }
    let bare = Request {
        id: "rehearsal".to_owned(),
        expires: Timestamp::MAX,
        kind: failover,
        recovery_point: None,
        source_stop: None,
        unfenced: Unfenced::default(),
        max_data_loss: None,
    };
    Ok(Some(Request {
        unfenced: Unfenced::AcceptSplitBrain,
        ..declared.cloned().unwrap_or(bare)
    }))
}
