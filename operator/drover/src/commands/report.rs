//! `drover report`: the evidence of a run.

use drover_api::RecoveryRun;
use jiff::Timestamp;

use super::describe::{decisions_of, machines_of, plan_of};
use crate::cli::{Report, ReportFormat};
use crate::cluster::access::{Access, block_on};
use crate::cluster::reading;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::reports::{evidence, markdown, text};

/// Prints the evidence of a run.
///
/// # Errors
/// When there is no such run, or the cluster does not answer.
pub fn run(arguments: &Report, output: &mut Output) -> Result<Exit, Failure> {
    let report = block_on(async {
        let access = Access::open(&arguments.target).await?;
        let (client, namespace) = (access.client(), Some(access.namespace()));
        let run: RecoveryRun = reading::one(client, namespace, &arguments.run).await?;
        let machines = machines_of(client, namespace, &run).await?;
        let plan = plan_of(client, namespace, &run).await?;
        let decisions = decisions_of(client, namespace, &run).await?;
        let report = evidence::Report::of(&run, &machines, plan.as_ref());
        Ok(report.with_decisions(&decisions).at(Timestamp::now()))
    })?;
    match arguments.format {
        ReportFormat::Text => output.data(&text::render(&report, output.data_style()))?,
        ReportFormat::Json => output.json(&report)?,
        ReportFormat::Markdown => output.data(&markdown::render(&report))?,
    }
    Ok(Exit::Fine)
}
