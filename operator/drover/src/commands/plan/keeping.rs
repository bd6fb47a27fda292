//! `drover plan --out` and `--reviewed`: plans are kept as they were reviewed, and compared with that later.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use drover_engine::compile::Compiled;
use drover_engine::plan::Planner;
use drover_world::PlanId;
use jiff::Timestamp;
use serde::Serialize;

use crate::atomically;
use crate::cli::PlanFormat;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::plans::saved::{Saved, SavedPlan};
use crate::plans::survey::{self, Question, Row, Standing};
use crate::plans::words;
use crate::report::Report;
use crate::text::{Style, count, wrapped};

/// Keeps plans in a file.
///
/// # Errors
/// When one of them cannot be compiled yet, or the file cannot be written.
pub fn keep(
    planner: &Planner<'_>,
    plans: &[PlanId],
    question: Question,
    now: Timestamp,
    path: &Path,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut kept = Vec::with_capacity(plans.len());
    for id in plans {
        let (row, compiled) = survey::compiled(planner, id, question)?;
        let compiled = compiled.map_err(|why| Failure::Refused {
            what: format!("plan {id} cannot be kept: {why}"),
            hint: "name those that can be with --plan".to_owned(),
        })?;
        kept.push(saved(&row, compiled));
    }
    let previews = kept.iter().filter(|plan| !plan.starts).count();
    let plans = count(kept.len(), "plan");
    let file = Saved::new(kept, question, now);
    let failed = |source| Failure::Write {
        path: path.to_owned(),
        source,
    };
    let mut text = serde_json::to_vec_pretty(&file).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    atomically::write(path, &text)?;
    output.talk(&format!("kept {plans} in {}", path.display()));
    if previews > 0 {
        let style = output.talk_style();
        let note = format!(
            "note: {previews} of them would not start: the run that starts when activeSite changes has \
             another digest, so keep it from manifests that declare the change"
        );
        output.talk(&wrapped(&note, style.width(), "", "  "));
    }
    Ok(())
}

fn saved(row: &Row, compiled: Compiled) -> SavedPlan {
    SavedPlan {
        plan: row.plan.clone(),
        starts: row.standing() == Standing::Starts && !row.preview,
        says: format!("{}: {}", words::run(row), words::figures(row)),
        digest: compiled.run.digest.clone(),
        run: compiled.run,
        machines: compiled.machines,
    }
}

#[derive(Debug, Serialize)]
struct Body {
    plans: Vec<Compared>,
}

/// A plan that was reviewed, and what is another thing now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Compared {
    plan: PlanId,
    reviewed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    changes: Vec<String>,
}

/// Says whether plans are still what was reviewed.
///
/// # Errors
/// When the file cannot be read, or was changed.
pub fn compare(
    planner: &Planner<'_>,
    path: &Path,
    format: PlanFormat,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let saved = read(path)?;
    let question = saved.question.into();
    let plans = saved.plans.iter();
    let plans = plans.map(|plan| compared(planner, plan, question));
    let plans = plans.collect::<Result<Vec<_>, _>>()?;
    let stale = plans.iter().filter(|plan| !plan.changes.is_empty()).count();
    match format {
        PlanFormat::Json => output.json(&Report::new("ReviewReport", Body { plans }))?,
        PlanFormat::Text | PlanFormat::Markdown => {
            output.data(&text(&plans, output.data_style()))?;
        }
    }
    let all = count(saved.plans.len(), "plan");
    output.talk(&match stale {
        0 => format!("{all} as reviewed at {}", saved.at),
        stale => format!("{stale} of {all} not as reviewed at {}", saved.at),
    });
    Ok(if stale == 0 { Exit::Fine } else { Exit::Wrong })
}

/// Reads reviewed plans.
///
/// # Errors
/// When the file cannot be read, or was changed.
pub fn read(path: &Path) -> Result<Saved, Failure> {
    let text = fs::read(path).map_err(|source| Failure::Read {
        path: path.to_owned(),
        source,
    })?;
    Saved::read(&text).map_err(|source| Failure::NotReviewed {
        path: path.to_owned(),
        source,
    })
}

fn compared(
    planner: &Planner<'_>,
    plan: &SavedPlan,
    question: Question,
) -> Result<Compared, Failure> {
    let key = (plan.plan.namespace.as_str(), plan.plan.name.as_str());
    let (digest, changes) = if planner.declared.plans.contains_key(&key) {
        let (row, compiled) = survey::compiled(planner, &plan.plan, question)?;
        match compiled {
            Ok(now) => (Some(now.run.digest.clone()), differences(plan, &row, &now)),
            Err(why) => (None, vec![format!("it cannot be compiled any more: {why}")]),
        }
    } else {
        (None, vec!["it is not declared any more".to_owned()])
    };
    Ok(Compared {
        plan: plan.plan.clone(),
        reviewed: plan.digest.clone(),
        digest,
        changes,
    })
}

fn differences(plan: &SavedPlan, row: &Row, now: &Compiled) -> Vec<String> {
    let mut changes = plan.changes(now);
    let starts = row.standing() == Standing::Starts && !row.preview;
    if plan.starts && !starts {
        changes.insert(0, "it would have started, and would not now".to_owned());
    } else if starts && !plan.starts {
        changes.insert(0, "it would start now, and was a preview".to_owned());
    }
    changes
}

fn text(plans: &[Compared], style: Style) -> String {
    let mut text = String::new();
    for plan in plans {
        let name = style.strong(&plan.plan);
        if plan.changes.is_empty() {
            let same = style.good("as reviewed");
            let _ = writeln!(text, "{name}: {same}\n  {}", plan.reviewed);
            continue;
        }
        let _ = writeln!(text, "{name}: {}", style.bad("not as reviewed"));
        for change in &plan.changes {
            let _ = writeln!(text, "{}", wrapped(change, style.width(), "  - ", "    "));
        }
        let _ = writeln!(text, "  reviewed {}", plan.reviewed);
        if let Some(digest) = &plan.digest {
            let _ = writeln!(text, "  now      {digest}");
        }
    }
    text
}
