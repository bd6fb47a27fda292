//! The commands, one file each.

mod apply;
mod ask;
mod completions;
mod crd;
mod decide;
mod delete;
mod demo;
mod describe;
mod diff;
mod drift;
mod events;
mod explain;
mod get;
mod graph;
#[cfg(feature = "mover")]
mod mover;
mod plan;
mod report;
mod serve;
mod set;
mod simulate;
mod up;
mod validate;
mod version;
mod wait;

use std::path::PathBuf;

use drover_manifest::{Renderer, Source};

pub use completions::for_kubectl as complete_for_kubectl;

use crate::cli::Command;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, File};
use crate::formats::{self, Finding};
use crate::manifests::{Findings, Manifests, ignored};
use crate::output::Output;
use crate::text::{Style, count};

/// Does what the command line says.
///
/// # Errors
/// When it could not be done.
pub fn run(command: Command, output: &mut Output) -> Result<Exit, Failure> {
    match command {
        Command::Validate(arguments) => validate::run(&arguments, output),
        Command::Plan(arguments) => plan::run(&arguments, output),
        Command::Simulate(arguments) => simulate::run(&arguments, output),
        Command::Diff(arguments) => diff::run(&arguments, output),
        Command::Graph(arguments) => graph::run(&arguments, output),
        Command::Explain(arguments) => explain::run(&arguments, output),
        Command::Set(arguments) => set::run(&arguments, output),
        Command::Apply(arguments) => apply::run(&arguments, output),
        Command::Get(arguments) => get::run(&arguments, output),
        Command::Describe(arguments) => describe::run(&arguments, output),
        Command::Drift(arguments) => drift::run(&arguments, output),
        Command::Wait(arguments) => wait::run(&arguments, output),
        Command::Events(arguments) => events::run(&arguments, output),
        Command::Delete(arguments) => delete::run(&arguments, output),
        Command::Report(arguments) => report::run(&arguments, output),
        Command::Approve(arguments) => decide::approve(&arguments, output),
        Command::Commit(arguments) => decide::commit(&arguments, output),
        Command::Cancel(arguments) => decide::cancel(&arguments, output),
        Command::Resume(arguments) => decide::resume(&arguments, output),
        Command::CompleteSync(arguments) => decide::complete_sync(&arguments, output),
        Command::ChangePoint(arguments) => decide::change_point(&arguments, output),
        Command::Accept(arguments) => decide::accept(&arguments, output),
        Command::Reprotect(arguments) => decide::reprotect(&arguments, output),
        Command::Up(arguments) => up::run(&arguments, output),
        Command::Demo(arguments) => demo::run(&arguments, output),
        Command::Run(arguments) => serve::run(&arguments),
        #[cfg(feature = "mover")]
        Command::Mover(arguments) => mover::run(&arguments),
        Command::Crd(arguments) => crd::run(&arguments, output),
        Command::Completions(arguments) => completions::run(&arguments, output),
        Command::Version(arguments) => version::run(&arguments, output),
    }
}

/// Reads files, and says which links were not followed.
fn read(paths: &[PathBuf], output: &mut Output) -> Result<Vec<File>, Failure> {
    let found = files::read(paths)?;
    for link in &found.links {
        let style = output.talk_style();
        let note = style.strong("note:");
        output.talk(&format!(
            "{note} {} is a link to a folder and was not followed; name it to read it",
            link.display()
        ));
    }
    if found.files.is_empty() {
        let names: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(Failure::NoManifests(names.join(", ")));
    }
    Ok(found.files)
}

/// Problems for people.
pub fn shown(findings: &Findings, manifests: &Manifests<'_>, style: Style) -> String {
    rendered(findings, &manifests.sources, style)
}

/// The same, where they are of these texts.
fn rendered(findings: &Findings, sources: &[Source<'_>], style: Style) -> String {
    let renderer = Renderer::plain().color(style.color()).width(style.width());
    renderer.render_all(&findings.problems, sources)
}

/// Findings as code scanning reads them. Where they come near its limits, that is talk.
fn sarif(findings: &[Finding], output: &mut Output) -> Result<(), Failure> {
    let sarif = formats::sarif(findings, |rule| formats::meaning(rule).map(str::to_owned));
    output.json(&sarif.log)?;
    for line in sarif.limits() {
        output.talk(&line);
    }
    Ok(())
}

/// `8 objects read from 6 files: 1 error, 2 warnings; 3 objects of other tools ignored`.
pub fn summary(findings: &Findings) -> String {
    let numbers = &findings.summary;
    let wrong = match (numbers.errors, numbers.warnings) {
        (0, 0) => "no problems".to_owned(),
        (errors, 0) => count(errors, "error"),
        (0, warnings) => count(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    let (objects, files) = (
        count(numbers.objects, "object"),
        count(numbers.files, "file"),
    );
    let ignored = ignored(numbers.ignored, numbers.ignored_files);
    format!("{objects} read from {files}: {wrong}{ignored}")
}

/// What a command that needs manifests without errors says when there are some.
pub fn refuse(findings: &Findings, output: &mut Output) {
    output.talk(&summary(findings));
    if !findings.summary.checked {
        output.talk(NOT_CHECKED);
    }
}

/// Said where errors kept the engine from being asked.
const NOT_CHECKED: &str = "what objects say of each other is checked when all of them can be read";
