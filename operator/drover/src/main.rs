//! The command line `drover`: it reads files, talks to people, and wires the rest.
//!
//! [`cli`] is what may be written on the command line, [`commands`] has one file for each command,
//! [`files`] to [`findings`] are the way from paths to what is wrong, [`policies`] are rules of a house, [`formats`] writes
//! what was found for forges and pipelines, [`plans`] shows what a run would do, [`reviews`] what a change means, [`cluster`] speaks to an API, [`reports`] shows what came from there and [`drifts`] where that differs from what is declared, [`sheet`] and [`timeline`] print it for a terminal, an issue tracker or a browser, [`up`] brings an API and an
//! operator of its own, [`demo`] shows them at work, [`serve`] is the operator for a cluster, and everything that is said goes through [`output`].
//!
//! What may not enter: what a declaration means. Commands read, ask the engine and show its answer.
//! Standard output is data, standard error is talk; how a command ends is one of three [`exit`] codes.

mod atomically;
mod canonical;
mod cli;
mod cluster;
mod commands;
mod demo;
mod digest;
mod drawing;
mod drifts;
mod exit;
mod failure;
mod files;
mod findings;
mod formats;
mod html;
mod manifests;
mod others;
mod output;
mod plans;
mod policies;
mod report;
mod reports;
mod reviews;
mod serve;
mod sheet;
mod signals;
mod simulations;
mod tables;
mod text;
mod timeline;
mod up;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};

use cli::Cli;
use exit::Exit;
use output::Output;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let invoked = Invoked::by(arguments.next().as_deref());
    if invoked == Invoked::ByKubectlToComplete {
        let mut output = Output::new(output::Color::Never);
        let result = commands::complete_for_kubectl(arguments, &mut output);
        return conclude(result, &mut output).into();
    }
    let exit = match parse(invoked, arguments) {
        Ok(cli) => {
            let mut output = Output::new(cli.look.choice());
            let result = commands::run(cli.command, &mut output);
            conclude(result, &mut output)
        }
        Err(answer) => usage(&answer),
    };
    exit.into()
}

/// As what the program was called. As `kubectl-drover` on the search path it is a plugin of `kubectl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invoked {
    Directly,
    ByKubectl,
    ByKubectlToComplete,
}

impl Invoked {
    fn by(name: Option<&OsStr>) -> Self {
        let name = name
            .and_then(|name| Path::new(name).file_stem())
            .and_then(OsStr::to_str);
        match name {
            Some("kubectl-drover") => Self::ByKubectl,
            Some("kubectl_complete-drover") => Self::ByKubectlToComplete,
            _ => Self::Directly,
        }
    }

    /// What people type to call it.
    fn name(self) -> &'static str {
        match self {
            Self::Directly => "drover",
            Self::ByKubectl | Self::ByKubectlToComplete => "kubectl drover",
        }
    }
}

fn parse(invoked: Invoked, arguments: impl Iterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let command = Cli::command().bin_name(invoked.name());
    let all = std::iter::once(invoked.name().into()).chain(arguments);
    Cli::from_arg_matches(&command.try_get_matches_from(all)?)
}

/// Says what went wrong, where something did, and leaves nothing unsaid in a buffer.
fn conclude(result: Result<Exit, failure::Failure>, output: &mut Output) -> Exit {
    let result = result.and_then(|exit| output.flush().map(|()| exit));
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            output.failure(&failure);
            Exit::Wrong
        }
    }
}

/// Help and version were asked for, or the command line makes no sense. For the latter clap would end
/// with 2, which here means that there is something to see.
fn usage(answer: &clap::Error) -> Exit {
    let mut output = Output::new(cli::choice_before_parsing());
    let exit = match answer.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Fine,
        _ => Exit::Wrong,
    };
    let text = answer.render();
    if exit == Exit::Fine {
        let shown = output.data_style().of_clap(&text);
        return conclude(output.data(&shown).map(|()| exit), &mut output);
    }
    let shown = output.talk_style().of_clap(&text);
    output.talk(shown.trim_end());
    exit
}
