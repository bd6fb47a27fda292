//! `drover report`: the evidence of a run, a drill or a period.

use std::path::Path;

use drover_api::annotations::DRILL;
use drover_api::{RecoveryDrill, RecoveryRun};
use jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use serde::Serialize;
use serde_json::Value;

use super::describe::machines_of;
use crate::cli::{Report, ReportFormat, Subject};
use crate::cluster::access::{Access, block_on};
use crate::cluster::reading;
use crate::digest::{FACTS_DIGEST, of_facts_in};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, File};
use crate::output::Output;
use crate::reports::evidence::{self, API_VERSION};
use crate::reports::period::{self, Asked, Found, Period};
use crate::sheet::{self, Sheet};
use crate::text;

/// Prints evidence, or checks what was printed.
///
/// # Errors
/// When there is no such run, the cluster does not answer, or a file cannot be read.
pub fn run(arguments: &Report, output: &mut Output) -> Result<Exit, Failure> {
    if let Some(path) = &arguments.verify {
        return verify(path, output);
    }
    let now = Timestamp::now();
    if let Some(since) = arguments.since {
        let (period, unreadable) = block_on(period(arguments, since, now))?;
        for object in unreadable {
            let style = output.talk_style();
            output.talk(&format!("{} {object}", style.strong("note:")));
        }
        return print(arguments.format, &period, &period::sheet(&period), output);
    }
    let report = block_on(async {
        let access = Access::open(&arguments.target).await?;
        let (client, namespace) = (access.client(), Some(access.namespace()));
        let run = match &arguments.of {
            Some(Subject::Drill(name)) => of_drill(client, namespace, name).await?,
            Some(Subject::Run(name)) => reading::one(client, namespace, name).await?,
            // The parser asks for one of them.
            None => return Err(no_run("")),
        };
        let machines = machines_of(client, namespace, &run).await?;
        Ok(evidence::Report::of(&run, &machines).at(now))
    })?;
    print(arguments.format, &report, &evidence::sheet(&report), output)
}

fn print(
    format: ReportFormat,
    report: &impl Serialize,
    sheet: &Sheet,
    output: &mut Output,
) -> Result<Exit, Failure> {
    match format {
        ReportFormat::Text => output.data(&sheet::text(sheet, output.data_style()))?,
        ReportFormat::Json => output.json(report)?,
        ReportFormat::Markdown => output.data(&sheet::markdown(sheet))?,
        ReportFormat::Html => output.data(&sheet::html(sheet))?,
    }
    Ok(Exit::Fine)
}

/// The run that carried out a drill: the newest, where several drills had the name. It outlives the
/// drill.
async fn of_drill(
    client: &Client,
    namespace: Option<&str>,
    name: &str,
) -> Result<RecoveryRun, Failure> {
    let runs = reading::typed::<RecoveryRun>(client, namespace).await?;
    let own = runs.items.into_iter();
    let own = own.filter(|run| {
        run.annotations()
            .get(DRILL)
            .is_some_and(|drill| drill == name)
    });
    if let Some(run) = own.max_by_key(|run| run.spec.number) {
        return Ok(run);
    }
    // Says which drills there are where there is none of that name.
    reading::one::<RecoveryDrill>(client, namespace, name).await?;
    Err(no_run(name))
}

fn no_run(drill: &str) -> Failure {
    Failure::Refused {
        what: format!("the drill {drill} has no run, so there is no evidence of it"),
        hint: format!("`drover describe drill {drill}` says what it waits for"),
    }
}

/// What happened in a period, and what could not be read.
async fn period(
    arguments: &Report,
    since: Timestamp,
    now: Timestamp,
) -> Result<(Period, Vec<String>), Failure> {
    let access = Access::open(&arguments.target).await?;
    let everywhere = arguments.all_namespaces;
    let namespace = (!everywhere).then(|| access.namespace().to_owned());
    let (client, in_namespace) = (access.client(), namespace.as_deref());
    let asked = Asked {
        namespace: namespace.clone(),
        plan: arguments.plan.clone(),
        since,
        until: arguments.until.unwrap_or(now),
        now,
    };
    if asked.until <= since {
        return Err(Failure::Refused {
            what: "the period ends before it begins".to_owned(),
            hint: "--until is a day or an instant after that of --since".to_owned(),
        });
    }
    let plans = reading::typed(client, in_namespace).await?;
    let runs = reading::typed(client, in_namespace).await?;
    let journals = reading::typed(client, in_namespace).await?;
    let machines = reading::typed(client, in_namespace).await?;
    let mut unreadable = plans.unreadable;
    for more in [runs.unreadable, journals.unreadable, machines.unreadable] {
        unreadable.extend(more);
    }
    let found = Found {
        plans: plans.items,
        runs: runs.items,
        journals: journals.items,
        machines: machines.items,
    };
    Ok((Period::of(&asked, &found), unreadable))
}

/// Whether reports that were kept have the facts that their digests are of.
fn verify(path: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let mut wrong = Vec::new();
    for file in files::read(&[path.to_owned()])?.files {
        wrong.extend(differing(&file, output)?);
    }
    for each in &wrong {
        output.data(&format!("{each}\n"))?;
    }
    if wrong.is_empty() {
        return Ok(Exit::Fine);
    }
    let number = text::count(wrong.len(), "report");
    output.talk(&format!("{number} changed after printing"));
    Ok(Exit::Wrong)
}

/// What does not agree in a file; what does is said.
fn differing(file: &File, output: &mut Output) -> Result<Vec<String>, Failure> {
    let not_kept = |why: &str| Failure::Refused {
        what: format!("{} is no report that was kept: {why}", file.name),
        hint: "`drover report RUN --format json` prints one".to_owned(),
    };
    let report: Value =
        serde_json::from_slice(&file.text).map_err(|error| not_kept(&error.to_string()))?;
    if report["apiVersion"] != API_VERSION || !report[FACTS_DIGEST].is_string() {
        return Err(not_kept(&format!(
            "it is none of {API_VERSION} with a digest"
        )));
    }
    let mut wrong = Vec::new();
    let runs = report["runs"].as_array().into_iter().flatten();
    for part in runs.chain([&report]) {
        let name = name_of(part);
        let (said, is) = (
            part[FACTS_DIGEST].as_str().unwrap_or_default(),
            of_facts_in(part),
        );
        if said == is {
            output.data(&format!("{name}: facts and digest agree, {is}\n"))?;
        } else {
            wrong.push(format!(
                "{name}: the digest says {said}, that of the facts is {is}"
            ));
        }
    }
    Ok(wrong)
}

fn name_of(report: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    match &report["run"] {
        Value::Null => format!(
            "the period from {} to {}",
            text(&report["since"]),
            text(&report["until"])
        ),
        run => format!("run {}/{}", text(&run["namespace"]), text(&run["name"])),
    }
}
